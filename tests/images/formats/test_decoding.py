"""Decoding: true pixel values for every input format."""

import io
import struct
import sys
import types
import zlib

import numpy as np
import pytest
from PIL import Image, features

from neural_style import images
from neural_style.errors import ImageError
from tests.images.samples import HEIGHT, WIDTH, chunk, encoded, levels, raw_png, raw_tiff


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "TGA", "WEBP"])
def test_lossless_formats_are_exact(colors, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(levels(encoded(Image.fromarray(colors), kind, **options)), colors)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_lossy_formats_are_close(smooth, kind):
    if not features.check(kind.lower().replace("jpeg", "jpg")):
        pytest.skip(f"this Pillow has no {kind}")
    error = levels(encoded(Image.fromarray(smooth), kind, quality=95)) - smooth
    assert np.abs(error).mean() < 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_gray_keeps_16_bits(kind):
    gray = np.arange(0, 65_536, 97, dtype=np.uint16)[: 26 * 25].reshape(26, 25)
    got = levels(encoded(Image.fromarray(gray), kind), full=65_535)
    assert np.abs(got - gray[..., None]).max() < 0.01


def test_16_bit_gray_written_by_hand():
    gray = np.array([[0, 1, 257], [32_768, 65_534, 65_535]], np.uint16)
    pgm = b"P5 3 2 65535\n" + gray.astype(">u2").tobytes()
    png = raw_png(gray.astype(">u2"), 16, 0)
    tiff = raw_tiff(
        [(256, 3, [3]), (257, 3, [2]), (258, 3, [16]), (262, 3, [1]), (277, 3, [1])],
        gray.astype(">u2").tobytes(), ">",
    )  # fmt: skip
    for data in (pgm, png, tiff):
        assert np.abs(levels(data, full=65_535)[..., 0] - gray).max() < 0.01


def test_pgm_of_another_depth():
    gray = np.array([[0, 500, 1000]], np.uint16)
    got = images.load(b"P5 3 1 1000\n" + gray.astype(">u2").tobytes())
    assert np.allclose(got[0, 0, :, 0], [0, 0.5, 1], atol=1e-4)


def test_48_bit_png_reads_at_8_bits():
    deep = np.random.default_rng(0).integers(0, 65_536, (4, 5, 3)).astype(">u2")
    assert np.abs(levels(raw_png(deep, 16, 2)) - deep.astype(float) / 257).max() < 1


def test_gray_with_alpha_of_16_bits():
    deep = np.array([[[65_535, 65_535], [0, 32_768]]], ">u2")
    image = images.read(raw_png(deep, 16, 4))
    assert np.allclose(image.pixels[0, 0, :, 0], [1, 0])
    assert np.allclose(image.alpha[0, 0, :, 0], [1, 0.5], atol=1 / 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_one_bit(kind):
    bits = np.random.default_rng(1).random((7, 9)) < 0.5
    got = levels(encoded(Image.fromarray(bits), kind))
    assert np.array_equal(got, np.repeat(bits[..., None] * 255.0, 3, axis=2))


def test_gray_and_palette(colors):
    gray = Image.fromarray(colors[..., 0])
    assert np.array_equal(levels(encoded(gray, "PNG")), np.repeat(colors[..., :1], 3, axis=2))
    palette = Image.fromarray(colors).quantize(16)
    assert np.array_equal(levels(encoded(palette, "PNG")), np.asarray(palette.convert("RGB")))
    assert np.array_equal(levels(encoded(palette, "GIF")), np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_cmyk_and_ycbcr(smooth, mode):
    image = Image.fromarray(smooth).convert(mode)
    expected = np.asarray(image.convert("RGB"), float)
    assert np.array_equal(levels(image), expected)
    assert np.abs(levels(encoded(image, "JPEG", quality=95)) - expected).mean() < 3
    if mode == "CMYK":
        assert np.array_equal(levels(encoded(image, "TIFF")), expected)


def test_first_frame_of_animations(colors):
    frames = [Image.fromarray(colors).quantize(64), Image.fromarray(255 - colors).quantize(64)]
    expected = np.asarray(frames[0].convert("RGB"))
    for kind, options in (("GIF", {}), ("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert np.array_equal(levels(data), expected), kind


def test_mpo_is_read_as_its_first_image(smooth):
    first, second = Image.fromarray(smooth), Image.fromarray(255 - smooth)
    data = encoded(first, "MPO", save_all=True, append_images=[second], quality=95)
    assert np.abs(levels(data) - smooth).mean() < 2


def test_heic_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match="HEIC.*pip install pillow-heif"):
        images.load(b"\0\0\0\x18ftypheic" + bytes(40))


def test_heic_is_decoded_by_pillow_heif(monkeypatch, colors):
    opened = types.SimpleNamespace(size=(WIDTH, HEIGHT), to_pillow=lambda: Image.fromarray(colors))
    module = types.SimpleNamespace(open_heif=lambda handle, convert_hdr_to_8bit: opened)
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    data = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40)
    assert np.array_equal(levels(data), colors)
    with pytest.raises(ImageError, match="HEIC.*max_pixels"):
        images.load(data, max_pixels=5)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "PSD", "ZIP", "HTML", "JPEG2000"])
def test_unsupported_formats_are_refused_by_name(kind):
    heads = {
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n", "PDF": b"%PDF-1.7\n", "ICO": b"\0\0\1\0\1\0", "PSD": b"8BPS\0\1",
        "ZIP": b"PK\3\4", "HTML": b"\n <!doctype html>", "JPEG2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    }  # fmt: skip
    with pytest.raises(ImageError, match="bytes: looks like .*expected one of JPEG, PNG"):
        images.load(heads[kind] + bytes(200))


def test_every_form_of_transparency():
    visible, hidden = [200, 100, 50], [1, 2, 3]
    rgb = np.array([[visible, hidden]], np.uint8)
    palette = Image.new("P", (2, 1))
    palette.putpalette(visible + hidden)
    palette.putpixel((1, 0), 1)
    la = Image.merge("LA", [Image.frombytes("L", (2, 1), levels) for levels in (b"\x4d\5", b"\xff\0")])
    rgba = np.array([[[*visible, 255], [0, 0, 0, 0]]], np.uint8)
    deep = rgb.astype(">u2") * 257
    deep_key = chunk(b"tRNS", struct.pack(">HHH", *(257 * value for value in hidden)))
    gray_key = chunk(b"tRNS", struct.pack(">H", 3))
    sources = {
        "palette, one index": (encoded(palette, "PNG", transparency=1), visible),
        "palette, a table": (encoded(palette, "PNG", transparency=b"\xff\x00"), visible),
        "GIF": (encoded(palette, "GIF", transparency=1), visible),
        "RGB key": (encoded(Image.fromarray(rgb), "PNG", transparency=tuple(hidden)), visible),
        "48-bit key": (raw_png(deep, 16, 2, deep_key), visible),
        "gray and alpha": (encoded(la, "PNG"), [77] * 3),
        "gray key": (raw_png(np.array([[80, 3]], np.uint8), 8, 0, gray_key), [80] * 3),
        "16-bit gray key": (raw_png(np.array([[80 * 257, 3]], ">u2"), 16, 0, gray_key), [80] * 3),
        "premultiplied": (Image.fromarray(rgba).convert("RGBa"), visible),
    }  # fmt: skip
    for name, (source, expected) in sources.items():
        image = images.read(source)
        assert image.alpha is not None, name
        assert np.allclose(image.alpha[0, 0, :, 0], [1, 0]), name
        assert np.abs(image.pixels[0, 0] * 255 - expected).max() < 1e-3, name


def test_one_bit_key():
    bits = np.array([[0b10000000]], np.uint8)
    header = struct.pack(">IIBBBBB", 2, 1, 1, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"tRNS", b"\0\0")
        + chunk(b"IDAT", zlib.compress(b"\0" + bits.tobytes())) + chunk(b"IEND", b"")
    )  # fmt: skip
    image = images.read(data)
    assert np.allclose(image.alpha[0, 0, :, 0], [1, 0]) and np.all(image.pixels == 1)


def test_size_reduces_a_jpeg_but_never_below_it():
    data = encoded(Image.new("RGB", (801, 400), (90, 140, 30)), "JPEG", quality=95)
    seen = []
    for size in (1, 50, 101, 200, 201, 400, 500, 801, 5000):
        shape = images.load(data, size=size).shape
        seen.append(shape[2])
        assert max(shape[1:3]) >= min(size, 801)
    assert seen[0] == 101 and seen[-1] == 801 and seen == sorted(seen)
    assert images.load(encoded(Image.new("RGB", (80, 40)), "PNG"), size=10).shape == (1, 40, 80, 3)


def test_wide_integers_of_8_bits_are_not_read_as_black(colors):
    """Mode I says how many bits there are, not how many count: Pillow's conversion keeps 0 to 255."""
    gray = Image.fromarray(colors[..., 0])
    wide = gray.convert("I")
    for source in (wide, encoded(wide, "TIFF"), Image.open(io.BytesIO(encoded(wide, "TIFF")))):
        assert np.array_equal(levels(source), levels(gray))
    sixteen = Image.fromarray(colors[..., 0].astype(np.int32) * 257)
    assert sixteen.mode == "I" and np.array_equal(levels(sixteen), levels(gray))


def test_a_dark_image_of_16_bits_stays_dark_and_says_so(colors, caplog):
    dark = Image.fromarray(np.minimum(colors[..., 0], 200).astype(np.uint16))
    with caplog.at_level("WARNING", "neural_style"):
        assert images.load(encoded(dark, "PNG")).max() < 1 / 255
    assert "bytes: no 16-bit value is above 255, so it is read as almost black" in caplog.text
