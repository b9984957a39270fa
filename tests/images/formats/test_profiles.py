"""ICC profiles: converted to sRGB, or ignored with a warning in the log."""

import logging
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from neural_style import images
from tests.images.samples import encoded, levels


def straight_profile():
    """A valid RGB profile other than sRGB: with linear tone curves, dark grays become lighter."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            profile[offset : offset + size] = struct.pack(">4sIHHi", b"para", 0, 0, 0, 65_536).ljust(size, b"\0")
    return bytes(profile)


def srgb_curve(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_lab_is_converted_to_srgb():
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    known = np.array([[[255, 255, 255], [200, 40, 40], [0, 0, 0], [90, 110, 160]]], np.uint8)
    source = Image.fromarray(known)
    lab = ImageCms.applyTransform(source, to_lab)
    for data in (lab, encoded(lab, "TIFF")):
        assert np.abs(levels(data) - known).max() <= 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_profile_is_converted_to_srgb(kind):
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 3, axis=2).repeat(8, axis=0)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}.get(kind, {})
    data = encoded(Image.fromarray(ramp), kind, icc_profile=straight_profile(), **options)
    assert np.abs(images.load(data)[0] - srgb_curve(ramp / 255.0)).max() < 2.5 / 255


def test_profile_of_gray_and_16_bit_gray():
    ramp = np.linspace(0, 65_535, 64).astype(np.uint16)[None].repeat(4, axis=0)
    expected = srgb_curve(ramp / 65_535)[..., None]
    gray8 = encoded(Image.fromarray((ramp >> 8).astype(np.uint8)), "PNG", icc_profile=straight_profile())
    gray16 = encoded(Image.fromarray(ramp), "PNG", icc_profile=straight_profile())
    bright = expected[..., 0] > 0.2  # near black the straight curve is too steep for 8-bit steps
    assert np.abs(images.load(gray8)[0] - expected)[bright].max() < 3 / 255
    assert np.abs(images.load(gray16)[0] - expected)[bright].max() < 2 / 255


def test_srgb_profile_changes_nothing(colors):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(levels(encoded(Image.fromarray(colors), "PNG", icc_profile=profile)), colors)


@pytest.mark.parametrize("profile", [b"not a profile", straight_profile()[:200]])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_bad_profile_is_ignored_and_logged(smooth, kind, profile, caplog):
    image = Image.fromarray(smooth)
    with caplog.at_level(logging.WARNING, "neural_style"):
        got = levels(encoded(image, kind, icc_profile=profile))
    assert np.array_equal(got, levels(encoded(image, kind)))
    assert "bytes" in caplog.text and "profile is ignored" in caplog.text


def test_profile_of_another_color_space_is_ignored(colors, caplog):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert np.array_equal(levels(encoded(Image.fromarray(colors), "PNG", icc_profile=lab)), colors)
    assert "profile is ignored" in caplog.text
