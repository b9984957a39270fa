"""From what a caller hands over to what a run works with: styles, sizes, starts, and losses that can be measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neural_style import images
from neural_style.images import masks as guides
from neural_style.losses import Sum, Term
from neural_style.scales import fit
from neural_style.transfer.controls import Controls
from neural_style.transfer.styles.image_style import PictureStyle, Style, weighted
from neural_style.transfer.styles.style_target import StyleTarget

__all__ = ["loss_for", "previous_of", "side_of", "size_of", "start_of", "styles_of"]

STARTS = ("content", "recolored", "noise")


def styles_of(style: Any, controls: Controls, side: int | None, content: np.ndarray | None) -> list[Style]:
    """Styles as they were given, read and put in their regions.

    Args:
        style: one style, or a list of styles or `(style, weight)` pairs; a style is a picture or a `StyleTarget`.
        controls: masks, colours and stroke size.
        side: long side of the result; None where it is not known yet.
        content: whose palette styles are given, where that is asked for; float32 (1, height, width, 3).

    Raises:
        ValueError: see `StyleTransfer.run`.
    """
    pairs = weighted(style)
    controls.check_styles(len(pairs))
    wanted = None if side is None else round(side * max(1.0, controls.style_scale))
    found: list[Style] = []
    for number, (source, weight) in enumerate(pairs):
        if weight == 0.0:
            continue
        region = number if controls.masks else 0
        mask = controls.style_masks[number] if controls.style_masks else None
        if isinstance(source, StyleTarget):
            _check_plain(controls, mask)
            found.extend(source.styles(weight, region))
            continue
        read = None if mask is None else guides.read_mask(mask, f"style mask {number + 1}")
        pixels = images.load(source, size=wanted)
        found.append(PictureStyle(pixels, weight, region, read, controls.style_scale, _recolor(controls, content)))
    return found


def _check_plain(controls: Controls, mask: Any) -> None:
    """A target holds statistics only: what changes the picture comes too late."""
    if mask is not None:
        raise ValueError("a StyleTarget has no picture to mask: give style_masks to target()")
    if controls.style_scale != 1.0:
        raise ValueError("a StyleTarget has no picture to scale: give style_scale to target()")
    if controls.color in ("match", "histogram"):
        raise ValueError(
            f"color={controls.color!r} changes the style picture, which a StyleTarget does not hold: give the picture, "
            "or color='content' or init='recolored'"
        )


def _recolor(controls: Controls, content: np.ndarray | None) -> Callable[[np.ndarray, int], np.ndarray] | None:
    if controls.color not in ("match", "histogram"):
        return None
    if content is None:
        raise ValueError(f"color={controls.color!r} needs a content to take the colours from")
    height, width = content.shape[1:3]

    def recolor(pixels: np.ndarray, long_side: int) -> np.ndarray:
        size = fit((width, height), min(long_side, max(width, height)))
        return controls.recolored(pixels, images.resize(content, size))

    return recolor


def loss_for(loss: Sum, content: bool, style: bool, previous: bool = False) -> Sum:
    """The terms that can be measured with what there is."""
    loss = Sum([term for term in loss if previous or not term.loss.uses_previous])
    told = [(term.weight, term.loss if content else term.loss.without_content()) for term in loss]
    kept = [Term(weight, part) for weight, part in told if part is not None and (style or not part.uses_style)]
    if len(kept) < len(loss.terms) and not any(term.loss.uses_content or term.loss.uses_style for term in kept):
        missing = " and ".join(name for name, there in (("content", content), ("style", style)) if not there)
        raise ValueError(f"without a {missing} no loss is left that reads a picture: there is nothing to paint")
    return Sum(kept)


def previous_of(previous: Any, size: tuple[int, int]) -> np.ndarray | None:
    """The picture that is held on to with its mask, float32 (1, height, width, 4); None for none.

    Args:
        previous: None, a picture, or a pair of one and a mask.
        size: (width, height) of the result.
    """
    if previous is None:
        return None
    picture, mask = previous if isinstance(previous, tuple) else (previous, None)
    held = images.resize(images.load(picture), size)
    cover = np.ones((1, 1, 1, 1), np.float32) if mask is None else guides.read_mask(mask, "the mask of previous")
    return np.concatenate([held, guides.resize_mask(cover, size)], axis=-1)


def side_of(size: int | tuple[int, int] | None, content: bool) -> int | None:
    """The long side asked for."""
    if isinstance(size, tuple):
        if content:
            raise ValueError(
                f"size is the long side in pixels; (width, height) is for a run without content, not {size}"
            )
        if min(size) < 1:
            raise ValueError(f"size is (width, height) in pixels, at least 1; not {size}")
        return max(size)
    if size is not None and size < 1:
        raise ValueError(f"size is the long side in pixels, at least 1; not {size}")
    return size


def size_of(size: int | tuple[int, int] | None, content: np.ndarray | None, styles: Sequence[Style]) -> tuple[int, int]:
    """(width, height) of the result."""
    if isinstance(size, tuple):
        return size
    shaped = [style.pixels for style in styles if isinstance(style, PictureStyle)]
    shape = content if content is not None else shaped[0] if shaped else None
    if shape is None:
        if size is None:
            raise ValueError("with neither a content nor a style picture, size has to be given")
        return size, size
    height, width = shape.shape[1:3]
    return fit((width, height), size or max(width, height))


def start_of(init: Any, content: bool, style: bool) -> Any:
    """What the canvas begins as: a word, a share of noise, or a picture (1, height, width, 3)."""
    if init is None:
        return "content" if content and style else "noise"
    if isinstance(init, int | float) and not isinstance(init, bool):
        if not 0.0 <= init <= 1.0:
            raise ValueError(f"init as a number is the share of noise, between 0 (content) and 1, not {init!r}")
        if not content:
            raise ValueError(f"init={init!r} mixes noise with the content, and there is none; try 'noise'")
        return float(init)
    if not (isinstance(init, str) and init in STARTS):
        return images.load(init)
    if (init == "content" and not content) or (init == "recolored" and not (content and style)):
        raise ValueError(f"init={init!r} needs {'a content' if not content else 'a style'}; try 'noise'")
    return init
