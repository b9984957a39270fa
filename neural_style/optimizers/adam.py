"""Adam on one canvas."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Self

import tensorflow as tf

from neural_style._arguments import checked, real, share
from neural_style._tracing import function
from neural_style.optimizers.base import CANVAS, PIXEL_BYTES, Evaluation, Progress, State

__all__ = ["Adam", "adam_moments"]


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, 2015, algorithm 1) with bias correction and a decaying learning rate.

    Deviation: the canvas is clipped to [0, 1] after each step.

    Args:
        learning_rate: about the distance a pixel moves in one early step, in units of the range [0, 1].
        beta_1: decay of the running mean of the gradient.
        beta_2: decay of the running mean of its square.
        epsilon: added to the root of the mean square, in units of the gradient.
        tail: fraction of each scale's steps, counted from the end, over which the rate decays exponentially.
        final_rate: fraction of `learning_rate` that the decay ends at.
        average: decay of a running mean of the canvases, in [0, 1). Above 0, a scale ends with this mean in place of
            its last canvas (Polyak and Juditsky, 1992; here with exponential weights, corrected for their bias as the
            gradient's mean is). The mean removes the oscillation left by a high rate.

    Raises:
        ValueError: an argument is out of range: `beta_1`, `beta_2` and `average` are in [0, 1), `tail` in [0, 1],
            `learning_rate` is above 0, and `epsilon` and `final_rate` are at least 0.

    Example:
        >>> Adam(learning_rate=0.05, tail=0.5).rate(0.25)
        0.05
    """

    learning_rate: float = 0.03
    beta_1: float = 0.8
    beta_2: float = 0.98
    epsilon: float = 1e-12
    tail: float = 0.4
    final_rate: float = 0.1
    average: float = 0.0

    def __post_init__(self) -> None:
        decay = functools.partial(real, at_least=0, below=1)
        checked(self, beta_1=decay, beta_2=decay, average=decay, tail=share)
        checked(self, learning_rate=functools.partial(real, above=0))
        checked(self, **dict.fromkeys(("epsilon", "final_rate"), functools.partial(real, at_least=0)))

    def start(self, canvas: tf.Tensor) -> State:
        zeros = tf.zeros_like(canvas)
        state = {"mean": zeros, "square": zeros, "count": tf.zeros([])}
        return state | {"average": zeros} if self.average else state

    def step(
        self,
        evaluate: Callable[[tf.Tensor], Evaluation],
        canvas: tf.Tensor,
        state: State,
        progress: Progress,
    ) -> tuple[tf.Tensor, State, Evaluation]:
        evaluation = evaluate(canvas)
        settings = tf.constant([self.rate(progress.fraction), self.beta_1, self.beta_2, self.epsilon])
        canvas, *values = _adam(canvas, evaluation.gradient, state["mean"], state["square"], state["count"], settings)
        after = dict(zip(("mean", "square", "count"), values, strict=True))
        if self.average:
            average = self.average * state["average"] + (1.0 - self.average) * canvas
            count = float(after["count"])
            if progress.is_last and count > 1.0:  # of one canvas, the mean is that canvas up to rounding
                canvas = average / (1.0 - self.average**count)
            after["average"] = average
        return canvas, after, evaluation

    def with_rate(self, factor: float) -> Self:
        return dataclasses.replace(self, learning_rate=self.learning_rate * factor)

    def renew(self, state: State) -> State:
        return state

    def state_bytes(self, pixels: int) -> int:
        return (3 if self.average else 2) * PIXEL_BYTES * pixels + 4  # the count of steps

    def rate(self, fraction: float) -> float:
        """The learning rate after a fraction, in [0, 1], of a scale's steps."""
        late = max(0.0, fraction - (1.0 - self.tail)) / self.tail if self.tail > 0 else 0.0
        return self.learning_rate * float(self.final_rate**late)


def adam_moments(
    gradient: tf.Tensor, mean: tf.Tensor, square: tf.Tensor, count: Any, beta_1: Any, beta_2: Any
) -> tuple[tf.Tensor, tf.Tensor, Any, tf.Tensor]:
    """Update Adam's running means, and correct their bias.

    The move is `mean / correction / (root + epsilon)` times the learning rate. Callers write it out: a canvas divides
    once, by the product, and training divides twice. The results differ in the last bit only, but images and trained
    weights are reproduced to the last bit.

    Args:
        gradient: of the loss, of any shape.
        mean: running mean of the gradient before this step, of the same shape; 0 at first.
        square: running mean of its square, likewise.
        count: number of this step, 1 for the first.
        beta_1: decay of `mean`.
        beta_2: decay of `square`.

    Returns:
        The new mean, the new square, the share of `mean` that its start at 0 leaves (to divide by), and the root of
        the corrected `square`.

    Example:
        >>> mean, square, correction, root = adam_moments(tf.constant(3.0), 0.0, 0.0, 1, 0.9, 0.99)
        >>> print(f"{mean / correction / root:.3f}")
        1.000
    """
    mean = beta_1 * mean + (1.0 - beta_1) * gradient
    square = beta_2 * square + (1.0 - beta_2) * tf.square(gradient)
    return mean, square, 1.0 - beta_1**count, tf.sqrt(square / (1.0 - beta_2**count))


@function([*[CANVAS] * 4, tf.TensorSpec([]), tf.TensorSpec([4])])
def _adam(
    canvas: tf.Tensor,
    gradient: tf.Tensor,
    mean: tf.Tensor,
    square: tf.Tensor,
    count: tf.Tensor,
    settings: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    rate, beta_1, beta_2, epsilon = tf.unstack(settings)
    count += 1.0
    mean, square, correction, root = adam_moments(gradient, mean, square, count, beta_1, beta_2)
    move = rate * mean / (correction * (root + epsilon))
    return tf.clip_by_value(canvas - move, 0.0, 1.0), mean, square, count
