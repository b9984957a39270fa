"""Painting the frames of one clip in one pass each.

The first frame of a scene is painted like any image. Each of the others begins with the painted frame before it, warped
along the optical flow, and goes through the last scale only: its positions are matched with the warped painting and the
frame together, so strokes stay where they are, and decoding makes them sharp again. Areas that have just come into view
begin as they are in the clip, recolored, or, where they are large, are painted through all scales.
"""

from __future__ import annotations

import dataclasses
from typing import Unpack

import numpy as np

from neural_style import color, images
from neural_style.api import FrameOptions, check_one_pass
from neural_style.feedforward import OnePass
from neural_style.transfer import canvas
from neural_style.transfer.inputs import Inputs, read_inputs
from neural_style.transfer.styles.blending import Styles
from neural_style.video.flow import Motion, warp
from neural_style.video.painter import Painter, only, to_levels

__all__ = ["OnePassPainter"]

LARGE = 0.05
"""Share of a frame that has just come into view from which on it is painted through all scales."""

KEPT = 0.45
"""Share of the warped frame before in what is shown of a position that was seen there."""


class OnePassPainter(Painter):
    """Paints frames in one pass each.

    Args:
        style: as for `stylize`; it is measured once. With `color="match"` or `"histogram"`, styles get the palette of
            the first frame.
        first: see `Painter`.
        size: see `Painter`.
        **options: further arguments of `stylize`.

    Raises:
        ValueError: an option belongs to optimization.
    """

    def __init__(self, style: Styles, first: np.ndarray, *, size: int | None, **options: Unpack[FrameOptions]) -> None:
        super().__init__(first, size, options)
        check_one_pass(
            options.get("recipe", "default"),
            {"style": style},
            **only(options, "extractor", "optimizer", "steps", "init"),
        )
        self._pass = OnePass(options.get("strength", 0.5), precision=options.get("precision", "auto"))
        inputs = read_inputs(self.fit(first), style, self.controls, size=max(self.size))
        self._styles = self._pass.measure(inputs)
        # The clip's colors are given back when a frame is shown, so that the next one begins in the style's.
        self._inputs = dataclasses.replace(inputs, controls=dataclasses.replace(self.controls, color="style"))

    def paint_scene_start(self, frame: np.ndarray) -> np.ndarray:
        """See `Painter`."""
        inputs = self._of(frame)
        return to_levels(canvas.render(inputs, self._pass.paint(inputs, self._styles)))

    def paint_next(self, frame: np.ndarray, painted_before: np.ndarray, moved: Motion) -> np.ndarray:
        """See `Painter`."""
        warped, seen = warp(painted_before, moved.flow), moved.seen[None, ..., None]
        inputs = self._of(frame)
        if 1.0 - moved.seen.mean() < LARGE:
            new = color.match_color_moments(images.load(frame), images.load(painted_before))
        else:
            new = self._pass.paint(inputs, self._styles)
        start = np.where(seen, warped, np.clip(new, 0.0, 1.0)).astype(np.float32)
        painted = self._pass.paint(inputs, self._styles, start)
        return to_levels(canvas.render(inputs, painted + np.float32(KEPT) * seen * (start - painted)))

    def _of(self, frame: np.ndarray) -> Inputs:
        return dataclasses.replace(self._inputs, content=images.load(frame))
