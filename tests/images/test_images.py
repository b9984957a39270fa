"""Pictures in and out: true values for every format, every kind of source, and whole files only."""

import io
import itertools
import logging
import os
import pathlib
import struct
import subprocess
import sys
import types
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ExifTags, Image, ImageCms, ImageOps, features

from neural_style import images
from neural_style.errors import ImageError
from neural_style.images.formats import encoding

HEIGHT, WIDTH = 9, 14


@pytest.fixture
def colours():
    return np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def smooth():
    """A picture that lossy formats keep closely: every channel a slope."""
    rows, columns = np.mgrid[0:48, 0:64]
    return np.stack([rows * 5, columns * 4, 255 - columns * 2 - rows * 2], axis=-1).astype(np.uint8)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def levels(source, full=255, **options):
    """What `load` gives, (H, W, 3) in levels."""
    pixels = images.load(source, **options)
    assert pixels.dtype == np.float32 and pixels.ndim == 4 and pixels.shape[0] == 1 and pixels.shape[3] == 3
    assert pixels.flags.c_contiguous and pixels.flags.writeable
    return pixels[0] * full


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(rows, bits, colour_type, *extra):
    """A PNG written by hand: rows of ready bytes, and chunks to stand before the pixels."""
    height, width = rows.shape[0], rows.shape[1]
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    middle = b"".join(extra)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle
        + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )  # fmt: skip


def raw_tiff(tags, body, order="<"):
    """A one-strip TIFF written by hand; tags are (tag, type code, values)."""
    sizes = {1: "B", 3: "H", 4: "I", 7: "B", 11: "f"}
    tags = sorted([*tags, (273, 4, [8]), (279, 4, [len(body)])])
    start = 8 + len(body)
    extra, entries = b"", b""
    for tag, kind, values in tags:
        packed = struct.pack(f"{order}{len(values)}{sizes[kind]}", *values)
        if len(packed) > 4:
            packed, extra = struct.pack(order + "I", start + 6 + 12 * len(tags) + len(extra)), extra + packed
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        mark + struct.pack(order + "I", start) + body
        + struct.pack(order + "H", len(tags)) + entries + bytes(4) + extra
    )  # fmt: skip


