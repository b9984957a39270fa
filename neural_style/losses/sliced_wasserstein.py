"""Losses that compare distributions by sorting: optimal transport in one dimension."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from neural_style._arguments import checked, count, whole
from neural_style.losses.base import Context, Features, Statistic
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import flat
from neural_style.losses.style import STYLE_LAYERS, average_over_layers, check_layer_weights

__all__ = ["Histogram", "SlicedWasserstein", "quantiles"]


@dataclasses.dataclass(frozen=True)
class _Sorted(PointSetLoss):
    """Base of `SlicedWasserstein` and `Histogram`: rows of sorted numbers, compared quantile by quantile."""

    layers: tuple[str, ...] = STYLE_LAYERS
    layer_weights: tuple[float, ...] | None = None
    name: str = "style"

    def __post_init__(self) -> None:
        check_layer_weights(self)

    def rows(self, vectors: tf.Tensor) -> tf.Tensor:
        """(positions, channels) -> the numbers to sort, (rows, positions)."""
        raise NotImplementedError

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {layer: features[layer] for layer in self.layers}

    def summarize(self, points: Statistic) -> Statistic:
        # Of rank 4, whose two middle axes are unspecified in a trace: styles of all sizes share one.
        return tf.sort(self.rows(flat(points)))[None, :, :, None]

    def distance(self, summary: Statistic, target: Statistic) -> tf.Tensor:
        """Mean squared distance between the quantiles, divided by the style's mean square."""
        values, goal = summary[0, :, :, 0], target[0, :, :, 0]
        gaps = tf.reduce_mean(tf.math.squared_difference(values, quantiles(goal, tf.shape(values)[1])))
        return gaps / (tf.reduce_mean(tf.square(goal)) + 1e-8)

    def average(self, distances: list[tf.Tensor]) -> tf.Tensor:
        return average_over_layers(self, distances)


def quantiles(ordered: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """Evenly spaced quantiles of sorted rows, interpolated linearly.

    Args:
        ordered: (rows, positions), each row in ascending order.
        count: number of quantiles; if it is the number of positions, the quantiles are the values themselves.

    Returns:
        (rows, count), each row in ascending order.

    Example:
        >>> quantiles(tf.constant([[0.0, 1.0, 2.0, 3.0]]), 2).numpy().tolist()
        [[0.5, 2.5]]
    """
    size = tf.shape(ordered)[1]
    ratio = tf.cast(size, tf.float64) / tf.cast(count, tf.float64)
    places = (tf.range(count, dtype=tf.float64) + 0.5) * ratio - 0.5
    places = tf.clip_by_value(places, 0.0, tf.cast(size - 1, tf.float64))
    below = tf.cast(tf.floor(places), tf.int32)
    share = tf.cast(places - tf.floor(places), ordered.dtype)
    low = tf.gather(ordered, below, axis=1)
    high = tf.gather(ordered, tf.minimum(below + 1, size - 1), axis=1)
    return low + share * (high - low)


@dataclasses.dataclass(frozen=True)
class SlicedWasserstein(_Sorted):
    r"""Squared sliced Wasserstein distance between the distributions of the features.

    .. math:: \sum_l w_l \frac{\sum_k \lVert \operatorname{sort}(F^l v_k) - \operatorname{sort}(S^l v_k) \rVert^2}
              {\sum_k \lVert S^l v_k \rVert^2} \Big/ \sum_l w_l

    Heitz et al. (2021). Two distributions that differ also differ along some direction, so this loss detects what Gram
    matrices and moments miss. Deviations: the directions :math:`v_k` are drawn once from `seed`, in orthonormal sets,
    instead of at every step, so that the loss is a function of the image alone and works with any optimizer; the
    distance is divided by the style's mean square. If the image and the style have different numbers of positions, the
    style's quantiles are interpolated (the paper repeats samples).

    The loss is not additive, because it sorts, so it cannot be used with tiles. With several styles, it is the weighted
    mean of the losses for each style.

    Args:
        layers: layers to compare, or a dict of their weights.
        layer_weights: one weight for each layer; None for equal weights.
        directions: number of directions for each layer; None for the layer's number of channels, as in the paper.
        seed: seed of the random directions.
        name: name of the term in reports.

    Raises:
        ValueError: the layer weights do not fit the layers, or `directions` is less than 1.

    Example:
        >>> loss = SlicedWasserstein(("block1_conv1",), directions=8)
        >>> loss.directions_of(64).shape
        (64, 8)
    """

    directions: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        checked(self, seed=functools.partial(whole, at_least=0))
        if self.directions is not None:
            checked(self, directions=count)

    def directions_of(self, channels: int) -> np.ndarray:
        """Unit vectors, float32 (channels, directions); each block of `channels` of them is orthonormal."""
        return _directions(self.seed, channels, self.directions or channels)

    def rows(self, vectors: tf.Tensor) -> tf.Tensor:
        return tf.matmul(self.directions_of(vectors.shape[-1]), vectors, transpose_a=True, transpose_b=True)


@functools.lru_cache(maxsize=32)
def _directions(seed: int, channels: int, count: int) -> np.ndarray:
    draw = np.random.default_rng([seed, channels])
    blocks = draw.normal(size=(-(-count // channels), channels, channels))
    # Not NumPy's QR: while TensorFlow's threads were busy, it took seconds for 512 channels.
    with tf.init_scope(), tf.device("CPU"):
        rotations = tf.linalg.qr(blocks)[0].numpy()
    made = np.concatenate(list(rotations), axis=1)[:, :count].astype(np.float32)
    made.setflags(write=False)  # the cache shares it among all callers
    return made


@dataclasses.dataclass(frozen=True)
class Histogram(_Sorted):
    r"""Squared distance between each channel's values and the same values remapped to the style's histogram.

    .. math:: \sum_l w_l \frac{\lVert F^l - R(F^l, S^l) \rVert^2}{\lVert S^l \rVert^2} \Big/ \sum_l w_l

    Risser et al. (2017), where R remaps each channel's values so that their histogram is the style's. Deviation: the
    histograms are exact, with values in sorted order instead of bins of fixed width. This makes it the sliced
    Wasserstein distance along the axes. It constrains what a Gram matrix leaves free, such as contrast that varies over
    the image, and is meant to complement one.

    The loss is not additive, because it sorts, so it cannot be used with tiles. With several styles, it is the weighted
    mean of the losses for each style.

    Args:
        layers: layers to compare, or a dict of their weights; in the paper block1_conv1 and block4_conv1.
        layer_weights: one weight for each layer; None for equal weights.
        name: name of the term in reports.

    Raises:
        ValueError: the layer weights do not fit the layers.

    Example:
        An image has distance 0 from itself:

        >>> image = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Histogram(("image",))
        >>> own = loss.statistic(image, Context())
        >>> round(float(loss.compare(own, own)), 4) + 0.0
        0.0
    """

    layers: tuple[str, ...] = ("block1_conv1", "block4_conv1")
    name: str = "histogram"

    def rows(self, vectors: tf.Tensor) -> tf.Tensor:
        return tf.transpose(vectors)
