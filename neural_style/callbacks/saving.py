"""Intermediate images saved during a run."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from neural_style import images
from neural_style._arguments import count
from neural_style.errors import ImageError
from neural_style.transfer.result import Step

__all__ = ["SaveEvery"]


class SaveEvery:
    """Save the canvas at regular intervals, with the step's number before the suffix: `out-0040.png`.

    An image that cannot be saved during the run, on a full disk for instance, causes a warning and does not end the
    run. An existing file of that name is replaced.

    Args:
        path: output file; its suffix selects the format.
        every: interval between two saved images, in steps.

    Raises:
        ImageError: files cannot be written there; this is checked here, before the run.
        ValueError: `every` is less than 1.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> from neural_style import stylize
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save = SaveEvery(os.path.join(folder, "out.png"), every=2)
        ...     image = stylize(content, style, size=48, steps=4, extractor="vgg16", callbacks=[save])
        ...     sorted(os.listdir(folder))
        ['out-0002.png', 'out-0004.png']
    """

    def __init__(self, path: str | os.PathLike[str], every: int) -> None:
        self.every = count("every", every)
        self.path = Path(path)
        images.check_writable(path)
        images.check_writable(self._path(0, 0))  # whose name is longer

    def __call__(self, step: Step) -> None:
        if step.step % self.every == 0:
            try:
                images.save(step.image(), self._path(step.step, step.steps))
            except ImageError as error:
                warnings.warn(f"an image of the run could not be saved: {error}", UserWarning, stacklevel=2)

    def _path(self, step: int, steps: int) -> Path:
        digits = max(4, len(str(steps)))
        return self.path.with_name(f"{self.path.stem}-{step:0{digits}d}{self.path.suffix}")
