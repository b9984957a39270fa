"""Main functions: two images to one, with good defaults."""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from PIL import Image

from neural_style._arguments import choice, count, flag, real, whole

if TYPE_CHECKING:
    from neural_style.features import Extractor
    from neural_style.images import ImageLike
    from neural_style.optimizers import Optimizer
    from neural_style.recipes import Recipe
    from neural_style.scales import Scale, Schedule
    from neural_style.transfer.checkpoint import Checkpoint
    from neural_style.transfer.inputs import InitLike
    from neural_style.transfer.result import Result, Step
    from neural_style.transfer.styles.blending import Styles

__all__ = [
    "PREVIEW_SIDE",
    "QUALITIES",
    "FrameOptions",
    "Options",
    "check_one_pass",
    "check_options",
    "choose_recipe",
    "clear_cache",
    "stylize",
    "stylize_result",
]

QUALITIES = ("best", "fast", "instant")

PREVIEW_SIDE = 256
"""Long side of a preview in pixels."""

LATE_SCALES = 2
"""How many scales a run has that begins with what one pass painted."""


class FrameOptions(TypedDict, total=False):
    """Keywords of `stylize` that apply to every frame of a video; see there."""

    strength: float
    steps: int | None
    recipe: str | Recipe
    quality: Literal["best", "fast", "instant"]
    extractor: Extractor | str | None
    optimizer: Optimizer | str | None
    precision: str
    tile: int | Literal["auto"] | None
    init: InitLike
    seed: int
    masks: Any
    style_masks: Any
    background: Literal["content"] | None
    color: str
    color_strength: float
    style_scale: float
    preview: bool


class Options(FrameOptions, total=False):
    """Keywords of `stylize` that mean the same for one image as for many; see there."""

    size: int | tuple[int, int] | None
    max_seconds: float | None


def check_options(function: str, given: Mapping[str, object], options: type = Options) -> None:
    """Raise `TypeError`, as Python would, for a keyword that is not one of the options.

    Args:
        function: whose keywords they are, for the text.
        given: the keywords.
        options: `Options` or `FrameOptions`.
    """
    for name in given:
        if name not in options.__annotations__:
            raise TypeError(f"{function}() takes no argument {name!r}")


