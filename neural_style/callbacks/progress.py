"""Progress of a run: a bar, and an estimate of the remaining time."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from neural_style._arguments import flag
from neural_style.transfer.result import Step

__all__ = ["ProgressBar", "TimeLeft", "is_asked_for", "is_on_terminal", "is_watched", "make_bar"]

LAYOUT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<LEFT{postfix}"


class TimeLeft:
    """Estimate of the time that a run still takes.

    The work of a step is the number of pixels of its canvas. The estimate uses the time per pixel of the steps at the
    current size, except the first, which also compiles the objective and computes the style's statistics. It takes
    their lower quartile: small canvases need slightly more time per pixel than the larger ones to come, and other
    programs slow down single steps.

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
        """Record a step and estimate the seconds from it to the end of the run; None until there is an estimate.

        Args:
            step: the step just made; every step of the run has to be passed.
        """
        before, self._before = self._before, step.without_image()
        if before is None or step.step <= before.step:
            self._size, self._paces = None, []
        elif step.scale == before.scale:
            if step.scale != self._size:  # keep the estimate so far as one more sample: early steps are often slow
                self._size, self._paces = step.scale, [self._pace()] if self._paces else []
            self._paces.append((step.seconds - before.seconds) / (step.progress - before.progress))
        if not self._paces:
            return None
        return (1.0 - step.progress) * self._pace()

    def _pace(self) -> float:
        return sorted(self._paces)[len(self._paces) // 4]


class ProgressBar:
    """Progress bar with step, size, loss and remaining time: on stderr in a terminal, below the cell in a notebook.

    It shows nothing elsewhere. The bar measures work rather than steps, because a step on a large canvas takes longer;
    `TimeLeft` estimates the remaining time.

    Example:
        >>> import numpy as np
        >>> from neural_style import stylize
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> image = stylize(content, style, size=48, steps=2, extractor="vgg16", callbacks=[ProgressBar()])
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._done_before = 0.0
        self._left = TimeLeft()

    def resume(self, history: Sequence[Step]) -> None:
        """Start the bar at the step where a resumed run starts.

        Args:
            history: steps already made.
        """
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
        """Close the bar in its current state; a finished run closes it automatically."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _open(self) -> Any:
        layout = LAYOUT.replace("LEFT", "?")
        return make_bar(total=1.0, initial=self._done_before, desc="painting", bar_format=layout)


def make_bar(iterable: Iterable[Any] | None = None, *, shown: bool | None = None, **options: Any) -> Any:
    """A bar of tqdm's: on stderr in a terminal, below the cell in a notebook, hidden elsewhere.

    Args:
        iterable: what it counts; None to move it by its `update`.
        shown: False hides the bar everywhere.
        **options: options of `tqdm.tqdm`, such as `total` and `unit`.

    Raises:
        TypeError: `shown` is neither True, False nor None.

    Example:
        >>> list(make_bar("ab", shown=False))
        ['a', 'b']
    """
    hidden = not is_asked_for(shown) or not is_watched()
    if hidden or not _in_notebook():
        from tqdm import tqdm

        return tqdm(iterable, disable=hidden, **options)
    from tqdm import notebook, tqdm

    if notebook.IProgress is None:  # no ipywidgets: tqdm.auto would warn, and notebooks show stderr in red
        return tqdm(iterable, file=sys.stdout, **options)
    return notebook.tqdm(iterable, **options)


def is_asked_for(progress: bool | None) -> bool:
    """Whether a caller's `progress` asks for a bar: None, the default, does.

    Raises:
        TypeError: it is neither True, False nor None.

    Example:
        >>> is_asked_for(None), is_asked_for(False)
        (True, False)
    """
    return progress is None or flag("progress", progress)


def is_watched() -> bool:
    """Whether there is somebody to see a bar: stderr is a terminal, or a notebook runs this process.

    Example:
        >>> is_watched() in (True, False)
        True
    """
    return is_on_terminal() or _in_notebook()


def is_on_terminal() -> bool:
    """Whether stderr is a terminal; it may also be absent, as in a service, or closed.

    Example:
        >>> is_on_terminal() in (True, False)
        True
    """
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # None or an object that is no stream; closed
        return False


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process; tqdm uses the same test."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return "IPKernelApp" in getattr(shell, "config", {})
