"""Adam on one canvas."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from neural_style.optimizers.base import CANVAS, Evaluation, State

__all__ = ["Adam"]


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, 2015, algorithm 1) with bias correction and a falling rate.

    Deviation: the canvas is clipped to [0, 1] after each step.

    Args:
        learning_rate: about how far a pixel moves in one early step, in units of the range [0, 1].
        beta_1: memory of the gradient's mean.
        beta_2: memory of its square.
        epsilon: added to the root of the mean square, in units of the gradient.
        tail: over this last part of each scale, the rate falls
        final_rate: to this fraction of itself, exponentially.
        average: above 0, what a scale ends with is not its last canvas but a running mean of its canvases, in which
            each counts so many times what the next one does (Polyak and Juditsky, 1992; with exponential weights and
            their bias corrected, as for the gradient's mean). Takes out what still swings at a high rate.

    Raises:
        ValueError: `average` is not in [0, 1).

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
        if not 0.0 <= self.average < 1.0:
            raise ValueError(f"average is at least 0 and below 1, not {self.average!r}")

    def start(self, canvas: tf.Tensor) -> State:
        zeros = tf.zeros_like(canvas)
        state = {"mean": zeros, "square": zeros, "count": tf.zeros([])}
        return state | {"average": zeros} if self.average else state

    def step(
        self,
        evaluate: Callable[[tf.Tensor], Evaluation],
        canvas: tf.Tensor,
        state: State,
        progress: float,
    ) -> tuple[tf.Tensor, State, Evaluation]:
        evaluation = evaluate(canvas)
        settings = tf.constant([self.rate(progress), self.beta_1, self.beta_2, self.epsilon])
        canvas, *values = _adam(canvas, evaluation.gradient, state["mean"], state["square"], state["count"], settings)
        after = dict(zip(("mean", "square", "count"), values, strict=True))
        if self.average:
            canvas, after["average"] = self._averaged(canvas, state["average"], float(after["count"]), progress)
        return canvas, after, evaluation

    def _averaged(
        self, canvas: tf.Tensor, average: tf.Tensor, count: float, progress: float
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The canvas, or at a scale's last step the mean; and the mean's state."""
        average = self.average * average + (1.0 - self.average) * canvas
        is_last = count > 1.0 and abs(progress - (count - 1.0) / count) < 1e-6
        return average / (1.0 - self.average**count) if is_last else canvas, average

    def rate(self, progress: float) -> float:
        """The learning rate when `progress` in [0, 1] of a scale is done."""
        late = max(0.0, progress - (1.0 - self.tail)) / self.tail if self.tail > 0 else 0.0
        return self.learning_rate * float(self.final_rate**late)


@tf.function(  # type: ignore[untyped-decorator]
    input_signature=[*[CANVAS] * 4, tf.TensorSpec([]), tf.TensorSpec([4])], autograph=False
)
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
    mean = beta_1 * mean + (1.0 - beta_1) * gradient
    square = beta_2 * square + (1.0 - beta_2) * tf.square(gradient)
    unbiased = tf.sqrt(square / (1.0 - beta_2**count))
    move = rate * mean / ((1.0 - beta_1**count) * (unbiased + epsilon))
    return tf.clip_by_value(canvas - move, 0.0, 1.0), mean, square, count
