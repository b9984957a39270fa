"""The loop of a run: step, check, tell, save; and what happens when something goes wrong.

A step that leads to a loss, gradient or canvas that is not finite is not taken. The run goes back to the best canvas
of its scale, starts the optimiser anew there with half the learning rate, and does so up to `MOST_SETBACKS` times in
a run before it gives up with `DivergenceError`. Where a scale's very first look is not finite, no smaller step can
help, and it gives up at once.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from neural_style import images
from neural_style.errors import DivergenceError
from neural_style.optimizers import Evaluation, Optimizer, Progress
from neural_style.scales import Scale
from neural_style.transfer.checkpoint import Position, Saver
from neural_style.transfer.result import Step, StoppedBy

__all__ = ["MOST_SETBACKS", "Loop", "Plan", "Task"]

logger = logging.getLogger("neural_style")

MOST_SETBACKS = 5


class Task(Protocol):
    """What is minimised at one scale."""

    def __call__(self, canvas: tf.Tensor) -> Evaluation:
        """The loss of a canvas (1, height, width, 3) and its gradient."""
        ...

    def blame(self, canvas: tf.Tensor) -> list[str]:
        """The terms whose gradient at a canvas is not finite or too large to square, by name."""
        ...


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run is going to do; nothing in it changes.

    Attributes:
        size: the finished picture's (width, height).
        scales: in order.
        names: of the terms, in the order an `Evaluation` has them.
        optimizer: how the canvas moves below the last scale, and
        finish: how it moves there.
        task: from a scale's number to what is minimised there.
        shown: from a canvas (1, height, width, 3) of any size to the picture that is shown of it.
        grown: from a canvas and the (width, height) of the next scale to the canvas that scale begins with.
    """

    size: tuple[int, int]
    scales: tuple[Scale, ...]
    names: tuple[str, ...]
    optimizer: Optimizer
    finish: Optimizer
    task: Callable[[int], Task]
    shown: Callable[[np.ndarray], np.ndarray] = lambda canvas: canvas
    grown: Callable[[np.ndarray, tuple[int, int]], np.ndarray] = images.resize

    def optimizer_at(self, scale: int) -> Optimizer:
        """The optimiser of a scale, by its number."""
        is_last = scale == len(self.scales) - 1 or self.scales[scale][:2] == self.scales[-1][:2]
        return self.finish if is_last else self.optimizer


