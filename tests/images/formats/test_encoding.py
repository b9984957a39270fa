"""Encoding: round trips of every output format, read back by Pillow and by decoders written here."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from neural_style import images
from neural_style.errors import ImageError
from neural_style.images.formats import encoding
from tests.images.samples import HEIGHT, WIDTH, encoded, levels


def decode_png(data):
    """Independent PNG decoder for filters 0 and 2: (H, W, channels) and the chunk names."""
    names, body, at = [], b"", 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + content)
        names.append(kind)
        body += content if kind == b"IDAT" else b""
        if kind == b"IHDR":
            width, height, bits, color_type = struct.unpack_from(">IIBB", content)
        at += 12 + length
    channels = {2: 3, 6: 4}[color_type]
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, -1)
    assert bits == 16 and np.all(rows[:, 0] == 2)
    samples = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
    return np.ascontiguousarray(samples).view(">u2").reshape(height, width, channels), names


def decode_tiff(data):
    """Independent TIFF decoder for deflated strips of horizontal differences: pixels and tags."""
    (at,) = struct.unpack_from("<I", data, 4)
    tags = {}
    for index in range(struct.unpack_from("<H", data, at)[0]):
        tag, kind, count = struct.unpack_from("<HHI", data, at + 2 + 12 * index)
        letter = {3: "H", 4: "I", 7: "B"}[kind]
        place = at + 2 + 12 * index + 8
        if struct.calcsize(f"<{count}{letter}") > 4:
            (place,) = struct.unpack_from("<I", data, place)
        tags[tag] = struct.unpack_from(f"<{count}{letter}", data, place)
    strips = (zlib.decompress(data[a : a + n]) for a, n in zip(tags[273], tags[279], strict=True))
    shape = tags[257][0], tags[256][0], tags[277][0]
    assert tags[258] == (16,) * shape[2] and list(tags) == sorted(tags)
    return np.cumsum(np.frombuffer(b"".join(strips), "<u2").reshape(shape), axis=1, dtype=np.uint16), tags


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".webp", ".tif", ".tiff"])
def test_8_bit_round_trip_is_exact(tmp_path, colors, suffix):
    path = tmp_path / f"out{suffix}"
    images.save(colors / np.float32(255), path)
    assert np.array_equal(levels(path), colors)
    images.save(Image.fromarray(colors), path)
    assert np.array_equal(levels(path), colors)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpeg_round_trip_is_close_and_not_subsampled(tmp_path, smooth, suffix):
    path = tmp_path / f"out{suffix}"
    images.save(smooth, path)
    assert np.abs(levels(path) - smooth).mean() < 1
    with Image.open(path) as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


@pytest.mark.parametrize("alpha", [False, True])
def test_16_bit_round_trip_is_exact(tmp_path, monkeypatch, alpha):
    monkeypatch.setattr(encoding, "_BAND", 100)  # several bands, as a large image has
    rng = np.random.default_rng(3)
    deep = rng.integers(0, 65_536, (23, 17, 4 if alpha else 3)).astype(np.uint16)
    if alpha:
        deep[..., 3] |= 1  # nothing hidden
    images.save(deep, tmp_path / "out.png", bits=16)
    images.save(deep, tmp_path / "out.tif", bits=16)
    png, names = decode_png((tmp_path / "out.png").read_bytes())
    tiff, tags = decode_tiff((tmp_path / "out.tif").read_bytes())
    assert np.array_equal(png, deep) and np.array_equal(tiff, deep)
    assert names[:2] == [b"IHDR", b"sRGB"] and 34675 in tags
    for name in ("out.png", "out.tif"):
        image = images.read(tmp_path / name)
        assert np.abs(image.pixels[0] * 255 - deep[..., :3] / 257).max() < 1
        assert (image.alpha is not None) == alpha


def test_saving_marks_srgb_and_carries_no_exif(tmp_path, colors):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Software] = "a camera"
    source = Image.open(io.BytesIO(encoded(Image.fromarray(colors), "PNG", exif=exif)))
    for suffix in (".png", ".jpg", ".webp", ".tif"):
        path = tmp_path / f"out{suffix}"
        images.save(source, path)
        with Image.open(path) as image:
            image.load()
            assert image.size == (HEIGHT, WIDTH)
            assert ExifTags.Base.Software not in image.getexif()
            assert ExifTags.Base.Orientation not in image.getexif()
            profile = image.info.get("icc_profile", b"").replace(b"\0", b"")
            assert (b"sRGB" in profile) == (suffix != ".png")
            assert (b"sRGB\0" in path.read_bytes()[:60]) == (suffix == ".png")


def test_alpha_is_saved_if_there_is_any(tmp_path, colors):
    alpha = np.random.default_rng(5).integers(1, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    for suffix in (".png", ".webp", ".tif"):
        images.save(colors, tmp_path / f"out{suffix}", alpha=alpha)
        image = images.read(tmp_path / f"out{suffix}")
        assert np.array_equal(np.rint(image.alpha[0, ..., 0] * 255), alpha)
        assert np.array_equal(np.rint(image.pixels[0] * 255), colors)
        images.save(image, tmp_path / f"again{suffix}")
        assert np.array_equal(images.read(tmp_path / f"again{suffix}").alpha, image.alpha)


def test_jpeg_composites_over_white(tmp_path):
    images.save(np.zeros((16, 16, 3)), tmp_path / "out.jpg", alpha=np.full((1, 16, 16, 1), 0.25))
    assert np.abs(levels(tmp_path / "out.jpg") - 191).max() <= 2


def test_equal_images_give_equal_files(tmp_path, colors):
    for suffix in (".png", ".jpg", ".webp", ".tif"):
        images.save(colors, tmp_path / f"a{suffix}")
        images.save(colors, tmp_path / f"b{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_an_image_too_large_for_its_format_leaves_no_file(tmp_path):
    with pytest.raises(ImageError, match="could not be written"):
        images.save(np.zeros((1, 16_384, 3), np.uint8), tmp_path / "out.webp")
    assert not list(tmp_path.iterdir())
