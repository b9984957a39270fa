"""Damaged metadata of PNG and JPEG files does not affect their pixels."""

import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from neural_style import images
from neural_style.images.formats import stripping
from tests.images.samples import chunk, encoded, levels, raw_png

pytestmark = pytest.mark.usefixtures("no_side_effects")


@pytest.mark.parametrize(
    "bad",
    [
        chunk(b"acTL", struct.pack(">II", 0, 0)),
        chunk(b"acTL", struct.pack(">II", 3, 0)) * 2,
        chunk(b"acTL", b""),
        chunk(b"pHYs", b"\1"),
        chunk(b"iCCP", b"name\0\0not packed"),
        chunk(b"iCCP", b""),
        chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(20_000_000))),
        chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f"),
        chunk(b"gAMA", b"\0"),
        chunk(b"iTXt", b"\xff\xfe"),
    ],
    ids=lambda body: body[4:8].decode(),
)
def test_damaged_png_metadata_is_ignored(bad):
    plain = encoded(Image.new("RGB", (5, 4), (10, 20, 30)), "PNG")
    assert np.array_equal(images.load(plain[:33] + bad + plain[33:]), images.load(plain))


def test_png_profile_that_inflates_without_end_is_ignored():
    plain = encoded(Image.new("RGB", (5, 4), (10, 20, 30)), "PNG")
    bomb = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(50_000_000)))
    started = time.perf_counter()
    assert np.array_equal(images.load(plain[:33] + bomb + plain[33:]), images.load(plain))
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe1\0\x08Exif\0\0",
        b"\xff\xe1\0\x20Exif\0\0II*\0\x08\0\0\0\x40\0\x1a\x01\5\0\xff\xff\xff\xff\xff\xff",
        b"\xff\xe2\0\x0aMPF\0II*\0",
        b"\xff\xe2\0\x10ICC_PROFILE\0\1\1",
        b"\xff\xed\0\x16Photoshop 3.0\x008BIM\4",
        b"\xff\xe0\0\2",
    ],
)
def test_damaged_jpeg_metadata_is_ignored(segment):
    (length,) = struct.unpack_from(">H", segment, 2)
    segment = segment.ljust(length + 2, b"\0")
    plain = encoded(Image.new("RGB", (5, 4), (10, 20, 30)), "JPEG")
    assert np.array_equal(images.load(plain[:2] + segment + plain[2:]), images.load(plain))


@pytest.mark.parametrize("lost", [1, 4, 11, 12])
def test_a_png_that_lacks_only_its_end_is_read_and_says_so(colors, lost, caplog):
    whole = encoded(Image.fromarray(colors), "PNG")
    with caplog.at_level("WARNING", "neural_style"):
        assert np.array_equal(levels(whole[:-lost]), colors)
    assert "bytes: its last bytes are missing, but none of its pixels" in caplog.text
    caplog.clear()
    images.load(whole)
    assert caplog.text == ""


def test_only_the_first_profile_of_a_png_is_inflated(monkeypatch):
    calls = []
    monkeypatch.setattr(stripping, "_inflate_profile", lambda body: calls.append(body) or b"damaged")
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1000)))
    images.load(raw_png(np.zeros((2, 2, 3), np.uint8), 8, 2, *[profile] * 50))
    assert len(calls) == 1
