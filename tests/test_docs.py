"""The manual: its code runs, and every public name has its place in the reference."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import neural_style
from neural_style import Extractor, StyleTransfer, images, losses, samples
from neural_style.cli.app import server
from neural_style.losses import Content, Context, Loss
from tests.examples import commands, painted_files, put_clip, put_files, python_blocks, run_command, smaller

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


CODE = {
    page.relative_to(ROOT / "docs").with_suffix("").as_posix(): python_blocks(page.read_text())
    for page in PAGES
    if python_blocks(page.read_text())
}
RUN = [name for name in CODE if not name.startswith("gallery/pictures/")]  # test_gallery.py runs the code of these
AS_WRITTEN = ["start", "tutorial", "howto/watch", "howto/embed", "howto/reproduce", "contributing"]
"""Pages whose examples are small as they stand; the others are run at 48 pixels, in two steps."""

ELSEWHERE = {
    "with processes(4)": "a file that four processes import",
    "from distributed import": "a Dask cluster",
    "import ray": "a Ray cluster",
    "neural-style app": "a browser",
}
"""Examples that need more than this process, by a part of them: those of Python run in the tests below."""

COMMANDS = {
    page.relative_to(ROOT / "docs").with_suffix("").as_posix(): commands(page.read_text())
    for page in PAGES
    if commands(page.read_text()) and page.stem != "shell"  # test_shell_page.py runs that one
}


def elsewhere(code):
    return any(part in code for part in ELSEWHERE)


@pytest.mark.parametrize("page", CODE)
def test_code_is_python_and_imports_what_there_is(page):
    for block in CODE[page]:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "neural_style":
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


@pytest.fixture
def place(tmp_path, monkeypatch, capsys):
    """A folder with every file that the examples name."""
    put_files(tmp_path, ROOT / "docs")
    put_clip(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
@pytest.mark.parametrize("page", RUN)
def test_code_runs_from_top_to_bottom(page, place):
    names = {"__name__": "__main__"}
    for block in CODE[page]:
        if not elsewhere(block):
            exec(compile(block if page in AS_WRITTEN else smaller(block), page, "exec"), names)
    for name in re.findall(r"\.save\(\"(\S+?)\"\)", "".join(CODE[page])):
        assert os.path.getsize(name) > 200, name
    check = CHECKS.get(page)
    if check is not None:
        check(names)


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
@pytest.mark.parametrize("page", COMMANDS)
def test_commands_run_from_top_to_bottom(page, place, monkeypatch):
    for line in COMMANDS[page]:
        if elsewhere(line):
            server.make_parser().parse_args(line.split()[2:])
            continue
        arguments, output = run_command(line, monkeypatch)
        for path in painted_files(arguments, output):
            with Image.open(path) as image:
                assert max(image.size) == 32, line


def page_with(part):
    """The code of a page up to an example of `ELSEWHERE`, small, without the other examples."""
    (blocks,) = (blocks for blocks in CODE.values() if any(part in block for block in blocks))
    last = next(number for number, block in enumerate(blocks) if part in block)
    return "\n\n".join(smaller(block) for block in blocks[: last + 1] if part in block or not elsewhere(block))


def check_painted(folder):
    assert {path.name for path in (folder / "painted").glob("*.png")} == {"a.png", "b.png"}
    assert '"failed"' not in (folder / "painted" / "record.jsonl").read_text()


def test_the_example_with_processes_runs_as_a_file(place):
    (place / "paint.py").write_text(page_with("with processes(4)"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    finished = subprocess.run(
        [sys.executable, "paint.py"], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("status='done'") == 2
    check_painted(place)


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
def test_the_example_with_dask_runs_on_a_cluster(place, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
    client, addresses = distributed.Client, []
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setattr(distributed, "Client", lambda address: addresses.append(address) or client(cluster))
        exec(compile(page_with("from distributed import"), "howto/many", "exec"), {"__name__": "__main__"})
    assert addresses == ["scheduler:8786"]
    check_painted(place)


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
def test_the_example_with_ray_runs_on_a_cluster(place, monkeypatch):
    ray = pytest.importorskip("ray", reason="needs the extra [ray]")
    begin, addresses = ray.init, []
    environment = {"env_vars": {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}}
    monkeypatch.setattr(
        ray, "init", lambda address: addresses.append(address) or begin(num_gpus=1, runtime_env=environment)
    )
    try:
        exec(compile(page_with("import ray"), "howto/many", "exec"), {"__name__": "__main__"})
    finally:
        ray.shutdown()
    assert addresses == ["auto"]
    check_painted(place)


def test_examples_that_need_more_than_this_machine_are_still_there():
    everything = "\n".join(block for blocks in (*CODE.values(), *COMMANDS.values()) for block in blocks)
    assert [part for part in ELSEWHERE if part not in everything] == []


def test_every_example_is_fenced_with_its_language():
    languages = r"python|sh|bash|text|dockerfile|bibtex|\{[\w-]+\}"
    for page in PAGES:
        text = page.read_text()
        opened = re.findall(r"^```(.*)$", text, re.MULTILINE)[::2]
        assert all(re.match(rf"(?:{languages})", language) for language in opened), f"{page.name}: {opened}"
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        indented = re.search(r"\n\n {4,}(?:>>> |from |import |pip |python |neural-style )", prose)
        assert indented is None, f"{page.name}: {indented}"


def check_tutorial(names):
    assert os.path.getsize("edges.png") > 1000
    assert names["result"].history[-1].terms["brightness"] >= 0.0


def check_watching(names):
    for name in ("painting.gif", "side_by_side.png", "evolution.png", "history.png"):
        assert os.path.getsize(name) > 1000


def check_embedding(names):
    pictures = [samples.path(name).read_bytes() for name in ("astronaut", "harvest")]
    assert names["handle"](b"no picture", pictures[1])[0] == 422
    transfer, asked = names["transfer"], {}

    class Small:
        def run(self, *sources, **options):
            asked.update(options)
            return transfer.run(*sources, size=32, steps=1)

    names["transfer"] = Small()
    status, body = names["handle"](*pictures)
    assert status == 200 and images.load(body).shape == (1, 32, 32, 3) and asked["max_seconds"] == 30.0
    names["transfer"] = transfer

    triples = [(pictures[0], pictures[1], "good.png"), (b"no picture", pictures[1], "bad.png")]
    assert names["nightly"](triples, size=32, steps=1, extractor="vgg16") == 1
    assert names["nightly"](triples[:1], size=32, steps=1, extractor="vgg16") == 0

    painted = list(names["pictures"])
    assert [picture.shape[:2] for picture in painted] == [(96, 96), (80, 96)]


def check_template(names):
    """The loss of the template against the template's own NumPy, and in a tiled run."""
    rng = np.random.default_rng(0)
    maps = [{"image": rng.random((1, 6, 7, 3), np.float32)} for _ in range(3)]
    loss = names["MeanColor"]()
    painted, wanted = (loss.statistic(maps[index], Context()) for index in (0, 2))
    assert float(loss.compare(painted, wanted)) == pytest.approx(names["mean_color"](*maps), rel=1e-4)
    result = StyleTransfer(Content() + loss, "vgg16", tile=32).run(
        *rng.random((2, 64, 64, 3), np.float32), size=64, steps=2
    )
    assert result.history[-1].terms["mean_color"] > 0.0
    assert isinstance(names["Blurred"](), Extractor)
    edgeless = StyleTransfer(Content(["far"]) + loss, names["Blurred"]())
    assert edgeless.run(*rng.random((2, 32, 32, 3), np.float32), size=32, steps=1).image.size == (32, 32)


