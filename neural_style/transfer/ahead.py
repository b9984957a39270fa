"""Content and style of later scales, measured while an earlier one runs."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import tensorflow as tf

from neural_style.transfer.problem import Evaluator, Problem

__all__ = ["Ahead"]


class Ahead:
    """The evaluators of a run's stages, computed by one thread beside the run.

    The first scales leave a processor core idle: their operations are short, and the first step is compiled in Python.
    A run in tiles computes each evaluator when its stage begins, since its tiles are chosen to fill the memory.

    Args:
        problem: what the run solves.
        first: stage that the run begins with.
    """

    def __init__(self, problem: Problem, first: int) -> None:
        self._problem = problem
        self._device = tf.zeros([]).device  # a device scope of the caller does not reach other threads
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="neural_style-ahead")
        in_tiles = any(stage.objective.tile is not None for stage in problem.stages)
        self._later = () if in_tiles else range(first + 1, len(problem.stages))
        self._found: dict[int, Future[Evaluator]] = {}

    def evaluator(self, number: int) -> Evaluator:
        """The evaluator of a stage; what was computed ahead is handed over once.

        The first call starts the thread, at its end: nothing else of the run can go on before that evaluator.
        """
        found = self._found.pop(number, None)
        evaluator = self._compute(number) if found is None else found.result()
        self._found.update({each: self._pool.submit(self._compute, each) for each in self._later})
        self._later = ()
        return evaluator

    def close(self) -> None:
        """Drop what no stage has asked for, and end the thread.

        What is being computed is not waited for, so that a run stops at once; the thread ends after it.
        """
        is_busy = any(not found.cancel() and not found.done() for found in self._found.values())
        self._pool.shutdown(wait=not is_busy, cancel_futures=True)
        self._found.clear()

    def _compute(self, number: int) -> Evaluator:
        with tf.device(self._device):
            return self._problem.evaluator(self._problem.stages[number])
