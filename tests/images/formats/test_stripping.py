"""Damaged metadata of PNG and JPEG files does not affect their pixels."""

import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from neural_style import images
from tests.images.samples import chunk, encoded

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
