"""Two pictures to one, with good defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

if TYPE_CHECKING:
    from neural_style.checkpoint import Checkpoint
    from neural_style.features import Extractor
    from neural_style.optimizers import Optimizer
    from neural_style.recipes import Recipe
    from neural_style.result import Step

__all__ = ["clear_cache", "stylize"]


def stylize(
    content: Any,
    style: Any,
    *,
    size: int | None = 512,
    strength: float = 0.5,
    steps: int | None = None,
    recipe: str | Recipe = "default",
    extractor: Extractor | str | None = None,
    optimizer: Optimizer | str | None = None,
    precision: str = "auto",
    tile: int | Literal["auto"] | None = None,
    init: Any = None,
    seed: int = 0,
    max_seconds: float | None = None,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    callbacks: Iterable[Callable[[Step], object]] = (),
) -> Image.Image:
    """Paint one picture in the style of another.

    Args:
        content: what to paint: a path, an open binary file, bytes, a PIL image, an array or tensor
            (height, width[, 3 | 4]) of uint8, uint16 or float in [0, 1].
        style: how: one picture likewise, or a list of pictures or `(picture, weight)` pairs.
        size: long side of the result in pixels; None for the content's own.
        strength: from 0 (keep the content) to 1 (the style rules).
        steps: total over all scales; None for the recipe's own number.
        recipe: `"default"`, `"gatys2016"` or a `Recipe`.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`; None for `default_extractor()`.
        optimizer: `"adam"`, `"lbfgs"` or an `Optimizer`; None for the recipe's.
        precision: of the convolutions: `"auto"`, `"float32"`, `"bfloat16"` or `"float16"`. See `StyleTransfer`.
        tile: paint a large picture in tiles of so many pixels a side, in bounded memory; `"auto"` where it would
            not fit otherwise; None never. See `StyleTransfer`.
        init: `"content"`, `"recolored"`, `"noise"` or a picture; None for the recipe's.
        seed: of the noise. Equal calls on one machine give equal bits.
        max_seconds: end after about so long with the picture so far.
        checkpoint: a file to keep the run in, or a `Checkpoint`; the next equal call goes on from there. See
            `StyleTransfer.run`.
        progress: True shows a bar on stderr where that is a terminal.
        callbacks: called with a `Step` after every step; `StopIteration` from one ends the run.

    Returns:
        The picture, 8-bit RGB, or RGBA where the content has transparency.

    Raises:
        ImageError: a picture cannot be read.
        ValueError: an argument is out of range, or a picture is too small.
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
    from neural_style import recipes
    from neural_style.callbacks import ProgressBar
    from neural_style.transfer import StyleTransfer

    chosen = recipes.get(recipe)
    transfer = StyleTransfer(
        chosen.loss(strength),
        extractor,
        optimizer=chosen.optimizer if optimizer is None else optimizer,
        finish=chosen.finish if optimizer is None else None,
        precision=precision,
        scales=chosen.scales,
        tile=tile,
    )
    result = transfer.run(
        content,
        style,
        size=size,
        steps=steps,
        init=chosen.init if init is None else init,
        seed=seed,
        max_seconds=max_seconds,
        checkpoint=checkpoint,
        callbacks=[*callbacks, ProgressBar()] if progress else callbacks,
    )
    return result.image


def clear_cache() -> None:
    """Let go of the networks and compiled functions kept for the next call.

    For a long-lived process that has painted for now. Whatever is in use stays whole; the next call loads and
    compiles anew. TensorFlow itself keeps a little of every function it ever compiled.
    """
    from neural_style import objective, passes
    from neural_style.features import defaults

    for kept in (objective._cached_objective, passes._cached_programs, defaults._default, defaults._build):
        kept.cache_clear()
