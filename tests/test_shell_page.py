"""Every command on the page on the shell is run: as written, but small, section by section."""

import re
from pathlib import Path

import pytest
from PIL import Image

from neural_style import samples
from neural_style.cli.options import options
from neural_style.images import video_file
from tests.examples import painted_files, put_clip, run_command

PAGE = (Path(__file__).parents[1] / "docs" / "howto" / "shell.md").read_text()
BLOCKS = {
    section.partition("\n")[0]: re.findall(r"^```bash\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)
}
SECTIONS = {title: "".join(blocks).replace("\\\n", "").splitlines() for title, blocks in BLOCKS.items() if blocks}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder after `neural-style samples`, with a clip of one's own."""
    monkeypatch.chdir(tmp_path)
    samples.copy_to("samples")
    put_clip(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_runs_from_top_to_bottom(title, place, monkeypatch, capsys):
    for line in SECTIONS[title]:
        arguments, output = run_command(line, monkeypatch)
        if arguments[0] == "samples":
            continue
        if arguments[0] == "video":
            assert [frame.shape for frame in video_file.frames("painted.mp4")] == [(20, 32, 3)] * 2
            continue
        for path in painted_files(arguments, output):
            with Image.open(path) as image:
                assert max(image.size) == 32, line
            path.unlink()


def test_the_page_has_an_example_of_every_kind():
    lines = [line for section in SECTIONS.values() for line in section]
    assert lines[:2] == ["neural-style demo", "neural-style samples"]
    assert len(SECTIONS) == 8
    assert any("batch" in line for line in lines)
    assert any("--replay" in line for line in lines)


def test_the_page_names_only_options_that_there_are():
    known = {flag for option in options() for flag in option.flags} | {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) <= known
