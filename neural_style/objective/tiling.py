"""Where the tiles of a picture lie: cores that share it out, windows that hold all their cells see.

Along each axis the cores are equal and start at multiples of the deepest stride, so every feature cell belongs
to exactly one of them. A window is its core and a halo on the sides where the picture goes on; where the
picture ends the window ends with it, so a network pads there as it does for the whole picture and nowhere else
that matters.

Windows come in few sizes, because TensorFlow keeps a plan for each it has met: cores are multiples of an
eighth of the tile, and a window near the end reaches further back rather than be smaller. All sizes agree with
the picture's modulo the stride, so even a network that pads strided layers by parity sees the same phase.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from neural_style.features.base import ReceptiveField

__all__ = ["Region", "Span", "halo_of", "rounded_up", "spans", "strips", "tiles"]

END = 2**30  # as the end of a slice: as far as there is anything


class Span(NamedTuple):
    """A stretch of one axis, in pixels.

    Attributes:
        begin: of the core.
        end: of the core, exclusive.
        window_begin: of the window, at most `begin`.
        window_end: of the window, at least `end`.
        last: whether the core ends where the picture does.
    """

    begin: int
    end: int
    window_begin: int
    window_end: int
    last: bool

    def crop(self, stride: int) -> tuple[int, int]:
        """The core's cells within the window's map, as a slice."""
        start = (self.begin - self.window_begin) // stride
        return start, END if self.last else start + (self.end - self.begin) // stride

    def cells(self, stride: int) -> slice:
        """The core's cells within the whole picture's map."""
        return slice(self.begin // stride, None if self.last else self.end // stride)


class Region(NamedTuple):
    """A part of a picture whose statistic is taken.

    Attributes:
        rows: its vertical extent.
        columns: its horizontal extent.
        sign: 1, or -1 for an overlap that two others have counted.
    """

    rows: Span
    columns: Span
    sign: float = 1.0

    @property
    def window(self) -> tuple[slice, slice, slice]:
        """Index of the window in (1, height, width, channels)."""
        rows, columns = self.rows, self.columns
        return (
            slice(None),
            slice(rows.window_begin, rows.window_end),
            slice(columns.window_begin, columns.window_end),
        )

    def crops(self, strides: Sequence[int]) -> np.ndarray:
        """For each stride the core's cells in the window's map: int32 (strides, 4), row and column slices."""
        bounds = [self.rows.crop(stride) + self.columns.crop(stride) for stride in strides]
        return np.array(bounds, np.int32).reshape(-1, 4)

    def of(self, maps: Mapping[str, Any], strides: Mapping[str, int]) -> dict[str, Any]:
        """The core's part of whole maps, for the layers that have a stride here."""
        return {
            layer: value[:, self.rows.cells(strides[layer]), self.columns.cells(strides[layer])]
            for layer, value in maps.items()
            if layer in strides
        }


def rounded_up(value: int, multiple: int) -> int:
    """The least multiple that is at least the value."""
    return -(-value // multiple) * multiple


def halo_of(fields: Sequence[ReceptiveField]) -> tuple[int, int]:
    """(halo, stride) in pixels that serve all these layers; the halo is a multiple of the stride.

    >>> halo_of([ReceptiveField(1, 2), ReceptiveField(16, 58)])
    (64, 16)
    """
    stride = max([field.stride for field in fields], default=1)
    return rounded_up(max([field.radius for field in fields], default=0), stride), stride


def spans(length: int, tile: int, halo: int, stride: int) -> tuple[Span, ...]:
    """Share out one axis.

    Args:
        length: of the picture, in pixels.
        tile: most pixels of a core, a multiple of `stride` (the last core also gets the `length % stride` left).
        halo: what a window adds on each side that is not the picture's border, a multiple of `stride`.
        stride: of the deepest layer.
    """
    rest = length % stride
    even = length - rest
    if even <= tile:
        return (Span(0, length, 0, length, True),)
    core = _core(even, tile, stride)
    found = []
    for begin in range(0, even, core):
        end = min(begin + core, even)
        reach = min(end + halo, even)
        inner_sides = (begin > 0) + (end < even)
        window_begin = max(0, reach - core - inner_sides * halo)
        last = end == even
        found.append(Span(begin, length if last else end, window_begin, reach + rest, last))
    return tuple(found)


def _core(even: int, tile: int, stride: int) -> int:
    """Equal cores, as many as must be, rounded up so that few sizes occur."""
    count = -(-even // tile)
    grain = max(stride, tile // 8 // stride * stride)
    return min(tile, rounded_up(-(-even // count), grain))


def tiles(size: tuple[int, int], tile: int, halo: int, stride: int) -> tuple[Region, ...]:
    """The regions of a picture of (width, height), row by row; see `spans`."""
    width, height = size
    columns = spans(width, tile, halo, stride)
    return tuple(Region(rows, each) for rows in spans(height, tile, halo, stride) for each in columns)


def strips(size: tuple[int, int], pixels: int, reach: int | None) -> tuple[Region, ...]:
    """Bands of full width for a sum of local terms over the pixels.

    A band reaches `reach` rows into the next, so that every term lies within one; the terms within the overlap
    are then in both, and the overlap is a region of its own to take off again.

    Args:
        size: (width, height) of the picture.
        pixels: about how many a band may have.
        reach: how many rows a term spans beyond its first; None if unknown: then one band is the picture.
    """
    width, height = size
    columns = Span(0, width, 0, width, True)
    rows = height if reach is None else max(reach + 1, pixels // width)
    reach = reach or 0
    found = []
    for begin in range(0, height, rows):
        end = min(begin + rows + reach, height)
        found.append(Region(_plain(begin, end), columns))
        if begin + rows < height and reach:
            found.append(Region(_plain(begin + rows, end), columns, -1.0))
    return tuple(found)


def _plain(begin: int, end: int) -> Span:
    """A span that is its own window."""
    return Span(begin, end, begin, end, False)
