"""Closed forms that give a content's feature map the statistics of a style's. Nothing here is learned.

- `transport`: the optimal transport between two Gaussians, from the content's mean and covariance to the style's.
- `swap`: each whitened 3x3 patch of the content becomes the style's nearest, and the result is colored with the style's
  mean and covariance (the "style decorator").

References: L. Sheng, Z. Lin, J. Shao, X. Wang, "Avatar-Net", 2018, arXiv:1805.03857, section 3.1 (the decorator);
Y. Mroueh, "Wasserstein style transfer", 2019, arXiv:1905.12828, equation 5 (the transport). Deviation: the swapped map
is whitened once more before it is colored, since averaging overlapping patches shrinks its spread.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

__all__ = ["Affine", "Gaussian", "Sums", "gaussian", "patches", "position_sums", "swap", "transport"]

PATCH = 3  # cells on a side of a patch
MIN_SHARE = 1e-5  # of the largest eigenvalue; directions of less variance count as empty


class Sums(NamedTuple):
    """Sums over the positions of a map, each with its weight; they add over the parts of an image.

    Attributes:
        weight: of the positions, float64 (regions,).
        first: of the vectors, float64 (regions, channels).
        second: of their outer products, float64 (regions, channels, channels).
    """

    weight: tf.Tensor
    first: tf.Tensor
    second: tf.Tensor


class Gaussian(NamedTuple):
    """Mean and covariance of a map's vectors, float64 (channels,) and (channels, channels)."""

    mean: tf.Tensor
    covariance: tf.Tensor


class Affine(NamedTuple):
    """The map of a vector x to `matrix @ x + offset`, float32 (channels, channels) and (channels,)."""

    matrix: tf.Tensor
    offset: tf.Tensor


def position_sums(features: tf.Tensor, shares: tf.Tensor) -> Sums:
    """Sums over the positions of a map, in each region.

    Args:
        features: float32 (1, rows, columns, channels).
        shares: how much each position belongs to each region, float32 (1, rows, columns, regions).
    """
    vectors = tf.reshape(features, [-1, features.shape[-1]])
    weights = tf.transpose(tf.reshape(shares, [-1, tf.shape(shares)[-1]]))
    weighted = weights[:, :, None] * vectors
    parts = tf.reduce_sum(weights, 1), tf.reduce_sum(weighted, 1), tf.matmul(weighted, vectors, transpose_a=True)
    return Sums(*(tf.cast(part, tf.float64) for part in parts))


def gaussian(sums: Sums, region: int) -> Gaussian:
    """Mean and covariance in a region."""
    weight = tf.maximum(sums.weight[region], 1e-12)
    mean = sums.first[region] / weight
    return Gaussian(mean, sums.second[region] / weight - mean[:, None] * mean[None])


def _powers(matrix: tf.Tensor, *exponents: float) -> list[tf.Tensor]:
    """Powers of a symmetric matrix; directions of next to no variance give 0."""
    values, vectors = tf.linalg.eigh(matrix)
    kept = values > MIN_SHARE * tf.maximum(values[-1], 1e-12)
    safe = tf.where(kept, values, tf.ones_like(values))
    return [
        tf.matmul(vectors * tf.where(kept, safe**exponent, tf.zeros_like(values)), vectors, transpose_b=True)
        for exponent in exponents
    ]


def transport(content: Gaussian, style: Gaussian) -> Affine:
    """The shortest way from the content's mean and covariance to the style's."""
    root, inverse = _powers(content.covariance, 0.5, -0.5)
    (middle,) = _powers(tf.matmul(root, tf.matmul(style.covariance, root)), 0.5)
    return _affine(content.mean, tf.matmul(inverse, tf.matmul(middle, inverse)), style.mean)


def _affine(before: tf.Tensor, matrix: tf.Tensor, after: tf.Tensor) -> Affine:
    """The map of x to `matrix @ (x - before) + after`."""
    offset = after - tf.linalg.matvec(matrix, before)
    return Affine(tf.cast(matrix, tf.float32), tf.cast(offset, tf.float32))


