"""llms.txt: its names exist with the defaults that it states, its links resolve, and its code runs."""

import ast
import inspect
import re
import tomllib
from pathlib import Path

import pytest

import neural_style
from tests.examples import smaller

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "llms.txt").read_text()
NAMES = TEXT[TEXT.index("## Names") : TEXT.index("## Pitfalls")]

CALLS = [call for call in re.findall(r"`([\w.]+\([^`]*\))`", NAMES) if not call.startswith("save(")]


def find(name):
    """The object of a dotted name in the package."""
    value = neural_style
    for part in name.split("."):
        value = getattr(value, part)
    return value


def test_its_form_is_that_of_the_convention():
    lines = TEXT.splitlines()
    assert lines[0] == "# neural_style" and lines[2].startswith("> ")
    assert [line for line in lines if line.startswith("#") and not re.match(r"## \w+$|# neural_style$", line)] == []
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[-3:]:
        title, *items = section.strip().splitlines()
        assert title in ("Manual", "Reference", "Optional")
        assert all(re.match(r"- \[[^]]+\]\(docs/[\w/]+\.md\)(: \S|$)", item) for item in items if item)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_has_these_arguments_and_defaults(call):
    node = ast.parse(call.replace("\n", " ")).body[0].value
    name = ast.unparse(node.func)
    known = inspect.signature(find(name)).parameters
    for argument in node.args:
        assert known[argument.id].default is inspect.Parameter.empty, argument.id
    for each in node.keywords:
        assert known[each.arg].default == ast.literal_eval(each.value), each.arg


def test_every_other_name_exists():
    found = re.findall(r"`([A-Z]\w+|[a-z]\w*\.[\w.]+)`", NAMES)
    assert len(found) > 30
    for name in found:
        assert hasattr(__import__("builtins"), name) or find(name) is not None
    promised = re.search(r"^- `Result`: (.*?)\n- ", NAMES, re.MULTILINE | re.DOTALL)[1]
    fields = set(neural_style.Result.__dataclass_fields__) | set(dir(neural_style.Result))
    assert set(re.findall(r"`([a-z]\w*)`", promised)) <= fields


def test_its_links_lead_to_pages_that_are_there():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 15
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_a_link_has_the_title_of_its_page():
    for title, page in re.findall(r"\[([^]]+)\]\((docs/[^)]+)\)", TEXT):
        assert re.search(rf"^# .*{re.escape(title)}", (ROOT / page).read_text(), re.MULTILINE), page


def test_it_names_every_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (named,) = re.findall(r"Extras, such as [^:]*: (.*?)\.\n", TEXT, re.DOTALL)
    assert set(re.findall(r"`([\w-]+)`", named)) == set(extras)


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
def test_its_code_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    small = smaller(code).replace("quality='instant'", "quality='instant', size=48")
    exec(compile(small, "llms.txt", "exec"), {})
    assert (tmp_path / "painted.png").is_file() and "(48, " in capsys.readouterr().out
