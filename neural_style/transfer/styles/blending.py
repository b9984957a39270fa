"""Several styles as one target: read, weighted, assigned to mask regions and added.

Statistics add over images as they add over the parts of one, so styles that rule everywhere become one target, their
weighted sum. Where masks divide the canvas, each style's statistics go to its own region.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import color, images
from neural_style._arguments import real
from neural_style.images import ImageLike, masks
from neural_style.losses import Statistic
from neural_style.objective import Objective, Several, Targets
from neural_style.scales import fit
from neural_style.transfer.controls import Controls
from neural_style.transfer.styles.base import Style
from neural_style.transfer.styles.image_style import ImageStyle
from neural_style.transfer.styles.style_target import StyleTarget

__all__ = ["StyleLike", "Styles", "blend_palettes", "blend_targets", "check_mask_count", "read_styles", "with_weights"]

StyleLike = ImageLike | StyleTarget
"""One style: anything `neural_style.images.read` takes, or a saved `StyleTarget`."""

Styles = StyleLike | tuple[StyleLike, float] | Sequence[StyleLike | tuple[StyleLike, float]]
"""One style, or a list of styles or of `(style, weight)` pairs."""


def with_weights(style: Styles) -> list[tuple[Any, float]]:
    """Styles with their weights, which sum to 1.

    Raises:
        ValueError: the list is empty, or a weight is negative or not finite, or all are 0.
        TypeError: a tuple is not a `(style, weight)` pair.
    """
    pairs = [_pair(each) for each in (style if isinstance(style, list) else [style])]
    if not pairs:
        raise ValueError("style is an empty list; pass at least one image")
    weights = [weight for _, weight in pairs]
    total = float(sum(weights))
    if not 0 < total < float("inf"):
        raise ValueError(f"style weights must be at least 0, and not all 0; got {weights}")
    return [(each, weight / total) for each, weight in pairs]


def _pair(style: Any) -> tuple[Any, float]:
    if not isinstance(style, tuple):
        return style, 1.0
    if len(style) != 2 or isinstance(style[1], str | bytes | bool):
        kinds = ", ".join(type(each).__name__ for each in style)
        raise TypeError(f"a tuple must be (style, weight), not ({kinds}); for several styles pass a list")
    try:
        return style[0], real("a style's weight", style[1], at_least=0)
    except TypeError as error:
        raise TypeError(f"{error}; a tuple must be (style, weight); for several styles pass a list") from None


def read_styles(
    style: Styles | None, controls: Controls, side: int | None, content: np.ndarray | None
) -> tuple[Style, ...]:
    """Read styles and assign them to mask regions.

    Args:
        style: one or several; those of weight 0 are left out. None for no style.
        controls: masks, colors and stroke size.
        side: long side of the result in pixels; None where it is not known yet.
        content: the image whose palette `controls.color` may give to the styles; float32 (1, height, width, 3).

    Raises:
        ImageError: an image cannot be read.
        ValueError: see `StyleTransfer.run`.
    """
    pairs = [] if style is None else with_weights(style)
    check_mask_count(controls, len(pairs))
    style_masks = controls.style_masks or (None,) * len(pairs)
    found: list[Style] = []
    for number, ((source, weight), mask) in enumerate(zip(pairs, style_masks, strict=True)):
        if weight == 0.0:
            continue
        region = number if controls.masks else 0
        if isinstance(source, StyleTarget):
            _check_target(controls, mask)
            found.extend(source.styles(weight, region))
            continue
        wanted = None if side is None else round(side * max(1.0, controls.style_scale))
        image = images.read(source, size=wanted)
        part = _part(image, mask, number + 1)
        found.append(
            ImageStyle(image.pixels, weight, region, part, controls.style_scale, _recoloring(controls, content))
        )
    return tuple(found)


def _part(image: images.ImageData, mask: Any, number: int) -> np.ndarray | None:
    """The part of a style that counts: what is visible of it, times its mask; None for all of it."""
    if mask is None:
        if image.alpha is not None and not image.alpha.any():
            raise ValueError(f"style {number} is transparent everywhere: there is nothing to paint with")
        return image.alpha
    part = masks.read_mask(mask, f"style mask {number}")
    if image.alpha is None:
        return part
    height, width = image.pixels.shape[1:3]
    part = masks.resize_mask(part, (width, height)) * image.alpha
    if not part.any():
        raise ValueError(f"style mask {number} covers only transparent parts of style {number}")
    return part


def check_mask_count(controls: Controls, count: int) -> None:
    """Raise `ValueError` unless masks, where there are any, are one for each style."""
    for name, given in (("masks", controls.masks), ("style_masks", controls.style_masks)):
        if given and len(given) != count:
            raise ValueError(f"{count} styles need {count} {name}, not {len(given)}")


def _check_target(controls: Controls, mask: Any) -> None:
    """Raise `ValueError` for controls that change a style's image, which a `StyleTarget` no longer has."""
    if mask is not None:
        raise ValueError("a StyleTarget has no image to mask: pass style_masks to target()")
    if controls.style_scale != 1.0:
        raise ValueError("a StyleTarget has no image to scale: pass style_scale to target()")
    if controls.mode.before is not None:
        raise ValueError(
            f"color={controls.color!r} changes the style image, which a StyleTarget does not contain: pass the image, "
            "or color='content' or init='recolored'"
        )


