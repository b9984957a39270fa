"""EXIF orientation, parsed from untrusted bytes."""

import struct

import numpy as np

__all__ = ["read_orientation", "turn_upright"]


def read_orientation(exif: object) -> int:
    """Parse the orientation, 1 to 8, from an EXIF block; 1 if it is missing, damaged or out of range."""
    if not isinstance(exif, bytes):
        return 1
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 10:
        return 1
    start = struct.unpack_from(order + "I", block, 4)[0] + 2
    entries = struct.unpack_from(order + "H", block, start - 2)[0] if start <= len(block) else 0
    for at in range(start, min(start + 12 * entries, len(block) - 11), 12):
        tag, kind, count = struct.unpack_from(order + "HHI", block, at)
        if tag == 0x0112 and kind == 3 and count == 1:
            value = struct.unpack_from(order + "H", block, at + 8)[0]
            return int(value) if 1 <= value <= 8 else 1
    return 1


def turn_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation, 1 to 8; (height, width, ...) may become (width, height, ...)."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array[:, ::-1] if orientation in (2, 3, 6, 7) else array
