"""TIFF: its compressions, depths and byte orders, and damaged directories."""

import struct

import numpy as np
import pytest
from PIL import Image

from neural_style import images
from neural_style.errors import ImageError
from tests.images.hostile import FILES
from tests.images.samples import HEIGHT, WIDTH, encoded, levels, raw_tiff

pytestmark = pytest.mark.usefixtures("no_side_effects")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions_are_exact(colors, compression):
    assert np.array_equal(levels(encoded(Image.fromarray(colors), "TIFF", compression=compression)), colors)


def test_bigtiff_and_big_endian_tiff(colors):
    big = encoded(Image.fromarray(colors), "TIFF", big_tiff=True)
    assert big[2:4] == b"+\0" and np.array_equal(levels(big), colors)
    motorola = raw_tiff(
        [(256, 3, [WIDTH]), (257, 3, [HEIGHT]), (258, 3, [8, 8, 8]), (262, 3, [2]), (277, 3, [3])],
        colors.tobytes(), ">",
    )  # fmt: skip
    assert np.array_equal(levels(motorola), colors)


def test_12_bit_and_inverted_tiff():
    size = [(256, 3, [2]), (257, 3, [1]), (277, 3, [1])]
    twelve = raw_tiff([*size, (258, 3, [12]), (262, 3, [1])], bytes([0xFF, 0xF8, 0x00]))
    assert np.allclose(images.load(twelve)[0, 0, :, 0], [1, 2048 / 4095], atol=1e-4)
    deep = np.array([0, 16_384], "<u2").tobytes()
    inverted = raw_tiff([*size, (258, 3, [16]), (262, 3, [0])], deep)
    assert np.allclose(images.load(inverted)[0, 0, :, 0], [1, 0.75], atol=1e-4)
    shallow = raw_tiff([*size, (258, 3, [8]), (262, 3, [0])], b"\0\xff")
    assert np.array_equal(images.load(shallow)[0, 0, :, 0], [1, 0])


def test_float_tiff_must_hold_zero_to_one():
    gray = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(images.load(encoded(Image.fromarray(gray), "TIFF"))[0, :, :, 0], gray)
    with pytest.raises(ImageError, match=r"bytes: .*\[0, 1\].*divide by 255"):
        images.load(encoded(Image.fromarray(gray * 255), "TIFF"))
    with pytest.raises(ImageError, match="not finite"):
        images.load(encoded(Image.fromarray(gray * np.nan), "TIFF"))


def test_damaged_tiff_metadata_is_ignored():
    """Tags that point past the end, repeat, have too many values, or a type nobody knows."""
    tags = [
        (256, 3, 2, struct.pack("<HH", 3, 9)), (257, 3, 1, b"\2\0\0\0"), (258, 3, 1, b"\x08\0\0\0"),
        (262, 3, 1, b"\1\0\0\0"),
        (273, 4, 1, b"\x08\0\0\0"), (277, 3, 1, b"\1\0\0\0"), (279, 4, 1, b"\6\0\0\0"),
        (282, 5, 1, b"\xff\xff\xff\xff"), (305, 2, 2**31, b"\x08\0\0\0"), (34665, 4, 1, b"\xf0\xff\xff\xff"),
        (34675, 7, 999_999, b"\x08\0\0\0"), (256, 3, 1, b"\7\0\0\0"), (700, 99, 1, b"\0\0\0\0"),
    ]  # fmt: skip
    body = bytes([0, 51, 102, 153, 204, 255])
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHI4s", *tag) for tag in tags)
    data = b"II*\0" + struct.pack("<I", 14) + body + directory + b"\xff\xff\xff\xff"
    assert np.allclose(images.load(data)[0, ..., 0].ravel() * 255, list(body))


def test_tiff_with_too_many_samples_is_refused_quietly():
    data = FILES["tiff"]
    at = data.index(struct.pack("<HHI", 277, 3, 1)) + 8
    with pytest.raises(ImageError, match="samples per pixel"):
        images.load(data[:at] + struct.pack("<H", 60_000) + data[at + 2 :])
