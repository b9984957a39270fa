"""Color conversion: images of any Pillow mode and ICC profile to sRGB samples."""

import io
import logging

import numpy as np
from PIL import Image, ImageCms

from neural_style.errors import ImageError

__all__ = ["flatten"]

_LOG = logging.getLogger("neural_style")
_LOG.addHandler(logging.NullHandler())  # silent unless the application configures logging
_SAME_COLOR = 2  # 8-bit levels: a profile that changes no color by more is another version of sRGB
_PROFILE_MODES = {
    "GRAY": ("1", "L"),
    "CMYK": ("CMYK",),
    "RGB": ("1", "L", "P", "RGB", "RGBA", "RGBX", "YCbCr"),
}


def flatten(image: Image.Image, profile: bytes | None, name: str) -> np.ndarray:
    """Convert a loaded PIL image to sRGB samples; the image is not modified.

    Args:
        image: image of any mode.
        profile: ICC profile of its values; None for sRGB.
        name: name of the image in the log.

    Returns:
        (height, width) or (height, width, 3 | 4), uint8, uint16 or float32; EXIF orientation is not applied.
    """
    if image.mode == "F":
        return np.asarray(image)
    if image.mode.startswith("I"):
        return _flatten_16_bit(image, profile, name)
    alpha = None
    if image.mode in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa") and image.has_transparency_data:
        image = image.convert("LA" if image.mode == "La" else "RGBA")
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    colors = _to_srgb(image, profile, name)
    if alpha is not None:
        colors.putalpha(alpha)
    return np.asarray(colors)


def _flatten_16_bit(image: Image.Image, profile: bytes | None, name: str) -> np.ndarray:
    gray = np.asarray(image)
    if gray.min() < 0 or gray.max() > 65_535:
        raise ImageError(
            f"integers from {gray.min()} to {gray.max()}; expected 0 to 65535; "
            "scale them to 16 bits, or to floats from 0 to 1"
        )
    if 0 < gray.max() <= 255:
        if image.mode == "I" and image.format not in ("PNG", "PPM"):
            gray = gray * 257  # Pillow's conversion from 8 bits, or 8 bits in a wide TIFF
        else:
            _LOG.warning("%s: no 16-bit value is above 255, so it is read as almost black", name)
    colors = _apply_curve(gray.astype(np.uint16), profile, name)
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return colors
    top = 1.0 if colors.dtype == np.float32 else 65_535
    alpha = np.where(gray == key, 0, top).astype(colors.dtype)
    shape = (*gray.shape, 3)
    return np.dstack([np.broadcast_to(colors.reshape(*gray.shape, -1), shape), alpha])


def _apply_curve(gray: np.ndarray, profile: bytes | None, name: str) -> np.ndarray:
    """Apply a profile to 16-bit gray by interpolating its 8-bit curve, since Pillow converts 8 bits only."""
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    curve = np.asarray(_to_srgb(ramp, profile, name), np.float64)[0] / 255.0
    steps = np.arange(256) * 257
    if np.array_equal(np.rint(curve * 65_535), np.stack([steps] * 3, axis=-1)):
        return gray
    return np.dstack([np.interp(gray, steps, curve[:, channel]) for channel in range(3)]).astype(np.float32)


def _to_srgb(image: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Convert to a new 8-bit RGB image in sRGB; an invalid profile is ignored, with a warning in the log."""
    if image.mode == "LAB":
        return _transform(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if profile:
        try:
            return _with_profile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except Exception as error:  # a broken profile raises PyCMSError or OSError
            _LOG.warning("%s: its color profile is ignored (%s); colors are taken as sRGB", name, error)
    return image.convert("RGB")


def _with_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    space = str(profile.profile.xcolor_space).strip()
    gray_as_rgba = space == "GRAY" and image.mode == "RGBA" and _is_gray(image)
    if image.mode not in _PROFILE_MODES.get(space, ()) and not gray_as_rgba:
        raise ImageError(f"it describes {space} and the image is {image.mode}")
    if space == "CMYK":
        return _transform(image, profile)
    mode = "RGB" if space == "RGB" else "L"
    probe = _probe(mode)
    moved = np.asarray(_transform(probe, profile), np.int16) - np.asarray(probe.convert("RGB"), np.int16)
    if np.abs(moved).max() <= _SAME_COLOR:
        return image.convert("RGB")
    return _transform(image.convert(mode), profile)


def _is_gray(image: Image.Image) -> bool:
    """Whether an RGBA image was gray with alpha, and so may have a gray profile."""
    red, green, blue = (np.asarray(image.getchannel(channel)) for channel in "RGB")
    return np.array_equal(red, green) and np.array_equal(red, blue)


def _probe(mode: str) -> Image.Image:
    """An image of all grays, or of a 9 x 9 x 9 grid of colors."""
    if mode == "L":
        return Image.frombytes("L", (256, 1), bytes(range(256)))
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return Image.fromarray(grid.reshape(27, 27, 3))


def _transform(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(profile, target, image.mode, "RGB")
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise ImageError("the conversion gave nothing")
    return converted