def _recoloring(
    controls: Controls, content: np.ndarray | None
) -> Callable[[np.ndarray, np.ndarray | None, int], np.ndarray] | None:
    """What gives a style the content's palette before it is measured; None where its colors stay."""
    if controls.mode.before is None:
        return None
    if content is None:
        raise ValueError(f"color={controls.color!r} needs a content to take the colors from")
    height, width = content.shape[1:3]

    def recolor(pixels: np.ndarray, mask: np.ndarray | None, long_side: int) -> np.ndarray:
        size = fit((width, height), min(long_side, max(width, height)))
        return controls.recolor(pixels, images.resize(content, size), mask)

    return recolor


def blend_targets(styles: Sequence[Style], objective: Objective, long_side: int, regions: int = 0) -> Targets:
    """Each loss's target at a scale: the styles' statistics, added as if the styles were parts of one image.

    A loss whose statistics do not add, or whose target follows the canvas, gets `Several`: one target for each style.

    Args:
        styles: at least one.
        objective: whose losses are served.
        long_side: of the canvas, in pixels.
        regions: how many mask regions the canvas has; 0 without masks.
    """
    measured = [style.measure(objective, long_side, regions) for style in styles]
    if len(measured) == 1:
        return measured[0].statistic
    shares = [style.weight / each.area for style, each in zip(styles, measured, strict=True)]
    weights = _weights_in_regions(styles, regions)
    targets: list[Statistic | Several | None] = []
    for loss, *found in zip(objective.losses, *(each.statistic for each in measured), strict=True):
        if not loss.uses_style:
            targets.append(None)
        elif loss.additive and not loss.refresh:
            targets.append(tf.nest.map_structure(functools.partial(_sum, shares), *found))
        else:
            targets.append(Several(tuple(found), weights))
    return tuple(targets)


def _weights_in_regions(styles: Sequence[Style], regions: int) -> tf.Tensor:
    """Each style's share of its region's weight; the guides carry the regions' own weights."""
    totals = dict.fromkeys(range(max(1, regions)), 0.0)
    for style in styles:
        totals[style.region] += style.weight
    return tf.constant([style.weight / totals[style.region] for style in styles], tf.float32)


def _sum(shares: Sequence[float], *tensors: tf.Tensor) -> tf.Tensor:
    return tf.add_n([share * tensor for share, tensor in zip(shares, tensors, strict=True)])


def blend_palettes(styles: Sequence[Style]) -> color.Palette:
    """The palette of several styles: the weighted means of theirs."""
    total = sum(style.weight for style in styles)
    mean, covariance = (
        np.sum([style.weight / total * style.palette[moment] for style in styles], axis=0) for moment in (0, 1)
    )
    return color.Palette(mean, covariance)
