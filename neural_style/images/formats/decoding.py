"""Decoding of image files: the only module that passes untrusted bytes to a decoder.

`decode` identifies the format by its signature, makes a copy that contains only what determines the pixels, checks the
size, decodes the copy with Pillow, converts it to sRGB and turns it upright. Thanks to the copy, damaged metadata
neither breaks a good image nor makes Pillow warn, and no process-wide setting (warning filters, Pillow's limits) has to
be changed.
"""

import importlib
import io
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from neural_style.errors import ImageError
from neural_style.images.formats.orientation import read_orientation, turn_upright
from neural_style.images.formats.profiles import flatten
from neural_style.images.formats.stripping import Stripped, strip_avif, strip_jpeg, strip_png
from neural_style.images.formats.tiff import check_tiff_strips, strip_tiff

__all__ = ["Limits", "check_size", "decode", "identify"]

_LOG = logging.getLogger("neural_style")


@dataclass(frozen=True)
class Limits:
    """Size limits of an image, and the size at which it will be used.

    Args:
        max_pixels: maximum width * height.
        max_side: maximum width or height.
        size: long side in pixels to which the caller will resize; None for full size.
    """

    max_pixels: int
    max_side: int
    size: int | None = None


def decode(data: bytes, limits: Limits, name: str) -> np.ndarray:
    """Decode an image file; of an animation or a multi-page file, the first image.

    Args:
        data: content of the file.
        limits: size limits, checked after the header is read and before any pixel is decoded.
        name: name of the image in the log.

    Returns:
        (height, width) or (height, width, 3 | 4), uint8, uint16 or float32, sRGB, upright.

    Raises:
        ImageError: the file is damaged, too large or not supported; the message starts with its format.
    """
    kind = identify(data[:4096])
    try:
        return _decode_as(kind, data, limits, name)
    except ImageError as error:
        raise ImageError(f"{kind}: {error}") from error.__cause__
    except Image.DecompressionBombError as error:  # raised only by plugins that check a limit of their own
        raise ImageError(f"{kind}: more pixels than Pillow decodes of it; save it smaller, or as PNG") from error
    except MemoryError as error:
        raise ImageError(f"{kind}: not enough memory to decode it; save it smaller") from error
    except Exception as error:  # Pillow raises at least seven types for damaged files
        reason = " ".join(str(error).split()) or "no reason given"
        raise ImageError(
            f"{kind}: damaged or incomplete ({type(error).__name__}: {reason}); open it in an image editor "
            "and save it again, or use another copy"
        ) from error


def _decode_as(kind: str, data: bytes, limits: Limits, name: str) -> np.ndarray:
    if kind == "HEIC":
        return _decode_heic(data, limits, name)
    stripped = _STRIPPERS.get(kind, Stripped)(data)
    with _reader(kind)(io.BytesIO(stripped.data)) as image:
        check_size(image.size, limits)
        if kind == "TIFF":
            check_tiff_strips(stripped.data)
        _draft(image, limits.size)
        _match_key_to_8_bits(image, kind, stripped.data)
        image.load()
        if stripped.note:
            _LOG.warning("%s: %s", name, stripped.note)
        profile = stripped.profile or image.info.get("icc_profile")
        orientation = stripped.orientation
        if kind in ("WEBP", "AVIF"):  # their plugins return the block unparsed
            orientation = read_orientation(image.info.get("exif"))
        return turn_upright(_stretch(flatten(image, profile, name), stripped.gray_ends), orientation)


def check_size(size: tuple[int, int], limits: Limits) -> None:
    """Refuse an image that is empty or exceeds the caller's limits.

    Raises:
        ImageError: the size is out of bounds; the message names the size, the limit and the argument that raises it.
    """
    width, height = size
    if min(size) < 1:
        raise ImageError(f"{width} x {height} pixels: the image is empty")
    if max(size) > limits.max_side:
        raise ImageError(
            f"{width} x {height} pixels: a side is longer than max_side={limits.max_side:,}; "
            "pass a larger max_side if you trust the image"
        )
    if width * height > limits.max_pixels:
        raise ImageError(
            f"{width} x {height} pixels: {width * height:,} is more than max_pixels={limits.max_pixels:,}; "
            "pass a larger max_pixels if you trust the image"
        )


