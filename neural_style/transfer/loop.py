"""The optimization loop: step, check for divergence, run callbacks, save checkpoints.

A step that leads to a loss, gradient or canvas that is not finite is undone. The run returns to the best canvas of its
scale, restarts the optimizer there with half the learning rate, and does so up to `MAX_SETBACKS` times in a run before
it raises `DivergenceError`. If the first evaluation of a scale is not finite, no smaller step can help, and the run
raises at once.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import images
from neural_style.errors import DivergenceError
from neural_style.optimizers import Evaluation, Progress
from neural_style.transfer.ahead import Ahead
from neural_style.transfer.checkpoint import Checkpoint, Position, Saver, as_checkpoint
from neural_style.transfer.problem import Evaluator, Problem, Stage
from neural_style.transfer.result import Result, Step, StoppedBy

__all__ = ["MAX_SETBACKS", "optimize", "solve"]

logger = logging.getLogger("neural_style")

MAX_SETBACKS = 5


def optimize(
    problem: Problem,
    *,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    max_seconds: float | None = None,
    callbacks: Sequence[Callable[[Step], object]] = (),
) -> Result:
    """Solve a problem, from its start or its checkpoint to the end or to where something ends it.

    Args:
        problem: what to minimize.
        checkpoint: where the run is saved and resumed from; None for nowhere.
        max_seconds: how long this call may take; at least one step is made.
        callbacks: called with each `Step`; one that has a method `resume` first gets the steps already done.

    Raises:
        DivergenceError: the loss or its gradient is not finite, and smaller steps did not help.
        CheckpointError: see `StyleTransfer.run`.
    """
    saver = None if checkpoint is None else Saver(as_checkpoint(checkpoint), problem.identity())
    position = None if saver is None else saver.load()
    if position is None:
        position = Position(tf.constant(problem.start()))
    run = _Run(problem, position, callbacks, max_seconds, saver)
    stopped_by = run.solve()
    pixels = problem.render(images.resize(run.best_canvas.numpy(), problem.inputs.size))
    alpha = problem.inputs.alpha
    record = problem.record() | {"seconds": run.position.seconds} | _unidentified(saver)
    return Result(
        pixels[0],
        list(run.position.history),
        record,
        stopped_by,
        None if alpha is None else images.resize(alpha, problem.inputs.size)[0],
    )


def solve(problem: Problem) -> np.ndarray:
    """The last canvas of a problem before it is rendered, float32 (1, height, width, 3), to be painted on.

    Raises:
        DivergenceError: see `optimize`.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    run = _Run(problem, Position(tf.constant(problem.start())), (), None, None)
    if run.solve() == "interrupt":
        raise KeyboardInterrupt
    return run.best_canvas.numpy()


def _unidentified(saver: Saver | None) -> dict[str, Any]:
    """What of a checkpoint's run cannot be identified, for its record."""
    reasons = {} if saver is None else saver.unidentified()
    return {"unidentified": reasons} if reasons else {}


