"""One picture in the making: its inputs, and what is minimised at each of its scales; the loop does the rest."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from neural_style import color, images
from neural_style.features.base import Extractor
from neural_style.images import masks as guides
from neural_style.losses import Features, Loss, Sum
from neural_style.objective import Objective, Targets, TileSize, choose_objective
from neural_style.optimizers import Evaluation, Optimizer
from neural_style.scales import Relay, Scale, Schedule, SingleScale
from neural_style.transfer.checkpoint import Checkpoint, Position, Saver, as_checkpoint, fingerprint, stable_repr
from neural_style.transfer.controls import Composition, Controls
from neural_style.transfer.inputs import loss_for, previous_of, side_of, size_of, start_of, styles_of
from neural_style.transfer.loop import Loop, Plan
from neural_style.transfer.result import Result, Step
from neural_style.transfer.styles.image_style import PictureStyle, Style, target_of

__all__ = ["Painter", "Painting"]


class Painter(Protocol):
    """What a painting is painted with: a `StyleTransfer`."""

    loss: Sum
    extractor: Extractor
    optimizer: Optimizer
    finish: Optimizer
    scales: Schedule
    relay: Relay | None
    tile: TileSize
    detail: float


class Painting:
    """One picture in the making; the arguments are those of `StyleTransfer.run`."""

    def __init__(
        self,
        painter: Painter,
        content: Any,
        style: Any,
        controls: Controls,
        *,
        size: int | tuple[int, int] | None,
        steps: int | None,
        init: Any,
        seed: int,
        previous: Any = None,
    ) -> None:
        self.controls = controls
        self.loss = loss_for(painter.loss, content is not None, style is not None, previous is not None)
        side = side_of(size, content is not None)
        picture = None if content is None else images.read(content, size=side)
        self.content = None if picture is None else picture.pixels
        self.alpha = None if picture is None else picture.alpha
        if style is None:
            controls.check_styles(0)
        self.styles = [] if style is None else styles_of(style, controls, side, self.content)
        self.size = size_of(size, self.content, self.styles)
        self.previous = previous_of(previous, self.size)
        for each in self.styles:
            if isinstance(each, PictureStyle):
                each.warn_if_small(max(self.size))
        losses = tuple(term.loss for term in self.loss)
        regions = len(controls.masks)
        self.objective = choose_objective(losses, painter.extractor, painter.finish, self.size, painter.tile, regions)
        self._check()
        self.shares = guides.mask_shares(controls.masks, self.size, controls.background) if controls.masks else None
        cover = None if self.shares is None or controls.background is None else guides.coverage(self.shares)
        self.composition = Composition(controls, self.content, cover)
        self.init, self.seed = start_of(init, self.content is not None, bool(self.styles)), seed
        scales = tuple(painter.scales(self.size, steps))
        if isinstance(self.init, str) and self.init == "content" and not self.objective.style_layers:
            # Nothing new to paint: a way over coarse canvases would only cost the content its detail.
            scales = SingleScale()(self.size, sum(scale.steps for scale in scales))
        legs = self._legs(painter.relay, scales)
        scales = tuple(scale for scale, _ in legs)
        self._objectives = self._by_scale(painter, legs, losses, regions)
        is_of_content = isinstance(self.init, str) and self.init in ("content", "recolored")
        self.detail = painter.detail if is_of_content and self.content is not None else 0.0
        self.plan = Plan(
            self.size,
            scales,
            self.loss.names,
            painter.optimizer,
            painter.finish,
            self._task,
            self.composition.shown,
            self._grown,
        )
        self.settings = {
            "loss": stable_repr(self.loss),
            "extractor": stable_repr(painter.extractor),
            "optimizer": stable_repr(painter.optimizer),
            "finish": stable_repr(painter.finish),
            "scales": [tuple(scale) for scale in scales],
            "detail": self.detail,
            "init": self.init if isinstance(self.init, str | float) else "picture",
            "seed": seed,
            "size": self.size,
            **controls.described(),
            "tile": self.objective.tile,
            "versions": _versions(),
        }
        if any(other for _, other in legs):
            self.settings["relay"] = stable_repr(painter.relay)

    def _legs(self, relay: Relay | None, scales: Sequence[Scale]) -> list[tuple[Scale, bool]]:
        """The scales, and whether the other network looks; a style target knows what one network sees, and no more."""
        if relay is None or not all(isinstance(each, PictureStyle) for each in self.styles):
            return [(scale, False) for scale in scales]
        return list(relay.stages(scales))

    def _by_scale(
        self, painter: Painter, legs: Sequence[tuple[Scale, bool]], losses: tuple[Loss, ...], regions: int
    ) -> list[Objective]:
        """What is minimised at each scale."""
        others = [(scale.width, scale.height) for scale, other in legs if other]
        if painter.relay is None or not others:
            return [self.objective] * len(legs)
        network: Any = painter.relay.extractor
        other = choose_objective(losses, network, painter.finish, max(others), painter.tile, regions)
        return [other if is_other else self.objective for _, is_other in legs]

    def paint(
        self,
        checkpoint: Checkpoint | str | os.PathLike[str] | None,
        max_seconds: float | None,
        callbacks: Sequence[Callable[[Step], object]],
    ) -> Result:
        """Run to the end, or to where something ends it."""
        saver = None if checkpoint is None else Saver(as_checkpoint(checkpoint), self._identity())
        position = None if saver is None else saver.load()
        if position is None:
            position = Position(tf.constant(self._start()))
        loop = Loop(self.plan, position, callbacks, max_seconds, saver)
        stopped_by = loop.run()
        pixels = self.composition.shown(images.resize(loop.canvas.numpy(), self.size))
        alpha = None if self.alpha is None else images.resize(self.alpha, self.size)[0]
        settings = self.settings | {"seconds": loop.position.seconds}
        return Result(pixels[0], list(loop.position.history), settings, stopped_by, alpha)

    def _identity(self) -> dict[str, dict[str, Any]]:
        """What a checkpoint must agree with to be this run's: inputs, settings and what computes the bits."""
        inputs = {"content": fingerprint(self.content, self.alpha)}
        for number, style in enumerate(self.styles, 1):
            inputs["style" if len(self.styles) == 1 else f"style {number}"] = style.identity()
        if self.shares is not None:
            inputs["masks"] = fingerprint(self.shares)
        if self.previous is not None:
            inputs["previous"] = fingerprint(self.previous)
        if not isinstance(self.init, str | float):
            inputs["init picture"] = fingerprint(self.init)
        settings = {name: value for name, value in self.settings.items() if name not in ("versions", "tile")}
        versions = {name: value for name, value in _versions().items() if name != "python"}
        return {"inputs": inputs, "settings": settings, "versions": versions}

    def _check(self) -> None:
        least = self.objective.smallest_side
        if min(self.size) < least:
            width, height = self.size
            raise ValueError(
                f"a picture of {width}x{height} is too small: the layers used need {least} pixels a side. "
                f"Ask for a larger size, or for losses on shallower layers."
            )
        if self.content is None:
            for name in ("background", "color"):
                if getattr(self.controls, name) == "content":
                    raise ValueError(f"{name}='content' needs a content")
        for loss in self.objective.losses:
            told = loss.additive or loss.guided or not loss.uses_style
            if not told and (self.controls.masks or self.controls.style_masks):
                raise ValueError(f"the loss {loss.name!r} is no sum over positions, so it takes no masks")

    def _start(self) -> np.ndarray:
        first = self.plan.scales[0]
        size = (first.width, first.height)
        if not isinstance(self.init, str | float):
            return images.resize(self.init, size)
        noise = np.random.default_rng(self.seed).normal(0.5, 0.15, (1, first.height, first.width, 3))
        noise = np.clip(noise, 0.0, 1.0).astype(np.float32)
        if self.content is None or self.init == "noise":
            return noise
        start = images.resize(self.content, size)
        if isinstance(self.init, float):
            mixed: np.ndarray = start + np.float32(self.init) * (noise - start)
            return mixed
        return self._recolored(start) if self.init == "recolored" else start

    def _grown(self, canvas: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The canvas at the next scale's size, with a part of what the content has there and had no room before."""
        grown = images.resize(canvas, size)
        before = (canvas.shape[2], canvas.shape[1])
        if self.detail == 0.0 or before == tuple(size):
            return grown
        blurred = images.resize(images.resize(self.content, before), size)
        detail = np.float32(self.detail) * (images.resize(self.content, size) - blurred)
        whole: np.ndarray = np.clip(grown + detail, 0.0, 1.0)
        return whole

    def _recolored(self, start: np.ndarray) -> np.ndarray:
        """The content in the palette of each region's styles."""
        regions = sorted({style.region for style in self.styles})
        parts = [
            color.match_color_moments(start, _blended([each for each in self.styles if each.region == region]))
            for region in regions
        ]
        if self.shares is None or len(parts) == 1:
            return parts[0]
        shares = guides.resize_mask(self.shares, (start.shape[2], start.shape[1]))
        shares = shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-6)
        mixed = sum(shares[..., region : region + 1] * part for region, part in zip(regions, parts, strict=True))
        return np.asarray(mixed, np.float32)

    def _task(self, scale: int) -> _Task:
        """The objective with content and targets of one scale, by its number, filled in."""
        objective, size = self._objectives[scale], self.plan.scales[scale][:2]
        content = None if self.content is None else tf.constant(images.resize(self.content, size))
        shares = None if self.shares is None else guides.resize_mask(self.shares, size)
        targets = target_of(self.styles, objective, max(size), 0 if shares is None else shares.shape[-1])
        cover = None if self.composition.cover is None or shares is None else guides.coverage(shares)
        return _Task(
            objective,
            self.loss.names,
            {} if content is None else objective.content(content),
            targets or (None,) * len(self.loss.terms),
            self._weights(cover),
            self._guides(shares, objective),
            self._held(size),
            content,
            None if cover is None else tf.constant(cover),
        )

    def _weights(self, cover: np.ndarray | None) -> tf.Tensor:
        """Of each loss. Style losses are means over what is painted and weigh as much as that is of the picture."""
        painted = 1.0 if cover is None else float(cover.mean())
        return tf.constant([term.weight * (painted if term.loss.uses_style else 1.0) for term in self.loss], tf.float32)

    def _guides(self, shares: np.ndarray | None, objective: Objective) -> dict[str, tf.Tensor]:
        """Each style's region at each layer, times the style's weight: guides weigh whole regions, too."""
        if shares is None:
            return {}
        weights = np.zeros(shares.shape[-1], np.float32)
        for style in self.styles:
            weights[style.region] += style.weight
        strides = objective.strides(objective.style_layers)
        found = guides.guides_per_layer(shares * (weights / weights.max()), strides)
        return {layer: tf.constant(guide) for layer, guide in found.items()}

    def _held(self, size: tuple[int, int]) -> tf.Tensor | None:
        """The previous frame and its mask, resized to a scale."""
        if self.previous is None:
            return None
        held, cover = self.previous[..., :3], self.previous[..., 3:]
        parts = [images.resize(held, size), guides.resize_mask(cover, size)]
        return tf.constant(np.concatenate(parts, axis=-1))


