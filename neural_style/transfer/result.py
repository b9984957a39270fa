"""What a run reports after each step, and what it returns."""

from __future__ import annotations

import base64
import dataclasses
import functools
import html
import io
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from PIL import Image

from neural_style import images
from neural_style.errors import ImageError
from neural_style.images.writing import save_elsewhere

__all__ = ["Result", "Step", "StoppedBy"]

StoppedBy = Literal["steps", "callback", "time", "interrupt"]


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a run, as callbacks see it.

    Attributes:
        step: number of the step over all scales, from 1.
        steps: total number of steps.
        scale: (width, height) of the canvas in pixels.
        size: (width, height) of the finished image.
        progress: share of the work that is done, in (0, 1]; the work of a step is the number of pixels of its canvas.
        loss: weighted sum of the losses before this step.
        terms: the weighted value of each loss, by name.
        seconds: time since the run began, over all its processes.

    Example:
        >>> step = Step(3, 10, (64, 48), (128, 96), 0.1, 1.5, {"style": 1.5}, 0.4)
        >>> step.terms["style"], step.scale == step.size
        (1.5, False)
    """

    step: int
    steps: int
    scale: tuple[int, int]
    size: tuple[int, int]
    progress: float
    loss: float
    terms: Mapping[str, float]
    seconds: float
    _pixels: Callable[[], np.ndarray] | None = dataclasses.field(default=None, repr=False, compare=False)

    def image(self) -> Image.Image:
        """The canvas after this step, at its current size.

        Raises:
            RuntimeError: the step comes from a history; its image is available in callbacks only.
        """
        if self._pixels is None:
            raise RuntimeError("a step in a history has no image; it is available in callbacks only")
        return images.to_pil(self._pixels())

    def __getstate__(self) -> dict[str, Any]:
        """With the image in place of what computes it: a step can be pickled and copied."""
        state = dict(vars(self))
        if self._pixels is not None:
            state["_pixels"] = functools.partial(np.asarray, self._pixels())
        return state

    def without_image(self) -> Step:
        """The same record, holding no canvas."""
        return dataclasses.replace(self, _pixels=None)


@dataclasses.dataclass(frozen=True)
class Result:
    """A finished image with the record of its run.

    Attributes:
        pixels: float32 RGB in [0, 1], (height, width, 3).
        history: every step, without images.
        settings: settings, duration and library versions of the run, as plain values fit for JSON. If parts of a
            checkpointed run cannot be identified, `"unidentified"` says why.
        stopped_by: `"steps"` (all done), `"callback"`, `"time"` or `"interrupt"`.
        alpha: the content's transparency, float32 in [0, 1], (height, width, 1), or None.

    Example:
        >>> result = Result(np.zeros((48, 64, 3), np.float32), [], {"seed": 0})
        >>> result
        <Result 64x48, 0 steps>
        >>> result.image.size
        (64, 48)
    """

    pixels: np.ndarray
    history: list[Step]
    settings: dict[str, Any]
    stopped_by: StoppedBy = "steps"
    alpha: np.ndarray | None = None

    @functools.cached_property
    def image(self) -> Image.Image:
        """The image with 8 bits per channel, RGB or RGBA."""
        return images.to_pil(self.pixels[None], None if self.alpha is None else self.alpha[None])

    @property
    def work(self) -> str:
        """What the run did, in words: `"40 steps"`, or `"one pass"` for `quality="instant"`."""
        return "one pass" if self.settings.get("quality") == "instant" else f"{len(self.history)} steps"

    def save(self, path: str | os.PathLike[str], *, bits: int = 8) -> None:
        """Write the image; see `neural_style.images.save`.

        Raises:
            ImageError: the image cannot be written; no partial file is left behind.
        """
        alpha = None if self.alpha is None else self.alpha[None]
        images.save(self.pixels[None], path, bits=bits, alpha=alpha)

    def save_or_keep(self, path: str | os.PathLike[str]) -> None:
        """Write the image; if that fails, write it elsewhere under a new name.

        Raises:
            ImageError: the image could not be written to `path`; the message says where it is instead.
        """
        try:
            self.save(path)
        except ImageError as error:
            alpha = None if self.alpha is None else self.alpha[None]
            place = save_elsewhere(self.pixels[None], path, alpha=alpha)
            raise ImageError(f"{error}; the image was saved as {place!r} instead") from error

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        last = f", loss {self.history[-1].loss:.4g}" if self.history else ""
        return f"<Result {width}x{height}, {self.work}{last}>"

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()

    def _repr_html_(self) -> str:
        """What a notebook shows: the image, and a line of facts."""
        height, width = self.pixels.shape[:2]
        facts = [f"{width}×{height}", self.work]
        if "seconds" in self.settings:
            facts.append(f"{self.settings['seconds']:.1f} s")
        if self.stopped_by != "steps":
            facts.append(f"ended by {self.stopped_by}")
        if self.history:
            last = self.history[-1]
            terms = ", ".join(f"{html.escape(name)} {value:.3g}" for name, value in last.terms.items())
            facts.append(f"loss {last.loss:.3g} ({terms})")
        image = base64.b64encode(self._repr_png_()).decode()
        return f'<img src="data:image/png;base64,{image}"><br><small>{" · ".join(facts)}</small>'
