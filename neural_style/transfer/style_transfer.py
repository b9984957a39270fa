"""The object that paints: one loss, extractor, optimizer and schedule for any number of images."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from typing import Any, Literal, Self

import tensorflow as tf

from neural_style import recipes
from neural_style._arguments import MAX_COUNT, real, share, whole
from neural_style._tracing import check_process
from neural_style.features import Extractor
from neural_style.features.precision import in_precision
from neural_style.features.registry import as_extractor
from neural_style.images import ImageLike
from neural_style.losses import Loss, Sum
from neural_style.objective import Estimate, TileSize, check_tiled, estimate_memory, objective_for
from neural_style.optimizers import Optimizer, named_optimizer
from neural_style.recipes import Recipe
from neural_style.scales import Relay, Schedule
from neural_style.transfer.checkpoint import Checkpoint
from neural_style.transfer.controls import Controls
from neural_style.transfer.inputs import InitLike, read_inputs, side_of
from neural_style.transfer.loop import optimize
from neural_style.transfer.problem import make_problem
from neural_style.transfer.result import Result, Step
from neural_style.transfer.settings import Settings
from neural_style.transfer.styles.blending import Styles, read_styles
from neural_style.transfer.styles.image_style import ImageStyle
from neural_style.transfer.styles.style_target import StyleTarget, measure_target

__all__ = ["StyleTransfer"]

MIN_TILE = 16
"""Side in pixels of the smallest tile, VGG's deepest cell: a smaller one would be computed as if it were as large."""


