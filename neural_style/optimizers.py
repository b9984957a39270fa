"""Optimisers of one canvas with explicit state.

An optimiser is a description; its state is tensors in a dict, passed in and handed back, so a run can be saved,
resumed and carried from one scale to the next, and one optimiser serves any number of runs and threads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

from neural_style.objective import Evaluation

__all__ = ["Adam", "Optimizer", "State"]

State = dict[str, tf.Tensor]


class Optimizer(Protocol):
    """Moves a canvas downhill, one step at a time, inside [0, 1]."""

    def start(self, canvas: tf.Tensor) -> State:
        """The state before the first step on this canvas, float32 (1, height, width, 3)."""
        ...

    def step(
        self,
        evaluate: Callable[[tf.Tensor], Evaluation],
        canvas: tf.Tensor,
        state: State,
        progress: float,
    ) -> tuple[tf.Tensor, State, Evaluation]:
        """One step.

        Args:
            evaluate: from a canvas to its loss and gradient.
            canvas: where we stand.
            state: from `start` or the step before.
            progress: how much of this scale lies behind us, in [0, 1).

        Returns:
            The next canvas, the next state, and the evaluation at `canvas`.
        """
        ...


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
    """

    learning_rate: float = 0.02
    beta_1: float = 0.9
    beta_2: float = 0.99
    epsilon: float = 1e-12
    tail: float = 0.4
    final_rate: float = 0.1

    def start(self, canvas: tf.Tensor) -> State:
        zeros = tf.zeros_like(canvas)
        return {"mean": zeros, "square": zeros, "count": tf.zeros([])}

    def step(
        self,
        evaluate: Callable[[tf.Tensor], Evaluation],
        canvas: tf.Tensor,
        state: State,
        progress: float,
    ) -> tuple[tf.Tensor, State, Evaluation]:
        evaluation = evaluate(canvas)
        settings = tf.constant([self.rate(progress), self.beta_1, self.beta_2, self.epsilon])
        canvas, *values = _adam(
            canvas, evaluation.gradient, state["mean"], state["square"], state["count"], settings
        )
        return canvas, dict(zip(("mean", "square", "count"), values, strict=True)), evaluation

    def rate(self, progress: float) -> float:
        """The learning rate when `progress` in [0, 1] of a scale is done."""
        late = max(0.0, progress - (1.0 - self.tail)) / self.tail if self.tail > 0 else 0.0
        return self.learning_rate * float(self.final_rate**late)


_CANVAS = tf.TensorSpec([1, None, None, 3])


@tf.function(  # type: ignore[untyped-decorator]
    input_signature=[*[_CANVAS] * 4, tf.TensorSpec([]), tf.TensorSpec([4])], autograph=False
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
