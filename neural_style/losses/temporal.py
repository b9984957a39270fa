"""The loss that holds a frame of a video to the one before it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import tensorflow as tf

from neural_style.losses.base import PREVIOUS, Features, Loss, Statistic

__all__ = ["Temporal"]


@dataclasses.dataclass(frozen=True)
class Temporal(Loss):
    r"""Mean squared distance of the pixels from a picture they are held to, each counting as far as a mask says.

    .. math:: \frac{1}{D} \sum_{k=1}^{D} c_k (x_k - \omega_k)^2

    The temporal consistency loss of Ruder et al. (2016): :math:`\omega` is the frame before as it was painted, with
    everything moved to where it is now, and :math:`c` is 1 where that can be relied on and 0 where something has
    come into view. Both come with the run, as `StyleTransfer.run(previous=)`; without them the loss is left out.

    Args:
        name: what it is reported by.

    Example:
        >>> frame, before = tf.fill([1, 2, 2, 3], 0.5), tf.fill([1, 2, 2, 4], 1.0)
        >>> loss = Temporal()
        >>> float(loss.compare(loss.statistic({"image": frame}, {}, {"previous": before}), None))
        0.25
    """

    name: str = "temporal"
    uses_previous: ClassVar[bool] = True
    reach: ClassVar[int | None] = 0

    @property
    def layers(self) -> tuple[str, ...]:
        return ("image",)

    def statistic(self, features: Features, content: Features, guides: Features) -> Statistic:
        x, before = features["image"], guides[PREVIOUS]
        apart = before[..., 3:] * tf.math.squared_difference(x, before[..., :3])
        return tf.reduce_sum(apart), tf.cast(tf.size(x), tf.float32)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        total, count = statistic
        return total / count
