"""Losses that compare how values are distributed by sorting them: optimal transport in one dimension."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from neural_style.losses.base import Context, Features, Statistic
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import flat
from neural_style.losses.style import STYLE_LAYERS, average_over_layers, check_layer_weights

__all__ = ["Histogram", "SlicedWasserstein", "quantiles"]


@dataclasses.dataclass(frozen=True)
class _Sorted(PointSetLoss):
    """What `SlicedWasserstein` and `Histogram` share: rows of sorted numbers, compared quantile by quantile."""

    layers: tuple[str, ...] = STYLE_LAYERS
    layer_weights: tuple[float, ...] | None = None
    name: str = "style"

    def __post_init__(self) -> None:
        check_layer_weights(self)

    def rows(self, vectors: tf.Tensor) -> tf.Tensor:
        """(positions, channels) -> the numbers to be sorted, (rows, positions)."""
        raise NotImplementedError

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {layer: features[layer] for layer in self.layers}

    def summarize(self, cloud: Statistic) -> Statistic:
        # Of rank 4, whose two middle sides a trace leaves open: styles of all sizes share one.
        return tf.sort(self.rows(flat(cloud)))[None, :, :, None]

    def distance(self, ours: Statistic, style: Statistic) -> tf.Tensor:
        """Mean squared distance of the quantiles over the style's mean square."""
        values, goal = ours[0, :, :, 0], style[0, :, :, 0]
        gaps = tf.reduce_mean(tf.math.squared_difference(values, quantiles(goal, tf.shape(values)[1])))
        return gaps / (tf.reduce_mean(tf.square(goal)) + 1e-8)

    def average(self, distances: list[tf.Tensor]) -> tf.Tensor:
        return average_over_layers(self, distances)


def quantiles(ordered: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """So many evenly spread quantiles of sorted rows, in straight lines between the values there are.

    Args:
        ordered: (rows, positions), each row rising.
        count: how many; for as many as there are values it is these values.

    Returns:
        (rows, count), each row rising.

    Example:
        >>> quantiles(tf.constant([[0.0, 1.0, 2.0, 3.0]]), 2).numpy().tolist()
        [[0.5, 2.5]]
    """
    there = tf.shape(ordered)[1]
    ratio = tf.cast(there, tf.float64) / tf.cast(count, tf.float64)
    places = (tf.range(count, dtype=tf.float64) + 0.5) * ratio - 0.5
    places = tf.clip_by_value(places, 0.0, tf.cast(there - 1, tf.float64))
    below = tf.cast(tf.floor(places), tf.int32)
    share = tf.cast(places - tf.floor(places), ordered.dtype)
    low = tf.gather(ordered, below, axis=1)
    high = tf.gather(ordered, tf.minimum(below + 1, there - 1), axis=1)
    return low + share * (high - low)


@dataclasses.dataclass(frozen=True)
class SlicedWasserstein(_Sorted):
    r"""Squared sliced Wasserstein distance of the features' distributions.

    .. math:: \sum_l w_l \frac{\sum_k \lVert \operatorname{sort}(F^l v_k) - \operatorname{sort}(S^l v_k) \rVert^2}
              {\sum_k \lVert S^l v_k \rVert^2} \Big/ \sum_l w_l

    Heitz et al. (2021). Where two distributions differ at all they differ along some direction,
    so this captures what Gram matrices and moments cannot. Deviations: the directions :math:`v_k` are drawn once
    from `seed`, in orthonormal sets, and not anew at every step, so that the loss is a function of the picture
    alone and any optimiser works; and the distance is over the style's own mean square. Where the pictures have
    different numbers of positions the style's quantiles are interpolated (the paper repeats samples).

    Not additive, since it sorts: a tiled run refuses it; with several styles each counts by its
    weight.

    Args:
        layers: where to compare.
        layer_weights: one for each layer; None weights them alike.
        directions: how many for each layer; None for as many as the layer has channels, as in the paper.
        seed: of the directions.
        name: what it is reported by.

    Raises:
        ValueError: layer weights that do not fit, or fewer than one direction.

    Example:
        >>> loss = SlicedWasserstein(("block1_conv1",), directions=8)
        >>> loss.directions_of(64).shape
        (64, 8)
    """

    directions: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.directions is not None and self.directions < 1:
            raise ValueError(f"at least one direction is needed, not {self.directions}")

    def directions_of(self, channels: int) -> np.ndarray:
        """Unit vectors, float32 (channels, directions); each run of `channels` of them is orthonormal."""
        return _directions(self.seed, channels, self.directions or channels)

    def rows(self, vectors: tf.Tensor) -> tf.Tensor:
        return tf.matmul(self.directions_of(vectors.shape[-1]), vectors, transpose_a=True, transpose_b=True)


@functools.lru_cache(maxsize=32)
def _directions(seed: int, channels: int, count: int) -> np.ndarray:
    draw = np.random.default_rng([seed, channels])
    blocks = draw.normal(size=(-(-count // channels), channels, channels))
    # Not NumPy's: beside TensorFlow's busy threads its own were measured to take seconds for 512 channels.
    with tf.init_scope(), tf.device("CPU"):
        rotations = tf.linalg.qr(blocks)[0].numpy()
    made = np.concatenate(list(rotations), axis=1)[:, :count].astype(np.float32)
    made.setflags(write=False)  # shared by all that ask
    return made


@dataclasses.dataclass(frozen=True)
class Histogram(_Sorted):
    r"""Squared distance of each channel's values to the same values with the style's histogram.

    .. math:: \sum_l w_l \frac{\lVert F^l - R(F^l, S^l) \rVert^2}{\lVert S^l \rVert^2} \Big/ \sum_l w_l

    Risser et al. (2017), where R remaps each channel's values so that their histogram is the style's.
    Deviation: the histograms are exact, value by value in order, where the paper has bins of a fixed width. That
    makes it the sliced Wasserstein distance along the axes. It keeps what a Gram matrix leaves free, such as
    contrast that wanders over a picture, and is meant to go with one.

    Not additive, since it sorts: a tiled run refuses it; with several styles each counts by its
    weight.

    Args:
        layers: where to compare; the paper: block1_conv1 and block4_conv1.
        layer_weights: one for each layer; None weights them alike.
        name: what it is reported by.

    Raises:
        ValueError: layer weights that do not fit the layers.

    Example:
        Its distance from itself:

        >>> picture = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Histogram(("image",))
        >>> own = loss.statistic(picture, Context())
        >>> round(float(loss.compare(own, own)), 4) + 0.0
        0.0
    """

    layers: tuple[str, ...] = ("block1_conv1", "block4_conv1")
    name: str = "histogram"

    def rows(self, vectors: tf.Tensor) -> tf.Tensor:
        return tf.transpose(vectors)
