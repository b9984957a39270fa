"""Losses on the pixels of the image alone: smoothness and range."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from neural_style._arguments import checked, real
from neural_style._tracing import custom_gradient
from neural_style.losses.base import Context, Features, Loss, Statistic

__all__ = ["Range", "TotalVariation"]


@dataclasses.dataclass(frozen=True)
class TotalVariation(Loss):
    r"""Mean power of the differences between neighboring pixels, along the two axes and the two diagonals.

    .. math:: \frac{1}{3N} \sum_{d} w_d \sum_{ij} \lvert x_{ij} - x_{ij+d} \rvert^\beta

    Mahendran and Vedaldi (2015). The default exponent of 2 smooths everything equally. With an exponent of 1 (Rudin et
    al., 1992, in its anisotropic form), a step costs as much as a ramp of the same height, so that edges stay sharp and
    the areas between them become flat. Deviations: the power is that of each difference instead of the length of the
    gradient; the diagonals count, with half the weight (their distance is the root of 2), so that edges along the axes
    are not favored.

    Args:
        exponent: exponent of the differences, at least 1.
        name: name of the term in reports.

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
        checked(self, exponent=functools.partial(real, at_least=1))

    @property
    def layers(self) -> tuple[str, ...]:
        return ("image",)

    def statistic(self, features: Features, context: Context) -> Statistic:
        x = features["image"]
        rows = tf.reshape(x, [tf.shape(x)[1], -1])  # slicing is slow for arrays whose last axis is 3
        differences = [(weight, _differences(rows, *offset, x.shape[-1])) for weight, offset in _DIRECTIONS]
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
    """Each pixel minus the one `down` rows above and `right` columns to the left.

    The rows of the argument and of the result are columns times channels, without the pixels that have no neighbor.

    The gradient equals that of automatic differentiation, but pads twice instead of scattering into zeros, which takes
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
    r"""Mean squared distance of the pixel values from a range.

    .. math:: \frac1N \sum_i \left(\max(0, a - x_i) + \max(0, x_i - b)\right)^2

    The optimizers of this package keep the canvas in [0, 1] by themselves. Use the loss with optimizers of your own
    that do not, or with a smaller range to avoid deep blacks and bright whites. It is the bound of Mahendran and
    Vedaldi (2015), section 3, as a soft penalty.

    Args:
        low: smallest value without a penalty.
        high: largest value without a penalty.
        name: name of the term in reports.

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
        checked(self, **dict.fromkeys(("low", "high"), functools.partial(real, finite=False)))
        if not self.low < self.high:
            raise ValueError(f"low must be below high, not {self.low} and {self.high}")

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