class StyleTransfer:
    """Paints images with one loss, extractor, optimizer and schedule.

    It stores nothing of a run: one object serves any number of images, sizes and threads, and shares its compiled
    functions with all objects of the same losses and extractor. It can be pickled and copied.

    Arguments that are None come from the recipe, with two exceptions: an `optimizer` without a `final_optimizer` is
    used at the final size as well, and a `loss` without a `detail_strength` sets the latter to 0.

    Args:
        loss: what to minimize; None for the recipe's losses at `strength`.
        extractor: an `Extractor`, `"vgg16"`, `"vgg19"` or `"lite"`; None for the recipe's, or for
            `default_extractor()` if the recipe names none.
        recipe: name of a recipe, or a `Recipe`.
        strength: strength of the style in the recipe's losses, from 0 (keep the content) to 1 (full style).
        optimizer: an `Optimizer`, `"adam"` or `"lbfgs"`, which updates the canvas.
        final_optimizer: the optimizer at the final size, of the same kinds.
        precision: precision of the extractor's convolutions: `"auto"` (the fastest that this device is known to support
            natively), `"float32"`, `"bfloat16"` or `"float16"`. Everything else is float32.
        scales: schedule of sizes and steps.
        tile: side of the tiles in pixels. The image is then evaluated tile by tile, with the exact gradient and in
            memory that hardly grows with the image, in about twice the time. An image no larger than a tile with its
            margin is evaluated as a whole. `"auto"` uses no tiles at scales that fit into memory, and the largest that
            fit at the others. None: no tiles.
        relay: another network for the smallest canvases or the last steps. It is not used if a style is a
            `StyleTarget`, which contains the statistics of one network only.
        detail_strength: share of the content's high-frequency detail (one level of its Laplacian pyramid, Burt and
            Adelson, 1983) that is added at each upsampling, from 0 to 1, if the canvas began as the content.

    Raises:
        ValueError: the loss needs a layer that the extractor does not have; the extractor does not support the
            precision; `strength` or `detail_strength` is not in [0, 1]; or `tile` is set, but a loss is not additive
            over tiles or the extractor does not know its receptive fields.
        TypeError: an argument has the wrong type; the message says what is expected.
        WeightsUnavailableError: a named extractor's weights are neither on this machine nor downloadable.

    Example:
        >>> import numpy as np
        >>> from neural_style.losses import Content, Gram
        >>> transfer = StyleTransfer(0.1 * Content() + Gram(), "vgg16")
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> transfer.run(content, style, size=48, steps=2).image.size
        (48, 32)
    """

    def __init__(
        self,
        loss: Loss | Sum | None = None,
        extractor: Extractor | str | None = None,
        *,
        recipe: str | Recipe = "default",
        strength: float = 0.5,
        optimizer: Optimizer | str | None = None,
        final_optimizer: Optimizer | str | None = None,
        precision: str = "auto",
        scales: Schedule | None = None,
        tile: TileSize = None,
        relay: Relay | None = None,
        detail_strength: float | None = None,
    ) -> None:
        _check_eager()
        chosen, strength = recipes.get(recipe), share("strength", strength)
        if detail_strength is None:
            detail_strength = chosen.detail_strength_at(strength) if loss is None else 0.0
        if final_optimizer is None:
            final_optimizer = chosen.final_optimizer if optimizer is None else optimizer
        moves = named_optimizer(chosen.optimizer if optimizer is None else optimizer)
        network = in_precision(as_extractor(chosen.extractor if extractor is None else extractor), precision)
        self.settings = Settings(
            loss=_sum(chosen.loss(strength) if loss is None else loss),
            extractor=network,
            optimizer=moves,
            final_optimizer=moves if final_optimizer is None else named_optimizer(final_optimizer),
            scales=chosen.scales if scales is None else _scales(scales),
            tile=_tile(tile),
            relay=_relay(chosen.relay if relay is None and loss is None else relay, precision),
            detail_strength=share("detail_strength", detail_strength),
            init=chosen.init,
        )
        _check_layers(self.settings)

    @classmethod
    def from_recipe(cls, recipe: str | Recipe, strength: float = 0.5, **overrides: Any) -> Self:
        """Create a transfer from a recipe.

        Args:
            recipe: its name, or a `Recipe`.
            strength: from 0 (keep the content) to 1 (full style).
            **overrides: other arguments of the class, which replace the recipe's.

        Raises:
            ValueError: no recipe has that name, or see the class.

        Example:
            >>> StyleTransfer.from_recipe("gatys2016", 0.7, extractor="vgg16").settings.loss.names
            ('content', 'gram')
        """
        return cls(recipe=recipe, strength=strength, **overrides)

    def __repr__(self) -> str:
        own = self.settings
        names = ("optimizer", "final_optimizer", "scales", "tile", "relay", "detail_strength")
        shown = ", ".join(f"{name}={getattr(own, name)!r}" for name in names)
        return f"StyleTransfer({own.loss!r}, {own.extractor!r}, {shown})"

    def estimate(self, size: tuple[int, int]) -> Estimate:
        """Estimate the memory that an image needs, and the tiles that would be used.

        Args:
            size: (width, height) in pixels.

        Returns:
            Peak memory of a step in bytes, in addition to what the process uses now; the tile; the bytes available.

        Example:
            >>> small, large = (StyleTransfer(extractor="vgg16").estimate(size) for size in [(512, 384), (2048, 1536)])
            >>> small.bytes < large.bytes
            True
        """
        own = self.settings
        losses = tuple(term.loss for term in own.loss)
        return estimate_memory(losses, own.extractor, own.final_optimizer, size, own.tile)

    def run(
        self,
        content: ImageLike | None,
        style: Styles | None,
        *,
        size: int | tuple[int, int] | None = 512,
        steps: int | None = None,
        init: InitLike = None,
        seed: int = 0,
        masks: Any = None,
        style_masks: Any = None,
        background: Literal["content"] | None = None,
        color: str = "style",
        color_strength: float = 1.0,
        style_scale: float = 1.0,
        previous: Any = None,
        max_seconds: float | None = None,
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        callbacks: Iterable[Callable[[Step], object]] = (),
    ) -> Result:
        """Paint one image.

        Args:
            content: the image to paint: a path, an open binary file, bytes, a PIL image, an array or tensor
                (height, width[, 3 | 4]) of uint8, uint16 or float in [0, 1]. None synthesizes a texture; losses that
                use a content are then dropped.
            style: the image to take the style from, of the same kinds, or a `StyleTarget`; or a list of these or of
                `(style, weight)` pairs. None reconstructs the content; losses that use a style are then dropped.
            size: long side of the result in pixels; None for the content's own. Without a content, the result has the
                style's shape (a square for a `StyleTarget`), unless size is (width, height).
            steps: total number of steps over all scales; None for the schedule's number. 0 returns the initial canvas.
            init: `"content"`, `"recolored"` (the content in the styles' palette), `"noise"`, an image, or a number in
                [0, 1]: the share of noise in a mixture with the content. None for the recipe's, or for noise if content
                or style is None.
            seed: seed of the noise. Equal calls on one machine give bit-identical results.
            masks: one mask for each style, over the content and of any size: an image (white where the style applies,
                gray where it applies partly), or an array (height, width) of bools or of floats in [0, 1]. Where masks
                overlap, their styles are blended; a style's weight is then the weight of its region. As in Gatys et al.
                (2017), every region is compared with its own style only.
            style_masks: one mask for each style, over the style: the part whose statistics are used; None in the list
                uses all of it. Style masks can also be passed as `masks=[(mask, style mask), ...]`.
            background: `"content"` keeps the content exactly as it is where no mask covers it.
            color: `"style"` takes the colors from the style. `"content"` keeps the content's colors: only the lightness
                is painted, in Oklab. `"match"` and `"histogram"` first recolor the styles with the content's palette,
                by mean and covariance or by histogram. See `neural_style.color`.
            color_strength: how strongly `color` applies, from 0 (as `"style"`) to 1.
            style_scale: the style's long side as a multiple of the canvas's, at every scale: 2 makes strokes twice as
                large. A style is never enlarged more than 2x. A style of more than a megapixel that is larger than the
                canvas is measured in tiles; losses that do not support tiles measure its center.
            previous: the image that a `Temporal` loss keeps the canvas close to, or `(image, mask)` with a mask that is
                white, or 1, where the image is valid. For video frames: the previous painted frame, warped to this one.
                See `neural_style.video.flow`.
            max_seconds: stop after this many seconds, but not before the first step, and return the current image.
            checkpoint: file to save the run in, or a `Checkpoint`. The next equal call resumes the run; on the same
                machine with the same threads and tiles, the result is bit-identical to that of an uninterrupted run.
                The file remains when the run is complete; an equal call then returns the image immediately.
            callbacks: functions called with a `Step` after every step. If one raises `StopIteration`, the run ends and
                returns the current image, as after Ctrl-C. Any other exception propagates after the run has been saved.

        Returns:
            The image, exactly `size` on its long side, with its history. A run that ended early returns its last
            canvas, or an earlier canvas of that scale with a lower loss.

        Raises:
            ImageError: an image cannot be read.
            ValueError: an image is too small for the layers used, or an argument is out of range; the number of masks
                is not that of the styles, or masks are empty or leave part of the image uncovered; there are masks, but
                a loss is `custom`; a `StyleTarget` was made for other losses or another extractor.
            TypeError: an argument has the wrong type.
            MemoryError: the image does not fit into memory; the message names a tile or a size that fits.
            DivergenceError: the loss or its gradient became NaN or infinite, and halving the learning rate did not
                help.
            CheckpointError: the checkpoint belongs to other inputs, settings or versions (the message says which), is
                damaged and has no intact previous copy, or cannot be read or written at the moment.
            RuntimeError: called inside a `tf.function`.

        Warns:
            UserWarning: a style is too small for the strokes that `style_scale` requests; or the run cannot be resumed
                from its checkpoint, because part of it cannot be identified.
        """
        _check_eager()
        if init is None and content is not None and style is not None:
            init = self.settings.init
        total = None if steps is None else whole("steps", steps, at_least=0, at_most=MAX_COUNT)
        limit = None if max_seconds is None else real("max_seconds", max_seconds, at_least=0, finite=False)
        watchers = _callbacks(callbacks)
        controls = Controls(masks, style_masks, background, color, color_strength, style_scale)
        inputs = read_inputs(content, style, controls, size=size, init=init, seed=seed, previous=previous)
        problem = make_problem(self.settings, inputs, steps=total)
        return optimize(problem, checkpoint=checkpoint, max_seconds=limit, callbacks=watchers)

    def target(
        self, style: Styles, *, size: int = 512, style_masks: Any = None, style_scale: float = 1.0
    ) -> StyleTarget:
        """Compute the statistics of a style, which can replace its image in a run.

        Args:
            style: an image, or a list of images or `(image, weight)` pairs.
            size: long side of the results to paint with it. The statistics are computed for each scale of a square of
                that size; a canvas of another size uses the nearest.
            style_masks: see `run`.
            style_scale: see `run`.

        Raises:
            ImageError: an image cannot be read.
            ValueError: an argument is out of range.

        Example:
            >>> import numpy as np
            >>> transfer, style = StyleTransfer(extractor="vgg16"), np.full((50, 50, 3), 200, np.uint8)
            >>> target = transfer.target(style, size=48)
            >>> transfer.run(np.zeros((40, 60, 3), np.uint8), target, size=48, steps=2).image.size
            (48, 32)
        """
        _check_eager()
        own, size = self.settings, side_of("size", size)
        styles = read_styles(style, Controls(style_masks=style_masks, style_scale=style_scale), size, None)
        for each in styles:
            if not isinstance(each, ImageStyle):
                raise ValueError("a target is made from images; to mix targets, write 0.3 * a + 0.7 * b")
            each.warn_if_small(size)
        sides = sorted({max(scale.width, scale.height) for scale in own.scales((size, size), None)})
        objective = objective_for(tuple(term.loss for term in own.loss), own.extractor)
        return measure_target(styles, dict.fromkeys(sides, objective), own.extractor)