# Formats


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "TGA", "WEBP"])
def test_lossless_formats_are_exact(colours, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(levels(encoded(Image.fromarray(colours), kind, **options)), colours)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_lossy_formats_are_close(smooth, kind):
    if not features.check(kind.lower().replace("jpeg", "jpg")):
        pytest.skip(f"this Pillow has no {kind}")
    error = levels(encoded(Image.fromarray(smooth), kind, quality=95)) - smooth
    assert np.abs(error).mean() < 2


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions_are_exact(colours, compression):
    assert np.array_equal(levels(encoded(Image.fromarray(colours), "TIFF", compression=compression)), colours)


def test_bigtiff_and_big_endian_tiff(colours):
    big = encoded(Image.fromarray(colours), "TIFF", big_tiff=True)
    assert big[2:4] == b"+\0" and np.array_equal(levels(big), colours)
    motorola = raw_tiff(
        [(256, 3, [WIDTH]), (257, 3, [HEIGHT]), (258, 3, [8, 8, 8]), (262, 3, [2]), (277, 3, [3])],
        colours.tobytes(), ">",
    )  # fmt: skip
    assert np.array_equal(levels(motorola), colours)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_keeps_16_bits(kind):
    grey = np.arange(0, 65_536, 97, dtype=np.uint16)[: 26 * 25].reshape(26, 25)
    got = levels(encoded(Image.fromarray(grey), kind), full=65_535)
    assert np.abs(got - grey[..., None]).max() < 0.01


def test_16_bit_grey_written_by_hand():
    grey = np.array([[0, 1, 257], [32_768, 65_534, 65_535]], np.uint16)
    pgm = b"P5 3 2 65535\n" + grey.astype(">u2").tobytes()
    png = raw_png(grey.astype(">u2"), 16, 0)
    tiff = raw_tiff(
        [(256, 3, [3]), (257, 3, [2]), (258, 3, [16]), (262, 3, [1]), (277, 3, [1])],
        grey.astype(">u2").tobytes(), ">",
    )  # fmt: skip
    for data in (pgm, png, tiff):
        assert np.abs(levels(data, full=65_535)[..., 0] - grey).max() < 0.01


def test_12_bit_and_inverted_tiff():
    size = [(256, 3, [2]), (257, 3, [1]), (277, 3, [1])]
    twelve = raw_tiff([*size, (258, 3, [12]), (262, 3, [1])], bytes([0xFF, 0xF8, 0x00]))
    assert np.allclose(images.load(twelve)[0, 0, :, 0], [1, 2048 / 4095], atol=1e-4)
    deep = np.array([0, 16_384], "<u2").tobytes()
    inverted = raw_tiff([*size, (258, 3, [16]), (262, 3, [0])], deep)
    assert np.allclose(images.load(inverted)[0, 0, :, 0], [1, 0.75], atol=1e-4)
    shallow = raw_tiff([*size, (258, 3, [8]), (262, 3, [0])], b"\0\xff")
    assert np.array_equal(images.load(shallow)[0, 0, :, 0], [1, 0])


def test_pgm_of_another_depth():
    grey = np.array([[0, 500, 1000]], np.uint16)
    got = images.load(b"P5 3 1 1000\n" + grey.astype(">u2").tobytes())
    assert np.allclose(got[0, 0, :, 0], [0, 0.5, 1], atol=1e-4)


def test_48_bit_png_reads_at_8_bits():
    deep = np.random.default_rng(0).integers(0, 65_536, (4, 5, 3)).astype(">u2")
    assert np.abs(levels(raw_png(deep, 16, 2)) - deep.astype(float) / 257).max() < 1


def test_grey_with_alpha_of_16_bits():
    deep = np.array([[[65_535, 65_535], [0, 32_768]]], ">u2")
    picture = images.read(raw_png(deep, 16, 4))
    assert np.allclose(picture.pixels[0, 0, :, 0], [1, 0])
    assert np.allclose(picture.alpha[0, 0, :, 0], [1, 0.5], atol=1 / 255)


def test_float_tiff_must_hold_zero_to_one():
    grey = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(images.load(encoded(Image.fromarray(grey), "TIFF"))[0, :, :, 0], grey)
    with pytest.raises(ImageError, match=r"bytes: .*\[0, 1\].*divide by 255"):
        images.load(encoded(Image.fromarray(grey * 255), "TIFF"))
    with pytest.raises(ImageError, match="not finite"):
        images.load(encoded(Image.fromarray(grey * np.nan), "TIFF"))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_one_bit(kind):
    bits = np.random.default_rng(1).random((7, 9)) < 0.5
    got = levels(encoded(Image.fromarray(bits), kind))
    assert np.array_equal(got, np.repeat(bits[..., None] * 255.0, 3, axis=2))


def test_grey_and_palette(colours):
    grey = Image.fromarray(colours[..., 0])
    assert np.array_equal(levels(encoded(grey, "PNG")), np.repeat(colours[..., :1], 3, axis=2))
    palette = Image.fromarray(colours).quantize(16)
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


def test_lab_has_its_true_colours():
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    known = np.array([[[255, 255, 255], [200, 40, 40], [0, 0, 0], [90, 110, 160]]], np.uint8)
    source = Image.fromarray(known)
    lab = ImageCms.applyTransform(source, to_lab)
    for data in (lab, encoded(lab, "TIFF")):
        assert np.abs(levels(data) - known).max() <= 4


def test_first_frame_of_animations(colours):
    frames = [Image.fromarray(colours).quantize(64), Image.fromarray(255 - colours).quantize(64)]
    expected = np.asarray(frames[0].convert("RGB"))
    for kind, options in (("GIF", {}), ("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert np.array_equal(levels(data), expected), kind


def test_mpo_is_its_first_picture(smooth):
    first, second = Image.fromarray(smooth), Image.fromarray(255 - smooth)
    data = encoded(first, "MPO", save_all=True, append_images=[second], quality=95)
    assert np.abs(levels(data) - smooth).mean() < 2


def test_heic_names_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match="HEIC.*pip install pillow-heif"):
        images.load(b"\0\0\0\x18ftypheic" + bytes(40))


def test_heic_goes_through_pillow_heif(monkeypatch, colours):
    opened = types.SimpleNamespace(size=(WIDTH, HEIGHT), to_pillow=lambda: Image.fromarray(colours))
    module = types.SimpleNamespace(open_heif=lambda handle, convert_hdr_to_8bit: opened)
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    data = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40)
    assert np.array_equal(levels(data), colours)
    with pytest.raises(ImageError, match="HEIC.*max_pixels"):
        images.load(data, max_pixels=5)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "PSD", "ZIP", "HTML", "JPEG2000"])
