"""Watchers of a run: any callable taking a `Step`. Raising `StopIteration` ends the run with the picture so far.

One with a method `resume(history)` is told the steps already done when a run goes on from a checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neural_style import images
from neural_style.result import Step

__all__ = ["EarlyStopping", "ProgressBar", "SaveEvery"]


class ProgressBar:
    """A tqdm bar on stderr with step, size, loss and time left; nothing where stderr is no terminal.

    It counts work, not steps: a step on a large canvas takes longer, and the time left is true across scales.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._done_before = 0.0

    def resume(self, history: Sequence[Step]) -> None:
        """Begin where a resumed run begins, so that the time left is not guessed from work done before."""
        self._done_before = history[-1].progress

    def __call__(self, step: Step) -> None:
        if self._bar is None:
            self._bar = self._open()
        width, height = step.scale
        self._bar.set_postfix_str(f"step {step.step}/{step.steps}, {width}x{height}, loss {step.loss:.4f}", False)
        self._bar.update(step.progress - self._bar.n)
        if step.step == step.steps:
            self.close()

    def close(self) -> None:
        """Leave the bar as it stands. A finished run does this by itself."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _open(self) -> Any:
        from tqdm.auto import tqdm

        layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        return tqdm(total=1.0, initial=self._done_before, desc="painting", bar_format=layout, disable=None)


class SaveEvery:
    """Save the canvas every so many steps, the step's number put before the suffix: `out-0040.png`.

    Args:
        path: where; its suffix chooses the format.
        every: how many steps lie between two pictures.

    Raises:
        ImageError: the place cannot be written to. Checked here, before the run.
    """

    def __init__(self, path: str | os.PathLike[str], every: int) -> None:
        if every < 1:
            raise ValueError(f"every is at least 1, not {every}")
        images.check_writable(path)
        self.path = Path(path)
        self.every = every

    def __call__(self, step: Step) -> None:
        if step.step % self.every == 0:
            digits = max(4, len(str(step.steps)))
            name = f"{self.path.stem}-{step.step:0{digits}d}{self.path.suffix}"
            images.save(step.image(), self.path.with_name(name))


class EarlyStopping:
    """End the run when, at the final size, the loss has stopped falling.

    Args:
        patience: so many steps without improvement end the run.
        min_improvement: what counts as one, relative to the best loss.
    """

    def __init__(self, patience: int = 20, min_improvement: float = 0.005) -> None:
        self.patience = patience
        self.min_improvement = min_improvement
        self._best = float("inf")
        self._waited = 0

    def resume(self, history: Sequence[Step]) -> None:
        """Remember what a resumed run saw before; raises `StopIteration` where that was enough."""
        for step in history:
            self(step)

    def __call__(self, step: Step) -> None:
        if step.scale != step.size or step.step == 1:
            self._best, self._waited = float("inf"), 0
        if step.loss < self._best * (1.0 - self.min_improvement):
            self._best, self._waited = step.loss, 0
        else:
            self._waited += 1
        if self._waited >= self.patience and step.scale == step.size:
            raise StopIteration
