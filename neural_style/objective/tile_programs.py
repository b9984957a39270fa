"""Compiled functions that evaluate losses tile by tile.

They are compiled once for some losses on an extractor, for all image sizes, tile sizes and windows: where the core of a
tile lies in its window is an argument.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style.features.base import Extractor
from neural_style.losses import Assignment, QuerySums, StyleVectors
from neural_style.losses.base import Context, Features, Loss, Statistic
from neural_style.objective.base import (
    Assignments,
    Targets,
    context_for,
    crop_guides,
    differentiable,
    measure_style,
    recompute_gradient,
    weighted_sum,
)
from neural_style.objective.devices import map_over_devices
from neural_style.objective.tile_matching import assemble_indices, assemble_vectors, assign_tile
from neural_style.objective.tiling import Tile
from neural_style.objective.tracing import OneTrace, cached
from neural_style.objective.whole import WholeObjective

__all__ = ["ContentMaps", "LossGroup", "TilePrograms", "programs_for"]


class LossGroup:
    """Some of the losses, with the tiles in which they are evaluated on one image.

    Args:
        losses: all losses of an objective.
        extractor: network that computes the layers the losses need.
        indices: which of the losses.
        tiles: tiles of the image.
    """

    def __init__(
        self, losses: Sequence[Loss], extractor: Extractor, indices: Sequence[int], tiles: Sequence[Tile]
    ) -> None:
        self.indices = tuple(indices)
        self.tiles = tiles
        self.programs = programs_for(tuple(losses[i] for i in indices), extractor)
        self._reads_previous = any(loss.uses_previous for loss in self.programs.losses)

    def target(self, image: tf.Tensor, guides: Features) -> tuple[Statistic | None, ...]:
        """The statistics of a style image; None for losses that read no style."""

        def one(tile: Tile) -> Any:
            return self.programs.target(*self._window(tile, image), self._guides(tile, guides))

        parts = list(map_over_devices(one, self.tiles))
        follows = [loss.refresh > 0 for loss in self.programs.losses]
        sums = self._add_up(
            [tuple(None if f else each for f, each in zip(follows, part, strict=True)) for part in parts]
        )
        return tuple(
            assemble_vectors(loss, [part[i] for part in parts], self._cells(loss), guides) if follows[i] else sums[i]
            for i, loss in enumerate(self.programs.losses)
        )

    def _cells(self, loss: Any) -> list[tuple[int, int]]:
        """For each tile the first cell of a loss's grid in its core, (row, column)."""
        stride = self.programs.strides[loss.grid]
        return [(tile.rows.begin // stride, tile.columns.begin // stride) for tile in self.tiles]

    def match(
        self, canvas: tf.Tensor, image: tf.Tensor | None, styles: Sequence[tuple[StyleVectors, ...] | None]
    ) -> tuple[tf.Tensor | None, ...]:
        """The matches of the group's losses on the whole image, in two passes over the tiles; see `Objective.match`."""

        def queries(tile: Tile) -> Any:
            return self.programs.query(*self._window(tile, canvas), None if image is None else image[tile.window])

        sums = self._add_up(
            [tuple(each and each[1] for each in part) for part in map_over_devices(queries, self.tiles)]
        )

        def assigned(tile: Tile) -> Any:
            parts = zip(self.programs.losses, queries(tile), sums, styles, strict=True)
            return tuple(
                None if vectors is None else assign_tile(loss, query, total, vectors)
                for loss, query, total, vectors in parts
            )

        rows = list(map_over_devices(assigned, self.tiles))
        return tuple(
            None if styles[i] is None else assemble_indices([part[i] for part in rows], self._cells(loss))
            for i, loss in enumerate(self.programs.losses)
        )

    def statistics(
        self, image: tf.Tensor, content: ContentMaps, context: Context, assignments: Assignments | None = None
    ) -> tuple[Statistic, ...]:
        """The statistics of the whole image.

        Args:
            image: float32 (1, height, width, 3).
            content: the content's maps.
            context: guides, previous frame and step for the whole image.
            assignments: the matches of all losses for the whole image.
        """
        return self._sum(
            lambda tile: self.programs.statistics(*self._arguments(tile, image, content, context, assignments))
        )

    def pull_back(
        self,
        image: tf.Tensor,
        content: ContentMaps,
        context: Context,
        upstream: Any,
        gradient: np.ndarray,
        assignments: Assignments | None = None,
    ) -> None:
        """Accumulate the gradient with respect to the image from that with respect to the statistics.

        Args:
            image: see `statistics`.
            content: see `statistics`.
            context: see `statistics`.
            upstream: gradient with respect to the statistics.
            gradient: float32 (1, height, width, 3), updated in place.
            assignments: see `statistics`.
        """

        def one(tile: Tile) -> np.ndarray:
            signed = _signed(upstream, tile.sign)
            return self.programs.pull_back(*self._arguments(tile, image, content, context, assignments), signed).numpy()

        for tile, part in zip(self.tiles, map_over_devices(one, self.tiles), strict=True):
            gradient[tile.window] += part

    def crops(self, tile: Tile) -> tf.Tensor:
        """The cells of the tile's core in each layer's map of its window, int32 (layers, 4)."""
        return tf.constant(tile.crops(list(self.programs.strides.values())))

    def _sum(self, function: Callable[[Tile], Any]) -> tuple[Any, ...]:
        return self._add_up(map_over_devices(function, self.tiles))

    def _add_up(self, parts: Iterable[Any]) -> tuple[Any, ...]:
        signed = (_signed(part, tile.sign) for tile, part in zip(self.tiles, parts, strict=True))
        return functools.reduce(_add, signed)

    def _window(self, tile: Tile, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return image[tile.window], self.crops(tile)

    def _guides(self, tile: Tile, guides: Features) -> dict[str, tf.Tensor]:
        strides = self.programs.strides
        return {layer: tile.core(guide, strides[layer]) for layer, guide in guides.items() if layer in strides}

    def _arguments(
        self, tile: Tile, image: tf.Tensor, content: ContentMaps, context: Context, assignments: Assignments | None
    ) -> tuple[Any, ...]:
        reads_previous = self._reads_previous and context.previous is not None
        previous = tile.core(context.previous, 1) if reads_previous else None
        guides = self._guides(tile, context.guides)
        own = None if assignments is None else tuple(self._crop(tile, i, assignments[i]) for i in self.indices)
        return *self._window(tile, image), content.of(tile), guides, previous, context.step, own

    def _crop(self, tile: Tile, index: int, assignment: Assignment | None) -> Assignment | None:
        """One loss's matches in the core of a tile."""
        if assignment is None:
            return None
        loss: Any = self.programs.losses[self.indices.index(index)]
        stride = self.programs.strides[loss.grid]
        return assignment._replace(
            index=tile.core(assignment.index, stride), weight=tile.core(assignment.weight, stride)
        )


class ContentMaps:
    """The content's maps in the core of each tile: kept if they fit into `keep` bytes, else recomputed on each use.

    Args:
        group: losses and tiles.
        image: the content, float32 (1, height, width, 3).
        keep: bytes that the maps may take.
    """

    def __init__(self, group: LossGroup, image: tf.Tensor, keep: float) -> None:
        self._group, self.image = group, image
        self._maps: dict[Tile, dict[str, tf.Tensor]] = {}
        first = self.of(group.tiles[0])
        size = sum(value.dtype.size * int(tf.size(value)) for value in first.values())
        if size * len(group.tiles) <= keep:
            rest = map_over_devices(self.of, group.tiles[1:])
            self._maps = dict(zip(group.tiles, [first, *rest], strict=True))

    def of(self, tile: Tile) -> dict[str, tf.Tensor]:
        """The maps in the core of one tile."""
        if tile in self._maps:
            return self._maps[tile]
        programs = self._group.programs
        if not programs.objective.content_layers:
            return {}
        return programs.content(self.image[tile.window], self._group.crops(tile))


class TilePrograms:
    """The compiled functions of some losses on an extractor, for all images, tiles and window sizes.

    Args:
        losses: losses that are evaluated on the same tiles.
        extractor: network that computes the layers the losses need.
    """

    def __init__(self, losses: tuple[Loss, ...], extractor: Extractor) -> None:
        self.losses = losses
        self.objective = WholeObjective(losses, extractor)
        self.strides = self.objective.strides(self.objective.layers)
        self.content = OneTrace(self._content)
        self.target = OneTrace(self._target)
        self.statistics = OneTrace(self._statistics)
        self.query = OneTrace(self._query)
        self.pull_back = OneTrace(self._pull_back)
        self.compare = OneTrace(self._compare)

    def _cores(self, window: tf.Tensor, crops: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        """The maps of a window, cropped to the core of the tile."""
        maps = self.objective.features(window, layers)
        return {layer: self._core(layer, value, crops) for layer, value in maps.items()}

    def _core(self, layer: str, value: tf.Tensor, crops: tf.Tensor) -> tf.Tensor:
        top, bottom, left, right = tf.unstack(crops[list(self.strides).index(layer)])
        there = tf.shape(value)
        rows, columns = tf.minimum(bottom, there[1]) - top, tf.minimum(right, there[2]) - left
        return tf.slice(value, tf.stack([0, top, left, 0]), tf.stack([1, rows, columns, value.shape[-1]]))

    def _content(self, window: tf.Tensor, crops: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._cores(window, crops, self.objective.content_layers)

    def _target(self, window: tf.Tensor, crops: tf.Tensor, guides: Features) -> tuple[Statistic | None, ...]:
        features = self._cores(window, crops, self.objective.style_layers)
        context = Context(guides=crop_guides(guides, features), strides=self.strides)
        return tuple(
            _style_map(loss, features, context) if loss.refresh else measure_style(loss, features, context)
            for loss in self.losses
        )

    def _query(
        self, window: tf.Tensor, crops: tf.Tensor, image: tf.Tensor | None
    ) -> tuple[tuple[tf.Tensor, QuerySums] | None, ...]:
        """For each loss that sets `refresh` its query in the core, and its sums."""
        layers = self.objective.matched_layers
        features = self._cores(window, crops, layers)
        content = None if image is None else self._cores(image, crops, layers)
        context = Context(strides=self.strides)

        def one(loss: Any) -> tuple[tf.Tensor, QuerySums]:
            ours = loss.query(features, context)
            query = loss.mix(ours, None if content is None else loss.query(content, context))
            return query, loss.query_sums(query)

        return tuple(one(loss) if loss.refresh else None for loss in self.losses)

    def _statistics(
        self,
        window: tf.Tensor,
        crops: tf.Tensor,
        content: Features,
        guides: Features,
        previous: tf.Tensor | None,
        step: tf.Tensor | None,
        assignments: Assignments | None,
    ) -> tuple[Statistic, ...]:
        features = self._cores(window, crops, self.objective.layers)
        context = Context(content, crop_guides(guides, features), previous, step, self.strides)
        return tuple(
            loss.statistic(features, context_for(context, assignments, i)) for i, loss in enumerate(self.losses)
        )

    def _pull_back(
        self,
        window: tf.Tensor,
        crops: tf.Tensor,
        content: Features,
        guides: Features,
        previous: tf.Tensor | None,
        step: tf.Tensor | None,
        assignments: Assignments | None,
        upstream: Any,
    ) -> tf.Tensor:
        """The gradient with respect to the window, from that with respect to the statistics of the core."""
        maps, pull_back = self.objective.forward_with_vjp(window)
        cores = {layer: self._core(layer, value, crops) for layer, value in maps.items()}
        context = Context(content, crop_guides(guides, cores), previous, step, self.strides)

        def layer_gradient(layer: str, value: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(value)
                core = self._core(layer, value, crops)
            readers = [i for i, loss in enumerate(self.losses) if layer in loss.layers]
            features = cores | {layer: core}
            parts = [
                recompute_gradient(self.losses[i], layer, upstream[i], features, context_for(context, assignments, i))
                for i in readers
            ]
            return tape.gradient(core, value, tf.add_n(parts))

        return pull_back(layer_gradient)

    def _compare(
        self, statistics: tuple[Statistic, ...], targets: Targets, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, Any]:
        """The loss, its terms, and its gradient with respect to the statistics."""
        sources = differentiable(statistics)
        with tf.GradientTape() as tape:
            tape.watch(sources)
            total, terms = weighted_sum(self.losses, statistics, targets, weights)
        upstream = tape.gradient(total, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return total, terms, upstream


@cached(maxsize=16)
def programs_for(losses: tuple[Loss, ...], extractor: Extractor) -> TilePrograms:
    """The compiled functions of these losses on this extractor, shared by all runs."""
    return TilePrograms(losses, extractor)


def _style_map(loss: Any, features: Features, context: Context) -> StyleVectors:
    return loss.style_map(features, context)


def _signed(statistics: Any, sign: float) -> Any:
    if sign == 1.0:
        return statistics
    return tf.nest.map_structure(lambda value: None if value is None else sign * value, statistics)


def _add(one: Any, other: Any) -> Any:
    return tf.nest.map_structure(lambda a, b: None if a is None else a + b, one, other)