def test_other_formats_are_refused_by_name(kind):
    heads = {
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n", "PDF": b"%PDF-1.7\n", "ICO": b"\0\0\1\0\1\0", "PSD": b"8BPS\0\1",
        "ZIP": b"PK\3\4", "HTML": b"\n <!doctype html>", "JPEG2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    }  # fmt: skip
    with pytest.raises(ImageError, match="bytes: looks like .*expected one of JPEG, PNG"):
        images.load(heads[kind] + bytes(200))


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO"])
def test_orientation(smooth, kind, orientation):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = Image.fromarray(smooth)
    options = {"WEBP": {"lossless": True}, "AVIF": {"quality": 95}, "JPEG": {"quality": 95}}.get(kind, {})
    plain = encoded(image, kind, **options)
    turned = encoded(image, kind, exif=exif, **options)
    pretend = Image.fromarray(np.uint8(np.rint(levels(plain))))
    pretend.getexif()[ExifTags.Base.Orientation] = orientation
    assert np.abs(levels(turned) - np.asarray(ImageOps.exif_transpose(pretend), float)).max() < 1e-3


def test_orientation_of_a_pil_image(smooth):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encoded(Image.fromarray(smooth), "PNG", exif=exif)
    image = Image.open(io.BytesIO(data))
    assert np.array_equal(levels(image), levels(data))
    assert np.array_equal(levels(ImageOps.exif_transpose(image)), levels(data))


@pytest.mark.parametrize(
    "block",
    [
        b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0garbage all the way down",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\1\0\0\0\x63\0\0\0" * 3,
        b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x1a\0\5\0\0\0\1\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\x01\x02\0\x40\0\0\0\xf0\xff\xff\x7f",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_is_tolerated(smooth, kind, block):
    options = {"lossless": True} if kind == "WEBP" else {}
    plain, broken = (encoded(Image.fromarray(smooth), kind, **o, **options) for o in ({}, {"exif": block}))
    assert np.array_equal(levels(broken), levels(plain))


# Colour profiles


def straight_profile():
    """A working RGB profile unlike sRGB: with straight tone curves, dark greys come out lighter."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            profile[offset : offset + size] = struct.pack(">4sIHHi", b"para", 0, 0, 0, 65_536).ljust(size, b"\0")
    return bytes(profile)


def srgb_curve(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_profile_is_converted_to_srgb(kind):
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 3, axis=2).repeat(8, axis=0)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}.get(kind, {})
    data = encoded(Image.fromarray(ramp), kind, icc_profile=straight_profile(), **options)
    assert np.abs(images.load(data)[0] - srgb_curve(ramp / 255.0)).max() < 2.5 / 255


def test_profile_of_grey_and_16_bit_grey():
    ramp = np.linspace(0, 65_535, 64).astype(np.uint16)[None].repeat(4, axis=0)
    expected = srgb_curve(ramp / 65_535)[..., None]
    grey8 = encoded(Image.fromarray((ramp >> 8).astype(np.uint8)), "PNG", icc_profile=straight_profile())
    grey16 = encoded(Image.fromarray(ramp), "PNG", icc_profile=straight_profile())
    bright = expected[..., 0] > 0.2  # near black the straight curve is too steep for 8-bit steps
    assert np.abs(images.load(grey8)[0] - expected)[bright].max() < 3 / 255
    assert np.abs(images.load(grey16)[0] - expected)[bright].max() < 2 / 255


def test_srgb_profile_changes_nothing(colours):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(levels(encoded(Image.fromarray(colours), "PNG", icc_profile=profile)), colours)


@pytest.mark.parametrize("profile", [b"not a profile", straight_profile()[:200]])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_bad_profile_is_ignored_and_logged(smooth, kind, profile, caplog):
    image = Image.fromarray(smooth)
    with caplog.at_level(logging.WARNING, "neural_style"):
        got = levels(encoded(image, kind, icc_profile=profile))
    assert np.array_equal(got, levels(encoded(image, kind)))
    assert "bytes" in caplog.text and "profile is ignored" in caplog.text


def test_profile_of_another_colour_space_is_ignored(colours, caplog):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert np.array_equal(levels(encoded(Image.fromarray(colours), "PNG", icc_profile=lab)), colours)
    assert "profile is ignored" in caplog.text


# Alpha


def test_opaque_pictures_have_no_alpha(colours):
    opaque = np.dstack([colours, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    assert images.read(opaque).alpha is None
    assert images.read(encoded(Image.fromarray(opaque), "PNG")).alpha is None
    assert images.read(colours).alpha is None


def test_hidden_colours_become_the_mean_of_the_visible():
    rgba = np.array([[[255, 0, 0, 255], [0, 255, 0, 85], [9, 99, 199, 0]]], np.uint8)
    for source in (rgba, Image.fromarray(rgba), encoded(Image.fromarray(rgba), "PNG")):
        picture = images.read(source)
        assert np.allclose(picture.alpha[0, 0, :, 0], [1, 1 / 3, 0])
        assert np.allclose(picture.pixels[0, 0, :2], [[1, 0, 0], [0, 1, 0]])
        assert np.allclose(picture.pixels[0, 0, 2], [0.75, 0.25, 0])


def test_nothing_visible_is_mid_grey():
    picture = images.read(np.zeros((2, 3, 4), np.uint8))
    assert np.all(picture.pixels == 0.5) and np.all(picture.alpha == 0)


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
    grey_key = chunk(b"tRNS", struct.pack(">H", 3))
    sources = {
        "palette, one index": (encoded(palette, "PNG", transparency=1), visible),
        "palette, a table": (encoded(palette, "PNG", transparency=b"\xff\x00"), visible),
        "GIF": (encoded(palette, "GIF", transparency=1), visible),
        "RGB key": (encoded(Image.fromarray(rgb), "PNG", transparency=tuple(hidden)), visible),
        "48-bit key": (raw_png(deep, 16, 2, deep_key), visible),
        "grey and alpha": (encoded(la, "PNG"), [77] * 3),
        "grey key": (raw_png(np.array([[80, 3]], np.uint8), 8, 0, grey_key), [80] * 3),
        "16-bit grey key": (raw_png(np.array([[80 * 257, 3]], ">u2"), 16, 0, grey_key), [80] * 3),
        "premultiplied": (Image.fromarray(rgba).convert("RGBa"), visible),
    }  # fmt: skip
    for name, (source, expected) in sources.items():
        picture = images.read(source)
        assert picture.alpha is not None, name
        assert np.allclose(picture.alpha[0, 0, :, 0], [1, 0]), name
        assert np.abs(picture.pixels[0, 0] * 255 - expected).max() < 1e-3, name


def test_one_bit_key():
    bits = np.array([[0b10000000]], np.uint8)
    header = struct.pack(">IIBBBBB", 2, 1, 1, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"tRNS", b"\0\0")
        + chunk(b"IDAT", zlib.compress(b"\0" + bits.tobytes())) + chunk(b"IEND", b"")
    )  # fmt: skip
    picture = images.read(data)
    assert np.allclose(picture.alpha[0, 0, :, 0], [1, 0]) and np.all(picture.pixels == 1)


# Sources


class Unseekable(io.RawIOBase):
    """Gives a few bytes at a time and cannot go back, like a socket."""

    def __init__(self, data):
        self.left = data

    def readable(self):
        return True

    def readinto(self, buffer):
        part, self.left = self.left[:1000], self.left[1000:]
        buffer[: len(part)] = part
        return len(part)


class Tensor:
    """Anything with `__array__`, as TensorFlow's tensors have."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def test_every_source_gives_the_same_pixels(tmp_path, colours):
    path = tmp_path / "picture.png"
    Image.fromarray(colours).save(path)
    data = path.read_bytes()
    late = io.BytesIO(b"something else" + data)
    late.seek(14)
    read_only = colours.copy()
    read_only.flags.writeable = False
    misnamed = tmp_path / "picture.jpg"
    misnamed.write_bytes(data)
    wide = colours.astype(np.uint16) * 257
    sources = [
        path, str(path), misnamed, data, bytearray(data), memoryview(data), path.open("rb"), late,
        Unseekable(data), Image.open(path), Image.fromarray(colours), colours, read_only, colours[None],
        colours[::-1, ::-1][::-1, ::-1], np.asfortranarray(colours), wide, wide.astype(">u2"),
        colours / 255.0, np.float32(colours / 255.0), (colours / 255.0).astype(">f8"), Tensor(colours),
    ]  # fmt: skip
    for source in sources:
        assert np.abs(levels(source) - colours).max() < 1e-3, repr(source)[:80]
        if hasattr(source, "close"):
            source.close()


def test_grey_arrays_of_every_shape(colours):
    grey = colours[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    for source in (grey, grey[..., None], grey[None, ..., None], grey[:, ::-1][:, ::-1]):
        assert np.array_equal(levels(source), expected)
    assert np.abs(levels((grey / 255).astype(np.float16)) - expected).max() < 0.1


def test_tensorflow_tensors(colours):
    tensorflow = pytest.importorskip("tensorflow")
    assert np.array_equal(levels(tensorflow.constant(colours)), colours)
    assert np.array_equal(levels(tensorflow.Variable(colours[None] / 255.0)), colours)
    with pytest.raises(TypeError, match="bfloat16"):
        images.load(tensorflow.zeros((2, 2, 3), tensorflow.bfloat16))

    @tensorflow.function
    def inside(tensor):
        images.load(tensor)

    with pytest.raises(TypeError, match=r"tf\.function"):
        inside(tensorflow.constant(colours))


def test_sources_are_left_alone(colours):
    image = Image.fromarray(np.dstack([colours, colours[..., 0]]))
    image.info["note"] = "kept"
    before, info = image.tobytes(), dict(image.info)
    floats = np.zeros((2, 2, 4), np.float32)
    images.load(floats)[:] = 1
    picture = images.read(image)
    picture.pixels[:] = 0
    assert image.tobytes() == before and image.info == info and image.mode == "RGBA"
    assert np.all(floats == 0)
    assert images.read(picture) is picture and images.load(picture) is picture.pixels


def test_size_lets_a_jpeg_decode_small_but_never_below():
    data = encoded(Image.new("RGB", (801, 400), (90, 140, 30)), "JPEG", quality=95)
    seen = []
    for size in (1, 50, 101, 200, 201, 400, 500, 801, 5000):
        shape = images.load(data, size=size).shape
        seen.append(shape[2])
        assert max(shape[1:3]) >= min(size, 801)
    assert seen[0] == 101 and seen[-1] == 801 and seen == sorted(seen)
    assert images.load(encoded(Image.new("RGB", (80, 40)), "PNG"), size=10).shape == (1, 40, 80, 3)


@pytest.mark.parametrize("source", [None, 3, 2.5, [[0.0]], {"a": 1}, object(), np.ndarray, io.StringIO("text")])
def test_other_types_are_refused_by_name(source):
    with pytest.raises(TypeError, match="a picture cannot be"):
        images.load(source)


@pytest.mark.parametrize("dtype", [bool, np.int64, np.int8, np.uint32, np.complex64, object, "U3"])
def test_other_dtypes_are_refused_by_name(dtype):
    with pytest.raises(TypeError, match="a picture cannot have dtype.*expected uint8"):
        images.load(np.zeros((2, 2, 3), dtype))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 8, 9), np.uint8), r"array: shape \(3, 8, 9\) has its channels first"),
        (np.zeros((1, 8, 9), np.uint8), "channels first"),
        (np.zeros((1, 4, 8, 9), np.float32), "channels first"),
        (np.zeros((8, 9, 2), np.uint8), "2 channels"),
        (np.zeros((0, 9, 3), np.uint8), "empty"),
        (np.zeros((2, 8, 9, 3), np.uint8), "not one picture"),
        (np.zeros(9, np.uint8), "not one picture"),
        (np.float32(0.5), "not one picture"),
        (np.full((2, 2), np.nan), "not finite"),
        (np.full((2, 2), np.inf, np.float16), "not finite"),
        (np.array([[0.0, 255.0]]), "from 0 to 255.*divide by 255"),
        (np.array([[-1.0, 1.0]]), r"from -1 to 1; expected \[0, 1\]; rescale"),
        (np.array([[0.0, 1.0001]]), "rescale or clip"),
        (np.full((2, 2), 1e300), "rescale"),
    ],
)
def test_arrays_that_are_no_picture(array, reason):
    with pytest.raises(ImageError, match=reason):
        images.load(array)