CHECKS = {
    "tutorial": check_tutorial,
    "howto/watch": check_watching,
    "howto/embed": check_embedding,
    "contributing": check_template,
}


def documented():
    """Modules and names that the reference's pages ask for."""
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").rglob("*.md"))
    modules = set(re.findall(r"\.\. automodule:: (\S+)", text))
    names = set(re.findall(r"\.\. auto(?:class|function):: (\S+)", text))
    return modules, names


def public():
    for name in neural_style.__all__:
        if name.startswith("_"):
            continue
        value = getattr(neural_style, name)
        if name not in neural_style._MODULES:
            yield f"neural_style.{name}", value
        else:
            for member in value.__all__:
                yield f"neural_style.{name}.{member}", getattr(value, member)


def test_every_public_name_is_in_the_reference_and_says_what_it_is():
    modules, names = documented()
    for name, value in public():
        home = getattr(value, "__module__", None)
        if home is None or not home.startswith("neural_style"):
            home = name.rpartition(".")[0]  # a constant
            home = {"neural_style.losses": "neural_style.losses.base"}.get(home, home)
        assert home in modules or name in names, f"{name} has no place in docs/reference"
        if inspect.isclass(value) or inspect.isroutine(value):
            assert value.__doc__, f"{name} does not say what it is"


