"""Intermediate images saved during a run."""

from __future__ import annotations

import os
from pathlib import Path

from neural_style import images
from neural_style._arguments import count
from neural_style.transfer.result import Step

__all__ = ["SaveEvery"]


class SaveEvery:
    """Save the canvas at regular intervals, with the step's number before the suffix: `out-0040.png`.

    Args:
        path: output file; its suffix selects the format.
        every: interval between two saved images, in steps.

    Raises:
        ImageError: the file cannot be written; this is checked here, before the run.
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
        images.check_writable(path)
        self.path = Path(path)

    def __call__(self, step: Step) -> None:
        if step.step % self.every == 0:
            digits = max(4, len(str(step.steps)))
            name = f"{self.path.stem}-{step.step:0{digits}d}{self.path.suffix}"
            images.save(step.image(), self.path.with_name(name))