_SIGNATURES = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("GIF", rb"GIF8[79]a"),
    ("WEBP", rb"RIFF.{4}WEBP"),
    ("TIFF", rb"II[*+]\x00|MM\x00[*+]"),
    ("BMP", rb"BM"),
    ("PPM", rb"P[1-6f][\s#]"),
    ("AVIF", rb".{4}ftyp(?:avif|avis)"),
    ("HEIC", rb".{4}ftyp(?:hei[cxms]|hev[cxms])"),
    ("AVIF", rb".{4}ftyp(?:mif1|msf1|miaf).{4}(?:.{4}){0,16}?(?:avif|avis)"),
    ("HEIC", rb".{4}ftyp(?:mif1|msf1|miaf)"),
    # TGA has no signature: color map type 0 or 1, a known image type, no empty side, a known depth.
    ("TGA", rb".(?:\x00[\x02\x03\x0a\x0b]|\x01[\x01\x09]).{9}(?!\0\0)..(?!\0\0)..[\x08\x0f\x10\x18\x20]"),
)
_REFUSED = (
    ("a PDF document", rb"%PDF"),
    ("PostScript", rb"%!PS"),
    ("a Photoshop document", rb"8BPS"),
    ("JPEG 2000", rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"),
    ("JPEG XL", rb"\x00\x00\x00\x0cJXL |\xff\x0a"),
    ("an icon", rb"\x00\x00[\x01\x02]\x00"),
    ("a ZIP archive", rb"PK\x03\x04"),
    ("a web page, SVG or XML text", rb"\s*<"),
)


def identify(head: bytes) -> str:
    """Identify the format of a file from its first bytes; the file name is ignored.

    Raises:
        ImageError: the format is not supported.
    """
    for kind, pattern in _SIGNATURES:
        if re.match(pattern, head, re.DOTALL):
            return kind
    found = [kind for kind, pattern in _REFUSED if re.match(pattern, head, re.DOTALL)]
    unknown = "not a known image format" if head else "no bytes at all"
    what = f"looks like {found[0]}" if found else unknown
    accepted = ", ".join(dict.fromkeys(kind for kind, _ in _SIGNATURES))
    raise ImageError(f"{what}; expected one of {accepted}; convert it to PNG first")


class _TiffReader(TiffImagePlugin.TiffImageFile):
    """TIFF reader that omits Pillow's process-wide size limit; `check_size` applies the caller's limit."""

    def load_prepare(self) -> None:
        ImageFile.ImageFile.load_prepare(self)


# An MPO file (several JPEGs in sequence) is read as its first JPEG.
_PLUGINS = {
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "PPM": ("PpmImagePlugin", "PpmImageFile"),
    "TGA": ("TgaImagePlugin", "TgaImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
}


def _reader(kind: str) -> Callable[[io.BytesIO], ImageFile.ImageFile]:
    if kind == "TIFF":
        return _TiffReader
    module, name = _PLUGINS[kind]
    try:
        plugin = importlib.import_module(f"PIL.{module}")
    except ImportError as error:
        raise ImageError("this Pillow is too old to read it; run: pip install --upgrade pillow") from error
    if not getattr(plugin, "SUPPORTED", True):
        raise ImageError("this Pillow was built without it; run: pip install --upgrade pillow")
    return getattr(plugin, name)


def _draft(image: ImageFile.ImageFile, size: int | None) -> None:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8 size, if the result is not below `size`."""
    long_side = max(image.size)
    if image.format == "JPEG" and size is not None and size < long_side:
        width, height = (-(-side * size // long_side) for side in image.size)
        image.draft(None, (width, height))


def _match_key_to_8_bits(image: ImageFile.ImageFile, kind: str, data: bytes) -> None:
    """Reduce the transparent color of a 48-bit PNG to 8 bits per channel, as Pillow does with the pixels only."""
    key = image.info.get("transparency")
    if kind == "PNG" and data[24] == 16 and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _stretch(samples: np.ndarray, ends: tuple[int, int]) -> np.ndarray:
    """Rescale 12-bit or inverted 16-bit gray to 0 for black and 65535 for white; Pillow does not."""
    black, white = ends
    if ends == (0, 65_535) or samples.dtype.kind != "u" or samples.itemsize != 2:
        return samples
    return np.rint((samples.astype(np.float32) - black) / (white - black) * 65_535).astype(np.uint16)


def _decode_heic(data: bytes, limits: Limits, name: str) -> np.ndarray:
    try:
        heif: Any = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise ImageError("reading it needs an optional package; run: pip install pillow-heif") from error
    opened = heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    check_size(opened.size, limits)
    image = opened.to_pillow()  # already turned upright by libheif
    return flatten(image, image.info.get("icc_profile"), name)


_STRIPPERS: dict[str, Callable[[bytes], Stripped]] = {
    "JPEG": strip_jpeg,
    "PNG": strip_png,
    "TIFF": strip_tiff,
    "AVIF": strip_avif,
}