def callables():
    """Public classes and functions; types that only name others are left out."""
    for name, value in public():
        if inspect.isroutine(value) or (inspect.isclass(value) and "neural_style" in value.__module__):
            yield name, value


def arguments(value):
    """Its arguments; none for protocols and exceptions, and for a function that refers to one of the same arguments."""
    if inspect.isclass(value) and (issubclass(value, BaseException) or getattr(value, "_is_protocol", False)):
        return []
    if sibling := re.search(r"Arguments and errors are those of `(\w+)`\.", inspect.getdoc(value)):
        described = getattr(neural_style, sibling[1])
        assert inspect.signature(value).parameters == inspect.signature(described).parameters
        return []
    return [name for name in inspect.signature(value).parameters if not name.startswith("_")]


def raised(value):
    """Exceptions raised in its own body; for a class in what makes an object of it, if that is written out."""
    makers = [vars(value).get(name) for name in ("__init__", "__post_init__")] if inspect.isclass(value) else [value]
    for function in filter(None, makers):
        if function.__code__.co_filename != inspect.getsourcefile(value):
            continue  # made by `dataclasses` or `typing`
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                yield ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)


def gaps(value):
    """What the docstring of a public class or function leaves out."""
    text = inspect.getdoc(value)
    for each in arguments(value):
        if not re.search(rf"^ +\**{each}: \S", text, re.MULTILINE):
            yield f"what {each} is"
    for each in raised(value):
        if not re.search(rf"^ +{each}: \S", text, re.MULTILINE):
            yield f"when it raises {each}"
    if not getattr(value, "_is_protocol", False) and not re.search(r"^Example:\n(.*\n)*    >>> ", text, re.MULTILINE):
        yield "an example"


LOSSES = (ROOT / "docs" / "reference" / "losses.md").read_text()
ROWS = {
    row[0]: row[1:]
    for row in re.findall(r"^\| \[`(\w+)`\]\((\S+)\) \| .+ \| (yes|no) \| (.+?) \| (.+?) \| .+ \|$", LOSSES, re.M)
}


def test_the_table_of_losses_lists_each_with_its_page_and_tiles():
    public = {name: getattr(losses, name) for name in losses.__all__}
    classes = {name for name, value in public.items() if inspect.isclass(value) and issubclass(value, Loss)}
    assert set(ROWS) == classes - {"Loss", "Custom"} | {"custom"}
    for name, (page, tiles, _, image) in ROWS.items():
        text = (ROOT / "docs" / "reference" / page).read_text()
        assert (tiles == "yes") == (name != "custom" and public[name]().additive), name
        if name == "custom":
            continue
        assert f".. autoclass:: neural_style.losses.{name}\n" in text
        assert name == "Temporal" or (image.startswith("![") and "](../../gallery/losses/" in text)


def test_every_docstring_tells_what_comes_in_what_goes_wrong_and_an_example():
    missing = [f"{name} does not tell {gap}" for name, value in callables() for gap in gaps(value)]
    assert not missing, "\n".join(missing)


def test_pictures_and_pages_that_are_linked_to_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def source_files():
    """Files of the package that a contributor may look for: without aliases and lists of names."""
    package = ROOT / "neural_style"
    for path in package.rglob("*.py"):
        defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(path.read_text()).body)
        if defines and path.name != "__init__.py":
            yield path.relative_to(package).as_posix()


def test_the_source_layout_lists_every_file():
    page = (ROOT / "docs" / "contributing.md").read_text()
    layout = page[page.index("### Every file") : page.index("## Add a loss")]
    listed = set(re.findall(r"`([\w/]+\.py)`", layout))
    assert listed == set(source_files())


def test_every_paper_that_is_cited_is_in_the_bibliography():
    listed = (ROOT / "docs" / "bibliography.md").read_text().split("\n- ")
    name, more = r"([A-Z]\w+)", r"(?:\s+et\s+al\.|\s+and\s+[A-Z]\w+)?,?"
    for path in (ROOT / "neural_style").rglob("*.py"):
        for author, year in re.findall(rf"{name}{more}\s+\(?(\d{{4}})[),]", path.read_text()):
            assert any(author in entry and year in entry for entry in listed), f"{path.name} cites {author} ({year})"