def test_options_are_checked():
    for name, value in itertools.product(("size", "max_pixels", "max_side"), (0, -3)):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got {value}"):
            images.load(b"", **{name: value})
    for name, value in itertools.product(("size", "max_pixels", "max_side"), (1.5, "9", True)):
        with pytest.raises(TypeError, match=f"{name} must be a whole number"):
            images.load(b"", **{name: value})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.dtype(">u2"), np.dtype("<u2")]),
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([3, 4])),
    )
)
def test_any_array_is_read_truly(array):
    full = np.iinfo(array.dtype).max
    picture = images.read(array)
    alpha = array[..., 3] if array.shape[2] == 4 else np.full(array.shape[:2], full, array.dtype)
    visible = alpha > 0
    assert picture.pixels.min() >= 0 and picture.pixels.max() <= 1
    assert np.abs(picture.pixels[0][visible] * full - array[..., :3][visible]).max(initial=0) < 0.01
    assert (picture.alpha is None) == bool((alpha == full).all())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(0, 1, width=32)))
def test_to_pil_rounds_to_the_nearest_level(pixels):
    assert np.abs(np.asarray(images.to_pil(pixels), float) - pixels * 255.0).max() <= 0.5001


# Resize


def test_resize_keeps_constants_and_range():
    rng = np.random.default_rng(0)
    for size in ((3, 40), (40, 3), (17, 17), (9, 11)):
        flat = images.resize(np.full((1, 11, 9, 5), 0.25, np.float32), size)
        assert flat.shape == (1, size[1], size[0], 5) and flat.dtype == np.float32
        assert np.allclose(flat, 0.25, atol=1e-6)
        edges = images.resize(np.float32(rng.integers(0, 2, (1, 11, 9, 3))), size)
        assert edges.min() >= 0 and edges.max() <= 1