class _Run:
    """One run from a position to its end."""

    def __init__(
        self,
        problem: Problem,
        position: Position,
        callbacks: Sequence[Callable[[Step], object]],
        max_seconds: float | None,
        saver: Saver | None,
    ) -> None:
        self.problem = problem
        self.position = position
        self.callbacks = callbacks
        self.saver = saver
        self._ahead = Ahead(problem, position.scale)
        now = time.perf_counter()
        self._began = now - position.seconds
        self._deadline = math.inf if max_seconds is None else now + max_seconds

    def solve(self) -> StoppedBy:
        """Run all stages, or until something ends the run; whatever does, the position is saved."""
        try:
            self._resume_callbacks()
            while self.position.scale < len(self.problem.stages):
                self._run_stage(self.problem.stages[self.position.scale])
            return "steps"
        except _StopError as stop:
            return stop.reason
        except KeyboardInterrupt:
            return "interrupt"
        finally:
            self._ahead.close()
            if self.saver is not None:
                self.saver.save(self.position)

    @property
    def best_canvas(self) -> tf.Tensor:
        """The last canvas, unless the last loss measured was above an earlier one of this scale: then that one's."""
        position = self.position
        if position.best is None or not position.history or position.history[-1].loss <= position.best_loss:
            return position.canvas
        return position.best

    def _run_stage(self, stage: Stage) -> None:
        with tf.init_scope():  # a gradient tape of the host's need not record any of this
            self._enter(stage)
            evaluator = self._ahead.evaluator(self.position.scale)
        while self.position.done < stage.scale.steps:
            evaluator = self._matched(stage, evaluator)
            step = self._advance(stage, evaluator)
            if step is not None:
                self._call(step)
                if self.saver is not None:
                    self.saver.save_if_due(self.position)
            if time.perf_counter() >= self._deadline:
                raise _StopError("time")
        self.position = dataclasses.replace(
            self.position,
            scale=self.position.scale + 1,
            done=0,
            optimizer=None,
            best=None,
            best_loss=math.inf,
            matches=(),
            matched_at=-1,
        )
        if self.saver is not None:
            self.saver.save(self.position)

    def _enter(self, stage: Stage) -> None:
        """Bring the canvas to a stage's size, unless that was done before the run was saved."""
        if self.position.optimizer is None:
            canvas = tf.constant(self.problem.upsample(self.position.canvas.numpy(), stage.size))
            state = stage.optimizer.start(canvas)
            self.position = dataclasses.replace(self.position, canvas=canvas, optimizer=state)

    def _matched(self, stage: Stage, evaluator: Evaluator) -> Evaluator:
        """The evaluator with the targets that follow the canvas, matched again where that is due.

        That is every `Problem.refresh` steps, unless less than half as many are left of the scale. Losses before and
        after a matching are not comparable, so the canvas counts as the best of its scale so far.
        """
        every, position = self.problem.refresh, self.position
        if not every:
            return evaluator
        is_due = position.done % every == 0 and (not position.done or stage.scale.steps - position.done >= every / 2)
        if is_due and position.matched_at != position.done:
            with tf.init_scope():
                matches = evaluator.match(position.canvas)
            self.position = dataclasses.replace(
                position,
                optimizer=stage.optimizer.renew(position.optimizer or {}),
                best=position.canvas,
                best_loss=math.inf,
                matches=matches,
                matched_at=position.done,
            )
        elif evaluator.assignments is not None:
            return evaluator
        return evaluator.with_matches(self.position.matches)

    def _advance(self, stage: Stage, evaluator: Evaluator) -> Step | None:
        """Make a step; None if it had to be undone."""
        before = self.position
        optimizer = stage.optimizer.with_rate(0.5**before.setbacks) if before.setbacks else stage.optimizer
        with tf.init_scope():
            canvas, state, evaluation = optimizer.step(
                evaluator.at(len(before.history)),
                before.canvas,
                before.optimizer or {},
                Progress(before.done, stage.scale.steps),
            )
            finite = _is_finite(canvas, evaluation)
        if not finite:
            self._set_back(stage, evaluator, evaluation)
            return None
        step = self._record(stage, evaluation, canvas)
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

    def _set_back(self, stage: Stage, evaluator: Evaluator, evaluation: Evaluation) -> None:
        """Return to this scale's best canvas and restart there with half the rate."""
        position = self.position
        story = self._diagnosis(evaluator, evaluation)
        if position.best is None or position.setbacks >= MAX_SETBACKS:
            tried = f" after halving the learning rate {position.setbacks} times" if position.setbacks else ""
            raise DivergenceError(f"{story}{tried}. Lower the learning rate, or the weight of that term.")
        logger.warning("%s; returning to the best canvas of this scale with half the learning rate", story)
        state = stage.optimizer.start(position.best)
        self.position = dataclasses.replace(
            position, canvas=position.best, optimizer=state, setbacks=position.setbacks + 1
        )

    def _diagnosis(self, evaluator: Evaluator, evaluation: Evaluation) -> str:
        """What is not finite, at which step, and from which term."""
        terms = zip(self.problem.loss.names, evaluation.terms.numpy().tolist(), strict=True)
        guilty = [name for name, value in terms if not math.isfinite(value)]
        guilty = guilty or evaluator.guilty_terms(self.position.canvas)
        loss = float(evaluation.loss)
        what = f"the loss is {loss:g}"
        if math.isfinite(loss):
            what = f"{what} with a gradient that is not finite or too large to square"
        return f"{what} at step {len(self.position.history) + 1} (from {', '.join(guilty) or 'the step itself'})"

    def _record(self, stage: Stage, evaluation: Evaluation, canvas: tf.Tensor) -> Step:
        position, scales = self.position, [each.scale for each in self.problem.stages]
        work = [each.width * each.height * each.steps for each in scales]
        done = sum(work[: position.scale]) + stage.scale.width * stage.scale.height * (position.done + 1)
        return Step(
            step=len(position.history) + 1,
            steps=sum(each.steps for each in scales),
            scale=stage.size,
            size=self.problem.inputs.size,
            progress=done / sum(work),
            loss=float(evaluation.loss),
            terms=dict(zip(self.problem.loss.names, evaluation.terms.numpy().tolist(), strict=True)),
            seconds=time.perf_counter() - self._began,
            _pixels=functools.partial(_rendered, self.problem, canvas),
        )

    def _call(self, step: Step) -> None:
        try:
            for callback in self.callbacks:
                callback(step)
        except StopIteration:
            raise _StopError("callback") from None

    def _resume_callbacks(self) -> None:
        """Hand the steps of the saved run to callbacks with a memory, such as `EarlyStopping`."""
        if not self.position.history:
            return
        try:
            for callback in self.callbacks:
                resume = getattr(callback, "resume", None)
                if resume is not None:
                    resume(self.position.history)
        except StopIteration:
            raise _StopError("callback") from None


def _rendered(problem: Problem, canvas: tf.Tensor) -> np.ndarray:
    return problem.render(canvas.numpy())


class _StopError(Exception):
    """Ends the loop from inside."""

    def __init__(self, reason: StoppedBy) -> None:
        super().__init__(reason)
        self.reason = reason


def _is_finite(canvas: tf.Tensor, evaluation: Evaluation) -> bool:
    """Whether a step may be taken: one pass over gradient and canvas, cheap beside the network's.

    The canvas alone does not show it: clipping can turn NaN into black. Squares, because Adam takes them, and a pixel
    whose square is infinite would never move again.
    """
    sums = (evaluation.loss, tf.nn.l2_loss(evaluation.gradient), tf.nn.l2_loss(canvas))
    return all(math.isfinite(float(value)) for value in sums)
