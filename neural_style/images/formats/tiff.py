"""TIFF files reduced to the pixels of their first image; their directories are untrusted."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from neural_style.errors import ImageError
from neural_style.images.formats.stripping import Stripped

__all__ = ["check_tiff_strips", "strip_tiff"]

# Size, sample layout, compression, strips, fax options, predictor, tile size, old-style JPEG: one value each.
_TIFF_SINGLE_TAGS = frozenset([256, 257, 259, 262, 266, 277, 278, 284, 292, 293, 317, 322, 323, 512, 513, 514, 515])
# Bits, offsets and lengths, palette, extra samples, sample format, JPEG tables, YCbCr: several values each.
_TIFF_PIXEL_TAGS = _TIFF_SINGLE_TAGS.union(
    [258, 273, 279, 320, 324, 325, 338, 339, 347, 519, 520, 521, 529, 530, 531, 532]
)
_TIFF_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_TIFF_OFFSETS = (273, 279, 324, 325)  # offsets and lengths of strips or tiles
_TIFF_DEFLATE = frozenset([8, 32946])
_MAX_SHARED = 1 << 26  # bytes that strips may hold together; of a larger file, as many as it has
_TIFF_MAX_SAMPLES = 6  # Pillow decodes no more per pixel, and would write to its log


@dataclass(frozen=True)
class _TiffLayout:
    """Layout of a directory: classic TIFF with 4-byte offsets or BigTIFF with 8-byte offsets."""

    order: str
    count: str
    offset: str
    slot: int

    @property
    def entry(self) -> str:
        return f"{self.order}HH{self.offset}{self.slot}s"


def strip_tiff(data: bytes) -> Stripped:
    """Append a directory that describes only the pixels of the first image, and point the header at it."""
    layout, start = _layout_of(data)
    order = layout.order
    entries = sorted(_tiff_entries(data, layout, start))
    values = {tag: value for tag, _, _, _, value in entries}
    orientation = _first_number(values.get(274, b""), order)
    if _first_number(values.get(277, b""), order) > _TIFF_MAX_SAMPLES:
        raise ImageError(f"more than {_TIFF_MAX_SAMPLES} samples per pixel; save it as RGB or RGBA")
    brightest = 4095 if _first_number(values.get(258, b""), order) == 12 else 65_535
    white_is_zero = 262 in values and _first_number(values[262], order) == 0
    kept = [struct.pack(layout.entry, *entry[:4]) for entry in entries if entry[0] in _TIFF_PIXEL_TAGS]
    directory = struct.pack(order + layout.count, len(kept)) + b"".join(kept) + bytes(layout.slot)
    header = data[: layout.slot] + struct.pack(order + layout.offset, len(data))
    return Stripped(
        b"".join([header, data[len(header) :], directory]),
        values.get(34675),
        orientation if 1 <= orientation <= 8 else 1,
        (brightest, 0) if white_is_zero else (0, brightest),
    )


def _layout_of(data: bytes) -> tuple[_TiffLayout, int]:
    """The layout of a file, and where its first directory is."""
    order = "<" if data[:1] == b"I" else ">"
    layout = _TiffLayout(order, "Q", "Q", 8) if b"+" in data[2:4] else _TiffLayout(order, "H", "I", 4)
    return layout, struct.unpack_from(order + layout.offset, data, layout.slot)[0]


def _tiff_entries(data: bytes, layout: _TiffLayout, at: int) -> Iterator[tuple[int, int, int, bytes, bytes]]:
    """Yield (tag, type, count, slot, value) of each distinct entry whose value lies within the file."""
    (number,) = struct.unpack_from(layout.order + layout.count, data, at)
    at += struct.calcsize(layout.order + layout.count)
    end = at + number * struct.calcsize(layout.entry)
    if end > len(data):
        raise ImageError("cut short within its directory; use another copy")
    seen, out_of_line = set(), 0
    for tag, kind, count, slot in struct.iter_unpack(layout.entry, data[at:end]):
        if tag in seen or kind not in _TIFF_TYPE_BYTES or count < 1:
            continue
        length, start = count * _TIFF_TYPE_BYTES[kind], 0
        if length > layout.slot:
            (start,) = struct.unpack(layout.order + layout.offset, slot)
            out_of_line += length
            if start + length > len(data) or out_of_line > len(data):
                if tag in _TIFF_PIXEL_TAGS:
                    raise ImageError(f"cut short: tag {tag} lies beyond its end; use another copy")
                continue
        value = data[start : start + length] if length > layout.slot else slot[:length]
        if tag in _TIFF_SINGLE_TAGS and count > 1:
            value = value[: _TIFF_TYPE_BYTES[kind]]
            count, slot = 1, value.ljust(layout.slot, b"\0")[: layout.slot]
        seen.add(tag)
        yield tag, kind, count, slot, value


def check_tiff_strips(data: bytes) -> None:
    """Refuse files that lack pixels, and files whose strips or tiles share compressed data.

    A decoder would return uninitialized data for the former, or write to stderr. For the latter it would decompress the
    same bytes once for each strip: 70 kB can cost hours.

    Args:
        data: what `strip_tiff` made of a file, of a size that the caller has checked.

    Raises:
        ImageError: the file lacks pixels, or its strips overlap.
        zlib.error: deflated data is damaged.
    """
    layout, end = _layout_of(data)  # the directory was appended, so that it begins where the file ended
    entries = list(_tiff_entries(data, layout, end))
    numbers = {tag: _numbers(kind, value, layout.order) for tag, kind, _, _, value in entries if tag in _TIFF_OFFSETS}
    starts, lengths = numbers.get(324, numbers.get(273, [])), numbers.get(325, numbers.get(279, []))
    if not starts or len(starts) != len(lengths):
        raise ImageError(f"damaged: {len(starts)} strips but {len(lengths)} lengths; use another copy")
    if any(start + length > end for start, length in zip(starts, lengths, strict=True)):
        raise ImageError("cut short: some of its pixels lie beyond its end; use another copy")
    values = {tag: _first_number(value, layout.order) for tag, _, _, _, value in entries}
    count, size = _strips(values)
    if len(starts) < count:
        raise ImageError(f"cut short: {len(starts)} of {count} strips; use another copy")
    if values.get(259, 1) == 1:
        return
    if sum(lengths[:count]) > max(end, _MAX_SHARED):
        raise ImageError("damaged: its strips overlap, so that its data would be decompressed many times")
    if values[259] in _TIFF_DEFLATE:
        for start, length in zip(starts[:count], lengths[:count], strict=True):
            _check_deflated(data[start : start + length], size)


def _strips(values: Mapping[int, int]) -> tuple[int, int]:
    """How many strips or tiles an image has, and how many bytes each holds at most."""
    width, height = values.get(256, 0), values.get(257, 0)
    samples = values.get(277, 1) or 1
    planes = samples if values.get(284) == 2 else 1
    if 322 in values or 323 in values:
        across, down = max(1, values.get(322, width)), max(1, values.get(323, height))
    else:
        across, down = max(1, width), max(1, min(height, values.get(278) or height))
    row = -(-across * (samples // planes) * max(1, values.get(258, 1)) // 8)
    return planes * -(-max(1, width) // across) * -(-max(1, height) // down), down * row


def _check_deflated(packed: bytes, size: int) -> None:
    """Decompress the bytes of a strip in small pieces and discard the result; damaged data raises `zlib.error`."""
    unpacker = zlib.decompressobj()
    while packed and not unpacker.eof and size > 0:
        size -= len(unpacker.decompress(packed, min(size, 1 << 20)))
        packed = unpacker.unconsumed_tail


def _numbers(kind: int, value: bytes, order: str) -> list[int]:
    letter = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
    return [number for (number,) in struct.iter_unpack(order + letter, value)] if letter else []


def _first_number(value: bytes, order: str) -> int:
    """Read the first unsigned number of a tag's value: a LONG if it has 4 bytes or more, a SHORT if 2; 0 if none."""
    if len(value) >= 4:
        return int(struct.unpack_from(order + "I", value)[0])
    return int(struct.unpack_from(order + "H", value)[0]) if len(value) >= 2 else 0
