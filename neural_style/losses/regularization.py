"""Losses on the pixels that ask for calm: no speckle, no values out of range."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from neural_style._tracing import custom_gradient
from neural_style.losses.base import Context, Features, Loss, Statistic

__all__ = ["Range", "TotalVariation"]


@dataclasses.dataclass(frozen=True)
class TotalVariation(Loss):
    r"""Mean power of the differences of neighbouring pixels, in the two axes and the two diagonals.

    .. math:: \frac{1}{3N} \sum_{d} w_d \sum_{ij} \lvert x_{ij} - x_{ij+d} \rvert^\beta

    Mahendran and Vedaldi (2015). With the default exponent of 2 it smooths all alike; with 1 (Rudin et
    al., 1992, in its anisotropic form) a step costs what a slope of the same height does, so that edges stay
    sharp and what lies between them grows flat. Deviations: the powers are of each difference and not of the
    gradient's length; the diagonals count, at half weight (their distance is the root of 2), so that the penalty does
    not favour edges along the axes.

    Args:
        exponent: the power, at least 1.
        name: what it is reported by.

    Raises:
        ValueError: the exponent is less than 1.

    Example:
        >>> loss = TotalVariation()
        >>> float(loss.compare(loss.statistic({"image": tf.ones([1, 4, 4, 3])}, Context()), None))
        0.0
    """

    exponent: float = 2.0
    name: str = "total_variation"
    support = 1

    def __post_init__(self) -> None:
        if not 1.0 <= self.exponent < float("inf"):
            raise ValueError(f"exponent is at least 1, not {self.exponent}")

    @property
    def layers(self) -> tuple[str, ...]:
        return ("image",)

    def statistic(self, features: Features, context: Context) -> Statistic:
        x = features["image"]
        rows = tf.reshape(x, [tf.shape(x)[1], -1])  # one long line each: arrays that end in 3 are slow to cut
        differences = [(weight, _differences(rows, *way, x.shape[-1])) for weight, way in _DIRECTIONS]
        total = tf.add_n([weight * tf.reduce_sum(self._power(d)) for weight, d in differences])
        return total, tf.cast(tf.size(x), tf.float32)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        total, count = statistic
        return total / (3.0 * count)

    def _power(self, differences: tf.Tensor) -> tf.Tensor:
        if self.exponent == 2.0:
            return tf.square(differences)
        return tf.abs(differences) if self.exponent == 1.0 else tf.pow(tf.abs(differences), self.exponent)


_DIRECTIONS = ((1.0, (1, 0)), (1.0, (0, 1)), (0.5, (1, 1)), (0.5, (1, -1)))  # weight, (rows down, columns right)


def _differences(rows: tf.Tensor, down: int, right: int, channels: int) -> tf.Tensor:
    """Each pixel less the one so many rows above and columns to its left.

    Rows come as lines of columns times channels, and leave as such, fewer and shorter by what has no neighbor.

    The gradient is what it would be anyway, from two pads: automatic differentiation scatters into zeros, which takes
    four times as long.
    """
    ahead, behind = channels * max(right, 0), channels * max(-right, 0)

    @custom_gradient
    def between(rows: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        height, width = tf.unstack(tf.shape(rows))
        later = rows[down:, ahead : width - behind]
        earlier = rows[: height - down, behind : width - ahead]

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return tf.pad(upstream, [[down, 0], [ahead, behind]]) - tf.pad(upstream, [[0, down], [behind, ahead]])

        return later - earlier, gradient

    return between(rows)


@dataclasses.dataclass(frozen=True)
class Range(Loss):
    r"""Mean squared distance of the pixels' values from a range.

    .. math:: \frac1N \sum_i \left(\max(0, a - x_i) + \max(0, x_i - b)\right)^2

    The optimisers here keep the canvas in [0, 1] by themselves; this is for optimisers of one's own that do not, and,
    with a smaller range, for pictures without deep blacks or bright whites. The bound of Mahendran and Vedaldi (2015),
    section 3, as a soft penalty.

    Args:
        low: the least value that costs nothing.
        high: the largest.
        name: what it is reported by.

    Raises:
        ValueError: `low` is not below `high`.

    Example:
        >>> loss = Range()
        >>> float(loss.compare(loss.statistic({"image": tf.constant([[[[-1.0, 0.5, 1.0]]]])}, Context()), None))
        0.3333333432674408
    """

    low: float = 0.0
    high: float = 1.0
    name: str = "range"
    support = 0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low is below high, not {self.low} and {self.high}")

    @property
    def layers(self) -> tuple[str, ...]:
        return ("image",)

    def statistic(self, features: Features, context: Context) -> Statistic:
        x = features["image"]
        outside = x - tf.clip_by_value(x, self.low, self.high)
        return tf.reduce_sum(tf.square(outside)), tf.cast(tf.size(x), tf.float32)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        total, count = statistic
        return total / count
