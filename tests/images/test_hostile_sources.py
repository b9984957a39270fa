"""Sources that are no image file: folders, pipes, closed files and the like."""

import io
import os
import socket
import time

import pytest
from PIL import Image

from neural_style import images
from neural_style.errors import ImageError
from tests.images.hostile import FILES

pytestmark = pytest.mark.usefixtures("no_side_effects")


def test_missing_folder_and_link(tmp_path, monkeypatch):
    (tmp_path / "link.png").symlink_to("nowhere.png")
    for name, reason in {
        "missing.png": "no such file", ".": "a folder", "link.png": "link to a missing file",
        "a\0b.png": "cannot be opened", "": "no such file", "http://example.invalid/a.png": "no such file",
        "x" * 5000: "cannot be opened",
    }.items():  # fmt: skip
        with monkeypatch.context() as patch, pytest.raises(ImageError, match=reason) as caught:
            patch.chdir(tmp_path)
            images.load(name)
        assert str(caught.value).startswith(repr(name))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_sockets_and_devices_do_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    server = socket.socket(socket.AF_UNIX)
    previous = os.getcwd()
    os.chdir(tmp_path)  # a socket's name may be only some 100 characters long
    try:
        server.bind("socket.png")
    finally:
        os.chdir(previous)
    for path in (tmp_path / "pipe.png", tmp_path / "socket.png", "/dev/zero", "/dev/null"):
        with pytest.raises(ImageError, match="a pipe, socket or device|cannot be opened"):
            images.load(path)
    server.close()


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read anything")
def test_no_permission(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(FILES["png"])
    path.chmod(0)
    with pytest.raises(ImageError, match="Permission denied"):
        images.load(path)


def test_no_permission_said_by_the_system(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch, pytest.raises(ImageError, match=r"secret\.png.*Permission denied"):
        patch.setattr(os, "open", refuse)
        images.load(tmp_path / "secret.png")


@pytest.mark.parametrize("head", [b"", FILES["png"], b"II*\0\x08\0\0\0", b"RIFF\0\0\0\0WEBP", b"\xff\xd8\xff"])
def test_enormous_sparse_files_are_refused_without_reading_them(tmp_path, head):
    path = tmp_path / "large.png"
    with path.open("wb") as handle:
        handle.write(head)
        handle.truncate(5 << 30)
    started = time.perf_counter()
    with pytest.raises(ImageError, match=r"large\.png"):
        images.load(path)
    assert time.perf_counter() - started < 1


def test_open_files_that_cannot_be_read(tmp_path):
    closed = io.BytesIO(FILES["png"])
    closed.close()

    class Odd:
        def __init__(self, answer):
            self.answer = answer

        def read(self, size):
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    with (tmp_path / "out").open("wb") as write_only:
        for source in (closed, write_only, Odd(None), Odd([1]), Odd(RuntimeError("odd"))):
            with pytest.raises(ImageError, match="^open file"):
                images.load(source)
    with pytest.raises(TypeError, match="mode 'rb'"):
        images.load(io.StringIO("text"))


def test_pil_images_that_cannot_be_loaded(tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(FILES["jpeg cmyk"][:-60])
    with Image.open(path) as image, pytest.raises(ImageError, match="^PIL image: JPEG: .*truncated"):
        images.load(image)
    closed = Image.new("RGB", (2, 2))
    closed.close()
    with pytest.raises(ImageError, match="^PIL image"):
        images.load(closed)


def test_errors_name_file_format_and_reason(tmp_path):
    path = tmp_path / "holiday.png"
    path.write_bytes(FILES["jpeg"][:-100])
    with pytest.raises(ImageError, match=r"holiday\.png': JPEG: .*truncated.*another copy"):
        images.load(path)
    for data, reason in ((b"", "no bytes"), (b"\x80\4\x95pickle", "not a known image"), (b"<svg>", "a web page")):
        path.write_bytes(data)
        with pytest.raises(ImageError, match=rf"holiday\.png': .*{reason}"):
            images.load(path)
