"""Styles as a run sees them: pictures with weights and masks, and what the losses need to know of them at each scale.

A style is scaled with the canvas, so that strokes keep their share of the picture from coarse to fine. Statistics
add over pictures as they add over the parts of one: several styles that rule everywhere are one target, their
weighted sum. Where masks share the picture out, each style's statistics go to its own region; see `guides`.
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from neural_style import color, images
from neural_style.images import masks as guides
from neural_style.images.augmentation import Copy, make_copy
from neural_style.losses import Loss, Statistic
from neural_style.losses.point_sets import PointSetLoss
from neural_style.objective import Objective, Several, Targets, max_style_pixels, style_target
from neural_style.scales import fit
from neural_style.transfer.checkpoint import fingerprint

__all__ = ["Measured", "PictureStyle", "Style", "target_of", "weighted"]

MOST_ENLARGED = 2.0
AS_IT_IS: tuple[Copy, ...] = ((0.0, 1.0),)


class Measured(NamedTuple):
    """What the losses need to know of a style at one scale.

    Attributes:
        statistic: of each loss, None where it reads no style.
        area: the pixels that were measured, each counting by its mask.
    """

    statistic: tuple[Statistic | None, ...]
    area: float


class Style(Protocol):
    """A style with its weight, and the region it rules in (0 where there are no masks)."""

    @property
    def weight(self) -> float: ...

    @property
    def region(self) -> int: ...

    @property
    def palette(self) -> color.Palette:
        """Of its colours."""
        ...

    def identity(self) -> str:
        """A hash of what is measured."""
        ...

    def measure(self, objective: Objective, long_side: int, regions: int) -> Measured:
        """For a canvas of that long side, whose picture is shared out among so many regions (0: no masks)."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class PictureStyle:
    """A picture as a style.

    Attributes:
        pixels: float32 (1, height, width, 3).
        weight: among the other styles.
        region: the mask it goes with.
        mask: the part whose statistics count, (1, height, width, 1) of any size; None for all of it.
        scale: the long side as a multiple of the canvas's. A picture is enlarged at most `MOST_ENLARGED` times,
            and at a scale of 1 and below not at all: strokes that are not in it cannot be had from it.
        recolor: `(pixels, long side) -> pixels`, before it is measured; None to leave its colours alone.
    """

    pixels: np.ndarray
    weight: float = 1.0
    region: int = 0
    mask: np.ndarray | None = None
    scale: float = 1.0
    recolor: Callable[[np.ndarray, int], np.ndarray] | None = None

    @functools.cached_property
    def palette(self) -> color.Palette:
        """Of the whole picture's colours."""
        return color.palette(self.pixels)

    def identity(self) -> str:
        """A hash of picture, mask and weight."""
        return fingerprint(self.pixels, self.mask, np.array(self.weight))

    def size_at(self, long_side: int, least: int = 1) -> tuple[int, int]:
        """(width, height) of the picture beside a canvas of that long side; no side is below `least`."""
        height, width = self.pixels.shape[1:3]
        own = max(width, height)
        side = min(self.scale * min(long_side, own), MOST_ENLARGED * own)
        size = fit((width, height), max(1, round(side)))
        return max(size[0], least), max(size[1], least)

    def warn_if_small(self, long_side: int) -> None:
        """Tell once when the strokes asked for cannot be had from this picture."""
        height, width = self.pixels.shape[1:3]
        wanted, there = round(self.scale * long_side), max(self.size_at(long_side))
        if self.scale > 1.0 and there < wanted:
            warnings.warn(
                f"a style of {width}x{height} can be enlarged to {there} pixels, and style_scale={self.scale:g} "
                f"asks for {wanted}: strokes will be smaller than asked for. Give a larger picture.",
                UserWarning,
                stacklevel=2,
            )

    def measure(self, objective: Objective, long_side: int, regions: int) -> Measured:
        size = self.size_at(long_side, objective.smallest_side)
        pixels = images.resize(self.pixels, size)
        if self.recolor is not None:
            pixels = self.recolor(pixels, long_side)
        share = None if self.mask is None else guides.resize_mask(self.mask, size)
        limit = max_style_pixels(objective, long_side)
        if pixels.shape[1] * pixels.shape[2] > limit:
            pixels, share = _cropped(pixels, limit), None if share is None else _cropped(share, limit)
        told = _guides(objective, pixels, share, self.region, regions)
        area = float(pixels.shape[1] * pixels.shape[2]) if share is None else float(share.sum(dtype=np.float64))
        statistic = style_target(objective, tf.constant(pixels), told, long_side)
        if all(copies in ((), AS_IT_IS) for copies in map(_copies, objective.losses)):
            return Measured(statistic, area)

        @functools.cache
        def copied(copy: Copy) -> Targets:
            least = objective.smallest_side
            turned, part = make_copy(pixels, copy, least), None if share is None else make_copy(share, copy, least)
            told = _guides(objective, turned, part, self.region, regions)
            return style_target(objective, tf.constant(turned), told, long_side)

        found = list(statistic)
        for index, loss in enumerate(objective.losses):
            if isinstance(loss, PointSetLoss) and loss.copies:
                found[index] = loss.concatenate([copied(copy)[index] for copy in loss.copies])
        return Measured(tuple(found), area)


