"""Gram matrices of what a picture pays attention to."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from neural_style.losses.base import Context, Features, Statistic
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import check_counts, flat, hypercolumns, unit
from neural_style.losses.style import average_over_layers, check_layer_weights

__all__ = ["AttentionGram"]


@dataclasses.dataclass(frozen=True)
class AttentionGram(PointSetLoss):
    r"""Squared distance of the Gram matrices of self-attention.

    .. math:: \sum_l w_l \frac{\lVert G(A^l F^l) - G(\hat A^l S^l) \rVert^2}{\lVert G(\hat A^l S^l) \rVert^2}
              \Big/ \sum_l w_l, \quad A_{ij} = \operatorname{softmax}_j\left(s \cos(f_i, f_j)\right)

    Each vector gives way to the mean of all that are like it, wherever they stand: attention as in Vaswani et al.
    (2017), with queries, keys and values all the map itself. What is rare or noise is averaged away, so
    the matrices tell the colours and textures that a picture has much of. Deviations: no learned projections; the
    cosine times a sharpness in place of the scaled product, or features of VGG, which run to hundreds, would attend to
    themselves alone. Such a comparison for vision transformers, of their own attention, is in stylemod; there a
    picture has a fixed number of places.

    Not additive, since it compares all pairs: a tiled run refuses it; with several styles each counts by its weight.

    Args:
        layers: where to compare.
        layer_weights: one for each layer; None weights them alike.
        sharpness: s. At 0 every place attends to all alike, and only the mean is compared; at 100 and more it is the
            Gram matrix itself.
        max_vectors: a map is taken on a grid of at most about so many places; memory grows with the square.
        name: what it is reported by.

    Raises:
        ValueError: layer weights that do not fit, a `sharpness` below 0, or `max_vectors` less than 1.

    Example:
        Of two opposite vectors each attends to itself alone:

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
        check_counts(max_vectors=self.max_vectors)
        if not 0.0 <= self.sharpness < float("inf"):
            raise ValueError(f"sharpness is at least 0 and finite, not {self.sharpness!r}")

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {layer: hypercolumns(features, [layer], 1, self.max_vectors) for layer in self.layers}

    def summarize(self, cloud: Statistic) -> Statistic:
        """The mean outer product of the attended vectors, (channels, channels)."""
        vectors = flat(cloud)
        units = unit(vectors, tf.reduce_mean(tf.reduce_sum(tf.square(vectors), axis=-1)))
        attention = tf.nn.softmax(self.sharpness * tf.matmul(units, units, transpose_b=True))
        attended = tf.matmul(attention, vectors)
        count = tf.cast(tf.maximum(1, tf.shape(vectors)[0]), tf.float32)
        return tf.matmul(attended, attended, transpose_a=True) / count

    def distance(self, ours: Statistic, style: Statistic) -> tf.Tensor:
        return tf.reduce_sum(tf.math.squared_difference(ours, style)) / (tf.reduce_sum(tf.square(style)) + 1e-8)

    def average(self, distances: list[tf.Tensor]) -> tf.Tensor:
        return average_over_layers(self, distances)
