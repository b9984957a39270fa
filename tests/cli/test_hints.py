"""A folder, a clip or an image given to the wrong command: the error names the right one."""

import pytest
from PIL import Image

from neural_style import cli
from neural_style.cli.hints import check_command

STARTS = {
    "clip.mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00",
    "clip without suffix": b"\x1aE\xdf\xa3 and more of it",
    "clip.avi": b"RIFF\x00\x00\x00\x00AVI LIST",
    "clip.mpg": b"",
    "photo.heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00",
    "photo.webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    "photo": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "notes.txt": b"Dear reader, this is",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, start in STARTS.items():
        (tmp_path / name).write_bytes(start)
    (tmp_path / "my photos").mkdir()
    Image.new("RGB", (32, 24)).save("loop.gif")
    Image.new("RGB", (32, 24)).save("style.png")
    return tmp_path


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, name.split()[0].split(".")[0]) for name in STARTS), ("my photos", "folder"), ("missing.mp4", "none")],
)
def test_the_command_of_a_file_is_named(name, kind):
    right = {"clip": "video", "photo": "", "folder": "batch"}.get(kind)
    for command in ("", "batch", "video"):
        if right in (None, command):
            check_command(name, command)
            continue
        with pytest.raises(ValueError, match=f"^'{name}' is an? ") as caught:
            check_command(name, command)
        assert f"use neural-style {right}".rstrip() in str(caught.value)


@pytest.mark.usefixtures("place")
def test_an_animation_may_be_an_image_or_a_clip():
    check_command("loop.gif", "")
    check_command("loop.gif", "video")
    with pytest.raises(ValueError, match="use neural-style loop.gif STYLE -o"):
        check_command("loop.gif", "batch")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["my photos"],
            "'my photos' is a folder; to paint every image in it, use neural-style batch 'my photos' STYLE -o",
        ),
        (["clip.mp4"], "'clip.mp4' is a clip; to paint it, use neural-style video clip.mp4 STYLE -o painted.mp4"),
        (["batch", "clip.mp4"], "use neural-style video clip.mp4 STYLE"),
        (
            ["video", "style.png"],
            "'style.png' is an image; to paint it, use neural-style style.png STYLE -o painted.png",
        ),
    ],
)
def test_every_command_points_to_the_others(place, capsys, arguments, message):
    before = sorted(place.iterdir())
    assert cli.main([*arguments, "style.png", "-o", "out.png"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
    assert sorted(place.iterdir()) == before
