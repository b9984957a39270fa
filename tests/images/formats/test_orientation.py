"""EXIF orientation in every format, valid and damaged."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps, features

from tests.images.samples import encoded, levels


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
