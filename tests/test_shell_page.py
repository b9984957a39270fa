"""Every command on the page on the shell is run: as written, but small, section by section."""

import io
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from neural_style import cli, samples
from neural_style.cli.options import options
from neural_style.images import video_file
from tests import moving

PAGE = (Path(__file__).parents[1] / "docs" / "howto" / "shell.md").read_text()
BLOCKS = {
    section.partition("\n")[0]: re.findall(r"^```bash\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)
}
SECTIONS = {title: "".join(blocks).replace("\\\n", "").splitlines() for title, blocks in BLOCKS.items() if blocks}
SIZE = ["--size", "32"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder after `neural-style samples`, with a clip of one's own."""
    monkeypatch.chdir(tmp_path)
    samples.copy_to("samples")
    moving.write("clip.mp4", moving.scenes(samples.path("astronaut"), (48, 32), 2))
    return tmp_path


def smaller(arguments):
    """The same command at 32 pixels, in two steps."""
    if arguments[0] == "samples" or "--replay" in arguments:
        return arguments
    if "instant" in arguments:  # one pass has no steps
        return [*arguments, *SIZE]
    network = [] if "fast" in arguments else ["--extractor", "vgg16"]
    frames = ["--frame-steps", "1"] if arguments[0] == "video" else []
    return [*arguments, *SIZE, "--steps", "2", *network, *frames]


def run(line, monkeypatch):
    """Run a command as a shell would, which knows `<` and `>`; returns what it wrote to stdout."""
    program, *words = shlex.split(line)
    assert program == "neural-style"
    source, output = (words[words.index(sign) + 1] if sign in words else None for sign in "<>")
    arguments = words[: min((words.index(sign) for sign in "<>" if sign in words), default=None)]
    with monkeypatch.context() as patched:
        stdout = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        patched.setattr("sys.stdout", stdout)
        if source is not None:
            patched.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path(source).read_bytes())))
        assert cli.main(smaller(arguments)) == 0
    written = stdout.buffer.getvalue()
    if output is not None:
        Path(output).write_bytes(written)
    return arguments, output


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_runs_from_top_to_bottom(title, place, monkeypatch, capsys):
    for line in SECTIONS[title]:
        arguments, output = run(line, monkeypatch)
        if arguments[0] == "samples":
            continue
        if arguments[0] == "video":
            assert [frame.shape for frame in video_file.frames("painted.mp4")] == [(20, 32, 3)] * 2
            continue
        painted = Path(arguments[arguments.index("-o") + 1] if "-o" in arguments else "demo.png")
        painted = Path(output) if str(painted) == "-" else painted
        for path in painted.glob("*.png") if painted.is_dir() else [painted]:
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
