"""Watchers of a run: any callable taking a `Step`. Raising `StopIteration` ends the run with the picture so far.

One with a method `resume(history)` is told the steps already done when a run goes on from a checkpoint.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neural_style import images
from neural_style.callbacks.timelapse import Timelapse
from neural_style.transfer.result import Step

__all__ = ["EarlyStopping", "ProgressBar", "SaveEvery", "TimeLeft", "Timelapse"]


class TimeLeft:
    """How long a run will still take, as well as its steps so far can tell.

    A step's work is its canvas's pixels. Told of each step, it takes the pace at the present size from the steps made
    there, but for the first, which also compiles and measures the style. Of those paces the lower quartile counts:
    small canvases take a little more time a pixel than the large ones to come, and a machine is now and then busy
    with something else.

    Example:
        >>> left = TimeLeft()
        >>> for number in (1, 2, 3):
        ...     step = Step(number, 10, (64, 64), (64, 64), number / 10, 1.0, {}, 2.0 * number)
        ...     seconds = left(step)
        >>> round(seconds, 6)
        14.0
    """

    def __init__(self) -> None:
        self._before: Step | None = None
        self._size: tuple[int, int] | None = None
        self._paces: list[float] = []

    def __call__(self, step: Step) -> float | None:
        """Seconds from this step to the end of the run; None while nothing is known yet."""
        before, self._before = self._before, step.without_image()
        if before is None or step.step <= before.step:
            self._size, self._paces = None, []
        elif step.scale == before.scale:
            if step.scale != self._size:  # what was known stands as one more pace: early steps are often slow
                self._size, self._paces = step.scale, [self._pace()] if self._paces else []
            self._paces.append((step.seconds - before.seconds) / (step.progress - before.progress))
        if not self._paces:
            return None
        return (1.0 - step.progress) * self._pace()

    def _pace(self) -> float:
        return sorted(self._paces)[len(self._paces) // 4]


class ProgressBar:
    """A bar with step, size, loss and time left: in a terminal on stderr, in a notebook below the cell, else nowhere.

    It counts work, not steps: a step on a large canvas takes longer. See `TimeLeft` for how the time is told.

    Example:
        >>> import numpy as np
        >>> from neural_style import stylize
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> picture = stylize(content, style, size=48, steps=2, extractor="vgg16", callbacks=[ProgressBar()])
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._done_before = 0.0
        self._left = TimeLeft()

    def resume(self, history: Sequence[Step]) -> None:
        """Begin where a resumed run begins."""
        self._done_before = history[-1].progress

    def __call__(self, step: Step) -> None:
        if self._bar is None:
            self._bar = self._open()
        width, height = step.scale
        left = self._left(step)
        shown = "?" if left is None else self._bar.format_interval(left)
        self._bar.bar_format = LAYOUT.replace("LEFT", shown)
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

        # None: only where stderr is a terminal. A notebook's is none, and a bar is wanted there.
        hidden = False if _in_notebook() else None
        layout = LAYOUT.replace("LEFT", "?")
        return tqdm(total=1.0, initial=self._done_before, desc="painting", bar_format=layout, disable=hidden)


LAYOUT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<LEFT{postfix}"


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this; the question that tqdm asks, too."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return "IPKernelApp" in getattr(shell, "config", {})


class SaveEvery:
    """Save the canvas every so many steps, the step's number put before the suffix: `out-0040.png`.

    Args:
        path: where; its suffix chooses the format.
        every: how many steps lie between two pictures.

    Raises:
        ImageError: the place cannot be written to. Checked here, before the run.
        ValueError: `every` is less than 1.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> from neural_style import stylize
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save = SaveEvery(os.path.join(folder, "out.png"), every=2)
        ...     picture = stylize(content, style, size=48, steps=4, extractor="vgg16", callbacks=[save])
        ...     sorted(os.listdir(folder))
        ['out-0002.png', 'out-0004.png']
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

    Example:
        >>> stop = EarlyStopping(patience=2)
        >>> try:
        ...     for number in range(1, 10):
        ...         stop(Step(number, 10, (64, 64), (64, 64), number / 10, 1.0, {}, 0.1 * number))
        ... except StopIteration:
        ...     print(number)
        3
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
