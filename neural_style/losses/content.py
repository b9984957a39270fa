"""Losses that hold on to the content picture."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from neural_style.losses.base import ByLayer, Context, Features, Loss, Statistic, layer_names

__all__ = ["Content", "Laplacian"]


@dataclasses.dataclass(frozen=True)
class Content(ByLayer):
    r"""Squared distance of feature maps, position by position.

    .. math:: \frac{1}{L} \sum_l \frac{\sum_{ij} (F^l_{ij} - P^l_{ij})^2}{\sum_{ij} (P^l_{ij})^2}

    Gatys et al. (2016), with the sum over the content's own energy in place of one half, so that
    neither the picture's size nor the network's scale matters: 1 means as far away as a picture without
    features.

    Args:
        layers: where to compare.
        name: what it is reported by.

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
        apart = features[layer] - context.content[layer]
        return 2.0 * tf.nn.l2_loss(apart), 2.0 * tf.nn.l2_loss(context.content[layer])  # keeps no map of squares

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        distances = [distance / (energy + 1e-8) for distance, energy in statistic.values()]
        return tf.add_n(distances) / len(distances)


@dataclasses.dataclass(frozen=True)
class Laplacian(Loss):
    r"""Squared distance of the Laplacians of picture and content: of edges and fine lines, seen on the pixels.

    .. math:: \frac{\sum_i (D x - D c)_i^2}{\sum_i (D c)_i^2}

    with :math:`D` the Laplacian (four neighbours less four times the centre) of the mean over `pool` by `pool`
    pixels and the three channels. Li et al. (2017), "Laplacian-steered neural style transfer". It
    keeps the outlines that a deep content layer lets slip, and goes beside one; add two with different pools for the
    paper's combination. Deviations: the mean is taken around every pixel and not of every block, so that it does not
    matter where a block begins and tiled runs are exact; the sum is over the content's own, but at least 1e-4
    a pixel, for a content without edges.

    Args:
        pool: side of the squares the means are over, in pixels: 4 for lines, 16 for large shapes.
        name: what it is reported by.

    Raises:
        ValueError: `pool` is less than 1.

    Example:
        The content's distance from itself:

        >>> picture = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Laplacian(pool=2)
        >>> float(loss.compare(loss.statistic(picture, Context(picture)), None))
        0.0
    """

    pool: int = 4
    name: str = "laplacian"
    uses_content = True

    def __post_init__(self) -> None:
        if self.pool < 1:
            raise ValueError(f"pool is at least 1, not {self.pool}")

    @property
    def layers(self) -> tuple[str, ...]:
        return ("image",)

    @property
    def support(self) -> int:
        """A mean's rows, a mean's shift up and one down; a term spans three times `pool` rows."""
        return 3 * self.pool - 1

    def statistic(self, features: Features, context: Context) -> Statistic:
        ours, goal = (_laplacian(maps["image"], self.pool) for maps in (features, context.content))
        apart = tf.reduce_sum(tf.math.squared_difference(ours, goal))
        return apart, tf.reduce_sum(tf.square(goal)), tf.cast(tf.size(goal), tf.float32)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        apart, energy, count = statistic
        return apart / (tf.maximum(energy, 1e-4 * count) + 1e-8)


def _laplacian(image: tf.Tensor, pool: int) -> tf.Tensor:
    """Of the means over `pool` by `pool` pixels, wherever all of them lie inside: (1, rows, columns, 1)."""
    gray = tf.reduce_mean(image, axis=-1, keepdims=True)
    short = tf.maximum(0, pool - tf.shape(gray)[1:3])  # less than one mean gives no term, and no error
    zero = tf.constant(0)
    gray = tf.pad(gray, [[0, 0], [zero, short[0]], [zero, short[1]], [0, 0]])
    means = tf.nn.avg_pool2d(gray, pool, 1, "VALID")
    inner, before, after = slice(pool, -pool), slice(None, -2 * pool), slice(2 * pool, None)
    around = means[:, before, inner] + means[:, after, inner] + means[:, inner, before] + means[:, inner, after]
    return around - 4.0 * means[:, inner, inner]