def test_resize_does_not_alias():
    stripes = np.zeros((1, 64, 64, 1), np.float32)
    stripes[:, :, ::2] = 1
    small = images.resize(stripes, (16, 16))
    assert np.abs(small[:, :, 2:-2] - 0.5).max() < 0.03


def test_resize_halves_a_slope_and_is_precise():
    slope = np.linspace(0.2, 0.8, 100, dtype=np.float32)[None, None, :, None].repeat(10, axis=1)
    small = images.resize(slope, (50, 5))
    assert np.allclose(small[0, 2, 5:-5, 0], slope[0, 0].reshape(50, 2).mean(axis=1)[5:-5], atol=1e-5)


def test_resize_same_size_is_the_same_object():
    pixels = np.zeros((1, 4, 6, 2), np.float32)
    assert images.resize(pixels, (6, 4)) is pixels


def test_resize_refuses_clearly():
    with pytest.raises(ValueError, match=r"\(1, height, width, channels\), got \(4, 6, 3\)"):
        images.resize(np.zeros((4, 6, 3), np.float32), (2, 2))
    with pytest.raises(ValueError, match=r"at least \(1, 1\), got \(0, 4\)"):
        images.resize(np.zeros((1, 4, 6, 3), np.float32), (0, 4))


# Saving


