"""Compiled functions that evaluate losses tile by tile.

They are compiled once for some losses on an extractor, for all image sizes, tile sizes and windows: where the core of a
tile lies in its window is an argument.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style.features.base import Extractor
from neural_style.losses.base import Context, Features, Loss, Statistic
from neural_style.objective.base import Targets, crop_guides, differentiable, recompute_gradient, weighted_sum
from neural_style.objective.devices import map_over_devices
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

        return self._sum(one)

    def statistics(self, image: tf.Tensor, content: ContentMaps, context: Context) -> tuple[Statistic, ...]:
        """The statistics of the whole image.

        Args:
            image: float32 (1, height, width, 3).
            content: the content's maps.
            context: guides, previous frame and step for the whole image.
        """
        return self._sum(lambda tile: self.programs.statistics(*self._arguments(tile, image, content, context)))

    def pull_back(
        self, image: tf.Tensor, content: ContentMaps, context: Context, upstream: Any, gradient: np.ndarray
    ) -> None:
        """Accumulate the gradient with respect to the image from that with respect to the statistics.

        Args:
            image: see `statistics`.
            content: see `statistics`.
            context: see `statistics`.
            upstream: gradient with respect to the statistics.
            gradient: float32 (1, height, width, 3), updated in place.
        """

        def one(tile: Tile) -> np.ndarray:
            signed = _signed(upstream, tile.sign)
            return self.programs.pull_back(*self._arguments(tile, image, content, context), signed).numpy()

        for tile, part in zip(self.tiles, map_over_devices(one, self.tiles), strict=True):
            gradient[tile.window] += part

    def crops(self, tile: Tile) -> tf.Tensor:
        """The cells of the tile's core in each layer's map of its window, int32 (layers, 4)."""
        return tf.constant(tile.crops(list(self.programs.strides.values())))

    def _sum(self, function: Callable[[Tile], Any]) -> tuple[Any, ...]:
        parts = zip(self.tiles, map_over_devices(function, self.tiles), strict=True)
        return functools.reduce(_add, (_signed(part, tile.sign) for tile, part in parts))

    def _window(self, tile: Tile, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return image[tile.window], self.crops(tile)

    def _guides(self, tile: Tile, guides: Features) -> dict[str, tf.Tensor]:
        strides = self.programs.strides
        return {layer: tile.core(guide, strides[layer]) for layer, guide in guides.items() if layer in strides}

    def _arguments(self, tile: Tile, image: tf.Tensor, content: ContentMaps, context: Context) -> tuple[Any, ...]:
        reads_previous = self._reads_previous and context.previous is not None
        previous = tile.core(context.previous, 1) if reads_previous else None
        guides = self._guides(tile, context.guides)
        return *self._window(tile, image), content.of(tile), guides, previous, context.step


class ContentMaps:
    """The content's maps in the core of each tile: kept if they fit into `keep` bytes, else recomputed on each use.

    Args:
        group: losses and tiles.
        image: the content, float32 (1, height, width, 3).
        keep: bytes that the maps may take.
    """

    def __init__(self, group: LossGroup, image: tf.Tensor, keep: float) -> None:
        self._group, self._image = group, image
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
        return programs.content(self._image[tile.window], self._group.crops(tile))


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
        self.pull_back = OneTrace(self._pull_back)
        self.compare = OneTrace(self._compare)

    def _cores(self, window: tf.Tensor, crops: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        """The maps of a window, cropped to the core of the tile."""
        maps = self.objective.features(window, layers)
        return {layer: self._core(layer, value, crops) for layer, value in maps.items()}

    def _core(self, layer: str, value: tf.Tensor, crops: tf.Tensor) -> tf.Tensor:
        top, bottom, left, right = tf.unstack(crops[list(self.strides).index(layer)])
        return value[:, top:bottom, left:right]

    def _content(self, window: tf.Tensor, crops: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._cores(window, crops, self.objective.content_layers)

    def _target(self, window: tf.Tensor, crops: tf.Tensor, guides: Features) -> tuple[Statistic | None, ...]:
        features = self._cores(window, crops, self.objective.style_layers)
        context = Context(guides=crop_guides(guides, features))
        return tuple(loss.statistic(features, context) if loss.uses_style else None for loss in self.losses)

    def _statistics(
        self,
        window: tf.Tensor,
        crops: tf.Tensor,
        content: Features,
        guides: Features,
        previous: tf.Tensor | None,
        step: tf.Tensor | None,
    ) -> tuple[Statistic, ...]:
        features = self._cores(window, crops, self.objective.layers)
        context = Context(content, crop_guides(guides, features), previous, step)
        return tuple(loss.statistic(features, context) for loss in self.losses)

    def _pull_back(
        self,
        window: tf.Tensor,
        crops: tf.Tensor,
        content: Features,
        guides: Features,
        previous: tf.Tensor | None,
        step: tf.Tensor | None,
        upstream: Any,
    ) -> tf.Tensor:
        """The gradient with respect to the window, from that with respect to the statistics of the core."""
        maps, pull_back = self.objective.forward_with_vjp(window)
        cores = {layer: self._core(layer, value, crops) for layer, value in maps.items()}
        context = Context(content, crop_guides(guides, cores), previous, step)

        def layer_gradient(layer: str, value: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(value)
                core = self._core(layer, value, crops)
            readers = [each for each in zip(self.losses, upstream, strict=True) if layer in each[0].layers]
            features = cores | {layer: core}
            parts = [recompute_gradient(loss, layer, gradient, features, context) for loss, gradient in readers]
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


@cached(maxsize=64)
def programs_for(losses: tuple[Loss, ...], extractor: Extractor) -> TilePrograms:
    """The compiled functions of these losses on this extractor, shared by all runs."""
    return TilePrograms(losses, extractor)


def _signed(statistics: Any, sign: float) -> Any:
    if sign == 1.0:
        return statistics
    return tf.nest.map_structure(lambda value: None if value is None else sign * value, statistics)


def _add(one: Any, other: Any) -> Any:
    return tf.nest.map_structure(lambda a, b: None if a is None else a + b, one, other)
