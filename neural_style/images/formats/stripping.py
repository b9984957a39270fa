"""A file reduced to what makes its pixels, and the little of its metadata that changes how they look."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from neural_style.errors import ImageError
from neural_style.images.formats.orientation import read_orientation

__all__ = ["Stripped", "strip_avif", "strip_jpeg", "strip_png"]

_LARGEST_PROFILE = 1 << 24  # real ICC profiles stay below 4 MB; a compressed one could claim anything


@dataclass(frozen=True)
class Stripped:
    """A file reduced to its pixels, and the two pieces of metadata that change how they look."""

    data: bytes
    profile: bytes | None = None
    orientation: int = 1
    grey_ends: tuple[int, int] = (0, 65_535)  # the 16-bit numbers that mean black and white


def strip_jpeg(data: bytes) -> Stripped:
    """Keep the frame, the tables and Adobe's colour flag; put the profile together ourselves."""
    kept, exif, parts = [data[:2]], b"", {}
    for marker, start, end in _jpeg_segments(data):
        body = data[start + 4 : end]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            parts[body[12]] = body[14:]
        elif marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[start:end])
    profile = b"".join(parts[number] for number in sorted(parts))
    return Stripped(b"".join(kept), profile or None, read_orientation(exif))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) up to the scan, which runs to the end of the file."""
    start = 2
    while (start := data.find(b"\xff", start)) >= 0 and start + 4 <= len(data):
        marker = data[start + 1]
        if marker == 0xFF:  # padding
            start += 1
            continue
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD9:  # no body
            start += 2
            continue
        length = struct.unpack_from(">H", data, start + 2)[0]
        end = len(data) if marker == 0xDA else start + 2 + length
        if length < 2 or end > len(data):
            raise ImageError("cut short or damaged in its header; use another copy")
        yield marker, start, end
        start = end


def strip_png(data: bytes) -> Stripped:
    """Keep header, palette, transparency and pixels; animation and text chunks go."""
    kept, profile, exif, start = [data[:8]], None, b"", 8
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        if end > len(data) and kind != b"IDAT":
            break  # cut after the pixels, or the decoder will miss what was cut off
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[start:end])
        elif kind == b"iCCP":
            profile = _inflate_profile(data[start + 8 : end - 4])
        elif kind == b"eXIf":
            exif = data[start + 8 : end - 4]
        if kind == b"IEND":
            break
        start = end
    return Stripped(b"".join(kept), profile, read_orientation(exif))


def _inflate_profile(body: bytes) -> bytes:
    """Unpack the profile of a PNG; what cannot be unpacked is handed on, to be reported as a bad profile."""
    packed = body.partition(b"\0")[2][1:]
    try:
        return zlib.decompressobj().decompress(packed, _LARGEST_PROFILE) or b"empty"
    except zlib.error:
        return b"damaged"


def strip_avif(data: bytes) -> Stripped:
    """Rename the EXIF item: the turn of an AVIF is a property of its own, and EXIF must not override it."""
    return Stripped(re.sub(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", rb"\1skip", data, flags=re.DOTALL))
