"""The run: pictures to a plan with targets once a scale; the loop does the rest."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import color, images, recipes
from neural_style.checkpoint import Checkpoint, Position, Saver, as_checkpoint, fingerprint, stable_repr
from neural_style.features import Extractor, default_extractor, named_extractor
from neural_style.loop import Loop, Plan
from neural_style.losses import Loss, Statistic, Sum
from neural_style.memory import Estimate, Tile, objective_within, plan
from neural_style.objective import Evaluation, Objective, objective_for
from neural_style.optimizers import Optimizer, named_optimizer
from neural_style.precision import in_precision
from neural_style.result import Result, Step
from neural_style.scales import Schedule, SingleScale, fit
from neural_style.tiles import TiledObjective, check_tiled

__all__ = ["StyleTransfer"]

_STARTS = ("content", "recolored", "noise")


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

    Raises:
        ValueError: the loss needs a layer that the extractor does not have, or the extractor cannot compute in that
            precision; or a `tile` was given, and a loss does
            not add over tiles or the extractor does not know how far its layers see.
        WeightsUnavailableError: a named extractor's weights are neither here nor reachable.

    Example:
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
        tile: Tile = None,
    ) -> None:
        _check_eager()
        recipe = recipes.DEFAULT
        loss = recipe.loss() if loss is None else loss
        self.loss = Sum(tuple(term for term in loss.terms if term.weight > 0))
        self.extractor = in_precision(_extractor(extractor), precision)
        if optimizer is None:
            optimizer, finish = recipe.optimizer, recipe.finish if finish is None else finish
        self.optimizer: Optimizer = named_optimizer(optimizer)
        self.finish: Optimizer = self.optimizer if finish is None else named_optimizer(finish)
        self.scales: Schedule = recipe.scales if scales is None else scales
        _check_tile(tile)
        self.tile: Tile = tile
        self._objective = objective_for(tuple(term.loss for term in self.loss), self.extractor)
        if isinstance(tile, int):
            check_tiled(self._objective.losses, self.extractor)

    def __repr__(self) -> str:
        how = f"optimizer={self.optimizer!r}, finish={self.finish!r}, scales={self.scales!r}, tile={self.tile!r}"
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
        return plan(self._objective.losses, self.extractor, self.finish, size, self.tile)

    def run(
        self,
        content: Any,
        style: Any,
        *,
        size: int | None = 512,
        steps: int | None = None,
        init: Any = "content",
        seed: int = 0,
        max_seconds: float | None = None,
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        callbacks: Iterable[Callable[[Step], object]] = (),
    ) -> Result:
        """Paint one picture.

        Args:
            content: what to paint: a path, an open binary file, bytes, a PIL image, an array or tensor
                (height, width[, 3 | 4]) of uint8, uint16 or float in [0, 1].
            style: how: one picture likewise, or a list of pictures or `(picture, weight)` pairs.
            size: long side of the result in pixels; None for the content's own.
            steps: total over all scales; None for the schedule's own number.
            init: `"content"`, `"recolored"` (the content in the style's palette), `"noise"` or a picture.
            seed: of the noise. Equal calls on one machine give equal bits.
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
            ValueError: a picture is too small for the layers used, or an argument is out of range.
            MemoryError: the picture does not fit into memory; the text names a tile or a size that would.
            DivergenceError: the loss or its gradient stopped being finite, and halving the learning rate did
                not help.
            CheckpointError: the checkpoint belongs to other inputs, settings or versions (the text says which),
                is damaged with no whole one before it, or cannot be written to.
            RuntimeError: called inside a `tf.function`.
        """
        _check_eager()
        run = _Run(self, content, style, size=size, steps=steps, init=init, seed=seed)
        return run.paint(checkpoint, max_seconds, tuple(callbacks))


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


class _Run:
    """One picture in the making: its inputs, and what is minimised at each of its scales."""

    def __init__(
        self,
        transfer: StyleTransfer,
        content: Any,
        style: Any,
        *,
        size: int | None,
        steps: int | None,
        init: Any,
        seed: int,
    ) -> None:
        if size is not None and size < 1:
            raise ValueError(f"size is the long side in pixels, at least 1; not {size}")
        self.transfer = transfer
        picture = images.read(content, size=size)
        self.content = picture.pixels
        self.alpha = picture.alpha
        height, width = self.content.shape[1:3]
        self.size = fit((width, height), size or max(width, height))
        self.objective = objective_within(
            transfer._objective.losses, transfer.extractor, transfer.finish, self.size, transfer.tile
        )
        self._check_size()
        self.styles = _weighted_styles(style, size)
        self._check_styles()
        self.init = init if isinstance(init, str) and init in _STARTS else images.load(init)
        self.seed = seed
        scales = tuple(transfer.scales(self.size, steps))
        if isinstance(self.init, str) and self.init == "content" and not self.objective.style_layers:
            # Nothing new to paint: a way over coarse canvases would only cost the content its detail.
            scales = SingleScale()(self.size, sum(scale.steps for scale in scales))
        self.plan = Plan(self.size, scales, transfer.loss.names, transfer.optimizer, transfer.finish, self._task)
        self.settings = {
            "loss": stable_repr(transfer.loss),
            "extractor": stable_repr(transfer.extractor),
            "optimizer": stable_repr(transfer.optimizer),
            "finish": stable_repr(transfer.finish),
            "scales": [tuple(scale) for scale in scales],
            "init": init if isinstance(self.init, str) else "picture",
            "seed": seed,
            "size": self.size,
            "tile": self.objective.tile,
            "versions": _versions(),
        }

    def paint(
        self,
        checkpoint: Checkpoint | str | os.PathLike[str] | None,
        max_seconds: float | None,
        callbacks: Sequence[Callable[[Step], object]],
    ) -> Result:
        saver = None if checkpoint is None else Saver(as_checkpoint(checkpoint), self._identity())
        position = None if saver is None else saver.load()
        if position is None:
            position = Position(tf.constant(self._start()))
        loop = Loop(self.plan, position, callbacks, max_seconds, saver)
        stopped_by = loop.run()
        pixels = images.resize(loop.canvas.numpy(), self.size)
        alpha = None if self.alpha is None else images.resize(self.alpha, self.size)[0]
        settings = self.settings | {"seconds": loop.position.seconds}
        return Result(pixels[0], list(loop.position.history), settings, stopped_by, alpha)

    def _identity(self) -> dict[str, dict[str, Any]]:
        """What a checkpoint must agree with to be this run's: inputs, settings and what computes the bits."""
        inputs = {"content": fingerprint(self.content, self.alpha)}
        for number, (pixels, weight) in enumerate(self.styles, 1):
            name = "style" if len(self.styles) == 1 else f"style {number}"
            inputs[name] = fingerprint(pixels, np.array(weight))
        if not isinstance(self.init, str):
            inputs["init picture"] = fingerprint(self.init)
        settings = {name: value for name, value in self.settings.items() if name not in ("versions", "tile")}
        versions = {name: value for name, value in _versions().items() if name != "python"}
        return {"inputs": inputs, "settings": settings, "versions": versions}

    def _check_size(self) -> None:
        least = self.objective.smallest_side
        if min(self.size) < least:
            width, height = self.size
            raise ValueError(
                f"a picture of {width}x{height} is too small: the layers used need {least} pixels a side. "
                f"Ask for a larger size, or for losses on shallower layers."
            )

    def _check_styles(self) -> None:
        if len(self.styles) > 1:
            for loss in self.objective.losses:
                if loss.uses_style and not loss.additive:
                    raise ValueError(f"the loss {loss.name!r} is no sum over positions, so it takes one style only")

    def _start(self) -> np.ndarray:
        first = self.plan.scales[0]
        size = (first.width, first.height)
        if not isinstance(self.init, str):
            return images.resize(self.init, size)
        if self.init == "noise":
            noise = np.random.default_rng(self.seed).normal(0.5, 0.15, (1, first.height, first.width, 3))
            return np.clip(noise, 0.0, 1.0).astype(np.float32)
        start = images.resize(self.content, size)
        return color.match_color_moments(start, self.styles[0][0]) if self.init == "recolored" else start

    def _task(self, size: tuple[int, int]) -> _Task:
        """The objective with content and targets of one scale filled in."""
        content = self.objective.content(tf.constant(images.resize(self.content, size)))
        weights = tf.constant([term.weight for term in self.transfer.loss], tf.float32)
        return _Task(self.objective, self.plan.names, content, self._targets(max(size)), weights)

    def _targets(self, long_side: int) -> tuple[Statistic | None, ...]:
        """Statistics of the styles at this scale, added as if they were parts of one picture."""
        parts = []
        for pixels, weight in self.styles:
            height, width = pixels.shape[1:3]
            size = fit((width, height), min(long_side, max(width, height)))
            least = self.objective.smallest_side
            size = (max(size[0], least), max(size[1], least))
            statistic = self.objective.target(tf.constant(images.resize(pixels, size)), {})
            share = weight if len(self.styles) > 1 else 1.0
            parts.append((statistic, share / (size[0] * size[1])))
        targets: tuple[Statistic | None, ...] = parts[0][0] if len(parts) == 1 else _blend(parts)
        return targets


@dataclasses.dataclass(frozen=True)
class _Task:
    """An objective with everything but the canvas filled in."""

    objective: Objective | TiledObjective
    names: tuple[str, ...]
    content: Any
    targets: tuple[Statistic | None, ...]
    weights: tf.Tensor

    def __call__(self, canvas: tf.Tensor) -> Evaluation:
        evaluation: Evaluation = self.objective.evaluate(canvas, self.content, self.targets, self.weights, {})
        return evaluation

    def blame(self, canvas: tf.Tensor) -> list[str]:
        """The terms whose gradient cannot be used, each on its own: in their sum the others are lost."""
        guilty = []
        weights = self.weights.numpy()
        for index, (name, weight) in enumerate(zip(self.names, weights, strict=True)):
            gradient = weight * self.objective.slope(index, canvas, self.content, self.targets, {})
            if not np.isfinite(tf.nn.l2_loss(gradient)):
                guilty.append(name)
        return guilty


def _weighted_styles(style: Any, size: int | None) -> list[tuple[np.ndarray, float]]:
    """Pictures with weights that sum to 1."""
    pairs = style if isinstance(style, list) else [style]
    pairs = [pair if isinstance(pair, tuple) else (pair, 1.0) for pair in pairs]
    if not pairs:
        raise ValueError("style is an empty list; give at least one picture")
    total = float(sum(weight for _, weight in pairs))
    if not 0 < total < float("inf") or any(weight < 0 for _, weight in pairs):
        raise ValueError(f"style weights are at least 0 and not all 0; got {[weight for _, weight in pairs]}")
    return [(images.load(picture, size=size), weight / total) for picture, weight in pairs if weight > 0]


def _blend(parts: Sequence[tuple[Any, float]]) -> tuple[Statistic | None, ...]:
    """Each loss's weighted sum of statistics, None where it reads no style."""
    factors = [factor for _, factor in parts]

    def add(*tensors: tf.Tensor) -> tf.Tensor:
        return tf.add_n([factor * tensor for factor, tensor in zip(factors, tensors, strict=True)])

    of_each_loss = zip(*(statistics for statistics, _ in parts), strict=True)
    return tuple(None if values[0] is None else tf.nest.map_structure(add, *values) for values in of_each_loss)


def _versions() -> dict[str, str]:
    from neural_style import __version__

    return {"neural_style": __version__, "tensorflow": tf.__version__, "python": platform.python_version()}
