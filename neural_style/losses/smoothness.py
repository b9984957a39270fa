"""Losses on the pixels that ask for calm: no speckle, no values out of range."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import tensorflow as tf

from neural_style.losses.base import Features, Loss, Statistic

__all__ = ["TotalVariation"]


@dataclasses.dataclass(frozen=True)
class TotalVariation(Loss):
    r"""Mean squared difference of neighbouring pixels, in the two axes and the two diagonals.

    .. math:: \frac{1}{3N} \sum_{d} w_d \sum_{ij} (x_{ij} - x_{ij+d})^2

    Mahendran and Vedaldi (2015), equation 5, with exponent 2. Deviation: the diagonals count, at half weight
    (their distance is the root of 2), so that the penalty does not favour edges along the axes.

    Args:
        name: what it is reported by.
    """

    name: str = "total_variation"
    reach: ClassVar[int | None] = 1

    @property
    def layers(self) -> tuple[str, ...]:
        return ("image",)

    def statistic(self, features: Features, content: Features, guides: Features) -> Statistic:
        x = features["image"]
        differences = [
            (1.0, x[:, 1:] - x[:, :-1]),
            (1.0, x[:, :, 1:] - x[:, :, :-1]),
            (0.5, x[:, 1:, 1:] - x[:, :-1, :-1]),
            (0.5, x[:, 1:, :-1] - x[:, :-1, 1:]),
        ]
        total = tf.add_n([weight * tf.reduce_sum(tf.square(d)) for weight, d in differences])
        return total, tf.cast(tf.size(x), tf.float32)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        total, count = statistic
        return total / (3.0 * count)
