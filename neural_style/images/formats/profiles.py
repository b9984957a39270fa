"""From any of Pillow's modes and any ICC profile to sRGB samples."""

import io
import logging

import numpy as np
from PIL import Image, ImageCms

from neural_style.errors import ImageError

__all__ = ["flatten"]

_LOG = logging.getLogger("neural_style")
_LOG.addHandler(logging.NullHandler())  # a library stays silent until its host asks for the log
_SAME_COLOUR = 2  # 8-bit levels: a profile that moves no colour further is sRGB written by somebody else
_PROFILE_MODES = {
    "GRAY": ("1", "L"),
    "CMYK": ("CMYK",),
    "RGB": ("1", "L", "P", "RGB", "RGBA", "RGBX", "YCbCr"),
}


def flatten(image: Image.Image, profile: bytes | None, name: str) -> np.ndarray:
    """Give the sRGB samples of a loaded PIL image, which is left as it is.

    Args:
        image: any mode.
        profile: the ICC profile its numbers are meant in; None for sRGB.
        name: what to call the picture in the log.

    Returns:
        (height, width) or (height, width, 3 | 4), uint8, uint16 or float32; not turned.
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
    colours = _to_srgb(image, profile, name)
    if alpha is not None:
        colours.putalpha(alpha)
    return np.asarray(colours)


def _flatten_16_bit(image: Image.Image, profile: bytes | None, name: str) -> np.ndarray:
    grey = np.asarray(image)
    if grey.min() < 0 or grey.max() > 65_535:
        raise ImageError(
            f"whole numbers from {grey.min()} to {grey.max()}; expected 0 to 65535; "
            "scale them to 16 bits, or to floats from 0 to 1"
        )
    colours = _bend(grey.astype(np.uint16), profile, name)
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return colours
    top = 1.0 if colours.dtype == np.float32 else 65_535
    alpha = np.where(grey == key, 0, top).astype(colours.dtype)
    shape = (*grey.shape, 3)
    return np.dstack([np.broadcast_to(colours.reshape(*grey.shape, -1), shape), alpha])


def _bend(grey: np.ndarray, profile: bytes | None, name: str) -> np.ndarray:
    """Apply a profile to 16-bit grey: its 256-step curve, interpolated, since Pillow converts 8 bits only."""
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    curve = np.asarray(_to_srgb(ramp, profile, name), np.float64)[0] / 255.0
    steps = np.arange(256) * 257
    if np.array_equal(np.rint(curve * 65_535), np.stack([steps] * 3, axis=-1)):
        return grey
    return np.dstack([np.interp(grey, steps, curve[:, channel]) for channel in range(3)]).astype(np.float32)


def _to_srgb(image: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Give a new 8-bit RGB image in sRGB; a profile that does not work is reported in the log and ignored."""
    if image.mode == "LAB":
        return _transform(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if profile:
        try:
            return _with_profile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except Exception as error:  # PyCMSError is no OSError, and a broken profile raises either
            _LOG.warning("%s: its colour profile is ignored (%s); colours are taken as sRGB", name, error)
    return image.convert("RGB")


def _with_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    space = str(profile.profile.xcolor_space).strip()
    grey_in_colour = space == "GRAY" and image.mode == "RGBA" and _is_grey(image)
    if image.mode not in _PROFILE_MODES.get(space, ()) and not grey_in_colour:
        raise ImageError(f"it describes {space} and the picture is {image.mode}")
    if space == "CMYK":
        return _transform(image, profile)
    mode = "RGB" if space == "RGB" else "L"
    probe = _probe(mode)
    moved = np.asarray(_transform(probe, profile), np.int16) - np.asarray(probe.convert("RGB"), np.int16)
    if np.abs(moved).max() <= _SAME_COLOUR:
        return image.convert("RGB")
    return _transform(image.convert(mode), profile)


def _is_grey(image: Image.Image) -> bool:
    """Whether an RGBA image came from grey with alpha, and so may carry a grey profile."""
    red, green, blue = (np.asarray(image.getchannel(channel)) for channel in "RGB")
    return np.array_equal(red, green) and np.array_equal(red, blue)


def _probe(mode: str) -> Image.Image:
    """Every grey, or a 9 x 9 x 9 grid of colours."""
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
