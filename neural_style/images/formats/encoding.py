"""From float32 to whole levels, and to the files that hold them."""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from neural_style.images.reading import ImageData

__all__ = ["encoder", "to_levels"]

_BAND = 1 << 20  # samples converted at a time, so that no second full-size copy is made


def encoder(picture: ImageData, kind: str, bits: int) -> Callable[[IO[bytes]], object]:
    """What writes a picture into an open file; `kind` is Pillow's name of the format, 16 bits are for PNG and TIFF."""
    if bits == 16:
        write, levels = _write_png_16 if kind == "PNG" else _write_tiff_16, to_levels(picture, np.uint16)
        return lambda handle: write(levels, handle)
    image = Image.fromarray(to_levels(picture if kind != "JPEG" else _over_white(picture), np.uint8))
    return lambda handle: image.save(handle, kind, **_pillow_options(kind))


def to_levels(picture: ImageData, dtype: type[np.uint8] | type[np.uint16]) -> np.ndarray:
    """Round to whole levels: (H, W, 3), or (H, W, 4) with alpha."""
    height, width = picture.pixels.shape[1:3]
    channels = 3 if picture.alpha is None else 4
    levels = np.empty((height, width, channels), dtype)
    for rows in _bands(height, width * 3):
        levels[rows, :, :3] = np.rint(picture.pixels[0, rows] * np.float32(np.iinfo(dtype).max))
        if picture.alpha is not None:
            levels[rows, :, 3:] = np.rint(picture.alpha[0, rows] * np.float32(np.iinfo(dtype).max))
    return levels


def _bands(height: int, row: int) -> Iterator[slice]:
    step = max(1, _BAND // row)
    return (slice(start, min(start + step, height)) for start in range(0, height, step))


def _srgb_profile() -> bytes:
    """The sRGB profile, with a fixed date so that equal pictures give equal files."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


def _pillow_options(kind: str) -> dict[str, Any]:
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add(b"sRGB", b"\0")
        return {"pnginfo": info}
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 95, "subsampling": 0},
        "WEBP": {"lossless": True, "exact": True},
        "TIFF": {"compression": "tiff_adobe_deflate"},
    }
    return {**options[kind], "icc_profile": _srgb_profile()}


def _over_white(picture: ImageData) -> ImageData:
    if picture.alpha is None:
        return picture
    return ImageData(picture.pixels * picture.alpha + (1.0 - picture.alpha))


def _write_png_16(levels: np.ndarray, handle: IO[bytes]) -> None:
    """PNG of 16 bits a channel, which Pillow cannot write; (H, W, 3 | 4) uint16."""
    height, width, channels = levels.shape
    handle.write(b"\x89PNG\r\n\x1a\n")
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 6, 0, 0, 0)
    _write_chunk(handle, b"IHDR", header)
    _write_chunk(handle, b"sRGB", b"\0")
    packer = zlib.compressobj(6)
    above = np.zeros((1, width * channels * 2), np.uint8)
    for rows in _bands(height, width * channels):
        samples = levels[rows].astype(">u2").reshape(-1, width * channels).view(np.uint8)
        # Filter 2: each byte minus the one above, modulo 256. It halves photographs.
        differences = samples - np.concatenate([above, samples[:-1]])
        lines = np.concatenate([np.full((len(samples), 1), 2, np.uint8), differences], axis=1)
        _write_chunk(handle, b"IDAT", packer.compress(lines.tobytes()))
        above = samples[-1:]
    _write_chunk(handle, b"IDAT", packer.flush())
    _write_chunk(handle, b"IEND", b"")


def _write_chunk(handle: IO[bytes], kind: bytes, body: bytes) -> None:
    handle.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


def _write_tiff_16(levels: np.ndarray, handle: IO[bytes]) -> None:
    """TIFF of 16 bits a channel, which Pillow cannot write: deflated strips of horizontal differences."""
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
            (284, "H", [1]),  # samples of a pixel side by side
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
