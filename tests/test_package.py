"""The package as a whole: light to import, complete at its front door, and built from top to bottom."""

import ast
import fnmatch
import graphlib
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import neural_style

ROOT = Path(neural_style.__file__).parent

STOREYS = """
_files
errors plugins _arguments _atomic _fingerprint _optional _process _tracing
_archive samples
images
color
features
losses scales
optimizers
objective recipes
metrics
transfer
feedforward
callbacks
api plotting
batch video training
cli
""".strip().splitlines()
"""Lowest first: a file imports from its own room and from the storeys below."""

MOVED = "checkpoint clips distill executors flow relay timelapse".split()  # noqa: SIM905
"""Names that this release keeps for what has moved into a room."""


def run_python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120)


HEAVY = ("tensorflow", "keras", "scipy", "matplotlib", "h5py", "tqdm", "av", "cv2")


@pytest.mark.parametrize(
    "statement",
    ["import neural_style", "from neural_style import ImageError; dir(neural_style)", "import neural_style.cli"],
)
def test_importing_is_light_and_silent(statement):
    code = f"import sys, neural_style\n{statement}\nprint(*[m for m in {HEAVY} if m in sys.modules])"
    done = run_python("-W", "error", "-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


def test_help_does_not_load_tensorflow():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['neural_style', '--help']\n"
        "try:\n    runpy.run_module('neural_style', run_name='__main__')\n"
        "except SystemExit as end:\n"
        f"    print('exit', end.code, [m for m in {HEAVY} if m in sys.modules])"
    )
    done = run_python("-c", code)
    assert done.stdout.startswith("usage: neural-style ")
    assert done.stdout.endswith("exit 0 []\n")
    assert done.stderr == ""


@pytest.mark.parametrize("name", neural_style.__all__)
def test_every_public_name_resolves(name):
    assert getattr(neural_style, name) is not None
    assert name in dir(neural_style)


def test_public_names_are_sorted_and_unknown_ones_are_told():
    assert list(neural_style.__all__) == sorted(neural_style.__all__, key=_isort_key)
    with pytest.raises(AttributeError, match="no attribute 'stylise'"):
        _ = neural_style.stylise


def _isort_key(name):
    """Constants, then classes, then the rest, as linters sort."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def modules():
    """Every file of the package by its dotted name inside it."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            yield name, path


MODULES = dict(modules())


@pytest.mark.parametrize("name", [name for name in MODULES if name != "__main__"])
def test_every_room_has_the_names_it_lists(name):
    module = importlib.import_module(f"neural_style.{name}")
    for public in getattr(module, "__all__", []):
        assert hasattr(module, public), public


def imports(path):
    """The package's own modules that a file imports, wherever in it."""
    package = ("neural_style", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        found = []
        if isinstance(node, ast.ImportFrom):
            home = [*package[: len(package) - node.level + 1], node.module] if node.level else [node.module]
            module = ".".join(part for part in home if part)
            found = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        for name in found:
            top, _, inside = name.partition(".")
            if top == "neural_style":
                yield inside if inside in MODULES else inside.rpartition(".")[0]


FLOORS = {room: floor for floor, rooms in enumerate(STOREYS) for room in rooms.split()}


@pytest.mark.parametrize("name", [name for name in MODULES if name not in MOVED and name != "__main__"])
def test_a_file_imports_from_its_room_and_the_storeys_below(name):
    room = name.partition(".")[0]
    assert room in FLOORS, f"give {room} a place in STOREYS"
    others = {each.partition(".")[0] for each in imports(MODULES[name])} - {room, ""}  # the package itself: its version
    assert {each for each in others if FLOORS[each] >= FLOORS[room]} == set()


def test_a_room_holds_no_circle():
    graph = {name: set(imports(path)) for name, path in MODULES.items() if not path.name.startswith("__init__")}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def imported_names(path):
    """(module, name) for every name that a file imports from a module of the package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "neural_style":
            inside = node.module.partition(".")[2]
            yield from (
                (inside, alias.name) for alias in node.names if f"{inside}.{alias.name}".strip(".") not in MODULES
            )


@pytest.mark.parametrize("name", [name for name in MODULES if name not in MOVED])
def test_only_exported_names_are_imported(name):
    for module, imported in imported_names(MODULES[name]):
        exported = getattr(importlib.import_module(f"neural_style.{module}".rstrip(".")), "__all__", [])
        assert imported in (*exported, "*"), f"{module} does not export {imported}"


def test_the_wheel_holds_all_weights_and_their_records():
    """It takes every file of the package that git does not ignore."""
    wheel = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {"packages": ["neural_style"]}
    files = {path.name: path.stat().st_size for path in (ROOT / "features" / "pretrained").iterdir()}
    assert set(files) == {"README.md", "vgg16.npz", "lite.npz", "lite.json", "decoders.npz", "decoders.json"}
    assert sum(files.values()) < 12e6
    ignored = (ROOT.parent / ".gitignore").read_text().split()
    assert not any(fnmatch.fnmatch(name, pattern) for name in files for pattern in ignored)


def functions(path):
    """Every function of a file with the lines of its body, its docstring left out."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            has_docstring = ast.get_docstring(node) is not None
            body = node.body[1:] if has_docstring else node.body
            yield node.name, body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("name", MODULES)
def test_no_function_is_longer_than_a_page(name):
    assert {function: lines for function, lines in functions(MODULES[name]) if lines > 40} == {}


def test_changelog_and_citation_know_the_version():
    version = neural_style.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    changelog, readme = ((ROOT.parent / name).read_text() for name in ("CHANGELOG.md", "README.md"))
    unreleased, latest = re.findall(r"^## \[(\S+?)\](?: - \d{4}-\d\d-\d\d)?$", changelog, re.MULTILINE)[:2]
    assert (unreleased, latest) == ("Unreleased", version)
    assert f"version = {{{version}}}" in readme
    assert f"\nversion: {version}\n" in (ROOT.parent / "CITATION.cff").read_text()


def test_readme_manual_and_citation_file_cite_alike():
    """The BibTeX of the README is that of docs/cite.md, and says what CITATION.cff says."""
    readme, page, cff = ((ROOT.parent / name).read_text() for name in ("README.md", "docs/cite.md", "CITATION.cff"))
    (entry,) = re.findall(r"^@software\{.*?^\}\n", page, re.MULTILINE | re.DOTALL)
    assert entry in readme
    cited = dict(re.findall(r"^ +(\w+) += \{+(.*?)\}+,?$", entry.replace("\\_", "_"), re.MULTILINE))
    stated = dict(re.findall(r'^(?:  - )?(\w+): "?(.*?)"?$', cff, re.MULTILINE))
    assert [cited[name] for name in ("title", "author", "version")] == [
        stated[name] for name in ("title", "name", "version")
    ]


def test_the_installed_command_is_the_command_of_the_package(monkeypatch, capsys):
    """`neural-style` runs what `python -m neural_style` runs."""
    scripts = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]["scripts"]
    assert list(scripts) == ["neural-style"]
    module, _, name = scripts["neural-style"].partition(":")
    monkeypatch.setattr(sys, "argv", ["neural-style", "--version"])
    with pytest.raises(SystemExit, match="0"):
        getattr(importlib.import_module(module), name)()
    assert capsys.readouterr().out == f"neural_style {neural_style.__version__}\n"
