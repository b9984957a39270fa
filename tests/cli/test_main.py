"""The command as a whole: its commands, their help, and usage errors on one line."""

import inspect
import os
import re
import shlex
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest

from neural_style import __version__, cli, plugins, recipes, samples, stylize
from neural_style.cli.arguments import split_weight
from neural_style.cli.main import command_module
from neural_style.cli.options import COMMANDS, GROUPS, options
from neural_style.cli.parsing import parse, program
from neural_style.cli.recipes import DESCRIPTIONS

PAINTING = ["", "demo", "batch", "video"]


def ended(arguments, capsys):
    """Exit code, stdout and stderr of a command that ends while it reads its arguments."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    return caught.value.code, *capsys.readouterr()


def test_every_command_is_listed_first_in_the_help(capsys):
    code, out, _ = ended(["--help"], capsys)
    assert code == 0
    listed = re.findall(r"^  (\w+) +[a-z]", out[: out.index("images:")], re.MULTILINE)
    assert listed == list(COMMANDS)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_command_has_a_module_with_its_parser(name):
    assert f"neural-style {name}".strip() in command_module(name).make_parser().prog


def test_a_command_loads_no_other():
    code = "import sys, neural_style.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = done.stdout.split()
    assert "neural_style.cli.image" in loaded
    assert not {f"neural_style.cli.{name}" for name in COMMANDS} & set(loaded)


@pytest.mark.parametrize("command", PAINTING)
def test_help_shows_the_options_in_groups(command, capsys):
    code, out, _ = ended([*command.split(), "--help"], capsys)
    assert code == 0
    assert [line[:-1] for line in out.splitlines() if line[:-1] in GROUPS] == list(GROUPS)
    assert "positional arguments" not in out
    shown = set(re.findall(r"^  (?:-\w.*, )?(--[a-z-]+)", out, re.MULTILINE))
    assert shown == {"--help"} | {option.flags[-1] for option in options() if command in option.commands}


def test_help_shows_every_argument_of_stylize_with_its_default(capsys):
    text = " ".join(ended(["--help"], capsys)[1].split())
    others = {"content", "style", "progress", "callbacks"}
    for name in set(inspect.signature(stylize).parameters) - others:
        assert f"--{name.removesuffix('masks') + 'mask' if 'masks' in name else name}".replace("_", "-") in text
    assert "(default: 512)" in text
    assert "(default: 0.5)" in text


def test_the_examples_of_the_help_are_commands_on_samples(capsys):
    text = ended(["--help"], capsys)[1].partition("examples, after 'neural-style samples':\n")[2].replace("\\\n", "")
    lines = [line.partition("neural-style ")[2].partition(" >")[0] for line in text.splitlines()]
    assert len(lines) == 9
    for line in lines:
        first, *others = shlex.split(line)
        command, arguments = (first, others) if first in COMMANDS else ("", [first, *others])
        parsed = parse(command_module(command).make_parser(), arguments)
        files = [path for path, _ in map(split_weight, parsed.styles)] + (parsed.masks or [])
        assert {Path(path).name for path in files} <= {samples.path(name).name for name in samples.names()}


def test_help_names_every_recipe():
    """It has its own list: the recipes themselves take seconds to import."""
    assert list(DESCRIPTIONS) == list(recipes.RECIPES)


def test_recipes_are_listed_with_their_papers(capsys, monkeypatch):
    def fail():
        raise OSError("a library is missing")

    loads = {"broken": fail, "watercolor": lambda: recipes.get("gatys2016")}
    entries = {name: types.SimpleNamespace(dist=None, load=load) for name, load in loads.items()}
    monkeypatch.setattr(plugins, "_entries", lambda group: entries)
    code, out, err = ended(["--list-recipes"], capsys)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.partition(":")[0] for line in lines[::2]] == [*recipes.RECIPES, "broken", "watercolor"]
    assert lines[1] == "    This project's own, after N. Kolkin et al., 'Neural neighbor style transfer', " + (
        "arXiv:2203.13215, 2022, and Li et al. (2017, arXiv:1701.01036)"
    )
    assert [line.endswith(("2016", "2024")) for line in lines[1::2]].count(True) == 4
    assert "does not load (OSError: a library is missing)" in lines[-4]
    assert lines[-2:] == ["watercolor: from a plug-in", lines[5]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "'neural-style photo.jpg painting.jpg -o out.png', or try 'neural-style demo'"),
        ("a.png -o c.png", "required: STYLE"),
        ("a.png b.png", "required: -o/--output"),
        ("a.png b.png -o c.png --size big", "'big' is neither a number of pixels nor 'content'"),
        ("a.png b.png -o c.png --strenght 0.7", "there is no option --strenght; did you mean --strength?"),
        ("a.png b.png --ouput=c.png", "there is no option --ouput; did you mean --output?"),
        ("a.png b.png -output c.png", "there is no option -output; did you mean --output?"),
        ("a.png b.png -o c.png --xyz", "there is no option --xyz;"),
        ("a.png b.png -o c.png --workers 2", "--workers is an option of neural-style batch;"),
        ("--replay", "--replay needs the file of a record that --json has printed"),
        ("batch --replay run.json", "--replay is an option of neural-style;"),
        ("batch a b -o c --save-every 2", "--save-every is an option of neural-style and neural-style demo;"),
        ("bach photos b.png -o out", "there is no command and no image 'bach'; did you mean batch?"),
        ("batch a b -o c --quality god", "argument --quality: invalid choice: 'god'"),
    ],
)
def test_usage_errors_are_one_line(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/neural-style"])
    code, out, err = ended(arguments.split(), capsys)
    assert (code, out) == (2, "")
    assert message in err
    assert re.fullmatch(r"(neural-style(?: batch)?): error: .*; see \1 --help\n", err)


@pytest.mark.parametrize(
    "arguments", ["a.png b.png -ofile.png", "a.png b.png -o f --stren 1 -- -x", "a b -o - --init -.5"]
)
def test_what_is_no_misspelled_option_is_none(arguments, capsys):
    """A value right after its letter, the beginning of a name, what follows `--`, a negative number."""
    assert cli.main(arguments.split()) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_program_has_the_name_it_was_started_by(monkeypatch):
    for path, name in (
        ("/bin/neural-style", "neural-style"),
        ("/lib/neural_style/__main__.py", "python -m neural_style"),
    ):
        monkeypatch.setattr(sys, "argv", [path])
        assert program() == name


def test_the_version_is_the_packages(capsys):
    assert ended(["--version"], capsys) == (0, f"neural_style {__version__}\n", "")


def test_the_app_without_its_extra_says_which_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    before = dict(os.environ)
    assert cli.main(["app"]) == 2
    assert "run: pip install 'gradio>=" in capsys.readouterr().err
    after = {name: os.environ.get(name) for name in ("GRADIO_TEMP_DIR", "TMPDIR")}
    assert after == {name: before.get(name) for name in after}
    assert os.path.isdir(tempfile.gettempdir())
