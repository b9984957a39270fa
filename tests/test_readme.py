"""What the README shows is run: as written, but small."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from neural_style import cli, samples
from tests.examples import put_files, smaller

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SIZE = ["--size", "32"]
SMALL = [*SIZE, "--steps", "2", "--extractor", "vgg16"]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text):
    return [line for block in blocks(text, "bash") for line in block.splitlines()]


def test_nothing_is_left_out():
    assert len(commands(README)) == 6
    assert len(blocks(README, "python")) == 1 + 5  # the first is on the first screen


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with every file that the commands name."""
    put_files(tmp_path, ROOT / "docs")
    samples.copy_to(tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", commands(README))
def test_a_command_paints(line, place, capsys):
    program, *arguments = shlex.split(line)
    assert program == "neural-style"
    if arguments[0] == "samples":
        small, expected = [], []
    elif arguments[0] == "batch":
        small = [*SMALL, "--workers", "1"]
        expected = [place / "painted" / f"{name}.png" for name in ("cat", "chenonceau")]
    else:
        small = SIZE if "instant" in arguments else SMALL  # one pass has no steps
        expected = [place / arguments[arguments.index("-o") + 1]]
    assert cli.main([*arguments, *small]) == 0, capsys.readouterr().err
    for path in expected:
        with Image.open(path) as painted:
            assert max(painted.size) == 32


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
def test_the_python_runs_from_top_to_bottom(place, capsys):
    names = {"__name__": "__main__"}
    for block in blocks(README, "python"):
        exec(compile(smaller(block), "README.md", "exec"), names)
    for name in re.findall(r"save\(\"(\S+?)\"\)", README):
        assert (place / name).stat().st_size > 500, name
    assert "brightness" in capsys.readouterr().out
