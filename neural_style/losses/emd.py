"""The two losses of STROTSS (Kolkin et al., 2019): relaxed transport of features, and content as self-similarity."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from neural_style.losses.base import Context, Features, Loss, Statistic, layer_names
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import check_counts, flat, hypercolumns, match, subsample, unit

__all__ = ["RelaxedEMD", "SelfSimilarity"]


@dataclasses.dataclass(frozen=True)
class RelaxedEMD(PointSetLoss):
    r"""Relaxed earth mover's distance between the feature vectors of the image and of the style.

    .. math:: \max\left(\frac1N \sum_i \min_j d(x_i, s_j),\ \frac1M \sum_j \min_i d(x_i, s_j)\right)

    Kolkin et al. (2019): the larger of the two costs of transport in which the marginal of one side is unconstrained.
    The first cost is low if all of the image resembles the style, the second if all of the style occurs in the image.
    :math:`d` is the cosine distance of hypercolumns. With `metric="euclidean"` it is the Euclidean distance divided by
    the style's root mean square; on `layers=("image",)` this is the paper's palette loss.

    Deviations: a regular grid of positions instead of 1024 random ones that change every few steps, so that the loss is
    a function of the image alone; the palette is compared in RGB.

    The loss is not additive, because it searches, so it cannot be used with tiles. With several styles, it is the
    weighted mean of the losses for each style.

    Args:
        layers: layers whose maps are stacked.
        stride: cells of the largest map per vector, along each axis; see `sampling.hypercolumns`.
        max_vectors: maximum number of style vectors; of more, a fixed random subset is used.
        metric: `"cosine"` or `"euclidean"`.
        name: name of the term in reports.

    Raises:
        ValueError: `metric` is unknown, or `stride` or `max_vectors` is less than 1.

    Example:
        An image has distance 0 from itself:

        >>> image = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = RelaxedEMD(("image",), stride=1, metric="euclidean")
        >>> own = loss.statistic(image, Context())
        >>> round(float(loss.compare(own, own)), 4)
        0.0
    """

    layers: tuple[str, ...] = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv1")
    stride: int = 4
    max_vectors: int = 2048
    metric: str = "cosine"
    name: str = "relaxed_emd"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", layer_names(self.layers))
        check_counts(self, "stride", "max_vectors")
        if self.metric not in ("cosine", "euclidean"):
            raise ValueError(f"metric must be 'cosine' or 'euclidean', not {self.metric!r}")

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {self.layers[0]: hypercolumns(features, self.layers, self.stride)}

    def distance(self, summary: Statistic, target: Statistic) -> tf.Tensor:
        vectors, style = flat(summary), flat(target)
        energy = tf.reduce_mean(tf.reduce_sum(tf.square(style), axis=-1))
        nearest = _nearest_cosine if self.metric == "cosine" else _nearest_euclidean
        forward, backward = nearest(vectors, subsample(style, self.max_vectors), energy)
        return tf.maximum(tf.reduce_mean(forward), tf.reduce_mean(backward))


def _nearest_cosine(vectors: tf.Tensor, style: tf.Tensor, energy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cosine distance of each vector to the nearest of the other set, (N,) and (M,)."""
    vectors, style = unit(vectors, energy), unit(style, energy)
    found = match(vectors, style)
    there, back = tf.gather(style, found.forward), tf.gather(vectors, found.backward)
    return (
        tf.nn.relu(1.0 - tf.reduce_sum(vectors * there, axis=-1)),
        tf.nn.relu(1.0 - tf.reduce_sum(back * style, axis=-1)),
    )


def _nearest_euclidean(vectors: tf.Tensor, style: tf.Tensor, energy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Euclidean distance of each vector to the nearest of the other set over the root of `energy`, (N,) and (M,)."""
    # The nearest has the largest x.s - |x|^2 / 2 - |s|^2 / 2, which is an inner product with two more channels.
    halves = [-0.5 * tf.reduce_sum(tf.square(each), axis=-1, keepdims=True) for each in (vectors, style)]
    ones = [tf.ones_like(half) for half in halves]
    found = match(tf.concat([vectors, halves[0], ones[0]], axis=-1), tf.concat([style, ones[1], halves[1]], axis=-1))
    there, back = tf.gather(style, found.forward), tf.gather(vectors, found.backward)
    return _length(vectors - there, energy), _length(back - style, energy)


def _length(vectors: tf.Tensor, energy: tf.Tensor) -> tf.Tensor:
    squares = tf.reduce_sum(tf.square(vectors), axis=-1) / (energy + 1e-8)
    return tf.sqrt(tf.maximum(squares, 1e-12))  # where two vectors coincide, the gradient is 0, not infinite


@dataclasses.dataclass(frozen=True)
class SelfSimilarity(Loss):
    r"""L1 distance between the self-similarity matrices of the image and the content.

    .. math:: \frac{1}{2N} \sum_{ij} \left| \frac{D_{ij}}{\sum_i D_{ij}} - \frac{\hat D_{ij}}{\sum_i \hat D_{ij}}
              \right|

    with :math:`D` the cosine distances of all pairs of hypercolumns. Kolkin et al. (2019). It requires only that
    similar positions stay similar, so colors, textures and even shapes may change more than with the `Content` loss. It
    is 0 for the content and at most 1. Deviations: a regular grid instead of random positions; one half, for that
    range; a lower bound on the column sums, for a content that is constant.

    The loss is not additive, because it compares all pairs, so it cannot be used with tiles.

    Args:
        layers: layers whose maps are stacked.
        stride: cells of the largest map per position, along each axis; see `sampling.hypercolumns`.
        max_vectors: approximate maximum number of positions; memory grows with its square.
        name: name of the term in reports.

    Raises:
        ValueError: `stride` or `max_vectors` is less than 1.

    Example:
        The content has distance 0 from itself:

        >>> image = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = SelfSimilarity(("image",), stride=1)
        >>> float(loss.compare(loss.statistic(image, Context(image)), None))
        0.0
    """

    layers: tuple[str, ...] = ("block2_conv2", "block3_conv3", "block4_conv3", "block5_conv1")
    stride: int = 2
    max_vectors: int = 1024
    name: str = "self_similarity"
    additive = False
    uses_content = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", layer_names(self.layers))
        check_counts(self, "stride", "max_vectors")

    def statistic(self, features: Features, context: Context) -> Statistic:
        columns = [
            flat(hypercolumns(maps, self.layers, self.stride, self.max_vectors)) for maps in (features, context.content)
        ]
        energy = tf.reduce_mean(tf.reduce_sum(tf.square(columns[1]), axis=-1))
        return tuple(_normalized_distances(unit(vectors, energy)) for vectors in columns)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        found, content = statistic
        return 0.5 * tf.reduce_mean(tf.reduce_sum(tf.abs(found - content), axis=0))


def _normalized_distances(units: tf.Tensor) -> tf.Tensor:
    """Cosine distances of all pairs, each divided by the sum of its column, (N, N)."""
    distances = 1.0 - tf.matmul(units, units, transpose_b=True)
    floor = 1e-4 * tf.cast(tf.shape(units)[0], tf.float32)
    return distances / tf.maximum(tf.reduce_sum(distances, axis=0), floor)
