r"""Painting the frames of one clip in one pass each.

The first frame of a scene is painted like any image. Each of the others begins with the painted frame before it, warped
along the optical flow, and goes through the last scale only: its positions are matched with the warped painting and the
frame together, so strokes stay where they are, and decoding makes them sharp again. Areas that have just come into view
begin as they are in the clip, recolored, and, where they are large, are first decoded at all scales.

What is painted is then mixed with the warped painting, where that can be relied on: the pixel was visible in the frame
before, and the clip looks the same there,

.. math:: w = \exp(-50 \, |x_t - \hat x_{t-1}|^2)

for the frame x and the warped one before it, as in Lai et al. (2018). Deviations: they train a network with this
weight, and here it is a share. Strokes are kept longer than coarse colors, which follow the clip, and the mixture is
given back the contrast that averaging and warping take.

Reference: W.-S. Lai et al., "Learning blind video temporal consistency", 2018, arXiv:1808.00449, section 3.3.
"""

from __future__ import annotations

import dataclasses
from typing import Unpack

import numpy as np

from neural_style import _optional, color, images
from neural_style.api import FrameOptions, check_one_pass
from neural_style.feedforward import OnePass
from neural_style.transfer import canvas
from neural_style.transfer.inputs import Inputs, read_inputs
from neural_style.transfer.styles.blending import Styles
from neural_style.video.flow import Motion, warp
from neural_style.video.painter import Painter, only, to_levels

__all__ = ["OnePassPainter"]

LARGE = 0.05
"""Share of a frame that has just come into view from which on it is first decoded at all scales."""

COLORS_KEPT, STROKES_KEPT = 0.5, 0.7
"""Largest shares of the warped frame before in coarse colors and in strokes."""

STROKES_SIDE = 1 / 64
"""Standard deviation of the Gaussian filter that separates colors from strokes, as a share of the long side."""

SENSITIVITY = 50.0
"""How fast a difference of the clip from its warped frame before lowers these shares."""

MAX_GAIN = 2.0
"""Most that the contrast of strokes is multiplied or divided by."""


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

    def paint_next(
        self, frame: np.ndarray, before: np.ndarray, painted_before: np.ndarray, moved: Motion
    ) -> np.ndarray:
        """See `Painter`."""
        warped, seen = warp(painted_before, moved.flow), moved.seen[None, ..., None]
        inputs = self._of(frame)
        recolored = color.match_color_moments(images.load(frame), images.load(painted_before))
        start = np.where(seen, warped, np.clip(recolored, 0.0, 1.0)).astype(np.float32)
        if 1.0 - moved.seen.mean() >= LARGE:
            start = np.where(seen, warped, self._pass.paint(inputs, self._styles, start)).astype(np.float32)
        painted = self._pass.paint(inputs, self._styles, start, last_only=True)
        steady = _mix(painted[0], warped[0], _reliability(frame, before, moved))
        return to_levels(canvas.render(inputs, steady[None]))

    def _of(self, frame: np.ndarray) -> Inputs:
        return dataclasses.replace(self._inputs, content=images.load(frame))


def _reliability(frame: np.ndarray, before: np.ndarray, moved: Motion) -> np.ndarray:
    """How far the warped frame before stands for each pixel of a frame, float32 (height, width, 1) in [0, 1]."""
    squares = ((warp(before, moved.flow) - images.load(frame)) ** 2).sum(axis=-1)[0]
    alike = np.exp(-SENSITIVITY * _blur(squares, 1.5)) * moved.seen  # a single pixel's noise does not count
    return np.minimum(alike, _blur(alike, 1.5))[..., None]  # begins softly where something came into view


def _mix(painted: np.ndarray, warped: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A painted frame mixed with the warped one before it, float32 (height, width, 3) in [0, 1]."""
    deviation = max(1.0, STROKES_SIDE * max(painted.shape[:2]))
    colors, colors_before = _blur(painted, deviation), _blur(warped, deviation)
    strokes, strokes_before = painted - colors, warped - colors_before
    mixed = strokes + STROKES_KEPT * weight * (strokes_before - strokes)
    wanted, found = (1e-4 + _blur((each**2).mean(axis=-1), 2.0 * deviation) for each in (strokes, mixed))
    gain = np.clip(np.sqrt(wanted / found), 1.0 / MAX_GAIN, MAX_GAIN)[..., None]
    return np.clip(colors + COLORS_KEPT * weight * (colors_before - colors) + gain * mixed, 0.0, 1.0)


def _blur(values: np.ndarray, deviation: float) -> np.ndarray:
    blurred: np.ndarray = _optional.require("cv2", extra="video").GaussianBlur(values, (0, 0), deviation)
    return blurred
