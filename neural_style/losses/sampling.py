"""Feature maps as sets of vectors: resampled to one grid, normalized, subsampled and matched.

Nothing here is random except for a fixed seed. Matching never holds the matrix of all pairs: it computes blocks of
rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from neural_style._arguments import checked, count
from neural_style.losses.base import Features

__all__ = ["Matches", "check_counts", "flat", "hypercolumns", "match", "subsample", "unit", "unit_epsilon"]

BLOCK = 2**22  # inner products held at a time: 16 MiB


def check_counts(loss: object, *names: str) -> None:
    """Check fields of a loss that count something: whole numbers that are at least 1."""
    checked(loss, **dict.fromkeys(names, count))


def hypercolumns(features: Features, layers: Sequence[str], stride: int, max_vectors: int | None = None) -> tf.Tensor:
    """The maps of several layers, resampled to one grid and stacked (Hariharan et al., 2015).

    The grid is that of the largest map with a stride; values between cells are interpolated bilinearly. With `stride=4`
    on the grid of the image, each value is the mean of four pixels, and a 3x3 convolution covers every pixel.

    Args:
        features: maps (1, rows, columns, channels).
        layers: layers to stack.
        stride: cells of the largest map per position of the grid, along each axis.
        max_vectors: approximate maximum number of positions of the grid; None for no limit.

    Returns:
        (1, rows, columns, all channels).
    """
    sides = tf.reduce_max(tf.stack([tf.shape(features[layer])[1:3] for layer in layers]), axis=0)
    factor = tf.cast(stride, tf.float32)
    if max_vectors is not None:
        factor = tf.maximum(factor, tf.sqrt(tf.cast(tf.reduce_prod(sides), tf.float32) / max_vectors))
    grid = tf.maximum(1, tf.cast(tf.cast(sides, tf.float32) / factor, tf.int32))
    return tf.concat([tf.image.resize(features[layer], grid) for layer in layers], axis=-1)


def flat(maps: tf.Tensor) -> tf.Tensor:
    """(1, rows, columns, channels) -> (positions, channels)."""
    return tf.reshape(maps, [-1, maps.shape[-1]])


def subsample(vectors: tf.Tensor, max_vectors: int, seed: int = 0) -> tf.Tensor:
    """At most `max_vectors` of the vectors, (positions, channels), chosen at random by `seed`."""
    count = tf.shape(vectors)[0]
    order = tf.random.experimental.stateless_shuffle(tf.range(count), seed=[seed, 0])
    return tf.cond(count > max_vectors, lambda: tf.gather(vectors, tf.sort(order[:max_vectors])), lambda: vectors)


def unit(vectors: tf.Tensor, energy: tf.Tensor) -> tf.Tensor:
    """Vectors scaled to length 1; those whose square is below 1e-8 of `energy`, in effect 0, stay shorter."""
    return tf.math.l2_normalize(vectors, axis=-1, epsilon=unit_epsilon(energy))


def unit_epsilon(energy: tf.Tensor) -> tf.Tensor:
    """The square below which `unit` leaves a vector shorter than 1."""
    return 1e-8 * energy + 1e-12


class Matches(NamedTuple):
    """The best match of each vector of two sets.

    Attributes:
        forward: for each vector of the first set the index of the best in the second, int32 (N,).
        backward: for each vector of the second set the index of the best in the first, int32 (M,).
    """

    forward: tf.Tensor
    backward: tf.Tensor


def match(vectors: tf.Tensor, others: tf.Tensor) -> Matches:
    """For each vector of either set, the one of the other set with the largest inner product; the first of equals.

    Args:
        vectors: (N, channels); no gradient passes.
        others: (M, channels); no gradient passes.
    """
    vectors, others = tf.stop_gradient(vectors), tf.stop_gradient(others)
    count, rows = tf.shape(vectors)[0], tf.maximum(1, BLOCK // tf.shape(others)[0])
    blocks = (count + rows - 1) // rows

    def one(
        index: tf.Tensor, forward: tf.TensorArray, backward: tf.Tensor, best: tf.Tensor
    ) -> tuple[tf.Tensor, tf.TensorArray, tf.Tensor, tf.Tensor]:
        start = index * rows
        products = tf.matmul(vectors[start : start + rows], others, transpose_b=True)
        largest = tf.reduce_max(products, axis=0)
        found = tf.argmax(products, axis=0, output_type=tf.int32) + start
        forward = forward.write(index, tf.argmax(products, axis=1, output_type=tf.int32))
        return index + 1, forward, tf.where(largest > best, found, backward), tf.maximum(largest, best)

    _, forward, backward, _ = tf.while_loop(
        lambda index, *_: index < blocks,
        one,
        (
            tf.constant(0),
            tf.TensorArray(tf.int32, size=blocks, infer_shape=False, element_shape=[None]),
            tf.zeros_like(others[:, 0], tf.int32),
            tf.fill(tf.shape(others)[:1], tf.constant(float("-inf"))),
        ),
        parallel_iterations=1,
    )
    return Matches(forward.concat(), backward)