@dataclasses.dataclass(frozen=True)
class _Task:
    """An objective with everything but the canvas filled in."""

    objective: Objective
    names: tuple[str, ...]
    content: Any
    targets: Targets
    weights: tf.Tensor
    guides: Features
    previous: tf.Tensor | None = None
    behind: tf.Tensor | None = None
    cover: tf.Tensor | None = None

    def __call__(self, canvas: tf.Tensor) -> Evaluation:
        found = self.objective.evaluate(
            self._seen(canvas), self.content, self.targets, self.weights, self.guides, self.previous
        )
        return found if self.cover is None else found._replace(gradient=self.cover * found.gradient)

    def blame(self, canvas: tf.Tensor) -> list[str]:
        """The terms whose gradient cannot be used, each on its own: in their sum the others are lost."""
        guilty = []
        seen = self._seen(canvas)
        for index, name in enumerate(self.names):
            alone, weight = self.objective.only(index), self.weights[index : index + 1]
            content = {} if self.behind is None else alone.content(self.behind)
            found = alone.evaluate(seen, content, (self.targets[index],), weight, self.guides, self.previous)
            if not np.isfinite(tf.nn.l2_loss(found.gradient)):
                guilty.append(name)
        return guilty

    def _seen(self, canvas: tf.Tensor) -> tf.Tensor:
        """The canvas over its background: losses see the true surroundings of what is painted."""
        return canvas if self.cover is None else self.cover * canvas + (1.0 - self.cover) * self.behind


def _blended(styles: Sequence[Style]) -> color.Palette:
    """The palette of several styles: weighted means of theirs."""
    total = sum(style.weight for style in styles)
    mean, covariance = (
        np.sum([style.weight / total * style.palette[moment] for style in styles], axis=0) for moment in (0, 1)
    )
    return color.Palette(mean, covariance)


def _versions() -> dict[str, str]:
    from neural_style import __version__

    return {"neural_style": __version__, "tensorflow": tf.__version__, "python": platform.python_version()}
