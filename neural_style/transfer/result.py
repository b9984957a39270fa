"""What a run reports while it goes and hands back when it ends."""

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

__all__ = ["Result", "Step", "StoppedBy"]

StoppedBy = Literal["steps", "callback", "time", "interrupt"]


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a run, as callbacks see it.

    Attributes:
        step: its number over all scales, from 1.
        steps: how many there will be.
        scale: the canvas's (width, height) in pixels.
        size: the finished picture's.
        progress: share of the whole work that is done, in (0, 1]; a step's work is its canvas's pixels.
        loss: the weighted sum of the losses before this step.
        terms: each loss's weighted part of it, by name.
        seconds: since the run began.

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
        """The canvas after this step, at its present size.

        Raises:
            RuntimeError: the run has gone on; steps kept in a history hold no pictures.
        """
        if self._pixels is None:
            raise RuntimeError("a step kept in a history holds no picture; take it in a callback")
        return images.to_pil(self._pixels())

    def without_image(self) -> Step:
        """The same record, holding no canvas."""
        return dataclasses.replace(self, _pixels=None)


@dataclasses.dataclass(frozen=True)
class Result:
    """A finished picture and how it came about.

    Attributes:
        pixels: float32 RGB in [0, 1], (height, width, 3).
        history: every step, without pictures.
        settings: what the run was asked for and what it ran on; plain values, fit for JSON.
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
        """The picture with 8 bits a channel, RGB or RGBA."""
        return images.to_pil(self.pixels[None], None if self.alpha is None else self.alpha[None])

    def save(self, path: str | os.PathLike[str], *, bits: int = 8) -> None:
        """Write the picture; see `neural_style.images.save`.

        Raises:
            ImageError: it cannot be written; nothing partial is left behind.
        """
        alpha = None if self.alpha is None else self.alpha[None]
        images.save(self.pixels[None], path, bits=bits, alpha=alpha)

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        last = f", loss {self.history[-1].loss:.4g}" if self.history else ""
        return f"<Result {width}x{height}, {len(self.history)} steps{last}>"

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()

    def _repr_html_(self) -> str:
        """What a notebook shows that can show more: the picture, and a line of what came about."""
        height, width = self.pixels.shape[:2]
        facts = [f"{width}×{height}", f"{len(self.history)} steps"]
        if "seconds" in self.settings:
            facts.append(f"{self.settings['seconds']:.1f} s")
        if self.stopped_by != "steps":
            facts.append(f"ended by {self.stopped_by}")
        if self.history:
            last = self.history[-1]
            terms = ", ".join(f"{html.escape(name)} {value:.3g}" for name, value in last.terms.items())
            facts.append(f"loss {last.loss:.3g} ({terms})")
        picture = base64.b64encode(self._repr_png_()).decode()
        return f'<img src="data:image/png;base64,{picture}"><br><small>{" · ".join(facts)}</small>'
