"""`video` on the command line."""

import json
import logging
import signal
import warnings

import pytest

from neural_style import cli, samples
from neural_style.video import stylize
from tests import moving

IMAGES = samples.path("astronaut").parent
FAST = ["--size", "48", "--steps", "2", "--frame-steps", "1", "--extractor", "vgg16", "--quiet"]


@pytest.fixture
def run(tmp_path, capsys):
    """Calls the command in this process; gives exit code, stdout and stderr."""
    clip = moving.write(tmp_path / "clip.mp4", moving.scenes(IMAGES / "astronaut.jpg", (96, 64), 3))

    def call(*options, clip=clip, output="out.mp4"):
        capsys.readouterr()
        files = map(str, (clip, IMAGES / "harvest.jpg", "-o", tmp_path / output))
        return cli.main(["video", *files, *options]), *capsys.readouterr()

    return call


def test_a_clip_is_painted(run, tmp_path):
    code, out, err = run(*FAST)
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'out.mp4'}: 48x32, 3 frames, flicker 0.")
    assert moving.shape_of(tmp_path / "out.mp4")["size"] == (48, 32)
    code, out, _ = run(*FAST, "--temporal", "5", "--json", output="again.mp4")
    assert code == 0
    assert json.loads(out)["frames"] == 3


def test_bad_input_is_reported(run, tmp_path):
    for options in ({"output": "out.gif"}, {"clip": tmp_path / "missing.mp4"}, {"clip": IMAGES / "README.md"}):
        code, out, err = run(*FAST, **options)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
    (tmp_path / "out.mp4.frames").mkdir()
    (tmp_path / "out.mp4.frames" / "letter.txt").write_text("Dear")
    code, _, err = run(*FAST)
    assert code == 2
    assert "out.mp4.frames" in err


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_messages_are_shown_once_and_every_signal_ends_alike(run, monkeypatch, name):
    """That painted frames stay after an interrupt, the tests of `stylize_video` show."""

    def paint(*_, **__):
        warnings.simplefilter("always")
        for _ in range(2):
            logging.getLogger("neural_style").warning("returning with half the learning rate")
            warnings.warn("the sound is left out", UserWarning, stacklevel=1)
        signal.raise_signal(getattr(signal, name, signal.SIGINT))

    monkeypatch.setattr(stylize, "stylize_video", paint)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a script
    try:
        code, out, err = run(*FAST)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, out) == (130, "")
    assert err.splitlines() == [
        "warning: returning with half the learning rate",
        "warning: the sound is left out",
        "interrupted; run the same command again to resume",
    ]
