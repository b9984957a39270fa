"""Losses that preserve the content."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from neural_style._arguments import checked, count
from neural_style.losses.base import ByLayer, Context, Features, Loss, Statistic, layer_names

__all__ = ["Content", "Laplacian"]


@dataclasses.dataclass(frozen=True)
class Content(ByLayer):
    r"""Squared distance between feature maps, position by position.

    .. math:: \frac{1}{L} \sum_l \frac{\sum_{ij} (F^l_{ij} - P^l_{ij})^2}{\sum_{ij} (P^l_{ij})^2}

    Gatys et al. (2016), divided by the sum of the content's squares instead of multiplied by one half, so that the
    value depends neither on the size of the image nor on the scale of the network: an image without features has the
    value 1.

    Args:
        layers: layers to compare.
        name: name of the term in reports.

    Example:
        >>> (0.4 * Content() + 0.1 * Content(("block3_conv1",), name="detail")).names
        ('content', 'detail')
    """

    layers: tuple[str, ...] = ("block4_conv2",)
    name: str = "content"
    uses_content = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", layer_names(self.layers))

    def of_layer(self, layer: str, features: Features, context: Context) -> Statistic:
        content = context.content[layer]
        difference = features[layer] - content
        return 2.0 * tf.nn.l2_loss(difference), 2.0 * tf.nn.l2_loss(content)  # keeps no map of squares

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        distances = [distance / (tf.stop_gradient(energy) + 1e-8) for distance, energy in statistic.values()]
        return tf.add_n(distances) / len(distances)


@dataclasses.dataclass(frozen=True)
class Laplacian(Loss):
    r"""Squared distance between the Laplacians of the image and the content, which respond to edges and thin lines.

    .. math:: \frac{\sum_i (D x - D c)_i^2}{\sum_i (D c)_i^2}

    with :math:`D` the Laplacian (four neighbors minus four times the center) of the mean over `pool` by `pool` pixels
    and the three channels. Li et al. (2017), "Laplacian-steered neural style transfer". It preserves outlines that a
    deep content layer does not, and complements one; add two with different pools for the paper's combination.
    Deviations: the mean is taken around every pixel instead of over disjoint blocks, so that the result does not depend
    on the position of blocks and tiled runs are exact; the denominator is at least 1e-4 per pixel, for a content
    without edges.

    Args:
        pool: side in pixels of the squares that are averaged: 4 for lines, 16 for large shapes.
        name: name of the term in reports.

    Raises:
        ValueError: `pool` is less than 1.

    Example:
        The content has distance 0 from itself:

        >>> image = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Laplacian(pool=2)
        >>> float(loss.compare(loss.statistic(image, Context(image)), None))
        0.0
    """

    pool: int = 4
    name: str = "laplacian"
    uses_content = True

    def __post_init__(self) -> None:
        checked(self, pool=count)

    @property
    def layers(self) -> tuple[str, ...]:
        return ("image",)

    @property
    def support(self) -> int:
        """A term spans three times `pool` rows: a mean, and its shifts by `pool` up and down."""
        return 3 * self.pool - 1

    def statistic(self, features: Features, context: Context) -> Statistic:
        found, goal = (_laplacian(maps["image"], self.pool) for maps in (features, context.content))
        distance = tf.reduce_sum(tf.math.squared_difference(found, goal))
        return distance, tf.reduce_sum(tf.square(goal)), tf.cast(tf.size(goal), tf.float32)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        distance, energy, count = statistic
        return distance / (tf.maximum(energy, 1e-4 * count) + 1e-8)


def _laplacian(image: tf.Tensor, pool: int) -> tf.Tensor:
    """Laplacian of the means over `pool` by `pool` pixels, where it is defined: (1, rows, columns, 1)."""
    gray = tf.reduce_mean(image, axis=-1, keepdims=True)
    short = tf.maximum(0, pool - tf.shape(gray)[1:3])  # an image smaller than one mean has no terms, and no error
    zero = tf.constant(0)
    gray = tf.pad(gray, [[0, 0], [zero, short[0]], [zero, short[1]], [0, 0]])
    means = tf.nn.avg_pool2d(gray, pool, 1, "VALID")
    inner, before, after = slice(pool, -pool), slice(None, -2 * pool), slice(2 * pool, None)
    around = means[:, before, inner] + means[:, after, inner] + means[:, inner, before] + means[:, inner, after]
    return around - 4.0 * means[:, inner, inner]