def weighted(style: Any) -> list[tuple[Any, float]]:
    """Styles with their weights, which sum to 1, from one style or a list of styles or `(style, weight)` pairs.

    Raises:
        ValueError: there is none, or a weight is negative or not finite, or all are 0.
    """
    pairs = style if isinstance(style, list) else [style]
    pairs = [pair if isinstance(pair, tuple) else (pair, 1.0) for pair in pairs]
    if not pairs:
        raise ValueError("style is an empty list; give at least one picture")
    weights = [weight for _, weight in pairs]
    total = float(sum(weights))
    if not 0 < total < float("inf") or any(weight < 0 for weight in weights):
        raise ValueError(f"style weights are at least 0 and not all 0; got {weights}")
    return [(each, weight / total) for each, weight in pairs]


def target_of(
    styles: Sequence[Style], objective: Objective, long_side: int, regions: int = 0
) -> Targets:
    """Each loss's target at a scale: the styles' statistics, added as if they were parts of one picture.

    Where the statistics of a loss do not add, it gets `Several`, to be compared with one after the other.

    Args:
        styles: at least one.
        objective: whose losses.
        long_side: of the canvas.
        regions: how many masks share the picture out; 0 without masks.
    """
    measured = [style.measure(objective, long_side, regions) for style in styles]
    if len(measured) == 1:
        return measured[0].statistic
    shares = [style.weight / each.area for style, each in zip(styles, measured, strict=True)]
    weights = _weights_of(styles, regions)
    targets: list[Statistic | Several | None] = []
    for loss, *found in zip(objective.losses, *(each.statistic for each in measured), strict=True):
        if not loss.uses_style:
            targets.append(None)
        elif loss.additive:
            targets.append(tf.nest.map_structure(functools.partial(_sum, shares), *found))
        else:
            targets.append(Several(tuple(found), weights))
    return tuple(targets)


def _weights_of(styles: Sequence[Style], regions: int) -> tf.Tensor:
    """Each style's weight among those it is mixed with: all, or those of its region, which guides weigh."""
    totals = dict.fromkeys(range(max(1, regions)), 0.0)
    for style in styles:
        totals[style.region] += style.weight
    return tf.constant([style.weight / totals[style.region] for style in styles], tf.float32)


def _sum(shares: Sequence[float], *tensors: tf.Tensor) -> tf.Tensor:
    return tf.add_n([share * tensor for share, tensor in zip(shares, tensors, strict=True)])


def _guides(
    objective: Objective, pixels: np.ndarray, share: np.ndarray | None, region: int, regions: int
) -> dict[str, tf.Tensor]:
    """A style's guides: its own region's column full or as its mask says, the others empty."""
    if share is None and not regions:
        return {}
    shares = np.zeros((*pixels.shape[:3], max(1, regions)), np.float32)
    shares[..., region : region + 1] = 1.0 if share is None else share
    strides = objective.strides(objective.style_layers)
    return {layer: tf.constant(guide) for layer, guide in guides.guides_per_layer(shares, strides).items()}


def _copies(loss: Loss) -> tuple[Copy, ...]:
    return loss.copies if isinstance(loss, PointSetLoss) else ()


def _cropped(pixels: np.ndarray, limit: float) -> np.ndarray:
    """The middle of a picture, of its shape and about so many pixels."""
    height, width = pixels.shape[1:3]
    share = (limit / (height * width)) ** 0.5
    rows, columns = max(1, int(height * share)), max(1, int(width * share))
    top, left = (height - rows) // 2, (width - columns) // 2
    return pixels[:, top : top + rows, left : left + columns]
