"""The object that paints: one loss, extractor, optimiser and schedule for any number of pictures."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from typing import Any, Literal

import tensorflow as tf

from neural_style import recipes
from neural_style.features import Extractor, default_extractor, named_extractor
from neural_style.features.precision import in_precision
from neural_style.losses import Loss, Sum
from neural_style.objective import Estimate, TileSize, check_tiled, estimate_memory, objective_for
from neural_style.optimizers import Optimizer, named_optimizer
from neural_style.scales import Relay, Schedule
from neural_style.transfer.checkpoint import Checkpoint
from neural_style.transfer.controls import Controls
from neural_style.transfer.inputs import styles_of
from neural_style.transfer.problem import Painting
from neural_style.transfer.result import Result, Step
from neural_style.transfer.styles.image_style import PictureStyle
from neural_style.transfer.styles.style_target import StyleTarget, describe, measured_at

__all__ = ["StyleTransfer"]


class StyleTransfer:
    """Paints pictures with one loss, extractor, optimiser and schedule.

    Holds nothing of a run: one object serves any number of pictures, sizes and threads, and what it has
    compiled is shared with every other of the same losses and extractor.

    Args:
        loss: what to minimise; None for the default recipe's at strength 0.5.
        extractor: an `Extractor`, or `"vgg16"` or `"vgg19"`; None for `default_extractor()`.
        optimizer: how the canvas moves: an `Optimizer`, `"adam"` or `"lbfgs"`; None for the default recipe's.
        finish: how it moves at the final size, likewise; None: as below it, or as the default recipe says where
            `optimizer` is None too.
        precision: of the extractor's convolutions: `"auto"` (the fastest this device is known to compute natively),
            `"float32"`, `"bfloat16"` or `"float16"`. Everything else is float32.
        scales: sizes and steps.
        tile: evaluate the picture in tiles of so many pixels a side, exactly and in memory that hardly grows with
            the picture, in about twice the time; pictures no larger than a tile with its margin stay whole.
            `"auto"`: untiled at every scale where that fits into memory, in the largest tiles that do where it
            does not. None: untiled.
        relay: another network for the coarse canvases or the last steps; None for `extractor` alone. Where a style
            is a `StyleTarget`, which knows only what one network sees, it does not take part.
        detail: how much of the content's finer detail a canvas that began as the content is given as it grows to the
            next size, from 0 (the losses have to bring it back) to 1 (all of it: a level of the content's Laplacian
            pyramid, Burt and Adelson, 1983); None: as the default recipe says where `loss` is None too, else 0.

    Raises:
        ValueError: the loss needs a layer that the extractor does not have, or the extractor cannot compute in that
            precision; or `detail` is not in [0, 1]; or a `tile` was given, and a loss does
            not add over tiles or the extractor does not know how far its layers see.
        WeightsUnavailableError: a named extractor's weights are neither here nor reachable.

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
        optimizer: Optimizer | str | None = None,
        finish: Optimizer | str | None = None,
        precision: str = "auto",
        scales: Schedule | None = None,
        tile: TileSize = None,
        relay: Relay | None = None,
        detail: float | None = None,
    ) -> None:
        _check_eager()
        recipe = recipes.DEFAULT
        if detail is None:
            detail = recipe.detail_strength if loss is None else 0.0
        loss = recipe.loss() if loss is None else loss
        self.loss = Sum(tuple(term for term in loss.terms if term.weight > 0))
        self.extractor = in_precision(_extractor(extractor), precision)
        if optimizer is None:
            optimizer, finish = recipe.optimizer, recipe.final_optimizer if finish is None else finish
        self.optimizer: Optimizer = named_optimizer(optimizer)
        self.finish: Optimizer = self.optimizer if finish is None else named_optimizer(finish)
        self.scales: Schedule = recipe.scales if scales is None else scales
        _check_tile(tile)
        self.tile: TileSize = tile
        if not 0.0 <= detail <= 1.0:
            raise ValueError(f"detail is between 0 and 1, not {detail!r}")
        self.detail = float(detail)
        losses = tuple(term.loss for term in self.loss)
        self._objective = objective_for(losses, self.extractor)
        self.relay: Relay | None = None
        if relay is not None:
            other = in_precision(_extractor(relay.extractor), precision)
            objective_for(losses, other)  # refuses an extractor that lacks a layer
            self.relay = dataclasses.replace(relay, extractor=other)
        if isinstance(tile, int):
            check_tiled(self._objective.losses, self.extractor)

    def __repr__(self) -> str:
        how = f"optimizer={self.optimizer!r}, finish={self.finish!r}, scales={self.scales!r}, tile={self.tile!r}"
        how = how if self.relay is None else f"{how}, relay={self.relay!r}"
        how = f"{how}, detail={self.detail}" if self.detail else how
        return f"StyleTransfer({self.loss!r}, {self.extractor!r}, {how})"

    def estimate(self, size: tuple[int, int]) -> Estimate:
        """The memory a picture takes, and the tiles it would be painted in.

        Args:
            size: (width, height) in pixels.

        Returns:
            Bytes at the peak of a step, beyond what the process holds now; the tile; the bytes there are.

        Example:
            >>> small, large = (StyleTransfer(extractor="vgg16").estimate(size) for size in [(512, 384), (2048, 1536)])
            >>> small.bytes < large.bytes
            True
        """
        return estimate_memory(self._objective.losses, self.extractor, self.finish, size, self.tile)

    def run(
        self,
        content: Any,
        style: Any,
        *,
        size: int | tuple[int, int] | None = 512,
        steps: int | None = None,
        init: Any = None,
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
        """Paint one picture.

        Args:
            content: what to paint: a path, an open binary file, bytes, a PIL image, an array or tensor
                (height, width[, 3 | 4]) of uint8, uint16 or float in [0, 1]. None: texture synthesis; the terms of
                the loss that read a content are left out.
            style: how: one picture likewise or a `StyleTarget`, or a list of them or of `(style, weight)` pairs.
                None: content reconstruction; the terms that read a style are left out.
            size: long side of the result in pixels; None for the content's own. Without a content, the style's
                shape at that long side (a square for a `StyleTarget`), or (width, height).
            steps: total over all scales; None for the schedule's own number.
            init: `"content"`, `"recolored"` (the content in the styles' palette), `"noise"`, a picture, or a number in
                [0, 1]: the share of noise in a mixture with the content. None for the content, or for noise where
                content or style is None.
            seed: of the noise. Equal calls on one machine give equal bits.
            masks: where each style rules: one mask for each style, over the content, of any size; a picture (white
                where the style rules, grey for partly) or an array (height, width) of bools or of floats in
                [0, 1]. Where masks overlap they share; a style's weight is then what its region weighs. As in
                Gatys et al. (2017), every region is compared with its own style only.
            style_masks: the part of each style whose statistics count, likewise; None in the list for all of it. They
                may also come as `masks=[(mask, style mask), ...]`.
            background: `"content"` leaves what the masks do not cover as it is in the content, exactly.
            color: `"style"` leaves colours to the style. `"content"` keeps the content's: of the painting only the
                lightness is taken, in Oklab. `"match"` and `"histogram"` first give the styles the content's
                palette, by mean and covariance or by histogram. See `neural_style.color`.
            color_strength: how far `color` goes, from 0 (as `"style"`) to 1.
            style_scale: the style's long side as a multiple of the canvas's, at every scale: 2 makes strokes twice
                as large. A style is enlarged at most twofold. One of more than a megapixel, and more than the
                canvas, is measured in tiles; for losses that cannot be, its middle is.
            previous: what a `Temporal` loss holds on to: a picture, or `(picture, mask)` with a mask (white, or 1,
                where it holds). For frames of a video: the frame before, everything moved to where it is now. See
                `neural_style.video.flow`.
            max_seconds: end after about so long with the picture so far.
            checkpoint: a file to keep the run in, or a `Checkpoint`. The next equal call goes on from there, and
                on the same machine with the same threads and tiles ends with the bits of an unbroken run. The
                file stays when all is done; an equal call then hands the picture back at once.
            callbacks: called with a `Step` after every step; `StopIteration` from one ends the run with the
                picture so far. Ctrl-C does the same. Any other exception passes through, after a save.

        Returns:
            The picture, exactly `size` on its long side, with its history. A run that was ended early gives its
            last canvas, or an earlier one of that scale whose loss was lower.

        Raises:
            ImageError: a picture cannot be read.
            ValueError: a picture is too small for the layers used, or an argument is out of range; masks are not one
                for each style, are empty, or leave something uncovered; there are masks, and a loss is a `custom`
                one; a `StyleTarget` was made for other losses or another extractor.
            MemoryError: the picture does not fit into memory; the text names a tile or a size that would.
            DivergenceError: the loss or its gradient stopped being finite, and halving the learning rate did
                not help.
            CheckpointError: the checkpoint belongs to other inputs, settings or versions (the text says which),
                is damaged with no whole one before it, or cannot be written to.
            RuntimeError: called inside a `tf.function`.

        Warns:
            UserWarning: a style is too small for the strokes that `style_scale` asks for.
        """
        _check_eager()
        controls = Controls(masks, style_masks, background, color, color_strength, style_scale)
        painting = Painting(
            self, content, style, controls, size=size, steps=steps, init=init, seed=seed, previous=previous
        )
        return painting.paint(checkpoint, max_seconds, tuple(callbacks))

    def target(self, style: Any, *, size: int = 512, style_masks: Any = None, style_scale: float = 1.0) -> StyleTarget:
        """What the losses need to know of a style, to be used in place of its picture.

        Args:
            style: a picture, or a list of pictures or `(picture, weight)` pairs.
            size: long side of the results it will serve. It is computed for each scale of a square of that size;
                at a canvas of another size the nearest serves.
            style_masks: see `run`.
            style_scale: see `run`.

        Raises:
            ImageError: a picture cannot be read.
            ValueError: an argument is out of range.

        Example:
            >>> import numpy as np
            >>> transfer, style = StyleTransfer(extractor="vgg16"), np.full((50, 50, 3), 200, np.uint8)
            >>> target = transfer.target(style, size=48)
            >>> transfer.run(np.zeros((40, 60, 3), np.uint8), target, size=48, steps=2).image.size
            (48, 32)
        """
        _check_eager()
        controls = Controls(style_masks=style_masks, style_scale=style_scale)
        sides = sorted({max(scale.width, scale.height) for scale in self.scales((size, size), None)})
        styles = styles_of(style, controls, size, None)
        for each in styles:
            if not isinstance(each, PictureStyle):
                raise ValueError("a target is made from pictures; targets are mixed by 0.3 * a + 0.7 * b")
            each.warn_if_small(size)
        samples = tuple(measured_at(each, self._objective, sides, each.weight) for each in styles)
        return StyleTarget(samples, describe(self.extractor))


def _check_eager() -> None:
    if not tf.executing_eagerly():
        raise RuntimeError(
            "a style transfer is a loop of its own and cannot run inside a tf.function; call it outside, or through "
            "tf.py_function"
        )


def _check_tile(tile: Any) -> None:
    if tile is None or tile == "auto" or (isinstance(tile, int) and not isinstance(tile, bool) and tile > 0):
        return
    raise ValueError(f"tile is a positive number of pixels, 'auto' or None, not {tile!r}")


def _extractor(choice: Extractor | str | None) -> Extractor:
    if choice is None:
        return default_extractor()
    if isinstance(choice, str):
        return named_extractor(choice)
    if not isinstance(choice, Extractor):
        raise TypeError(f"an extractor has layers and can be called; {type(choice).__name__} does not")
    return choice