def decode_png(data):
    """A PNG reader of its own, for the filters 0 and 2: (H, W, channels) and the chunk names."""
    names, body, at = [], b"", 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + content)
        names.append(kind)
        body += content if kind == b"IDAT" else b""
        if kind == b"IHDR":
            width, height, bits, colour_type = struct.unpack_from(">IIBB", content)
        at += 12 + length
    channels = {2: 3, 6: 4}[colour_type]
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, -1)
    assert bits == 16 and np.all(rows[:, 0] == 2)
    samples = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
    return np.ascontiguousarray(samples).view(">u2").reshape(height, width, channels), names


def decode_tiff(data):
    """A TIFF reader of its own, for deflated strips of horizontal differences: pixels and tags."""
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
def test_8_bit_round_trip_is_exact(tmp_path, colours, suffix):
    path = tmp_path / f"out{suffix}"
    images.save(colours / np.float32(255), path)
    assert np.array_equal(levels(path), colours)
    images.save(Image.fromarray(colours), path)
    assert np.array_equal(levels(path), colours)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpeg_round_trip_is_close_and_not_subsampled(tmp_path, smooth, suffix):
    path = tmp_path / f"out{suffix}"
    images.save(smooth, path)
    assert np.abs(levels(path) - smooth).mean() < 1
    with Image.open(path) as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


