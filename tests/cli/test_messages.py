"""Messages of the commands: each once, on one line, and no run ends because a stream does not take them."""

import io
import logging
import os
import sys
import warnings

import pytest
from tqdm import tqdm

from neural_style.cli.command import report
from neural_style.cli.messages import flush, say, warnings_shown

FULL = "/dev/full"
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason=f"needs {FULL}")


def test_a_line_arrives(capsys):
    assert say("painted", sys.stderr) is None
    assert capsys.readouterr().err == "painted\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_letters_that_a_stream_cannot_encode_become_escapes(encoding):
    """A Japanese name, and one that is not UTF-8, as Python spells it."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding, "strict")
    assert say("絵.png, no\udce9.png", stream) is None
    written = stream.buffer.getvalue().decode(encoding)
    assert written == ("絵.png, no\\udce9.png\n" if encoding == "utf-8" else "\\u7d75.png, no\\udce9.png\n")


def closed(path):
    stream = path.open("w")
    stream.close()
    return stream


def gone():
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "w")


def full():
    return open(FULL, "w")


@pytest.mark.parametrize(
    ("broken", "reason"), [(gone, "Broken pipe"), pytest.param(full, "No space left on device", marks=needs_full)]
)
@pytest.mark.skipif(os.name == "nt", reason="words of POSIX")
def test_a_stream_that_fails_is_reported_and_then_left_alone(broken, reason):
    """Closing it, as Python does when it ends, would fail again if anything were left in its buffer."""
    stream = broken()
    assert say("painted", stream) == reason
    assert say("more", stream) is None
    stream.close()


def test_absent_and_closed_streams_take_nothing(tmp_path):
    assert say("painted", None) == "closed"
    assert "closed file" in say("painted", closed(tmp_path / "log"))
    assert "closed file" in flush(closed(tmp_path / "log"))
    assert flush(None) is None


@pytest.mark.parametrize(("required", "code"), [(False, 0), (True, 1)])
def test_what_stdout_does_not_take_goes_to_stderr(monkeypatch, capsys, required, code):
    monkeypatch.setattr(sys, "stdout", None)
    assert report("out.png: 32x24", required=required) == code
    said = capsys.readouterr().err
    assert said == ("error: stdout: closed; the result is saved\n" if required else "out.png: 32x24\n")


def test_a_bar_is_cleared_for_a_line(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with tqdm(total=4, file=stream) as bar:
        bar.update(1)
        say("warning: a line", stream)
        assert "\rwarning: a line\n" in stream.getvalue()


def test_warnings_and_the_librarys_log_are_shown_once_on_one_line(capsys):
    logger = logging.getLogger("neural_style")
    before = list(logger.handlers), warnings.showwarning
    with warnings_shown():
        warnings.simplefilter("always")
        for _ in range(2):
            warnings.warn("VGG16\nis used", UserWarning, stacklevel=1)
            logger.warning("the checkpoint %s could not be written: %s", "run.npz", "No space left on device")
            logger.info("downloading")
        logger.warning("resuming from %s", "run.npz.bak")
    assert capsys.readouterr().err.splitlines() == [
        "warning: VGG16 is used",
        "warning: the checkpoint run.npz could not be written: No space left on device",
        "warning: resuming from run.npz.bak",
    ]
    assert (list(logger.handlers), warnings.showwarning) == before


@pytest.mark.skipif(os.name == "nt", reason="/dev/full")
@needs_full
def test_a_warning_that_cannot_be_shown_ends_nothing(monkeypatch):
    with full() as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with warnings_shown():
            warnings.simplefilter("always")
            logging.getLogger("neural_style").warning("half the learning rate")
            warnings.warn("VGG16 is used", UserWarning, stacklevel=1)