def _check_eager() -> None:
    check_process()
    if not tf.executing_eagerly():
        raise RuntimeError(
            "a style transfer is a Python loop and cannot run inside a tf.function; call it outside, or through "
            "tf.py_function"
        )


def _check_layers(settings: Settings) -> None:
    """Raise `ValueError` unless each network has the losses' layers and, where there is a tile, they can be tiled."""
    losses = tuple(term.loss for term in settings.loss)
    objective_for(losses, settings.extractor)
    if settings.relay is not None:
        objective_for(losses, settings.relay.extractor)  # type: ignore[arg-type]  # resolved by `_relay`
    if isinstance(settings.tile, int):
        check_tiled(losses, settings.extractor)


def _sum(loss: Any) -> Sum:
    """The terms of weight above 0."""
    if not isinstance(loss, Loss | Sum):
        remedy = "add losses, as in 0.1 * Content() + Gram()"
        if isinstance(loss, str | Recipe):
            remedy = "for a recipe write StyleTransfer(recipe=...)"
        raise TypeError(f"loss must be a Loss or a sum of losses, not {type(loss).__name__}; {remedy}")
    return Sum(tuple(term for term in loss.terms if term.weight > 0))


def _tile(tile: Any) -> TileSize:
    if tile is None or (isinstance(tile, str) and tile == "auto"):
        return tile  # type: ignore[return-value]
    try:
        side = whole("tile", tile)
    except TypeError:
        side = 0
    if side < 1:
        raise ValueError(f"tile must be a positive number of pixels, 'auto' or None, not {tile!r}")
    if side < MIN_TILE:
        raise ValueError(f"tile must be at least {MIN_TILE} pixels, not {tile!r}; smaller tiles need as much memory")
    return side


def _callbacks(callbacks: Any) -> tuple[Callable[[Step], object], ...]:
    if not isinstance(callbacks, Iterable) or not all(map(callable, watchers := tuple(callbacks))):
        raise TypeError(f"callbacks must be a list of functions, not {callbacks!r}")
    return watchers


def _scales(scales: Any) -> Schedule:
    if not callable(scales) or isinstance(scales, type):
        raise TypeError(
            f"scales must be a schedule, such as SingleScale(200) or CoarseToFine(), not {scales!r}; to set the size "
            "in pixels, pass size= to run()"
        )
    return scales


def _relay(relay: Relay | None, precision: str) -> Relay | None:
    """The relay with its network, in the run's precision."""
    if relay is None:
        return None
    if not isinstance(relay, Relay):
        raise TypeError(f"relay must be a Relay, as in Relay('lite', sketch=256), not {relay!r}")
    return dataclasses.replace(relay, extractor=in_precision(as_extractor(relay.extractor), precision))
