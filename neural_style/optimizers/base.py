"""The optimizer interface: a step from a canvas and its gradient to the next canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, Self

import tensorflow as tf

__all__ = ["CANVAS", "PIXEL_BYTES", "Evaluation", "Optimizer", "Progress", "State"]

CANVAS = tf.TensorSpec([1, None, None, 3])
"""Any canvas: float32 (1, height, width, 3)."""

PIXEL_BYTES = 12
"""Size of one pixel of a canvas: three float32 values."""

State = dict[str, tf.Tensor]
"""What an optimizer remembers between two steps, by name."""


class Evaluation(NamedTuple):
    """Loss, terms and gradient at one canvas.

    Attributes:
        loss: weighted sum of the terms, a float32 scalar.
        terms: each term times its weight, float32 (terms,).
        gradient: of `loss` with respect to the canvas, float32 (1, height, width, 3).

    Example:
        >>> canvas = tf.fill([1, 4, 6, 3], 0.5)
        >>> loss = tf.reduce_sum(canvas**2)
        >>> Evaluation(loss, loss[None], 2.0 * canvas).gradient.shape
        TensorShape([1, 4, 6, 3])
    """

    loss: tf.Tensor
    terms: tf.Tensor
    gradient: tf.Tensor


class Progress(NamedTuple):
    """Position of a step within its scale.

    Attributes:
        done: steps completed at this scale, from 0 to `steps - 1`.
        steps: all steps of this scale, at least 1.

    Example:
        >>> Progress(done=30, steps=40).fraction
        0.75
    """

    done: int
    steps: int

    @property
    def fraction(self) -> float:
        """Completed share of the scale, in [0, 1)."""
        return self.done / self.steps

    @property
    def is_last(self) -> bool:
        """Whether this is the last step of the scale."""
        return self.done == self.steps - 1


class Optimizer(Protocol):
    """Moves a canvas downhill, one step at a time, inside [0, 1].

    All five methods are required: `named_optimizer`, and so every run, refuses an object that lacks one.
    """

    def start(self, canvas: tf.Tensor) -> State:
        """The state before the first step on this canvas, float32 (1, height, width, 3)."""
        ...

    def step(
        self,
        evaluate: Callable[[tf.Tensor], Evaluation],
        canvas: tf.Tensor,
        state: State,
        progress: Progress,
    ) -> tuple[tf.Tensor, State, Evaluation]:
        """Take one step.

        Args:
            evaluate: from a canvas to its loss and gradient.
            canvas: the current canvas, float32 (1, height, width, 3) in [0, 1].
            state: from `start` or the step before.
            progress: steps completed at this scale, and all of them.

        Returns:
            The next canvas, the next state, and the evaluation at `canvas`.
        """
        ...

    def with_rate(self, factor: float) -> Self:
        """The same optimizer with its learning rate multiplied by `factor`.

        After a step to a value that is not finite, a run continues with half the rate. An optimizer without a rate
        may return itself.
        """
        ...

    def renew(self, state: State) -> State:
        """The state after the objective has changed: without values and gradients of the former objective."""
        ...

    def state_bytes(self, pixels: int) -> int:
        """Size of the largest state that `step` returns for a canvas of `pixels` pixels, in bytes.

        A run estimates from it whether an image fits into memory.
        """
        ...
