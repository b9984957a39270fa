"""An image as a style: resized with the canvas and measured at every scale, so that strokes keep their share of it."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import color, images
from neural_style._fingerprint import fingerprint
from neural_style.images import masks
from neural_style.images.augmentation import Copy, make_copy
from neural_style.losses import AssignedNeighbor, Loss, Statistic
from neural_style.losses.point_sets import PointSetLoss
from neural_style.objective import Objective, max_style_pixels, style_target
from neural_style.scales import fit
from neural_style.transfer.styles.base import Measured, Style

__all__ = ["ImageStyle", "final_size"]

MAX_ENLARGEMENT = 2.0
UNCHANGED: tuple[Copy, ...] = ((0.0, 1.0),)


@dataclasses.dataclass(frozen=True, eq=False)
class ImageStyle:
    """An image as a style.

    Attributes:
        pixels: float32 (1, height, width, 3).
        weight: among the other styles.
        region: the index of the mask it goes with.
        mask: the part whose statistics count, (1, height, width, 1) of any size; None for all of it.
        scale: its long side as a multiple of the canvas's. An image is enlarged at most `MAX_ENLARGEMENT` times, and
            not at all at a scale of 1 or less: enlarging adds no strokes.
        recolor: `(pixels, mask, long side) -> pixels`, applied before it is measured; None leaves its colors alone.
    """

    pixels: np.ndarray
    weight: float = 1.0
    region: int = 0
    mask: np.ndarray | None = None
    scale: float = 1.0
    recolor: Callable[[np.ndarray, np.ndarray | None, int], np.ndarray] | None = None

    @functools.cached_property
    def palette(self) -> color.Palette:
        """Mean and covariance of the colors of the part that counts."""
        height, width = self.pixels.shape[1:3]
        return color.palette(self.pixels, None if self.mask is None else masks.resize_mask(self.mask, (width, height)))

    def fingerprint(self) -> str:
        """A hash of image, mask and weight."""
        return fingerprint(self.pixels, self.mask, self.weight)

    def size_at(self, long_side: int, min_side: int = 1) -> tuple[int, int]:
        """(width, height) beside a canvas of that long side; no side is shorter than `min_side`."""
        height, width = self.pixels.shape[1:3]
        own = max(width, height)
        side = min(self.scale * min(long_side, own), MAX_ENLARGEMENT * own)
        size = fit((width, height), max(1, round(side)))
        return max(size[0], min_side), max(size[1], min_side)

    def warn_if_small(self, long_side: int) -> None:
        """Warn once if the image is too small for the strokes that `scale` asks for."""
        height, width = self.pixels.shape[1:3]
        wanted, available = round(self.scale * long_side), max(self.size_at(long_side))
        if self.scale > 1.0 and available < wanted:
            warnings.warn(
                f"a style of {width}x{height} can be enlarged to {available} pixels, and style_scale={self.scale:g} "
                f"asks for {wanted}: strokes will be smaller than requested. Use a larger style image.",
                UserWarning,
                stacklevel=2,
            )

    def measure(self, objective: Objective, long_side: int, regions: int) -> Measured:
        """See `Style.measure`."""
        pixels, mask = self._at(objective, long_side)
        statistic = self._statistic(objective, pixels, mask, long_side, regions)
        area = float(pixels.shape[1] * pixels.shape[2]) if mask is None else float(mask.sum(dtype=np.float64))
        if all(_copies(loss) in ((), UNCHANGED) for loss in objective.losses):
            return Measured(statistic, area)

        @functools.cache
        def measure_copy(copy: Copy) -> tuple[Statistic | None, ...]:
            side = objective.smallest_side
            turned, part = make_copy(pixels, copy, side), None if mask is None else make_copy(mask, copy, side)
            return self._statistic(objective, turned, part, long_side, regions)

        found = list(statistic)
        for index, loss in enumerate(objective.losses):
            if isinstance(loss, PointSetLoss | AssignedNeighbor) and loss.copies:
                statistics: list[Any] = [measure_copy(copy)[index] for copy in loss.copies]
                found[index] = loss.concatenate(statistics)
        return Measured(tuple(found), area)

    def beside(self, long_side: int, min_side: int = 1) -> tuple[np.ndarray, np.ndarray | None]:
        """Pixels, recolored, and mask at the size that goes with a canvas of that long side."""
        size = self.size_at(long_side, min_side)
        pixels = images.resize(self.pixels, size)
        mask = None if self.mask is None else masks.resize_mask(self.mask, size)
        if self.recolor is not None:
            pixels = self.recolor(pixels, mask, long_side)
        return pixels, mask

    def _at(self, objective: Objective, long_side: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Pixels and mask at the size that goes with a canvas, recolored, and cropped where they are too large."""
        pixels, mask = self.beside(long_side, objective.smallest_side)
        limit = max_style_pixels(objective, long_side)
        if pixels.shape[1] * pixels.shape[2] <= limit:
            return pixels, mask
        return _crop(pixels, limit), None if mask is None else _crop(mask, limit)

    def _statistic(
        self, objective: Objective, pixels: np.ndarray, mask: np.ndarray | None, long_side: int, regions: int
    ) -> tuple[Statistic | None, ...]:
        """The statistic of each loss."""
        guides = self._guides(objective, pixels, mask, regions)
        return style_target(objective, tf.constant(pixels), guides, long_side)

    def _guides(
        self, objective: Objective, pixels: np.ndarray, mask: np.ndarray | None, regions: int
    ) -> dict[str, tf.Tensor]:
        """Guides that are full, or as the mask says, in this style's region, and empty in the others."""
        if mask is None and not regions:
            return {}
        shares = np.zeros((*pixels.shape[:3], max(1, regions)), np.float32)
        shares[..., self.region : self.region + 1] = 1.0 if mask is None else mask
        strides = objective.strides(objective.style_layers)
        return {layer: tf.constant(guide) for layer, guide in masks.guides_per_layer(shares, strides).items()}


def final_size(
    styles: Sequence[Style], size: int | tuple[int, int] | None, content: np.ndarray | None
) -> tuple[int, int]:
    """(width, height) of the result: of the content's shape, else the first style image's, else a square.

    Args:
        styles: all styles; an image that is too small for its strokes at this size is warned about.
        size: long side in pixels; None for the image's own; or the (width, height) itself.
        content: float32 (1, height, width, 3); None without one.

    Raises:
        ValueError: there is neither an image nor a size.
    """
    own = [each for each in styles if isinstance(each, ImageStyle)]
    shaped = [content] if content is not None else [each.pixels for each in own]
    if not shaped and size is None:
        raise ValueError("without a content and a style image, pass size")
    shape = max(shaped[0].shape[1:3]) if shaped else 1
    long_side = max(size) if isinstance(size, tuple) else size or shape
    for each in own:
        each.warn_if_small(long_side)
    if isinstance(size, tuple):
        return size
    if not shaped:
        return long_side, long_side
    height, width = shaped[0].shape[1:3]
    return fit((width, height), long_side)


def _copies(loss: Loss) -> tuple[Copy, ...]:
    return loss.copies if isinstance(loss, PointSetLoss | AssignedNeighbor) else ()


def _crop(pixels: np.ndarray, limit: float) -> np.ndarray:
    """The middle of an image, of its shape and about `limit` pixels."""
    height, width = pixels.shape[1:3]
    share = (limit / (height * width)) ** 0.5
    rows, columns = max(1, int(height * share)), max(1, int(width * share))
    top, left = (height - rows) // 2, (width - columns) // 2
    return pixels[:, top : top + rows, left : left + columns]
