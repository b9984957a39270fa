"""What the README shows is run: as written, but small."""

import re
from pathlib import Path

import pytest
from PIL import Image

from neural_style import samples
from tests.examples import commands, painted_files, put_files, python_blocks, run_command, smaller

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_nothing_is_left_out():
    assert len(commands(README)) == 6
    assert len(python_blocks(README)) == 1 + 5  # the first is on the first screen


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with every file that the commands name."""
    put_files(tmp_path, ROOT / "docs")
    samples.copy_to(tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", commands(README))
def test_a_command_paints(line, place, monkeypatch):
    arguments, output = run_command(line, monkeypatch)
    painted = painted_files(arguments, output)
    assert painted or arguments[0] == "samples"
    if arguments[0] == "batch":
        assert [path.name for path in painted] == ["cat.png", "chenonceau.png"]
    for path in painted:
        with Image.open(path) as image:
            assert max(image.size) == 32


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
def test_the_python_runs_from_top_to_bottom(place, capsys):
    names = {"__name__": "__main__"}
    for block in python_blocks(README):
        exec(compile(smaller(block), "README.md", "exec"), names)
    for name in re.findall(r"save\(\"(\S+?)\"\)", README):
        assert (place / name).stat().st_size > 500, name
    assert "brightness" in capsys.readouterr().out