def apply(features: tf.Tensor, affine: Affine) -> tf.Tensor:
    """An affine map, whose matrix is symmetric, of each vector of a feature map."""
    return tf.nn.bias_add(tf.nn.conv2d(features, affine.matrix[None, None], 1, "VALID"), affine.offset)


def whitening(statistics: Gaussian) -> Affine:
    """The map that gives vectors the mean 0 and the unit matrix as their covariance."""
    (inverse,) = _powers(statistics.covariance, -0.5)
    return _affine(statistics.mean, inverse, tf.zeros_like(statistics.mean))


def coloring(statistics: Gaussian) -> Affine:
    """The map that gives white vectors this mean and covariance."""
    (root,) = _powers(statistics.covariance, 0.5)
    return _affine(tf.zeros_like(statistics.mean), root, statistics.mean)


def patches(features: tf.Tensor, statistics: Gaussian, weights: tf.Tensor, most: int) -> tf.Tensor:
    """The patches that a style offers, whitened, from positions at equal distances.

    Args:
        features: float32 (1, rows, columns, channels).
        statistics: of these features.
        weights: how much each position counts, float32 (1, rows, columns, 1); positions of less than half the largest
            weight are left out.
        most: largest number of patches.

    Returns:
        float32 (patches, 9, channels).
    """
    every = _unfold(apply(features, whitening(statistics)))
    inside = tf.where(tf.reshape(weights, [-1]) >= 0.5 * tf.reduce_max(weights))[:, 0]
    count = tf.shape(inside)[0]
    chosen = tf.linspace(0.0, tf.cast(count - 1, tf.float32), tf.minimum(count, most))
    return tf.gather(every, tf.gather(inside, tf.cast(tf.round(chosen), tf.int32)))


def swap(features: tf.Tensor, shares: tf.Tensor, style: Gaussian, offered: tf.Tensor, precision: str) -> tf.Tensor:
    """A content's map with each patch replaced by the style's nearest, in the style's mean and covariance.

    Nearest is the patch of the largest cosine with the content's, both whitened.

    Args:
        features: float32 (1, rows, columns, channels).
        shares: how much each position belongs to the region of this style, float32 (1, rows, columns, 1).
        style: of the style's vectors.
        offered: the style's patches; see `patches`.
        precision: of the comparison.
    """
    rows, columns, channels = tf.shape(features)[1], tf.shape(features)[2], features.shape[-1]
    size = PATCH * PATCH * channels
    asked = tf.reshape(_unfold(apply(features, whitening(_statistics(features, shares)))), [-1, size])
    keys = tf.math.l2_normalize(tf.reshape(offered, [-1, size]), axis=1)
    nearest = tf.argmax(tf.matmul(tf.cast(asked, precision), tf.cast(keys, precision), transpose_b=True), axis=1)
    swapped = _fold(tf.reshape(tf.gather(offered, nearest), [1, rows, columns, PATCH * PATCH, channels]))
    return apply(apply(swapped, whitening(_statistics(swapped, shares))), coloring(style))


def _statistics(features: tf.Tensor, shares: tf.Tensor) -> Gaussian:
    return gaussian(position_sums(features, shares), 0)


def _unfold(features: tf.Tensor) -> tf.Tensor:
    """The 3x3 patch around every position, (rows * columns, 9, channels); the map continues mirrored."""
    rows, columns = tf.shape(features)[1], tf.shape(features)[2]
    padded = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    taps = [padded[0, i : i + rows, j : j + columns] for i in range(PATCH) for j in range(PATCH)]
    return tf.reshape(tf.stack(taps, axis=2), [-1, PATCH * PATCH, features.shape[-1]])


def _fold(chosen: tf.Tensor) -> tf.Tensor:
    """The mean of the patches that overlap at each position.

    Args:
        chosen: the patch around each position, (1, rows, columns, 9, channels).
    """
    rows, columns = tf.shape(chosen)[1], tf.shape(chosen)[2]
    padded = tf.pad(chosen, [[0, 0], [1, 1], [1, 1], [0, 0], [0, 0]], "SYMMETRIC")
    taps = [
        padded[:, 2 - i : 2 - i + rows, 2 - j : 2 - j + columns, i * PATCH + j]
        for i in range(PATCH)
        for j in range(PATCH)
    ]
    return tf.add_n(taps) / float(len(taps))
