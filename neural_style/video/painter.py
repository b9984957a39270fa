"""What every painter of frames does: choose their size, fit them to it, and show them in the clip's colors."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from neural_style import images
from neural_style.api import PREVIEW_SIDE, FrameOptions
from neural_style.scales import fit
from neural_style.transfer.controls import Controls
from neural_style.video.flow import Motion

__all__ = ["Painter", "only", "to_levels"]


class Painter(ABC):
    """Paints frames in one style and size, and keeps none of them. Frames are uint8 (height, width, 3).

    Args:
        first: the first frame of the clip.
        size: long side of the result in pixels; None for the clip's own.
        options: arguments of `stylize`.

    Attributes:
        size: (width, height) of the result, both even.
        controls: masks, colors and stroke size.
    """

    def __init__(self, first: np.ndarray, size: int | None, options: FrameOptions) -> None:
        self.size = _even_size(first, size, options.get("preview", False))
        self.controls = Controls(**only(options, *(field.name for field in dataclasses.fields(Controls))))

    @abstractmethod
    def paint_scene_start(self, frame: np.ndarray) -> np.ndarray:
        """Paint the first frame of a scene, which was resized by `fit`."""

    @abstractmethod
    def paint_next(
        self, frame: np.ndarray, before: np.ndarray, painted_before: np.ndarray, moved: Motion
    ) -> np.ndarray:
        """Paint a frame that follows a painted one; `before` is the clip's frame that it follows."""

    def fit(self, frame: np.ndarray) -> np.ndarray:
        """Resize a frame of the clip to the size of the result."""
        return to_levels(images.resize(images.load(frame), self.size))

    def render(self, painted: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """What is shown of a painted frame: with `color="content"`, in the colors of the clip's frame."""
        recolor = self.controls.mode.after
        if recolor is None:
            return painted
        return to_levels(recolor(images.load(painted), images.load(self.fit(frame)), self.controls.color_strength))


def only(options: FrameOptions, *names: str) -> dict[str, Any]:
    """Those of the options that have these names and were given."""
    return {name: value for name, value in options.items() if name in names}


def to_levels(pixels: np.ndarray) -> np.ndarray:
    """Round to uint8 (height, width, 3), as frames are stored, so that resuming from files changes nothing."""
    return np.asarray(images.to_pil(pixels))


def _even_size(first: np.ndarray, size: int | None, preview: bool) -> tuple[int, int]:
    """(width, height) of the result; video codecs need even sides."""
    height, width = first.shape[:2]
    longest = max(width, height) if size is None else size
    width, height = fit((width, height), min(PREVIEW_SIDE, longest) if preview else longest)
    return max(2, 2 * round(width / 2)), max(2, 2 * round(height / 2))