def stylize(
    content: ImageLike | None,
    style: Styles | None,
    *,
    size: int | tuple[int, int] | None = 512,
    strength: float = 0.5,
    steps: int | None = None,
    recipe: str | Recipe = "default",
    quality: Literal["best", "fast", "instant"] = "best",
    extractor: Extractor | str | None = None,
    optimizer: Optimizer | str | None = None,
    precision: str = "auto",
    tile: int | Literal["auto"] | None = None,
    init: InitLike = None,
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
    """Paint one image in the style of another.

    Args:
        content: the image to paint: a path, an open binary file, bytes, a PIL image, an array or tensor
            (height, width[, 3 | 4]) of uint8, uint16 or float in [0, 1]. None makes a texture of the style.
        style: the image to take the style from, of the same kinds, or a `StyleTarget`; or a list of these or of
            `(style, weight)` pairs. None reconstructs the content from its features.
        size: long side of the result in pixels; None for the content's own. For a texture also (width, height).
        strength: from 0 (keep the content) to 1 (full style).
        steps: total number of steps over all scales, at least 1; None for the recipe's number.
        recipe: name of a recipe in `neural_style.recipes.RECIPES`, such as `"default"`, or a `Recipe`.
        quality: `"best"` follows the recipe. `"fast"` paints the larger canvases with `Lite`, a small network distilled
            from VGG16, in a fraction of the time and without a download. `"instant"` paints in one pass, in any style;
            only canvases of up to 128 pixels are optimized, see `neural_style.feedforward`. It needs a content and a
            style. With it, `steps`, `extractor`, `optimizer`, `init`, `checkpoint` and recipes other than the default
            raise an error; `tile`, `seed`, `max_seconds`, `progress` and `callbacks` have no effect.
        extractor: an `Extractor`, `"vgg16"`, `"vgg19"` or `"lite"`; None for the network of `quality` or of the recipe,
            otherwise `default_extractor()`.
        optimizer: `"adam"`, `"lbfgs"` or an `Optimizer`; None for the recipe's.
        precision: of the convolutions: `"auto"`, `"float32"`, `"bfloat16"` or `"float16"`. See `StyleTransfer`.
        tile: side in pixels of the tiles in which a large image is evaluated, to bound memory use. `"auto"` uses tiles
            only if the image would not fit into memory; None uses none. See `StyleTransfer`.
        init: `"content"`, `"recolored"`, `"noise"`, an image, or a number: the share of noise in a mixture with the
            content. `"instant"` starts from the result of `quality="instant"` and makes only the recipe's last two
            scales; it needs a content, and images as styles. None for the recipe's, or for noise if content or style is
            None.
        seed: seed of the noise. Equal calls on one machine give bit-identical results.
        masks: one mask for each style, an image or array over the content that is white where the style applies.
            `StyleTransfer.run` describes this and the following five arguments in detail.
        style_masks: one mask or None for each style: the part of the style that is used.
        background: `"content"` keeps the content unchanged where no mask covers it.
        color: `"style"`, `"content"` (keep the content's colors), `"match"` or `"histogram"` (give the style the
            content's palette first).
        color_strength: how much of `color` is applied, in [0, 1].
        style_scale: size of the style relative to the image; 2 for strokes twice as large.
        preview: paint at most 256 pixels with half the steps, in a quarter of the time. Strokes keep their size
            relative to the image, so a preview looks like the image seen from a distance. With `quality="fast"` the
            small network paints every scale; with `quality="instant"` only the size changes.
        max_seconds: stop after this many seconds, but not before the first step, and return the current image.
        checkpoint: file to save the run in, or a `Checkpoint`; the next equal call resumes the run. See
            `StyleTransfer.run`.
        progress: None and True show a progress bar on stderr if it is a terminal, or below the cell of a notebook, and
            never in a pipe or a log file. False shows none.
        callbacks: functions called with a `Step` after every step. If one raises `StopIteration`, the run ends.

    Returns:
        The image, 8-bit RGB, or RGBA where the content has transparency.

    Raises:
        ImageError: an image cannot be read.
        ValueError: an argument is out of range, an image is too small, or masks do not fit; see
            `StyleTransfer.run`.
        TypeError: an argument has the wrong type; the message names it.
        WeightsUnavailableError: a named extractor's weights are neither on this machine nor downloadable.
        MemoryError: the image does not fit into memory; the message names a tile or a size that fits.
        DivergenceError: the loss became NaN or infinite, and smaller steps did not help.
        CheckpointError: the checkpoint belongs to another run, is damaged, or cannot be read or written.

    Example:
        >>> import numpy as np
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> stylize(content, style, size=48, steps=2, extractor="vgg16").size
        (48, 32)
    """
    return stylize_result(
        content,
        style,
        size=size,
        strength=strength,
        steps=steps,
        recipe=recipe,
        quality=quality,
        extractor=extractor,
        optimizer=optimizer,
        precision=precision,
        tile=tile,
        init=init,
        seed=seed,
        masks=masks,
        style_masks=style_masks,
        background=background,
        color=color,
        color_strength=color_strength,
        style_scale=style_scale,
        preview=preview,
        max_seconds=max_seconds,
        checkpoint=checkpoint,
        progress=progress,
        callbacks=callbacks,
    ).image


def stylize_result(
    content: ImageLike | None,
    style: Styles | None,
    *,
    size: int | tuple[int, int] | None = 512,
    strength: float = 0.5,
    steps: int | None = None,
    recipe: str | Recipe = "default",
    quality: Literal["best", "fast", "instant"] = "best",
    extractor: Extractor | str | None = None,
    optimizer: Optimizer | str | None = None,
    precision: str = "auto",
    tile: int | Literal["auto"] | None = None,
    init: InitLike = None,
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
) -> Result:
    """Paint one image in the style of another, and return the image with the record of the run.

    Arguments and errors are those of `stylize`.

    Returns:
        The image in float32 and in 8 bits, the history of the loss, and the settings, as `StyleTransfer.run` does.

    Example:
        >>> import numpy as np
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> result = stylize_result(content, style, size=48, steps=2, extractor="vgg16")
        >>> len(result.history), result.stopped_by
        (2, 'steps')
    """
    from neural_style.callbacks.progress import ProgressBar, is_asked_for, is_watched
    from neural_style.transfer import StyleTransfer

    preview, shown = flag("preview", preview), is_asked_for(progress) and is_watched()
    shared: dict[str, Any] = {
        "size": _preview_size(size) if preview else size,
        "masks": masks,
        "style_masks": style_masks,
        "background": background,
        "color": color,
        "color_strength": color_strength,
        "style_scale": style_scale,
    }
    if choice("quality", quality, QUALITIES) == "instant":
        needed = {"content": content, "style": style}
        check_one_pass(
            recipe, needed, extractor=extractor, optimizer=optimizer, steps=steps, init=init, checkpoint=checkpoint
        )
        _check_ignored(seed, max_seconds)
        return _paint_in_one_pass(content, style, strength, precision, shared)
    chosen = choose_recipe(recipe, quality, preview)
    transfer = StyleTransfer.from_recipe(
        _late_recipe(chosen) if _is_guess(init) else chosen,
        strength,
        extractor=extractor,
        optimizer=optimizer,
        precision=precision,
        tile=tile,
    )
    run = functools.partial(
        transfer.run,
        steps=None if steps is None else count("steps", steps),
        seed=seed,
        max_seconds=max_seconds,
        checkpoint=checkpoint,
        callbacks=[*callbacks, ProgressBar()] if shown else callbacks,
    )
    if _is_guess(init):
        return _refine(run, content, style, strength, precision, shared)
    return run(content, style, init=init, **shared)


def _is_guess(init: InitLike) -> bool:
    return isinstance(init, str) and init == "instant"


def _paint_in_one_pass(content: Any, style: Any, strength: float, precision: str, shared: Mapping[str, Any]) -> Result:
    """Paint in one pass; `shared` are the arguments that `OnePass.run` shares with `StyleTransfer.run`."""
    from neural_style.feedforward import OnePass

    return OnePass(strength, precision=precision).run(content, style, **shared)


def _refine(
    run: Callable[..., Result], content: Any, style: Any, strength: float, precision: str, shared: dict[str, Any]
) -> Result:
    """Optimize an image that is first painted in one pass, at the same size and strength.

    Args:
        run: `StyleTransfer.run` with the arguments that one pass does not have.
        content: see `stylize`.
        style: see `stylize`.
        strength: see `stylize`.
        precision: see `stylize`.
        shared: the other arguments of `StyleTransfer.run`, which one pass takes as well.

    Raises:
        ValueError: there is no content or no image of a style to paint with.
    """
    from neural_style.transfer.styles.blending import with_weights
    from neural_style.transfer.styles.style_target import StyleTarget

    began = time.perf_counter()
    for name, given in (("content", content), ("style", style)):
        if given is None:
            raise ValueError(f"init='instant' first paints the content in the style, but there is no {name}")
    if any(isinstance(each, StyleTarget) for each, _ in with_weights(style)):
        raise ValueError(
            "init='instant' first paints with the style's image, which a StyleTarget does not contain: pass the image, "
            "or another init"
        )
    content, style = _reread(content), _reread(style)
    shared = shared | {name: _reread(shared[name]) for name in ("masks", "style_masks")}
    # The content's colors come back when the optimized canvas is rendered; until then it has the style's.
    colors = {"color": "style"} if shared["color"] == "content" else {}
    guess = _paint_in_one_pass(content, style, strength, precision, shared | colors)
    seconds = time.perf_counter() - began
    result = run(content, style, init=guess.pixels, **shared)
    settings = result.settings | {"init": "instant", "seconds": result.settings["seconds"] + seconds}
    return dataclasses.replace(result, settings=settings)


def _reread(source: Any) -> Any:
    """A source, or a list or pair of them, that can be read twice: of an open file, its image."""
    from neural_style import images

    if isinstance(source, list | tuple):
        return type(source)(map(_reread, source))
    return images.read(source) if callable(getattr(source, "read", None)) else source


def check_one_pass(recipe: str | Recipe, needed: Mapping[str, object], **refused: object) -> None:
    """Raise `ValueError` for what one pass does not do.

    Args:
        recipe: which losses to minimize.
        needed: arguments that must not be None, by name.
        **refused: arguments that must be None.
    """
    from neural_style import recipes

    for name, given in needed.items():
        if given is None:
            raise ValueError(f"quality='instant' paints in one pass and needs a {name}; use 'best' or 'fast'")
    other = None if recipes.get(recipe) == recipes.DEFAULT else recipe
    for name, given in {"recipe": other, **refused}.items():
        if given is not None:
            raise ValueError(
                f"quality='instant' paints in one pass, so it accepts no {name}; omit it, or use 'best' or 'fast'"
            )


def _check_ignored(seed: object, max_seconds: object) -> None:
    """Check numbers that have no effect on one pass, as another quality would."""
    whole("seed", seed, at_least=0)
    if max_seconds is not None:
        real("max_seconds", max_seconds, at_least=0, finite=False)


def choose_recipe(recipe: str | Recipe, quality: str, preview: bool = False) -> Recipe:
    """The recipe that `recipe`, `quality` and `preview` stand for.

    Raises:
        ValueError: there is no such recipe or quality, or the quality is of one pass.
    """
    from neural_style import recipes

    chosen = recipes.get(recipe)
    if choice("quality", quality, QUALITIES) == "instant":
        raise ValueError("quality='instant' paints in one pass and follows no recipe; use 'best' or 'fast'")
    chosen = recipes.quick(chosen) if quality == "fast" else chosen
    return _preview_recipe(chosen) if preview else chosen


def _preview_size(size: int | tuple[int, int] | None) -> int | tuple[int, int]:
    """The size of a preview: at most `PREVIEW_SIDE` pixels on the long side."""
    from neural_style.scales import fit

    if isinstance(size, tuple):
        return fit(size, min(PREVIEW_SIDE, max(size)))
    return PREVIEW_SIDE if size is None else min(PREVIEW_SIDE, whole("size", size))


def _preview_recipe(recipe: Recipe) -> Recipe:
    """The recipe with half the steps, on one network."""
    return dataclasses.replace(recipe, scales=functools.partial(_halve_steps, recipe.scales), relay=None)


def _halve_steps(scales: Schedule, size: tuple[int, int], steps: int | None) -> Sequence[Scale]:
    """A schedule with half the steps it would have, or half of those asked for."""
    total = sum(scale.steps for scale in scales(size, None)) if steps is None else steps
    return scales(size, (total + 1) // 2)


def _late_recipe(recipe: Recipe) -> Recipe:
    """The recipe for a canvas that is painted already: its last scales only."""
    return dataclasses.replace(recipe, scales=functools.partial(_last_scales, recipe.scales))


def _last_scales(scales: Schedule, size: tuple[int, int], steps: int | None) -> Sequence[Scale]:
    """The last `LATE_SCALES` of a schedule, with the steps they have in it, or their share of those asked for."""
    late = scales(size, None)[-LATE_SCALES:]
    if steps is None:
        return late
    wanted = [scale.steps for scale in late]
    counts: list[int] = []
    for number, own in enumerate(wanted):
        counts.append(round((steps - sum(counts)) * own / max(1, sum(wanted[number:]))))
    return [scale._replace(steps=each) for scale, each in zip(late, counts, strict=True)]


def clear_cache() -> None:
    """Release the networks and compiled functions kept for the next call.

    For a long-lived process that has finished painting for now. Objects in use stay whole; the next call loads and
    compiles again. Freed memory returns to the system where the C library can do so on request (glibc). What stays is
    TensorFlow's own: oneDNN's kernels for the latest image sizes, and the pool in which it keeps freed maps and weights
    for its next allocations; see the how-to page on embedding.

    Example:
        >>> clear_cache()
    """
    from neural_style import objective
    from neural_style.features.registry import clear_extractors

    objective.clear_cache()
    clear_extractors()
    if (feedforward := sys.modules.get("neural_style.feedforward")) is not None:
        feedforward.clear_cache()
    objective.return_freed_memory()
