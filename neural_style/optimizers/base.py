"""What an optimizer is: a step from a canvas and its gradient to the next canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf

__all__ = ["CANVAS", "Evaluation", "Optimizer", "State"]

CANVAS = tf.TensorSpec([1, None, None, 3])

State = dict[str, tf.Tensor]


class Evaluation(NamedTuple):
    """What one look at a canvas tells.

    Attributes:
        loss: the weighted sum, a float32 scalar.
        terms: each term's weighted part of it, float32 (terms,).
        gradient: of `loss` with respect to the canvas, float32 (1, height, width, 3).
    """

    loss: tf.Tensor
    terms: tf.Tensor
    gradient: tf.Tensor


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
