"""Files reduced to what determines their pixels, and to the metadata that changes their appearance."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from neural_style.errors import ImageError
from neural_style.images.formats.orientation import read_orientation

__all__ = ["Stripped", "strip_avif", "strip_jpeg", "strip_png"]

_MAX_PROFILE = 1 << 24  # bytes; real ICC profiles are below 4 MB, but a compressed one could expand to any size


@dataclass(frozen=True)
class Stripped:
    """A file reduced to its pixels, and the metadata that changes their appearance.

    Args:
        data: the reduced file.
        profile: ICC profile, if `data` does not contain it; None if there is none.
        orientation: EXIF orientation, 1 to 8.
        gray_ends: 16-bit values of black and white.
        note: what the file lacks although all of its pixels are there, for the log; None if nothing.
    """

    data: bytes
    profile: bytes | None = None
    orientation: int = 1
    gray_ends: tuple[int, int] = (0, 65_535)
    note: str | None = None


def strip_jpeg(data: bytes) -> Stripped:
    """Keep the frame, the tables and Adobe's color flag; reassemble the profile from its segments."""
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
    """Yield (marker, start, end) of each segment; the last is the scan, which extends to the end of the file."""
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
    """Keep header, palette, transparency and pixels; drop animation and text chunks."""
    kept, profile, exif, start = [data[:8]], None, b"", 8
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        if end > len(data) and kind != b"IDAT":
            break  # either cut off after the pixels, or the decoder will report that pixels are missing
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[start:end])
        elif kind == b"iCCP" and profile is None:  # one is allowed, and each may inflate to _MAX_PROFILE
            profile = _inflate_profile(data[start + 8 : end - 4])
        elif kind == b"eXIf":
            exif = data[start + 8 : end - 4]
        if kind == b"IEND":
            break
        start = end
    note = None if kept[-1][4:8] == b"IEND" else "its last bytes are missing, but none of its pixels"
    return Stripped(b"".join(kept), profile, read_orientation(exif), note=note)


def _inflate_profile(body: bytes) -> bytes:
    """Decompress the profile of a PNG; if that fails, return bytes that will be reported as an invalid profile."""
    packed = body.partition(b"\0")[2][1:]
    try:
        return zlib.decompressobj().decompress(packed, _MAX_PROFILE) or b"empty"
    except zlib.error:
        return b"damaged"


def strip_avif(data: bytes) -> Stripped:
    """Rename the EXIF item: AVIF stores the orientation as a property, which EXIF must not override."""
    return Stripped(re.sub(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", rb"\1skip", data, flags=re.DOTALL))
