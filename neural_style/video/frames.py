"""Painting the frames of one clip in one style.

The first frame of a scene is painted like any image. Each of the others starts from the painted frame before it, warped
along the optical flow; areas that have just come into view start from the clip, recolored to match the painting. A few
steps refine it, and the `Temporal` loss keeps it close to its start. This is the scheme of Ruder et al. (2016), in a
single pass and with the previous frame only.

Deviation: they paint at the final size only. Strokes then become finer from frame to frame, until the large forms of
the style are gone. Therefore a few steps at the small sizes come first, and the change they make is upsampled and added
to the frame.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Unpack

import numpy as np

from neural_style import color, images
from neural_style.api import FrameOptions, choose_recipe
from neural_style.losses import Temporal
from neural_style.scales import SingleScale
from neural_style.transfer import StyleTransfer
from neural_style.transfer.styles.blending import Styles, check_mask_count, with_weights
from neural_style.transfer.styles.style_target import StyleTarget
from neural_style.video.flow import Motion, warp
from neural_style.video.painter import Painter, only, to_levels

__all__ = ["FramePainter"]


class FramePainter(Painter):
    """Paints frames by optimization.

    Args:
        style: as for `stylize`; its statistics are computed once.
        first: see `Painter`.
        size: see `Painter`.
        frame_steps: steps for each frame that follows another, at each of the recipe's sizes.
        temporal: weight of the `Temporal` loss.
        **options: further arguments of `stylize`.
    """

    def __init__(
        self,
        style: Styles,
        first: np.ndarray,
        *,
        size: int | None,
        frame_steps: int,
        temporal: float,
        **options: Unpack[FrameOptions],
    ) -> None:
        preview = options.get("preview", False)
        super().__init__(first, size, options)
        recipe = choose_recipe(options.get("recipe", "default"), options.get("quality", "best"), preview)
        next_recipe = dataclasses.replace(
            recipe,
            style=recipe.style + temporal * Temporal(),
            scales=SingleScale((frame_steps + 1) // 2 if preview else frame_steps),
            optimizer=recipe.final_optimizer or recipe.optimizer,
            final_optimizer=None,
        )
        strength = options.get("strength", 0.5)
        overrides = only(options, "extractor", "optimizer", "precision", "tile")
        self._scene = StyleTransfer.from_recipe(recipe, strength, **overrides)
        self._next = StyleTransfer.from_recipe(next_recipe, strength, **overrides)
        self._small_sizes = [(scale.width, scale.height) for scale in recipe.scales(self.size, None)[:-1]]
        # Of the controls, only these two belong to a run: the others concern the style, which is measured once here,
        # or what is shown, which `render` decides.
        shared = {"masks": list(self.controls.masks), "background": self.controls.background}
        self._options = shared | only(options, "seed")
        self._scene_options = only(options, "steps", "init")
        self._style = self._targets(style, self.fit(first))

    def paint_scene_start(self, frame: np.ndarray) -> np.ndarray:
        """Paint the first frame of a scene, which was resized by `fit`."""
        return to_levels(self._paint(self._scene, frame, self.size, **self._scene_options))

    def paint_next(
        self, frame: np.ndarray, before: np.ndarray, painted_before: np.ndarray, moved: Motion
    ) -> np.ndarray:
        """Paint a frame that follows a painted one."""
        warped = warp(painted_before, moved.flow)
        recolored = color.match_color_moments(images.load(frame), images.load(painted_before))
        canvas = np.where(moved.seen[..., None], warped, np.clip(recolored, 0.0, 1.0))
        previous = (warped, moved.seen)
        for size in self._small_sizes:
            canvas = self._refine_at(size, frame, canvas, previous)
        return to_levels(self._paint(self._next, frame, self.size, init=canvas, previous=previous))

    def _refine_at(self, size: tuple[int, int], frame: np.ndarray, canvas: np.ndarray, previous: Any) -> np.ndarray:
        """Paint a smaller canvas, and add only the change to the large one, which keeps its detail."""
        small = images.resize(canvas, size)
        resized = images.resize(images.load(frame), size)
        painted = self._paint(self._next, resized, size, init=small, previous=previous)
        return np.clip(canvas + _upsample(painted[None] - small, self.size), 0.0, 1.0)

    def _paint(self, transfer: StyleTransfer, frame: np.ndarray, size: tuple[int, int], **options: Any) -> np.ndarray:
        result = transfer.run(frame, self._style, size=max(size), **options, **self._options)
        if result.stopped_by == "interrupt":
            raise KeyboardInterrupt  # an unfinished frame is useless
        return result.pixels

    def _targets(self, style: Styles, first: np.ndarray) -> list[tuple[StyleTarget, float]]:
        """Compute the statistics of each style once for all frames; styles get the palette of the first frame."""
        controls, pairs = self.controls, with_weights(style)
        check_mask_count(controls, len(pairs))
        targets = []
        for (each, weight), mask in zip(pairs, controls.style_masks or (None,) * len(pairs), strict=True):
            if not isinstance(each, StyleTarget):
                if controls.mode.before is not None:
                    read = images.read(each)
                    recolored = controls.recolor(read.pixels, images.load(first), read.alpha)
                    each = images.ImageData(recolored, read.alpha)
                masks = None if mask is None else [mask]
                side, scale = max(self.size), controls.style_scale
                each = self._scene.target(each, size=side, style_masks=masks, style_scale=scale)
            targets.append((each, weight))
        return targets


def _upsample(change: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize differences of pixels, in [-1, 1]; images are in [0, 1]."""
    return 2.0 * images.resize(0.5 + 0.5 * change, size) - 1.0