@pytest.mark.parametrize("alpha", [False, True])
def test_16_bit_round_trip_is_exact(tmp_path, monkeypatch, alpha):
    monkeypatch.setattr(encoding, "_BAND", 100)  # several bands, as a large picture has
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
        picture = images.read(tmp_path / name)
        assert np.abs(picture.pixels[0] * 255 - deep[..., :3] / 257).max() < 1
        assert (picture.alpha is not None) == alpha


def test_saving_marks_srgb_and_carries_no_exif(tmp_path, colours):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Software] = "a camera"
    source = Image.open(io.BytesIO(encoded(Image.fromarray(colours), "PNG", exif=exif)))
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


def test_alpha_is_saved_where_there_is_any(tmp_path, colours):
    alpha = np.random.default_rng(5).integers(1, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    for suffix in (".png", ".webp", ".tif"):
        images.save(colours, tmp_path / f"out{suffix}", alpha=alpha)
        picture = images.read(tmp_path / f"out{suffix}")
        assert np.array_equal(np.rint(picture.alpha[0, ..., 0] * 255), alpha)
        assert np.array_equal(np.rint(picture.pixels[0] * 255), colours)
        images.save(picture, tmp_path / f"again{suffix}")
        assert np.array_equal(images.read(tmp_path / f"again{suffix}").alpha, picture.alpha)


def test_jpeg_lays_alpha_over_white(tmp_path):
    images.save(np.zeros((16, 16, 3)), tmp_path / "out.jpg", alpha=np.full((1, 16, 16, 1), 0.25))
    assert np.abs(levels(tmp_path / "out.jpg") - 191).max() <= 2


def test_to_pil_modes_and_shapes(colours):
    pixels = images.load(colours)
    assert np.array_equal(np.asarray(images.to_pil(pixels)), colours)
    assert np.array_equal(np.asarray(images.to_pil(pixels[0])), colours)
    image = images.to_pil(pixels, np.full((1, HEIGHT, WIDTH, 1), 0.5, np.float32))
    assert image.mode == "RGBA" and image.getpixel((0, 0))[3] == 128
    with pytest.raises(ImageError, match="does not fit"):
        images.to_pil(pixels, np.ones((3, 3)))


def test_rounding_noise_is_clipped_and_nonsense_refused(tmp_path):
    noisy = np.full((2, 2, 3), 1.0000002, np.float32)
    assert images.to_pil(noisy).getpixel((0, 0)) == (255, 255, 255)
    for wrong in (np.full((2, 2, 3), np.nan), np.full((2, 2, 3), 2.0)):
        with pytest.raises(ImageError, match="array"):
            images.save(wrong, tmp_path / "out.png")
    assert not list(tmp_path.iterdir())


def test_equal_pictures_give_equal_files(tmp_path, colours):
    for suffix in (".png", ".jpg", ".webp", ".tif"):
        images.save(colours, tmp_path / f"a{suffix}")
        images.save(colours, tmp_path / f"b{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def save_black(path):
    images.save(np.zeros((2, 2, 3)), path)


@pytest.mark.parametrize("check", [images.check_writable, save_black])
def test_hopeless_destinations_are_refused(tmp_path, check):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for name, reason in {
        "out.bmp": "expected one of .png", "out": "suffix", "missing/out.png": "create it first",
        "folder.png": "a folder of that name", "file/out.png": "does not exist", "out\0.png": "not a usable",
    }.items():  # fmt: skip
        with pytest.raises(ImageError, match=reason):
            check(tmp_path / name)
    with pytest.raises(TypeError, match="expected a path"):
        check(3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


def test_wrong_bits_are_refused(tmp_path):
    with pytest.raises(ValueError, match="8 or 16, got 12"):
        images.save(np.zeros((2, 2, 3)), tmp_path / "out.png", bits=12)
    with pytest.raises(ImageError, match="use .png or .tif"):
        images.save(np.zeros((2, 2, 3)), tmp_path / "out.jpg", bits=16)


def test_check_writable_leaves_nothing_behind(tmp_path):
    images.check_writable(tmp_path / "new.png")
    assert not list(tmp_path.iterdir())
    (tmp_path / "old.png").write_bytes(b"old")
    images.check_writable(str(tmp_path / "old.png"))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write anywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ImageError, match="cannot be written to"):
        images.check_writable(tmp_path / "out.png")
    tmp_path.chmod(0o700)


def test_folder_that_refuses_files(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    for call in (images.check_writable, save_black):
        with monkeypatch.context() as patch, pytest.raises(ImageError, match="written to .*denied"):
            patch.setattr(os, "open", refuse)
            call(tmp_path / "out.png")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", ["replace", "fsync"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_save_keeps_the_old_file(tmp_path, monkeypatch, name, error, bits):
    path = tmp_path / "out.png"
    path.write_bytes(b"the old one")

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        expected = ImageError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(expected, match="No space" if expected is ImageError else None):
            images.save(np.zeros((2, 2, 3)), path, bits=bits)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"the old one"]


def test_a_picture_too_large_for_its_format_leaves_nothing(tmp_path):
    with pytest.raises(ImageError, match="could not be written"):
        images.save(np.zeros((1, 16_384, 3), np.uint8), tmp_path / "out.webp")
    assert not list(tmp_path.iterdir())


def test_saving_follows_a_link_and_respects_the_umask(tmp_path):
    real = tmp_path / "real.png"
    link = tmp_path / "link.png"
    link.symlink_to(real)
    images.save(np.zeros((2, 2, 3)), link)
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert link.is_symlink() and real.stat().st_mode == plain.stat().st_mode


def test_undecodable_file_names(tmp_path):
    path = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png"))
    try:
        images.save(np.zeros((2, 2, 3)), path)
    except ImageError:
        pytest.skip("this file system takes only Unicode names")
    assert images.load(path).shape == (1, 2, 2, 3)
    path.write_bytes(b"")
    with pytest.raises(ImageError) as caught:
        images.load(path)
    str(caught.value).encode()


def test_import_is_light():
    code = "import sys, neural_style.images; print('tensorflow' in sys.modules)"
    root = pathlib.Path(images.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
