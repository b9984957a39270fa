"""Damaged, dishonest and oversized files: an image or an `ImageError`, and no side effects."""

import struct
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from neural_style import images
from neural_style.errors import ImageError
from tests.images.hostile import FILES, LIBTIFF_DECODES, image_or_none
from tests.images.samples import chunk, encoded

pytestmark = pytest.mark.usefixtures("no_side_effects")


@pytest.mark.parametrize("name", FILES)
def test_whole_files_are_read(name):
    assert image_or_none(FILES[name]) is not None


@pytest.mark.parametrize("name", FILES)
def test_cut_files(name):
    """Cut at every 37th byte; what is still accepted must be the whole image.

    Those with a profile may lose it without losing a pixel: a bad profile is ignored.
    """
    data = FILES[name]
    whole = image_or_none(data)
    for end in range(0, len(data), 37):
        cut = image_or_none(data[:end])
        if cut is not None and name not in ("jpeg", "png"):
            assert np.array_equal(cut, whole), end


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes(name):
    """500 files with one byte changed, most of them in the first part, where the structure is."""
    data, rng = FILES[name], np.random.default_rng(37)
    for turn in range(500):
        at = int(rng.integers(len(data) if turn % 2 else min(len(data), 400)))
        image_or_none(data[:at] + bytes([data[at] ^ int(rng.integers(1, 256))]) + data[at + 1 :])


def test_flipped_bytes_raise_no_warning():
    """The same with warnings recorded in place of raised: no warning of a decoder may reach the user."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rng = np.random.default_rng(73)
        for data in (data for name, data in FILES.items() if name not in LIBTIFF_DECODES):
            for _ in range(100):
                at = int(rng.integers(min(len(data), 600)))
                image_or_none(data[:at] + bytes([data[at] ^ int(rng.integers(1, 256))]) + data[at + 1 :])
    assert [str(warning.message) for warning in caught] == []


def test_random_bytes_behind_each_signature():
    rng = np.random.default_rng(5)
    for data in FILES.values():
        for length in (0, 1, 20, 300):
            image_or_none(data[:12] + rng.bytes(length))
            image_or_none(data[:30] + rng.bytes(length))


def huge(kind, width=60_000, height=60_000):
    """A tiny file of this format whose header claims an enormous size."""
    if kind == "png":
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")
    if kind == "ppm":
        return f"P6 {width} {height} 255\n".encode() + bytes(1000)
    if kind == "gif":
        return b"GIF89a" + struct.pack("<HH", width, height) + FILES["gif"][10:]
    if kind == "bmp":
        return FILES["bmp"][:18] + struct.pack("<ii", width, height) + FILES["bmp"][26:]
    if kind == "jpeg":
        at = FILES["jpeg cmyk"].index(b"\xff\xc0") + 5
        return FILES["jpeg cmyk"][:at] + struct.pack(">HH", height, width) + FILES["jpeg cmyk"][at + 4 :]
    if kind == "tga":
        return FILES["tga"][:12] + struct.pack("<HH", width, height) + FILES["tga"][16:]
    data = FILES["tiff"]
    for tag, value in ((256, width), (257, height)):
        at = max(data.find(struct.pack("<HHI", tag, kind, 1)) for kind in (3, 4))
        data = data[: at + 2] + struct.pack("<HII", 4, 1, value) + data[at + 12 :]
    return data


@pytest.mark.parametrize("kind", ["png", "ppm", "gif", "bmp", "jpeg", "tga", "tiff"])
def test_bombs_are_refused_at_once(kind):
    started = time.perf_counter()
    with pytest.raises(ImageError, match=r"60000 x 60000 pixels.*max_pixels=100,000,000; pass a larger"):
        images.load(huge(kind))
    assert time.perf_counter() - started < 1


def test_webp_bomb():
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16_382).to_bytes(3, "little") * 2
    data = b"RIFF" + struct.pack("<I", len(canvas) + 4) + b"WEBP" + canvas
    with pytest.raises(ImageError, match="bytes: WEBP: more pixels than Pillow"):
        images.load(data)


def test_long_sides_are_refused():
    with pytest.raises(ImageError, match="max_side=65,535"):
        images.load(huge("png", 100_000, 1))
    with pytest.raises(ImageError, match="max_side=10;"):
        images.load(np.zeros((3, 11), np.uint8), max_side=10)
    for source in (np.zeros((3, 11), np.uint8), Image.new("L", (11, 3)), FILES["png"]):
        with pytest.raises(ImageError, match="max_pixels=32"):
            images.load(source, max_pixels=32)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "TGA"])
def test_a_limit_above_that_of_pillow_works(kind, monkeypatch):
    """Pillow has a process-wide limit, lowered here for speed; only the caller's own limit applies."""
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    data = encoded(Image.new("RGB", (40, 30)), kind, **options)
    with monkeypatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        assert images.load(data).shape == (1, 30, 40, 3)


def test_files_are_closed(tmp_path):
    psutil = pytest.importorskip("psutil")
    path = tmp_path / "a.png"
    path.write_bytes(FILES["png"])
    (tmp_path / "b.png").write_bytes(FILES["png"][:90])
    before = psutil.Process().num_fds()
    for _ in range(20):
        images.load(path)
        images.save(images.read(path), path)
        for unreadable in (tmp_path / "b.png", tmp_path):
            with pytest.raises(ImageError):
                images.load(unreadable)
    assert psutil.Process().num_fds() == before


def test_threads_agree_with_one_thread():
    serial = {name: images.load(data) for name, data in FILES.items()}
    wrong = []

    def work():
        for name, data in FILES.items():
            if not np.array_equal(images.load(data), serial[name]):
                wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
