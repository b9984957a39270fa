"""Consistency of a video frame with the previous one."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from neural_style.losses.base import Context, Features, Loss, Statistic

__all__ = ["Temporal"]


@dataclasses.dataclass(frozen=True)
class Temporal(Loss):
    r"""Mean squared distance to the previous frame, weighted by a mask.

    .. math:: \frac{1}{D} \sum_{k=1}^{D} c_k (x_k - \omega_k)^2

    The temporal consistency loss of Ruder et al. (2016): :math:`\omega` is the previous painted frame, warped along the
    optical flow to the current one, and :math:`c` is 1 where the flow is reliable and 0 where something has come into
    view. Pass both to `StyleTransfer.run(previous=)`; without them the run drops the loss.

    Args:
        name: name of the term in reports.

    Example:
        >>> frame, previous = tf.fill([1, 2, 2, 3], 0.5), tf.fill([1, 2, 2, 4], 1.0)
        >>> loss = Temporal()
        >>> float(loss.compare(loss.statistic({"image": frame}, Context(previous=previous)), None))
        0.25
    """

    name: str = "temporal"
    uses_previous = True
    support = 0

    @property
    def layers(self) -> tuple[str, ...]:
        return ("image",)

    def statistic(self, features: Features, context: Context) -> Statistic:
        if context.previous is None:
            raise ValueError(f"the loss {self.name!r} needs a previous frame: pass it as previous=")
        x, previous = features["image"], context.previous
        squares = previous[..., 3:] * tf.math.squared_difference(x, previous[..., :3])
        return tf.reduce_sum(squares), tf.cast(tf.size(x), tf.float32)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        total, count = statistic
        return total / count
