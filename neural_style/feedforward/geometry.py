"""Images and maps of them: continued beyond their borders, halved, cropped, and decoded tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from neural_style import images
from neural_style.feedforward.network import MULTIPLE
from neural_style.objective.tiling import Tile, tiles

__all__ = ["TILE", "cells", "cropped", "halved", "padded", "tiled"]

TILE, HALO = 1024, 32
"""Side of the tiles in which a large image is evaluated, and the pixels around each that decoders see."""

MARGIN = 8
"""Pixels that an image is continued by on each side, a multiple of `MULTIPLE`: decoders leave lines at a border."""


def padded(pixels: np.ndarray) -> np.ndarray:
    """An image or mask, continued mirrored by `MARGIN` pixels to each side, and on to multiples of `MULTIPLE`."""
    sides = [(MARGIN, MARGIN + -side % MULTIPLE) for side in pixels.shape[1:3]]
    return np.pad(pixels, [(0, 0), *sides, (0, 0)], mode="symmetric")


def halved(pixels: np.ndarray, shape: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """A canvas at half a size, continued mirrored to half the shape of the padded image.

    Args:
        pixels: the canvas, of any size.
        shape: of the padded image.
        size: (width, height) within it.
    """
    width, height = ((side + 1) // 2 for side in size)
    half = pixels if pixels.shape[1:3] == (height, width) else images.resize(pixels, (width, height))
    before = MARGIN // 2
    sides = [(before, shape[axis] // 2 - before - half.shape[axis]) for axis in (1, 2)]
    return np.pad(half, [(0, 0), *sides, (0, 0)], mode="symmetric")


def cropped(pixels: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """The (height, width) within a padded image, in [0, 1]."""
    height, width = size
    return np.clip(pixels[:, MARGIN : MARGIN + height, MARGIN : MARGIN + width], 0.0, 1.0)


def cells(shares: np.ndarray, stride: int) -> np.ndarray:
    """Means of shares over the cells of a map."""
    rows, columns = shares.shape[1] // stride, shares.shape[2] // stride
    return shares.reshape(1, rows, stride, columns, stride, -1).mean(axis=(2, 4))


def tiled(program: Callable[..., tf.Tensor], sources: Sequence[tuple[np.ndarray, int]], side: int) -> np.ndarray:
    """The image that a program makes, float32 (1, height, width, 3), computed tile by tile where it is large.

    Args:
        program: from images or maps of them to an image.
        sources: its arguments, each with the pixels of one of its cells along each axis.
        side: of a tile, in pixels.
    """
    source, stride = sources[0]
    height, width = (extent * stride for extent in source.shape[1:3])
    parts = tiles((width, height), side, HALO, MULTIPLE)
    if len(parts) == 1:
        return program(*(tf.constant(each) for each, _ in sources)).numpy()
    whole = np.empty((1, height, width, 3), np.float32)
    for tile in parts:
        found = program(*(tf.constant(_window(each, tile, its)) for each, its in sources)).numpy()
        top, bottom, left, right = tile.crops([1])[0].tolist()
        tile.core(whole, 1)[...] = found[:, top:bottom, left:right]
    return whole


def _window(source: np.ndarray, tile: Tile, stride: int) -> np.ndarray:
    """What a tile's computation sees of a map."""
    rows, columns = (
        slice(span.window_begin // stride, span.window_end // stride) for span in (tile.rows, tile.columns)
    )
    return source[:, rows, columns]