class Loop:
    """One run from a position to its end.

    Args:
        plan: what to do.
        position: where to begin.
        callbacks: called with each `Step`; one that has a method `resume` is first told the steps already done.
        max_seconds: how long this call may take; at least one step is made.
        saver: keeps the run on disk.
    """

    def __init__(
        self,
        plan: Plan,
        position: Position,
        callbacks: Sequence[Callable[[Step], object]] = (),
        max_seconds: float | None = None,
        saver: Saver | None = None,
    ) -> None:
        self.plan = plan
        self.position = position
        self.callbacks = callbacks
        self.saver = saver
        now = time.perf_counter()
        self._began = now - position.seconds
        self._deadline = math.inf if max_seconds is None else now + max_seconds

    def run(self) -> StoppedBy:
        """Paint until all is done or something ends it; whatever does, the position is saved.

        Raises:
            DivergenceError: the loss or its gradient is not finite and smaller steps did not help.
        """
        try:
            self._tell_the_past()
            while self.position.scale < len(self.plan.scales):
                self._paint_scale()
            return "steps"
        except _StopError as stop:
            return stop.reason
        except KeyboardInterrupt:
            return "interrupt"
        finally:
            if self.saver is not None:
                self.saver.save(self.position)

    @property
    def canvas(self) -> tf.Tensor:
        """The best canvas known: the last, unless the last loss measured was above an earlier one of this scale."""
        position = self.position
        if position.best is None or position.history[-1].loss <= position.best_loss:
            return position.canvas
        return position.best

    def _paint_scale(self) -> None:
        scale = self.plan.scales[self.position.scale]
        with tf.init_scope():  # a gradient tape of the host's need not remember any of this
            self._enter(scale)
            task = self.plan.task(self.position.scale)
        while self.position.done < scale.steps:
            step = self._advance(scale, task)
            if step is not None:
                self._tell(step)
                if self.saver is not None:
                    self.saver.save_if_due(self.position)
            if time.perf_counter() >= self._deadline:
                raise _StopError("time")
        self.position = dataclasses.replace(
            self.position, scale=self.position.scale + 1, done=0, optimizer=None, best=None, best_loss=math.inf
        )
        if self.saver is not None:
            self.saver.save(self.position)

    def _enter(self, scale: Scale) -> None:
        """Carry the canvas to a scale, unless that was done before the run was saved."""
        if self.position.optimizer is None:
            canvas = tf.constant(self.plan.grown(self.position.canvas.numpy(), (scale.width, scale.height)))
            state = self.plan.optimizer_at(self.position.scale).start(canvas)
            self.position = dataclasses.replace(self.position, canvas=canvas, optimizer=state)

    def _advance(self, scale: Scale, task: Task) -> Step | None:
        """Make a step; None where it had to be taken back."""
        before = self.position
        optimizer = self.plan.optimizer_at(before.scale)
        if before.setbacks:
            optimizer = optimizer.with_rate(0.5**before.setbacks)
        with tf.init_scope():
            canvas, state, evaluation = optimizer.step(
                task, before.canvas, before.optimizer or {}, Progress(before.done, scale.steps)
            )
            finite = _is_finite(canvas, evaluation)
        if not finite:
            self._set_back(task, evaluation)
            return None
        step = self._record(scale, evaluation, canvas)
        better = step.loss < before.best_loss
        self.position = dataclasses.replace(
            before,
            canvas=canvas,
            done=before.done + 1,
            optimizer=state,
            best=before.canvas if better else before.best,
            best_loss=step.loss if better else before.best_loss,
            history=(*before.history, step.without_image()),
        )
        return step

    def _set_back(self, task: Task, evaluation: Evaluation) -> None:
        """Go back to this scale's best canvas and begin there with half the rate."""
        position = self.position
        terms = zip(self.plan.names, evaluation.terms.numpy().tolist(), strict=True)
        guilty = [name for name, value in terms if not math.isfinite(value)] or task.blame(position.canvas)
        what = f"the loss is {float(evaluation.loss):g} with a gradient that is not finite or too large to square"
        if not math.isfinite(float(evaluation.loss)):
            what = f"the loss is {float(evaluation.loss):g}"
        story = f"{what} at step {len(position.history) + 1} (from {', '.join(guilty) or 'the step itself'})"
        if position.best is None or position.setbacks >= MOST_SETBACKS:
            tried = f" after halving the learning rate {position.setbacks} times" if position.setbacks else ""
            raise DivergenceError(f"{story}{tried}. Lower the learning rate, or the weight of that term.")
        logger.warning("%s; going back to the best canvas of this scale with half the learning rate", story)
        state = self.plan.optimizer_at(position.scale).start(position.best)
        self.position = dataclasses.replace(
            position, canvas=position.best, optimizer=state, setbacks=position.setbacks + 1
        )

    def _record(self, scale: Scale, evaluation: Evaluation, canvas: tf.Tensor) -> Step:
        position, scales = self.position, self.plan.scales
        work = [each.width * each.height * each.steps for each in scales]
        painted = sum(work[: position.scale]) + scale.width * scale.height * (position.done + 1)
        return Step(
            step=len(position.history) + 1,
            steps=sum(each.steps for each in scales),
            scale=(scale.width, scale.height),
            size=self.plan.size,
            progress=painted / sum(work),
            loss=float(evaluation.loss),
            terms=dict(zip(self.plan.names, evaluation.terms.numpy().tolist(), strict=True)),
            seconds=time.perf_counter() - self._began,
            _pixels=functools.partial(_shown, self.plan.shown, canvas),
        )

    def _tell(self, step: Step) -> None:
        try:
            for callback in self.callbacks:
                callback(step)
        except StopIteration:
            raise _StopError("callback") from None

    def _tell_the_past(self) -> None:
        """Let watchers with a memory, such as `EarlyStopping`, see what happened before the run was saved."""
        if not self.position.history:
            return
        try:
            for callback in self.callbacks:
                resume = getattr(callback, "resume", None)
                if resume is not None:
                    resume(self.position.history)
        except StopIteration:
            raise _StopError("callback") from None


def _shown(show: Callable[[np.ndarray], np.ndarray], canvas: tf.Tensor) -> np.ndarray:
    return show(canvas.numpy())


class _StopError(Exception):
    """Ends the loop from inside."""

    def __init__(self, reason: StoppedBy) -> None:
        super().__init__(reason)
        self.reason = reason


def _is_finite(canvas: tf.Tensor, evaluation: Evaluation) -> bool:
    """Whether a step may be taken: one pass over gradient and canvas, nothing beside a network's.

    The canvas does not tell on its own: clipping can turn what is not a number into black. Squares, because Adam
    takes them, and a pixel whose square is infinite would never move again.
    """
    sums = (evaluation.loss, tf.nn.l2_loss(evaluation.gradient), tf.nn.l2_loss(canvas))
    return all(math.isfinite(float(value)) for value in sums)
