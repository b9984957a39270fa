"""The style's vectors, and the matches with them, put together from the tiles of an image.

Each tile contributes what is in its core, so the result is that of the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style.losses import QuerySums, StyleVectors
from neural_style.losses.base import Features

__all__ = ["assemble_indices", "assemble_vectors", "assign_tile"]


def assemble_vectors(
    loss: Any, maps: Sequence[StyleVectors], cells: Sequence[tuple[int, int]], guides: Features
) -> StyleVectors:
    """Collect a style's vectors from its maps in the tiles, as `AssignedNeighbor.style_vectors` does from the whole.

    Args:
        loss: the loss that is matched.
        maps: for each tile, the maps at the cells of its core, (1, rows, columns, channels) by layer.
        cells: for each tile, the first of these cells in the whole, (row, column).
        guides: guides of the whole style, by layer.
    """
    ends = [
        (row + part[loss.grid].shape[1], column + part[loss.grid].shape[2])
        for (row, column), part in zip(cells, maps, strict=True)
    ]
    size = tuple(max(end[axis] for end in ends) for axis in (0, 1))
    step = int(loss.spacing(tf.constant(size[0]), tf.constant(size[1])))
    thinned = {
        layer: np.zeros((1, -(-size[0] // step), -(-size[1] // step), maps[0][layer].shape[-1]), np.float32)
        for layer in loss.layers
    }
    for (row, column), part in zip(cells, maps, strict=True):
        for layer, whole in thinned.items():
            core = part[layer].numpy()[:, -row % step :: step, -column % step :: step]
            top, left = -(-row // step), -(-column // step)
            whole[:, top : top + core.shape[1], left : left + core.shape[2]] = core
    guide = guides.get(loss.grid)
    kept = None if guide is None else guide[:, : size[0] : step, : size[1] : step]
    return loss.inside({layer: tf.constant(whole) for layer, whole in thinned.items()}, kept)


def assign_tile(loss: Any, query: Any, sums: Any, styles: Sequence[StyleVectors]) -> np.ndarray:
    """Match the core of one tile with each style.

    Args:
        loss: the loss that is matched.
        query: the hypercolumns of the core, and their sums.
        sums: the `QuerySums` of the whole image.
        styles: vectors of each style.

    Returns:
        Indices of vectors, int32 (1, rows, columns, styles).
    """
    found = [loss.assign(query[0], QuerySums(*sums), style).numpy() for style in styles]
    return np.stack(found, axis=-1)


def assemble_indices(parts: Sequence[np.ndarray], cells: Sequence[tuple[int, int]]) -> tf.Tensor:
    """Put the matches of the tiles together.

    Args:
        parts: for each tile what `assign_tile` returned.
        cells: for each tile its first cell in the whole, (row, column).
    """
    size = [max(cell[axis] + part.shape[1 + axis] for cell, part in zip(cells, parts, strict=True)) for axis in (0, 1)]
    whole = np.zeros((1, *size, parts[0].shape[-1]), np.int32)
    for (row, column), part in zip(cells, parts, strict=True):
        whole[:, row : row + part.shape[1], column : column + part.shape[2]] = part
    return tf.constant(whole)
