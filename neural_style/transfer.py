"""The run: targets once a scale, a compiled step, a loop."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import color, images, recipes
from neural_style.errors import DivergenceError
from neural_style.features import Extractor, default_extractor, named_extractor
from neural_style.losses import Loss, Statistic, Sum
from neural_style.objective import Evaluation, Objective, objective_for
from neural_style.optimizers import Optimizer
from neural_style.result import Result, Step, StoppedBy
from neural_style.scales import Scale, Schedule, fit

__all__ = ["StyleTransfer"]

logger = logging.getLogger("neural_style")


class StyleTransfer:
    """Paints pictures with one loss, extractor, optimiser and schedule.

    Holds nothing of a run: one object serves any number of pictures, sizes and threads, and what it has
    compiled is shared with every other of the same losses and extractor.

    Args:
        loss: what to minimise; None for the default recipe's at strength 0.5.
        extractor: an `Extractor`, or `"vgg16"` or `"vgg19"`; None for `default_extractor()`.
        optimizer: how the canvas moves.
        scales: sizes and steps.

    Raises:
        ValueError: the loss needs a layer that the extractor does not have.
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
        optimizer: Optimizer | None = None,
        scales: Schedule | None = None,
    ) -> None:
        recipe = recipes.DEFAULT
        loss = recipe.loss() if loss is None else loss
        self.loss = Sum(tuple(term for term in loss.terms if term.weight > 0))
        self.extractor = _extractor(extractor)
        self.optimizer: Optimizer = recipe.optimizer if optimizer is None else optimizer
        self.scales: Schedule = recipe.scales if scales is None else scales
        self._objective = objective_for(tuple(term.loss for term in self.loss), self.extractor)

    def __repr__(self) -> str:
        settings = f"optimizer={self.optimizer!r}, scales={self.scales!r}"
        return f"StyleTransfer({self.loss!r}, {self.extractor!r}, {settings})"

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
            callbacks: called with a `Step` after every step; `StopIteration` from one ends the run with the
                picture so far. Ctrl-C does the same.

        Returns:
            The picture, exactly `size` on its long side, with its history.

        Raises:
            ImageError: a picture cannot be read.
            ValueError: a picture is too small for the layers used, or an argument is out of range.
            DivergenceError: the loss stopped being finite.
        """
        run = _Run(self, content, style, size=size, steps=steps, init=init, seed=seed)
        return run.paint(max_seconds, tuple(callbacks))


def _extractor(choice: Extractor | str | None) -> Extractor:
    if choice is None:
        return default_extractor()
    if isinstance(choice, str):
        return named_extractor(choice)
    if not isinstance(choice, Extractor):
        raise TypeError(f"an extractor has layers and can be called; {type(choice).__name__} does not")
    return choice


class _Run:
    """One picture in the making."""

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
        if not tf.executing_eagerly():
            raise RuntimeError("a style transfer is a loop of its own; call it outside tf.function")
        if size is not None and size < 1:
            raise ValueError(f"size is the long side in pixels, at least 1; not {size}")
        self.transfer = transfer
        self.objective: Objective = transfer._objective
        picture = images.read(content, size=size)
        self.content = picture.pixels
        self.alpha = picture.alpha
        height, width = self.content.shape[1:3]
        self.size = fit((width, height), size or max(width, height))
        self._check_size()
        self.styles = _weighted_styles(style, size)
        self.scales = tuple(transfer.scales(self.size, steps))
        self.weights = tf.constant([term.weight for term in transfer.loss], tf.float32)
        self.canvas = tf.constant(self._start(init, seed))
        self.settings = {
            "loss": repr(transfer.loss),
            "extractor": repr(transfer.extractor),
            "optimizer": repr(transfer.optimizer),
            "scales": [tuple(scale) for scale in self.scales],
            "init": init if isinstance(init, str) else "picture",
            "seed": seed,
            "size": self.size,
            "versions": _versions(),
        }
        self.history: list[Step] = []

    def _check_size(self) -> None:
        least = self.objective.smallest_side
        if min(self.size) < least:
            width, height = self.size
            raise ValueError(
                f"a picture of {width}x{height} is too small: the layers used need {least} pixels a side. "
                f"Ask for a larger size, or for losses on shallower layers."
            )

    def _start(self, init: Any, seed: int) -> np.ndarray:
        first = self.scales[0]
        size = (first.width, first.height)
        if isinstance(init, str) and init == "noise":
            noise = np.random.default_rng(seed).normal(0.5, 0.15, (1, first.height, first.width, 3))
            return np.clip(noise, 0.0, 1.0).astype(np.float32)
        if isinstance(init, str) and init in ("content", "recolored"):
            start = images.resize(self.content, size)
            return color.match_color_moments(start, self.styles[0][0]) if init == "recolored" else start
        return images.resize(images.load(init), size)

    def paint(self, max_seconds: float | None, callbacks: Sequence[Callable[[Step], object]]) -> Result:
        began = time.perf_counter()
        deadline = None if max_seconds is None else began + max_seconds
        stopped_by: StoppedBy = "steps"
        try:
            for scale in self.scales:
                stopped_by = self._paint_scale(scale, began, deadline, callbacks)
                if stopped_by != "steps":
                    break
        except KeyboardInterrupt:
            stopped_by = "interrupt"
        pixels = images.resize(self.canvas.numpy(), self.size)
        alpha = None if self.alpha is None else images.resize(self.alpha, self.size)[0]
        self.settings["seconds"] = time.perf_counter() - began
        return Result(pixels[0], self.history, self.settings, stopped_by, alpha)

    def _paint_scale(
        self,
        scale: Scale,
        began: float,
        deadline: float | None,
        callbacks: Sequence[Callable[[Step], object]],
    ) -> StoppedBy:
        size = (scale.width, scale.height)
        self.canvas = tf.constant(images.resize(self.canvas.numpy(), size))
        evaluate = self._evaluate_at(size)
        optimizer = self.transfer.optimizer
        state = optimizer.start(self.canvas)
        for done in range(scale.steps):
            canvas, state, evaluation = optimizer.step(evaluate, self.canvas, state, done / scale.steps)
            step = self._record(scale, evaluation, began)
            self.canvas = canvas
            self.history.append(step.without_image())
            try:
                for callback in callbacks:
                    callback(step)
            except StopIteration:
                return "callback"
            if deadline is not None and time.perf_counter() >= deadline:
                return "time"
        return "steps"

    def _evaluate_at(self, size: tuple[int, int]) -> Callable[[tf.Tensor], Evaluation]:
        """The objective with content and targets of one scale filled in."""
        objective = self.objective
        content = objective.content(tf.constant(images.resize(self.content, size)))
        targets = self._targets(max(size))
        return lambda canvas: objective.evaluate(canvas, content, targets, self.weights, {})

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

    def _record(self, scale: Scale, evaluation: Evaluation, began: float) -> Step:
        loss = float(evaluation.loss)
        terms = dict(zip(self.transfer.loss.names, evaluation.terms.numpy().tolist(), strict=True))
        if not np.isfinite(loss):
            guilty = [name for name, value in terms.items() if not np.isfinite(value)]
            raise DivergenceError(
                f"the loss is {loss} at step {len(self.history) + 1} (from {', '.join(guilty)}). "
                "Lower the learning rate, or the weight of that term."
            )
        number = len(self.history) + 1
        work = [scale.width * scale.height * scale.steps for scale in self.scales]
        before = self.scales.index(scale)
        done = number - sum(earlier.steps for earlier in self.scales[:before])
        painted = sum(work[:before]) + scale.width * scale.height * done
        return Step(
            step=number,
            steps=sum(each.steps for each in self.scales),
            scale=(scale.width, scale.height),
            size=self.size,
            progress=painted / sum(work),
            loss=loss,
            terms=terms,
            seconds=time.perf_counter() - began,
            _pixels=lambda: self.canvas.numpy(),
        )


def _weighted_styles(style: Any, size: int | None) -> list[tuple[np.ndarray, float]]:
    """Pictures with weights that sum to 1."""
    pairs = style if isinstance(style, list) else [style]
    pairs = [pair if isinstance(pair, tuple) else (pair, 1.0) for pair in pairs]
    if not pairs:
        raise ValueError("style is an empty list; give at least one picture")
    total = float(sum(weight for _, weight in pairs))
    if total <= 0 or any(weight < 0 for _, weight in pairs):
        raise ValueError(f"style weights are at least 0 and not all 0; got {[weight for _, weight in pairs]}")
    return [(images.load(picture, size=size), weight / total) for picture, weight in pairs if weight > 0]


def _blend(parts: Sequence[tuple[Any, float]]) -> Any:
    """Weighted sum of statistics."""
    scaled = [tf.nest.map_structure(lambda tensor, f=factor: tensor * f, value) for value, factor in parts]
    return tf.nest.map_structure(lambda *tensors: tf.add_n(tensors), *scaled)


def _versions() -> dict[str, str]:
    from neural_style import __version__

    return {"neural_style": __version__, "tensorflow": tf.__version__, "python": platform.python_version()}
