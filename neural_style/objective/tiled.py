"""The same loss and gradient, tile by tile, in memory that does not grow with the picture.

A loss sees a picture only through a statistic that adds over disjoint regions, so an evaluation takes two
passes: one adds up the tiles' statistics; `compare` on the sums gives the loss and its slope in each statistic;
the other pulls that slope back through every tile and adds up the pixels' gradients. Nothing is approximated: a
tile's window holds all that its core's cells see.

Losses that read only `"image"` go in bands of full width where they say how far a term reaches, and over the
whole canvas where they do not. Losses that read `"image"` and deeper layers must read it pixel by pixel, as
their promise of adding over disjoint regions says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style.features.base import Extractor
from neural_style.losses.base import Features, Loss, Statistic
from neural_style.objective.tile_programs import ContentMaps, Part, programs_for
from neural_style.objective.tiling import halo_of, rounded_up, strips, tiles
from neural_style.objective.whole import objective_for
from neural_style.optimizers import Evaluation

__all__ = ["TiledObjective", "check_tiled"]

WIDEST = 2**20  # no field is as wide as this; an extractor that does not know its own says more


class TiledObjective:
    """An `Objective` that holds the maps of one tile at a time.

    Args:
        losses: in the order in which weights, targets and reports come; each `additive`.
        extractor: gives the layers the losses need.
        tile: side of a tile's core in pixels; rounded up to a multiple of the deepest stride.
        whole: pictures of up to so many pixels are evaluated in one piece, in one pass. None for as many as a
            window has, which takes no more memory.
        keep: most bytes of content maps to keep; beyond them they are computed anew in each pass.

    Raises:
        ValueError: a loss does not add over regions, an extractor does not know how far its layers see, or the
            tile is not a positive number of pixels.
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
        self._plain = objective_for(self.losses, extractor)
        fields = [extractor.layers[layer] for layer in self._plain.layers if layer != "image"]
        self.halo, self.stride = halo_of(fields)
        self.tile = rounded_up(tile, self.stride)
        self.window = self.tile + 2 * self.halo
        self.whole = self.window**2 if whole is None else whole
        self._deep, self._flat = _divide(self.losses)
        self._compare = programs_for(self.losses, extractor).compare

    def __repr__(self) -> str:
        return f"TiledObjective({list(self.losses)!r}, {self.extractor!r}, {self.tile})"

    @property
    def smallest_side(self) -> int:
        """The fewest pixels a side may have for the deepest map to have a cell."""
        return self._plain.smallest_side

    @property
    def style_layers(self) -> tuple[str, ...]:
        """The layers that are read from a style picture."""
        return self._plain.style_layers

    def strides(self, layers: Sequence[str]) -> dict[str, int]:
        """How many pixels a side a cell of each layer's map has."""
        return self._plain.strides(layers)

    def content(self, image: tf.Tensor) -> Any:
        """What `evaluate` needs of the content picture; see `Objective.content`."""
        if self._in_one_piece(image):
            return self._plain.content(image)
        return [ContentMaps(part, image, self.keep) for part in self._parts(image)]

    def target(self, image: tf.Tensor, guides: Features) -> tuple[Statistic | None, ...]:
        """Each loss's statistic of a style picture; see `Objective.target`."""
        if self._in_one_piece(image):
            found: tuple[Statistic | None, ...] = self._plain.target(image, guides)
            return found
        sums = [part.add_up(image, guides, None) for part in self._parts(image)]
        return self._in_order(sums)

    def evaluate(
        self,
        canvas: tf.Tensor,
        content: Any,
        targets: tuple[Statistic | None, ...],
        weights: tf.Tensor,
        guides: Features,
    ) -> Evaluation:
        """Loss, terms and gradient; see `Objective.evaluate`."""
        if self._in_one_piece(canvas):
            whole: Evaluation = self._plain.evaluate(canvas, content, targets, weights, guides)
            return whole
        parts = list(zip(self._parts(canvas), content, strict=True))
        statistics = self._in_order([part.add_up(canvas, guides, maps) for part, maps in parts])
        total, terms, slopes = self._compare(statistics, targets, weights)
        gradient = np.zeros(canvas.shape, np.float32)
        for part, maps in parts:
            part.pull_back(canvas, guides, maps, tuple(slopes[i] for i in part.indices), gradient)
        return Evaluation(total, terms, tf.convert_to_tensor(gradient))

    def slope(
        self, index: int, canvas: tf.Tensor, content: Any, targets: tuple[Statistic | None, ...], guides: Features
    ) -> tf.Tensor:
        """The gradient of one loss alone; see `Objective.slope`."""
        if self._in_one_piece(canvas):
            return self._plain.slope(index, canvas, content, targets, guides)
        parts = zip(self._parts(canvas), content, strict=True)
        group, maps = next((part, maps) for part, maps in parts if index in part.indices)
        part = Part(self.losses, self.extractor, (index,), group.regions)
        statistics = part.add_up(canvas, guides, maps)
        _, _, slopes = part.programs.compare(statistics, (targets[index],), tf.ones([1]))
        gradient = np.zeros(canvas.shape, np.float32)
        part.pull_back(canvas, guides, maps, slopes, gradient)
        return tf.convert_to_tensor(gradient)

    def _in_one_piece(self, image: tf.Tensor) -> bool:
        height, width = map(int, image.shape[1:3])
        return height * width <= self.whole or max(height, width) < self.tile + self.stride

    def _parts(self, image: tf.Tensor) -> list[Part]:
        """The losses in groups that share regions, with the regions of this picture."""
        height, width = image.shape[1:3]
        size, area = (width, height), self.window**2
        parts = [(self._deep, tiles(size, self.tile, self.halo, self.stride))] if self._deep else []
        for index in self._flat:
            parts.append(((index,), strips(size, area, self.losses[index].reach)))
        return [Part(self.losses, self.extractor, indices, regions) for indices, regions in parts]

    def _in_order(self, sums: Sequence[Sequence[Statistic]]) -> tuple[Statistic, ...]:
        """Statistics by group -> statistics in the order of the losses."""
        indices = [*self._deep, *self._flat]
        found = dict(zip(indices, (each for group in sums for each in group), strict=True))
        return tuple(found[index] for index in range(len(self.losses)))


def check_tiled(losses: Sequence[Loss], extractor: Extractor) -> None:
    """Raise `ValueError` if these losses on this extractor cannot be evaluated in tiles."""
    for loss in losses:
        if not loss.additive:
            raise ValueError(
                f"the loss {loss.name!r} ({type(loss).__name__}) needs the whole picture at once: its statistic "
                "does not add over tiles. Run it with tile=None, or leave it out."
            )
        for layer in loss.layers:
            if layer in extractor.layers and extractor.layers[layer].radius > WIDEST:
                raise ValueError(
                    f"this extractor does not say how far {layer!r} sees, so its tiles would have no halo. Run it "
                    "with tile=None, or give KerasExtractor the strides and radii: fields={name: ReceptiveField(...)}."
                )


def _divide(losses: Sequence[Loss]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Which losses read the network, and which only the pixels."""
    flat = tuple(i for i, loss in enumerate(losses) if set(loss.layers) == {"image"})
    return tuple(i for i in range(len(losses)) if i not in flat), flat
