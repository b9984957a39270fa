"""Geometry of tiles: cores that partition the image, and windows that contain the receptive fields of the cores.

Along each axis the cores are equal and start at multiples of the deepest stride, so that every feature cell belongs to
exactly one core. A window is a core with a halo on each side where the image continues; at the border of the image the
window ends as well, so that the network pads there as it does for the whole image, and nowhere else that matters.

Windows have few different sizes, because TensorFlow keeps a oneDNN primitive for each size it has met: cores are
multiples of an eighth of the tile, and a window near the border extends further inward rather than being smaller. All
sizes are congruent to that of the image modulo the stride, so that even a network that pads strided layers by parity
pads them in the same phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from neural_style.features.base import ReceptiveField

__all__ = ["Span", "Tile", "bands", "halo_of", "rounded_up", "spans", "tiles"]

END = 2**30  # as the end of a slice: to the end of the axis


class Span(NamedTuple):
    """The extent of a tile along one axis, in pixels.

    Attributes:
        begin: begin of the core.
        end: end of the core, exclusive.
        window_begin: begin of the window, at most `begin`.
        window_end: end of the window, at least `end`.
        last: whether the core ends at the border of the image.
    """

    begin: int
    end: int
    window_begin: int
    window_end: int
    last: bool

    def crop(self, stride: int) -> tuple[int, int]:
        """The core's cells within the map of the window: begin and end of a slice."""
        start = (self.begin - self.window_begin) // stride
        return start, END if self.last else start + (self.end - self.begin) // stride

    def cells(self, stride: int) -> slice:
        """The core's cells within the map of the whole image."""
        return slice(self.begin // stride, None if self.last else self.end // stride)


class Tile(NamedTuple):
    """A part of an image, with a core whose statistic is computed and a window that the network is applied to.

    Attributes:
        rows: vertical extent.
        columns: horizontal extent.
        sign: 1, or -1 for an overlap that two other tiles have counted.
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
        """For each stride the core's cells in the map of the window: int32 (strides, 4), row and column slices."""
        bounds = [self.rows.crop(stride) + self.columns.crop(stride) for stride in strides]
        return np.array(bounds, np.int32).reshape(-1, 4)

    def core(self, maps: Any, stride: int) -> Any:
        """The core's part of a map of the whole image, (1, rows, columns, channels)."""
        return maps[:, self.rows.cells(stride), self.columns.cells(stride)]


def rounded_up(value: int, multiple: int) -> int:
    """The least multiple that is at least the value."""
    return -(-value // multiple) * multiple


def halo_of(fields: Sequence[ReceptiveField]) -> tuple[int, int]:
    """The halo and stride in pixels that suffice for layers of these receptive fields.

    The halo is a multiple of the stride.

    >>> halo_of([ReceptiveField(1, 2), ReceptiveField(16, 58)])
    (64, 16)
    """
    stride = max([field.stride for field in fields], default=1)
    return rounded_up(max([field.radius for field in fields], default=0), stride), stride


def spans(length: int, tile: int, halo: int, stride: int) -> tuple[Span, ...]:
    """Partition one axis.

    Args:
        length: pixels of the image along the axis.
        tile: largest core in pixels, a multiple of `stride`; the last core also gets the remainder `length % stride`.
        halo: pixels that a window adds on each side that is not a border of the image, a multiple of `stride`.
        stride: stride of the deepest layer.
    """
    rest = length % stride
    even = length - rest
    if even <= tile:
        return (Span(0, length, 0, length, True),)
    core = _core(even, tile, stride)
    found = []
    for begin in range(0, even, core):
        end = min(begin + core, even)
        window_end = min(end + halo, even)
        inner_sides = (begin > 0) + (end < even)
        window_begin = max(0, window_end - core - inner_sides * halo)
        last = end == even
        found.append(Span(begin, length if last else end, window_begin, window_end + rest, last))
    return tuple(found)


def _core(even: int, tile: int, stride: int) -> int:
    """Side of equal cores: as few cores as possible, rounded up so that few different sizes occur."""
    count = -(-even // tile)
    grain = max(stride, tile // 8 // stride * stride)
    return min(tile, rounded_up(-(-even // count), grain))


def tiles(size: tuple[int, int], tile: int, halo: int, stride: int) -> tuple[Tile, ...]:
    """The tiles of an image of (width, height), row by row; see `spans`."""
    width, height = size
    columns = spans(width, tile, halo, stride)
    return tuple(Tile(rows, each) for rows in spans(height, tile, halo, stride) for each in columns)


def bands(size: tuple[int, int], pixels: int, support: int | None) -> tuple[Tile, ...]:
    """Bands of full width for a sum of local terms over the pixels.

    Adjacent bands overlap by `support` rows, so that every term lies within one band. Terms within an overlap lie in
    both bands, so the overlap is a tile of its own that is subtracted.

    Args:
        size: (width, height) of the image.
        pixels: approximate number of pixels of a band.
        support: rows that a term spans beyond its first; None if unknown: a single band is then the whole image.
    """
    width, height = size
    columns = Span(0, width, 0, width, True)
    rows = height if support is None else max(support + 1, pixels // width)
    support = support or 0
    found = []
    for begin in range(0, height, rows):
        end = min(begin + rows + support, height)
        found.append(Tile(_without_halo(begin, end), columns))
        if begin + rows < height and support:
            found.append(Tile(_without_halo(begin + rows, end), columns, -1.0))
    return tuple(found)


def _without_halo(begin: int, end: int) -> Span:
    return Span(begin, end, begin, end, False)
