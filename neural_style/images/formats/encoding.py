"""Output formats: float32 images converted to integer levels and encoded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from neural_style.images.reading import ImageData

__all__ = ["FORMATS", "OutputFormat", "encoder", "to_levels"]

_BAND = 1 << 20  # samples converted at a time, which avoids a second full-size copy


class OutputFormat(NamedTuple):
    """A format in which images are saved.

    Attributes:
        name: Pillow's name of the format.
        suffixes: file suffixes that select it, the preferred one first.
        options: function that returns the keyword arguments of `PIL.Image.Image.save`.
        has_alpha: whether it stores alpha; if not, images are composited over white.
        write_16_bit: function that writes uint16 levels (height, width, 3 | 4) into an open file; None if the format
            has 8 bits per channel only. Pillow does not write 16-bit color.
    """

    name: str
    suffixes: tuple[str, ...]
    options: Callable[[], dict[str, Any]]
    has_alpha: bool = True
    write_16_bit: Callable[[np.ndarray, IO[bytes]], None] | None = None


def encoder(image: ImageData, output: OutputFormat, bits: int) -> Callable[[IO[bytes]], object]:
    """Return a function that writes an image into an open file.

    Args:
        image: image to write.
        output: one of `FORMATS`.
        bits: 8, or 16 where `output.write_16_bit` is not None.
    """
    if bits == 16 and output.write_16_bit is not None:
        write, levels = output.write_16_bit, to_levels(image, np.uint16)
        return lambda handle: write(levels, handle)
    pil = Image.fromarray(to_levels(image if output.has_alpha else _over_white(image), np.uint8))
    return lambda handle: pil.save(handle, output.name, **output.options())


def to_levels(image: ImageData, dtype: type[np.uint8] | type[np.uint16]) -> np.ndarray:
    """Round to integer levels: (height, width, 3), or (height, width, 4) with alpha."""
    height, width = image.pixels.shape[1:3]
    channels = 3 if image.alpha is None else 4
    levels = np.empty((height, width, channels), dtype)
    for rows in _bands(height, width * 3):
        levels[rows, :, :3] = np.rint(image.pixels[0, rows] * np.float32(np.iinfo(dtype).max))
        if image.alpha is not None:
            levels[rows, :, 3:] = np.rint(image.alpha[0, rows] * np.float32(np.iinfo(dtype).max))
    return levels


def _bands(height: int, row: int) -> Iterator[slice]:
    step = max(1, _BAND // row)
    return (slice(start, min(start + step, height)) for start in range(0, height, step))


def _over_white(image: ImageData) -> ImageData:
    if image.alpha is None:
        return image
    return ImageData(image.pixels * image.alpha + (1.0 - image.alpha))


def _srgb_profile() -> bytes:
    """The sRGB profile, with a constant date so that equal images give equal files."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


def _png_options() -> dict[str, Any]:
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", b"\0")
    return {"pnginfo": info}


def _jpeg_options() -> dict[str, Any]:
    return {"quality": 95, "subsampling": 0, "icc_profile": _srgb_profile()}


def _webp_options() -> dict[str, Any]:
    return {"lossless": True, "exact": True, "icc_profile": _srgb_profile()}


def _tiff_options() -> dict[str, Any]:
    return {"compression": "tiff_adobe_deflate", "icc_profile": _srgb_profile()}


def _write_png_16(levels: np.ndarray, handle: IO[bytes]) -> None:
    """Write a PNG of 16 bits per channel; (height, width, 3 | 4) uint16."""
    height, width, channels = levels.shape
    handle.write(b"\x89PNG\r\n\x1a\n")
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 6, 0, 0, 0)
    _write_chunk(handle, b"IHDR", header)
    _write_chunk(handle, b"sRGB", b"\0")
    packer = zlib.compressobj(6)
    above = np.zeros((1, width * channels * 2), np.uint8)
    for rows in _bands(height, width * channels):
        samples = levels[rows].astype(">u2").reshape(-1, width * channels).view(np.uint8)
        # Filter 2: each byte minus the one above, modulo 256. It halves the size of photographs.
        differences = samples - np.concatenate([above, samples[:-1]])
        lines = np.concatenate([np.full((len(samples), 1), 2, np.uint8), differences], axis=1)
        _write_chunk(handle, b"IDAT", packer.compress(lines.tobytes()))
        above = samples[-1:]
    _write_chunk(handle, b"IDAT", packer.flush())
    _write_chunk(handle, b"IEND", b"")


def _write_chunk(handle: IO[bytes], kind: bytes, body: bytes) -> None:
    handle.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


def _write_tiff_16(levels: np.ndarray, handle: IO[bytes]) -> None:
    """Write a TIFF of 16 bits per channel: deflated strips of horizontal differences."""
    height, width, channels = levels.shape
    handle.write(b"II*\0" + bytes(4))
    starts, lengths, bands = [], [], list(_bands(height, width * channels))
    for rows in bands:
        strip = levels[rows].astype("<u2")
        strip[:, 1:] -= levels[rows][:, :-1]
        packed = zlib.compress(strip.tobytes())
        starts.append(handle.tell())
        lengths.append(len(packed))
        handle.write(packed + bytes(len(packed) % 2))  # values start at even offsets
    _write_tiff_directory(
        handle,
        [
            (256, "I", [width]),
            (257, "I", [height]),
            (258, "H", [16] * channels),
            (259, "H", [8]),  # deflate
            (262, "H", [2]),  # RGB
            (273, "I", starts),
            (277, "H", [channels]),
            (278, "I", [bands[0].stop]),
            (279, "I", lengths),
            (284, "H", [1]),  # interleaved samples
            (317, "H", [2]),  # each sample minus the one on its left
            *([(338, "H", [2])] if channels == 4 else []),  # straight alpha
            (34675, "B", list(_srgb_profile())),
        ],
    )


def _write_tiff_directory(handle: IO[bytes], tags: list[tuple[int, str, list[int]]]) -> None:
    codes = {"B": 7, "H": 3, "I": 4}
    entries = []
    for tag, kind, values in tags:
        value = struct.pack(f"<{len(values)}{kind}", *values)
        if len(value) > 4:
            offset = handle.tell()
            handle.write(value + bytes(len(value) % 2))
            value = struct.pack("<I", offset)
        entries.append(struct.pack("<HHI", tag, codes[kind], len(values)) + value.ljust(4, b"\0"))
    start = handle.tell()
    handle.write(struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    handle.seek(4)
    handle.write(struct.pack("<I", start))


FORMATS = (
    OutputFormat("PNG", (".png",), _png_options, write_16_bit=_write_png_16),
    OutputFormat("JPEG", (".jpg", ".jpeg"), _jpeg_options, has_alpha=False),
    OutputFormat("WEBP", (".webp",), _webp_options),
    OutputFormat("TIFF", (".tif", ".tiff"), _tiff_options, write_16_bit=_write_tiff_16),
)
"""The formats that `neural_style.images.save` writes, one row each."""
