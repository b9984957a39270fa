"""Two pictures to one, with good defaults."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

if TYPE_CHECKING:
    from neural_style.features import Extractor
    from neural_style.optimizers import Optimizer
    from neural_style.recipes import Recipe
    from neural_style.scales import Scale, Schedule
    from neural_style.transfer.checkpoint import Checkpoint
    from neural_style.transfer.result import Result, Step

__all__ = ["clear_cache", "paint", "stylize"]

QUALITIES = ("best", "fast")

PREVIEW = 256
"""Long side of a preview in pixels."""


def stylize(
    content: Any,
    style: Any,
    *,
    size: int | tuple[int, int] | None = 512,
    strength: float = 0.5,
    steps: int | None = None,
    recipe: str | Recipe = "default",
    quality: Literal["best", "fast"] = "best",
    extractor: Extractor | str | None = None,
    optimizer: Optimizer | str | None = None,
    precision: str = "auto",
    tile: int | Literal["auto"] | None = None,
    init: Any = None,
    seed: int = 0,
    masks: Any = None,
    style_masks: Any = None,
    background: Literal["content"] | None = None,
    color: str = "style",
    color_strength: float = 1.0,
    style_scale: float = 1.0,
    preview: bool = False,
    max_seconds: float | None = None,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    callbacks: Iterable[Callable[[Step], object]] = (),
) -> Image.Image:
    """Paint one picture in the style of another.

    Args:
        content: what to paint: a path, an open binary file, bytes, a PIL image, an array or tensor
            (height, width[, 3 | 4]) of uint8, uint16 or float in [0, 1]. None makes a texture of the style.
        style: how: one picture likewise or a `StyleTarget`, or a list of them or of `(style, weight)` pairs. None
            reconstructs the content from what the network sees in it.
        size: long side of the result in pixels; None for the content's own. For a texture also (width, height).
        strength: from 0 (keep the content) to 1 (the style rules).
        steps: total over all scales; None for the recipe's own number.
        recipe: the name of one in `neural_style.recipes.RECIPES`, such as `"default"`, or a `Recipe`.
        quality: `"fast"` paints the larger canvases with `Lite`, a small network that was taught by VGG16, in a
            fraction of the time and with nothing to download; `"best"` does what the recipe says.
        extractor: an `Extractor`, `"vgg16"`, `"vgg19"` or `"lite"`; None for what `quality` or the recipe says, else
            `default_extractor()`.
        optimizer: `"adam"`, `"lbfgs"` or an `Optimizer`; None for the recipe's.
        precision: of the convolutions: `"auto"`, `"float32"`, `"bfloat16"` or `"float16"`. See `StyleTransfer`.
        tile: paint a large picture in tiles of so many pixels a side, in bounded memory; `"auto"` where it would
            not fit otherwise; None never. See `StyleTransfer`.
        init: `"content"`, `"recolored"`, `"noise"`, a picture, or a number: the share of noise in a mixture with the
            content. None for the recipe's, or for noise where content or style is None.
        seed: of the noise. Equal calls on one machine give equal bits.
        masks: where each style rules, one mask for each: pictures or arrays over the content. See
            `StyleTransfer.run`, also for what follows.
        style_masks: the part of each style that counts, one mask or None for each.
        background: `"content"` leaves what the masks do not cover untouched.
        color: `"style"`, `"content"` (keep the content's colours), `"match"` or `"histogram"` (give the style the
            content's palette first).
        color_strength: how far `color` goes, in [0, 1].
        style_scale: size of the style beside the picture; 2 for strokes twice as large.
        preview: show in a quarter of the time what the picture will be like: at most 256 pixels and half the steps.
            Strokes keep their share of the picture, so a preview looks like the picture seen from afar. With
            `quality="fast"` the small network looks all the way.
        max_seconds: end after about so long with the picture so far.
        checkpoint: a file to keep the run in, or a `Checkpoint`; the next equal call goes on from there. See
            `StyleTransfer.run`.
        progress: True shows a bar, in a terminal on stderr or in a notebook; nothing elsewhere.
        callbacks: called with a `Step` after every step; `StopIteration` from one ends the run.

    Returns:
        The picture, 8-bit RGB, or RGBA where the content has transparency.

    Raises:
        ImageError: a picture cannot be read.
        ValueError: an argument is out of range, a picture is too small, or masks do not fit; see
            `StyleTransfer.run`.
        WeightsUnavailableError: a named extractor's weights are neither here nor reachable.
        MemoryError: the picture does not fit into memory; the text names a tile or a size that would.
        DivergenceError: the loss stopped being finite, and smaller steps did not help.
        CheckpointError: the checkpoint belongs to another run, is damaged or cannot be written to.

    Example:
        >>> import numpy as np
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> stylize(content, style, size=48, steps=2, extractor="vgg16").size
        (48, 32)
    """
    options = dict(locals())
    return paint(options.pop("content"), options.pop("style"), **options).image


def paint(
    content: Any,
    style: Any,
    *,
    strength: float = 0.5,
    recipe: str | Recipe = "default",
    quality: Literal["best", "fast"] = "best",
    extractor: Extractor | str | None = None,
    optimizer: Optimizer | str | None = None,
    precision: str = "auto",
    tile: int | Literal["auto"] | None = None,
    init: Any = None,
    size: int | tuple[int, int] | None = 512,
    steps: int | None = None,
    preview: bool = False,
    progress: bool | None = None,
    callbacks: Iterable[Callable[[Step], object]] = (),
    **controls: Any,
) -> Result:
    """What `stylize` and the command line do: `stylize`, with all that a run tells.

    Args and errors are those of `stylize`; what is not named here goes to `StyleTransfer.run` as it is.
    """
    from neural_style.callbacks import ProgressBar
    from neural_style.transfer.style_transfer import StyleTransfer

    chosen = recipe_of(recipe, quality)
    scales = chosen.scales
    if preview:
        size, scales = _previewed(size), functools.partial(_half_the_steps, scales)
    transfer = StyleTransfer(
        chosen.loss(strength),
        chosen.extractor if extractor is None else extractor,
        optimizer=chosen.optimizer if optimizer is None else optimizer,
        finish=chosen.final_optimizer if optimizer is None else None,
        precision=precision,
        scales=scales,
        tile=tile,
        relay=None if preview else chosen.relay,
        detail=chosen.detail_strength_at(strength),
    )
    if init is None and content is not None and style is not None:
        init = chosen.init
    watchers: list[Callable[[Step], object]] = [*callbacks, ProgressBar()] if progress else list(callbacks)
    return transfer.run(content, style, size=size, steps=steps, init=init, callbacks=watchers, **controls)


def recipe_of(recipe: str | Recipe, quality: str) -> Recipe:
    """The recipe that is meant, in the quality that is asked for.

    Raises:
        ValueError: there is no such recipe or quality.
    """
    from neural_style import recipes

    if quality not in QUALITIES:
        raise ValueError(f"quality is one of {', '.join(map(repr, QUALITIES))}, not {quality!r}")
    chosen = recipes.get(recipe)
    return recipes.quick(chosen) if quality == "fast" else chosen


def _previewed(size: int | tuple[int, int] | None) -> int | tuple[int, int]:
    """The size of a preview: `PREVIEW` pixels on the long side at most."""
    from neural_style.scales import fit

    if isinstance(size, tuple):
        return fit(size, min(PREVIEW, max(size)))
    return PREVIEW if size is None else min(PREVIEW, size)


def _half_the_steps(scales: Schedule, size: tuple[int, int], steps: int | None) -> Sequence[Scale]:
    """A schedule for half as many steps as it gives, or as were asked for."""
    whole = sum(scale.steps for scale in scales(size, None)) if steps is None else steps
    return scales(size, (whole + 1) // 2)


def clear_cache() -> None:
    """Let go of the networks and compiled functions kept for the next call.

    For a long-lived process that has painted for now. Whatever is in use stays whole; the next call loads and
    compiles anew. TensorFlow itself keeps a little of every function it ever compiled.

    Example:
        >>> clear_cache()
    """
    from neural_style import objective
    from neural_style.features.registry import clear_extractors

    objective.clear_cache()
    clear_extractors()
