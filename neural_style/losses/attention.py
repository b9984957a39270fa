"""Gram loss on self-attended features."""

from __future__ import annotations

import dataclasses
import functools

import tensorflow as tf

from neural_style._arguments import checked, real
from neural_style.losses.base import Context, Features, Statistic
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import check_counts, flat, hypercolumns, unit
from neural_style.losses.style import average_over_layers, check_layer_weights

__all__ = ["AttentionGram"]


@dataclasses.dataclass(frozen=True)
class AttentionGram(PointSetLoss):
    r"""Squared distance between Gram matrices of self-attended features.

    .. math:: \sum_l w_l \frac{\lVert G(A^l F^l) - G(\hat A^l S^l) \rVert^2}{\lVert G(\hat A^l S^l) \rVert^2}
              \Big/ \sum_l w_l, \quad A_{ij} = \operatorname{softmax}_j\left(s \cos(f_i, f_j)\right)

    Self-attention replaces each vector by the mean of all vectors that are similar to it, regardless of position, as in
    Vaswani et al. (2017), with the map itself as queries, keys and values. It averages out rare features and noise, so
    the matrices describe the dominant colors and textures of an image. Deviations: there are no learned projections; a
    cosine times a sharpness replaces the scaled dot product, with which features of VGG, which reach hundreds, would
    attend to themselves only. stylemod compares vision transformers by their own attention in this way; there the
    number of positions is fixed.

    The loss is not additive, because it compares all pairs, so it cannot be used with tiles. With several styles, it is
    the weighted mean of the losses for each style.

    Args:
        layers: layers to compare, or a dict of their weights.
        layer_weights: one weight for each layer; None for equal weights.
        sharpness: s. At 0 every position attends to all equally, and only the mean is compared; from 100 on the result
            is the Gram matrix itself.
        max_vectors: approximate maximum number of grid positions of a map; memory grows with its square.
        name: name of the term in reports.

    Raises:
        ValueError: the layer weights do not fit the layers, `sharpness` is negative, or `max_vectors` is less than 1.

    Example:
        Each of two opposite vectors attends only to itself:

        >>> loss, maps = AttentionGram(("a",)), tf.constant([[[[3.0, 0.0], [-3.0, 0.0]]]])
        >>> (share, gram), = loss.statistic({"a": maps}, Context())["a"]
        >>> gram.numpy().round(2).tolist()
        [[9.0, 0.0], [0.0, 0.0]]
    """

    layers: tuple[str, ...] = ("block2_conv1", "block3_conv1", "block4_conv1")
    layer_weights: tuple[float, ...] | None = None
    sharpness: float = 10.0
    max_vectors: int = 1024
    name: str = "attention"

    def __post_init__(self) -> None:
        check_layer_weights(self)
        check_counts(self, "max_vectors")
        checked(self, sharpness=functools.partial(real, at_least=0))

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {layer: hypercolumns(features, [layer], 1, self.max_vectors) for layer in self.layers}

    def summarize(self, points: Statistic) -> Statistic:
        """Mean outer product of the attended vectors, (channels, channels)."""
        vectors = flat(points)
        units = unit(vectors, tf.reduce_mean(tf.reduce_sum(tf.square(vectors), axis=-1)))
        attention = tf.nn.softmax(self.sharpness * tf.matmul(units, units, transpose_b=True))
        attended = tf.matmul(attention, vectors)
        count = tf.cast(tf.maximum(1, tf.shape(vectors)[0]), tf.float32)
        return tf.matmul(attended, attended, transpose_a=True) / count

    def distance(self, summary: Statistic, target: Statistic) -> tf.Tensor:
        return tf.reduce_sum(tf.math.squared_difference(summary, target)) / (tf.reduce_sum(tf.square(target)) + 1e-8)

    def average(self, distances: list[tf.Tensor]) -> tf.Tensor:
        return average_over_layers(self, distances)
