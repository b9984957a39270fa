"""Images and files made for tests."""

import io
import struct
import zlib

import numpy as np

from neural_style import images

HEIGHT, WIDTH = 9, 14


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def levels(source, full=255, **options):
    """The result of `load` in levels, (H, W, 3)."""
    pixels = images.load(source, **options)
    assert pixels.dtype == np.float32 and pixels.ndim == 4 and pixels.shape[0] == 1 and pixels.shape[3] == 3
    assert pixels.flags.c_contiguous and pixels.flags.writeable
    return pixels[0] * full


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(rows, bits, color_type, *extra):
    """A PNG written by hand: rows of encoded bytes, and chunks placed before the pixels."""
    height, width = rows.shape[0], rows.shape[1]
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    middle = b"".join(extra)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle
        + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )  # fmt: skip


def raw_tiff(tags, body, order="<"):
    """A one-strip TIFF written by hand; tags are (tag, type code, values)."""
    sizes = {1: "B", 3: "H", 4: "I", 7: "B", 11: "f"}
    tags = sorted([*tags, (273, 4, [8]), (279, 4, [len(body)])])
    start = 8 + len(body)
    extra, entries = b"", b""
    for tag, kind, values in tags:
        packed = struct.pack(f"{order}{len(values)}{sizes[kind]}", *values)
        if len(packed) > 4:
            packed, extra = struct.pack(order + "I", start + 6 + 12 * len(tags) + len(extra)), extra + packed
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        mark + struct.pack(order + "I", start) + body
        + struct.pack(order + "H", len(tags)) + entries + bytes(4) + extra
    )  # fmt: skip
