"""Evaluation of a loss and its gradient tile by tile, in memory that does not grow with the image.

A loss depends on an image only through a statistic that adds up over disjoint parts, so an evaluation takes two passes
over the tiles. The first pass adds up the statistics of the tiles; `compare` on the sums gives the loss and its
gradient with respect to each statistic. The second pass back-propagates that gradient through every tile and
accumulates the gradient with respect to the image. The result is exact, because the window of a tile contains the
receptive fields of all cells in its core.

Losses that read only `"image"` are evaluated in bands of full width if they declare their `support`, else on the whole
canvas. Losses that read `"image"` and deeper layers have to read the image pixel by pixel, as additivity over disjoint
parts requires.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style.features.base import Extractor
from neural_style.losses import StyleVectors
from neural_style.losses.base import Context, Features, Loss, Statistic
from neural_style.objective.base import Assignments, Targets
from neural_style.objective.tile_programs import ContentMaps, LossGroup, programs_for
from neural_style.objective.tiling import bands, halo_of, rounded_up, tiles
from neural_style.objective.whole import objective_for
from neural_style.optimizers.base import Evaluation

__all__ = ["TiledObjective", "check_tiled", "is_tileable"]

MAX_RADIUS = 2**20  # of a receptive field, in pixels; an extractor with unknown receptive fields reports more


class TiledObjective:
    """An `Objective` that holds the feature maps of one tile at a time.

    Args:
        losses: losses in the order of weights, targets and reported terms, each `additive`.
        extractor: network that computes the layers the losses need.
        tile: side of a tile's core in pixels; rounded up to a multiple of the deepest stride.
        whole: images of at most this many pixels are evaluated in one piece, which takes one pass. None: the number of
            pixels of a window, which takes no more memory.
        keep: bytes of content maps to keep; if the maps take more, each pass recomputes them.

    Raises:
        ValueError: a loss is not additive, the receptive fields of the extractor are unknown, or `tile` is not
            positive.
    """

    def __init__(
        self,
        losses: Sequence[Loss],
        extractor: Extractor,
        tile: int,
        *,
        whole: int | None = None,
        keep: float = float("inf"),
    ) -> None:
        check_tiled(losses, extractor)
        if tile < 1:
            raise ValueError(f"a tile has at least 1 pixel a side, not {tile}")
        self.losses = tuple(losses)
        self.extractor = extractor
        self.keep = keep
        self._untiled = objective_for(self.losses, extractor)
        fields = [extractor.layers[layer] for layer in self._untiled.layers if layer != "image"]
        self.halo, self.stride = halo_of(fields)
        self.tile = rounded_up(tile, self.stride)
        self.window = self.tile + 2 * self.halo
        self.whole = self.window**2 if whole is None else whole
        self._deep, self._pixel = _divide(self.losses)
        self._compare = programs_for(self.losses, extractor).compare

    def __repr__(self) -> str:
        return f"TiledObjective({list(self.losses)!r}, {self.extractor!r}, {self.tile})"

    @property
    def smallest_side(self) -> int:
        return self._untiled.smallest_side

    @property
    def style_layers(self) -> tuple[str, ...]:
        return self._untiled.style_layers

    def strides(self, layers: Sequence[str]) -> dict[str, int]:
        return self._untiled.strides(layers)

    def only(self, index: int) -> TiledObjective:
        return TiledObjective([self.losses[index]], self.extractor, self.tile, whole=self.whole, keep=self.keep)

    def content(self, image: tf.Tensor) -> Any:
        if self._in_one_piece(image):
            return self._untiled.content(image)
        return [ContentMaps(group, image, self.keep) for group in self._groups(image)]

    def target(self, image: tf.Tensor, guides: Features) -> Targets:
        if self._in_one_piece(image):
            return self._untiled.target(image, guides)
        return self._in_order([group.target(image, guides) for group in self._groups(image)])

    def evaluate(
        self,
        canvas: tf.Tensor,
        content: Any,
        targets: Targets,
        weights: tf.Tensor,
        guides: Features,
        previous: tf.Tensor | None = None,
        step: tf.Tensor | None = None,
        assignments: Assignments | None = None,
    ) -> Evaluation:
        if self._in_one_piece(canvas):
            return self._untiled.evaluate(canvas, content, targets, weights, guides, previous, step, assignments)
        context = Context(guides=guides, previous=previous, step=step)
        groups = list(zip(self._groups(canvas), content, strict=True))
        statistics = self._in_order([group.statistics(canvas, maps, context, assignments) for group, maps in groups])
        total, terms, upstream = self._compare(statistics, targets, weights)
        gradient = np.zeros(canvas.shape, np.float32)
        for group, maps in groups:
            own = tuple(upstream[i] for i in group.indices)
            group.pull_back(canvas, maps, context, own, gradient, assignments)
        return Evaluation(total, terms, tf.convert_to_tensor(gradient))

    def match(
        self, canvas: tf.Tensor, content: Any, styles: Sequence[tuple[StyleVectors, ...] | None]
    ) -> tuple[tf.Tensor | None, ...]:
        if self._in_one_piece(canvas):
            return self._untiled.match(canvas, content, styles)
        groups = self._groups(canvas)
        found = [
            group.match(canvas, maps and maps.image, [styles[i] for i in group.indices])
            if any(styles[i] is not None for i in group.indices)
            else (None,) * len(group.indices)
            for group, maps in zip(groups, content or [None] * len(groups), strict=True)
        ]
        return self._in_order(found)

    def _in_one_piece(self, image: tf.Tensor) -> bool:
        height, width = map(int, image.shape[1:3])
        return height * width <= self.whole or max(height, width) < self.tile + self.stride

    def _groups(self, image: tf.Tensor) -> list[LossGroup]:
        """The losses in groups that share tiles, with the tiles of this image."""
        height, width = image.shape[1:3]
        size, area = (width, height), self.window**2
        groups = [(self._deep, tiles(size, self.tile, self.halo, self.stride))] if self._deep else []
        for index in self._pixel:
            groups.append(((index,), bands(size, area, self.losses[index].support)))
        return [LossGroup(self.losses, self.extractor, indices, parts) for indices, parts in groups]

    def _in_order(self, by_group: Sequence[Sequence[Statistic | None]]) -> tuple[Statistic | None, ...]:
        """From statistics by group to statistics in the order of the losses."""
        indices = [*self._deep, *self._pixel]
        found = dict(zip(indices, (each for group in by_group for each in group), strict=True))
        return tuple(found[index] for index in range(len(self.losses)))


def is_tileable(losses: Sequence[Loss], extractor: Extractor) -> bool:
    """Whether these losses on this extractor can be evaluated in tiles."""
    return _obstacle(losses, extractor) is None


def check_tiled(losses: Sequence[Loss], extractor: Extractor) -> None:
    """Raise `ValueError` if these losses on this extractor cannot be evaluated in tiles."""
    obstacle = _obstacle(losses, extractor)
    if obstacle is not None:
        raise ValueError(obstacle)


def _obstacle(losses: Sequence[Loss], extractor: Extractor) -> str | None:
    """Why losses cannot be evaluated in tiles; None if they can."""
    for loss in losses:
        if not loss.additive:
            return (
                f"the loss {loss.name!r} ({type(loss).__name__}) needs the whole image at once: its statistic does not "
                "add up over tiles. Run it with tile=None, or leave it out."
            )
        for layer in loss.layers:
            if layer in extractor.layers and extractor.layers[layer].radius > MAX_RADIUS:
                return (
                    f"the receptive field of {layer!r} in this extractor is unknown, so its tiles would have no halo. "
                    "Run it with tile=None, or give KerasExtractor the strides and radii: "
                    "fields={name: ReceptiveField(...)}."
                )
    return None


def _divide(losses: Sequence[Loss]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices of the losses that read the network, and of those that read only the pixels."""
    pixel = tuple(i for i, loss in enumerate(losses) if set(loss.layers) == {"image"})
    return tuple(i for i in range(len(losses)) if i not in pixel), pixel
