"""The two losses of STROTSS (Kolkin et al., 2019): a transport of features that is cheap, and content as likeness."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from neural_style.losses.base import Context, Features, Loss, Statistic, layer_names
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import check_counts, flat, hypercolumns, match, subsample, unit

__all__ = ["RelaxedEMD", "SelfSimilarity"]


@dataclasses.dataclass(frozen=True)
class RelaxedEMD(PointSetLoss):
    r"""Relaxed earth mover's distance between the picture's feature vectors and the style's.

    .. math:: \max\left(\frac1N \sum_i \min_j d(x_i, s_j),\ \frac1M \sum_j \min_i d(x_i, s_j)\right)

    Kolkin et al. (2019): the larger of the two costs that are left when one side of the transport may be
    shared freely. The first asks that all of the picture look like the style, the second that all of the style be
    in the picture. :math:`d` is the cosine distance of hypercolumns; with `metric="euclidean"` the Euclidean one
    over the style's root mean square, which on `layers=("image",)` is the paper's loss of the palette.

    Deviations: every position of a regular grid in place of 1024 random ones that change every few steps, so that the
    loss is a function of the picture alone; and the palette is compared in RGB.

    Not additive, since it searches: a tiled run refuses it; with several styles each counts by its
    weight.

    Args:
        layers: whose maps are stacked.
        stride: a vector for so many cells of the largest map along each axis; see `hypercolumns`.
        max_vectors: of more style vectors than this, so many are drawn once and for all.
        metric: `"cosine"` or `"euclidean"`.
        name: what it is reported by.

    Raises:
        ValueError: an unknown metric, or `stride` or `max_vectors` is less than 1.

    Example:
        Its distance from itself:

        >>> picture = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = RelaxedEMD(("image",), stride=1, metric="euclidean")
        >>> own = loss.statistic(picture, Context())
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
        check_counts(stride=self.stride, max_vectors=self.max_vectors)
        if self.metric not in ("cosine", "euclidean"):
            raise ValueError(f"metric is 'cosine' or 'euclidean', not {self.metric!r}")

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {self.layers[0]: hypercolumns(features, self.layers, self.stride)}

    def distance(self, ours: Statistic, style: Statistic) -> tf.Tensor:
        ours, style = flat(ours), flat(style)
        energy = tf.reduce_mean(tf.reduce_sum(tf.square(style), axis=-1))
        apart = _cosines if self.metric == "cosine" else _lengths
        forward, backward = apart(ours, subsample(style, self.max_vectors), energy)
        return tf.maximum(tf.reduce_mean(forward), tf.reduce_mean(backward))


def _cosines(ours: tf.Tensor, style: tf.Tensor, energy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cosine distances to the nearest vector of the other side, (N,) and (M,)."""
    ours, style = unit(ours, energy), unit(style, energy)
    found = match(ours, style)
    there, back = tf.gather(style, found.forward), tf.gather(ours, found.backward)
    return (
        tf.nn.relu(1.0 - tf.reduce_sum(ours * there, axis=-1)),
        tf.nn.relu(1.0 - tf.reduce_sum(back * style, axis=-1)),
    )


def _lengths(ours: tf.Tensor, style: tf.Tensor, energy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Euclidean distances to the nearest vector of the other side over the root of `energy`, (N,) and (M,)."""
    # The nearest has the largest x.s - |x|^2 / 2 - |s|^2 / 2, which is an inner product with two more channels.
    halves = [-0.5 * tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True) for vectors in (ours, style)]
    ones = [tf.ones_like(half) for half in halves]
    found = match(tf.concat([ours, halves[0], ones[0]], axis=-1), tf.concat([style, ones[1], halves[1]], axis=-1))
    there, back = tf.gather(style, found.forward), tf.gather(ours, found.backward)
    return _length(ours - there, energy), _length(back - style, energy)


def _length(vectors: tf.Tensor, energy: tf.Tensor) -> tf.Tensor:
    squares = tf.reduce_sum(tf.square(vectors), axis=-1) / (energy + 1e-8)
    return tf.sqrt(tf.maximum(squares, 1e-12))  # where two vectors meet the slope is 0, not infinite


@dataclasses.dataclass(frozen=True)
class SelfSimilarity(Loss):
    r"""How differently the places of picture and content are like one another.

    .. math:: \frac{1}{2N} \sum_{ij} \left| \frac{D_{ij}}{\sum_i D_{ij}} - \frac{\hat D_{ij}}{\sum_i \hat D_{ij}}
              \right|

    with :math:`D` the cosine distances of all pairs of hypercolumns. Kolkin et al. (2019). It asks only
    that what was alike stay alike, so colours, textures and even shapes may move further than the `Content` loss
    lets them. 0 for the content, 1 at most. Deviations: a regular grid in place of random positions; one half, for
    that range; distances whose sum is next to nothing, in a flat content, count as that little.

    Not additive, since it compares all pairs: a tiled run refuses it.

    Args:
        layers: whose maps are stacked.
        stride: a place for so many cells of the largest map along each axis; see `hypercolumns`.
        max_vectors: the grid has at most about so many places; memory grows with the square.
        name: what it is reported by.

    Raises:
        ValueError: `stride` or `max_vectors` is less than 1.

    Example:
        The content's distance from itself:

        >>> picture = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = SelfSimilarity(("image",), stride=1)
        >>> float(loss.compare(loss.statistic(picture, Context(picture)), None))
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
        check_counts(stride=self.stride, max_vectors=self.max_vectors)

    def statistic(self, features: Features, context: Context) -> Statistic:
        columns = [
            flat(hypercolumns(maps, self.layers, self.stride, self.max_vectors)) for maps in (features, context.content)
        ]
        energy = tf.reduce_mean(tf.reduce_sum(tf.square(columns[1]), axis=-1))
        return tuple(_shares_of_distance(unit(vectors, energy)) for vectors in columns)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        ours, goal = statistic
        return 0.5 * tf.reduce_mean(tf.reduce_sum(tf.abs(ours - goal), axis=0))


def _shares_of_distance(units: tf.Tensor) -> tf.Tensor:
    """Cosine distances of all pairs, each over its column's sum, (N, N)."""
    distances = 1.0 - tf.matmul(units, units, transpose_b=True)
    floor = 1e-4 * tf.cast(tf.shape(units)[0], tf.float32)
    return distances / tf.maximum(tf.reduce_sum(distances, axis=0), floor)
