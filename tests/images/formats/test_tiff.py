"""TIFF: its compressions, depths and byte orders, and damaged directories."""

import struct
import types
import zlib

import numpy as np
import pytest
from PIL import Image

from neural_style import images
from neural_style.errors import ImageError
from neural_style.images.formats import tiff
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


# --- strips that share data --------------------------------------------------------------------------


def sharing(strips, stream, *, rows=1, width=100, height=None, compression=8):
    """A gray TIFF whose strips all point at one stream."""
    tags = [
        (256, 4, [width]), (257, 4, [height or strips * rows]), (258, 3, [8]), (259, 3, [compression]), (262, 3, [1]),
        (277, 3, [1]), (278, 4, [rows]),
    ]  # fmt: skip
    data = bytearray(raw_tiff(tags, stream + struct.pack("<I", 8) * strips + struct.pack("<I", len(stream)) * strips))
    directory = struct.unpack_from("<I", data, 4)[0]
    for at in range(directory + 2, directory + 2 + 12 * (len(tags) + 2), 12):
        tag = struct.unpack_from("<H", data, at)[0]
        if tag in (273, 279):
            struct.pack_into("<II", data, at + 4, strips, 8 + len(stream) + (4 * strips if tag == 279 else 0))
    return bytes(data)


@pytest.fixture
def unpacked(monkeypatch):
    """How many bytes the reader has decompressed to check them."""
    counts = []

    class Counting:
        def __init__(self):
            self._real = zlib.decompressobj()
            counts.append(0)

        def decompress(self, data, limit):
            found = self._real.decompress(data, limit)
            counts.append(len(found))
            return found

        eof = property(lambda self: self._real.eof)
        unconsumed_tail = property(lambda self: self._real.unconsumed_tail)

    monkeypatch.setattr(tiff, "zlib", types.SimpleNamespace(decompressobj=Counting))
    return counts


def test_a_strip_is_decompressed_no_further_than_it_has_pixels(unpacked):
    bomb = zlib.compress(bytes(20_000_000), 9)
    assert images.load(sharing(200, bomb)).shape == (1, 200, 100, 3)
    assert 0 < sum(unpacked) <= 200 * 100
    with pytest.raises(ImageError, match="60000 x 1000000000 pixels"):
        images.load(sharing(200, bomb, width=60_000, height=10**9))
    assert sum(unpacked) <= 200 * 100


@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_strips_that_share_more_than_the_file_has_are_refused(compression):
    """Blocks without content give no pixels, so that only the bytes read limit their cost."""
    idle = b"\x78\x9c" + b"\0\0\0\xff\xff" * 10_000
    with pytest.raises(ImageError, match="its strips overlap"):
        images.load(sharing(2_000, idle, compression=compression))


def test_equal_strips_may_share_a_little(colors):
    stream = zlib.compress(bytes(range(100)))
    assert np.array_equal(levels(sharing(30, stream))[17, :, 0], np.arange(100))


def test_a_tiff_with_too_few_strips_is_refused():
    with pytest.raises(ImageError, match="cut short: 30 of 3000 strips"):
        images.load(sharing(30, zlib.compress(bytes(100)), height=3000))
