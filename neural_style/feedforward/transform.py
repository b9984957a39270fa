"""Closed forms that give a feature map the distribution of a style's. Nothing here is learned.

Reference: Y. Mroueh, "Wasserstein style transfer", 2019, arXiv:1905.12828, equation 5: the optimal transport between
Gaussians, in place of the whitening and coloring of Li et al. (2017, arXiv:1705.08086).
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from neural_style.losses.style import PositionSums

__all__ = ["Affine", "Gaussian", "apply", "gaussian", "transport"]

MIN_SHARE = 1e-5  # of the largest eigenvalue; directions of less variance count as empty


class Gaussian(NamedTuple):
    """Mean and covariance of vectors, float64 (channels,) and (channels, channels)."""

    mean: tf.Tensor
    covariance: tf.Tensor


class Affine(NamedTuple):
    """The map of a vector x to `matrix @ x + offset`, float32 (channels, channels), symmetric, and (channels,)."""

    matrix: tf.Tensor
    offset: tf.Tensor


def gaussian(sums: PositionSums, region: int = 0) -> Gaussian:
    """Mean and covariance of a map's vectors in a region; 0 for an empty one."""
    outer, total, count = (tf.cast(each[region], tf.float64) for each in sums)
    mean = tf.math.divide_no_nan(total, count)
    return Gaussian(mean, tf.math.divide_no_nan(outer, count) - mean[:, None] * mean[None])


def transport(content: Gaussian, style: Gaussian) -> Affine:
    r"""The optimal transport from one Gaussian to another, which moves vectors as little as possible.

    .. math:: T = A^{-1/2} \left(A^{1/2} B A^{1/2}\right)^{1/2} A^{-1/2}

    with the covariances A of the content and B of the style. Directions in which the content does not vary are not
    moved.
    """
    root, inverse = _powers(content.covariance, 0.5, -0.5)
    (middle,) = _powers(tf.matmul(root, tf.matmul(style.covariance, root)), 0.5)
    matrix = tf.matmul(inverse, tf.matmul(middle, inverse))
    offset = style.mean - tf.linalg.matvec(matrix, content.mean)
    return Affine(tf.cast(matrix, tf.float32), tf.cast(offset, tf.float32))


def apply(features: tf.Tensor, affine: Affine) -> tf.Tensor:
    """An affine map of each vector of a feature map, (1, rows, columns, channels)."""
    return tf.nn.bias_add(tf.nn.conv2d(features, affine.matrix[None, None], 1, "VALID"), affine.offset)


def _powers(matrix: tf.Tensor, *exponents: float) -> list[tf.Tensor]:
    """Powers of a symmetric matrix; directions of next to no variance give 0."""
    values, vectors = tf.linalg.eigh(matrix)
    kept = values > tf.maximum(MIN_SHARE * values[-1], 1e-12)
    safe = tf.where(kept, values, tf.ones_like(values))
    return [
        tf.matmul(vectors * tf.where(kept, safe**exponent, tf.zeros_like(values)), vectors, transpose_b=True)
        for exponent in exponents
    ]
