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

import functools
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from neural_style.features.base import Extractor
from neural_style.losses.base import Features, Loss, Statistic
from neural_style.objective import Evaluation, Objective, OneTrace, objective_for
from neural_style.windows import Region, halo_of, rounded_up, strips, tiles

__all__ = ["TiledObjective", "check_tiled"]

WIDEST = 2**20  # no field is as wide as this; an extractor that does not know its own says more

Item = TypeVar("Item")
Value = TypeVar("Value")


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
        self._compare = _programs_for(self.losses, extractor).compare

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

    def content(self, image: tf.Tensor) -> Any:
        """What `evaluate` needs of the content picture; see `Objective.content`."""
        if self._in_one_piece(image):
            return self._plain.content(image)
        return [_ContentParts(part, image, self.keep) for part in self._parts(image)]

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
        part = _Part(self.losses, self.extractor, (index,), group.regions)
        statistics = part.add_up(canvas, guides, maps)
        _, _, slopes = part.programs.compare(statistics, (targets[index],), tf.ones([1]))
        gradient = np.zeros(canvas.shape, np.float32)
        part.pull_back(canvas, guides, maps, slopes, gradient)
        return tf.convert_to_tensor(gradient)

    def _in_one_piece(self, image: tf.Tensor) -> bool:
        height, width = map(int, image.shape[1:3])
        return height * width <= self.whole or max(height, width) < self.tile + self.stride

    def _parts(self, image: tf.Tensor) -> list[_Part]:
        """The losses in groups that share regions, with the regions of this picture."""
        height, width = image.shape[1:3]
        size, area = (width, height), self.window**2
        parts = [(self._deep, tiles(size, self.tile, self.halo, self.stride))] if self._deep else []
        for index in self._flat:
            parts.append(((index,), strips(size, area, self.losses[index].reach)))
        return [_Part(self.losses, self.extractor, indices, regions) for indices, regions in parts]

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
                    "with tile=None, or give KerasExtractor the strides and radii: fields={name: Field(...)}."
                )


def _divide(losses: Sequence[Loss]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Which losses read the network, and which only the pixels."""
    flat = tuple(i for i, loss in enumerate(losses) if set(loss.layers) == {"image"})
    return tuple(i for i in range(len(losses)) if i not in flat), flat


class _Part:
    """Some of the losses on the regions of one picture."""

    def __init__(
        self, losses: Sequence[Loss], extractor: Extractor, indices: Sequence[int], regions: Sequence[Region]
    ) -> None:
        self.indices = tuple(indices)
        self.regions = regions
        self.programs = _programs_for(tuple(losses[i] for i in indices), extractor)
        self.strides = self.programs.strides

    def add_up(self, image: tf.Tensor, guides: Features, maps: _ContentParts | None) -> tuple[Statistic, ...]:
        """The statistics of the whole picture; of a style, which has no content, those that are wanted of it."""
        program = self.programs.target if maps is None else self.programs.statistics

        def one(index: int) -> Any:
            return program(*self._arguments(index, image, guides, maps))

        found = zip(self.regions, _spread(one, range(len(self.regions))), strict=True)
        sums: tuple[Statistic, ...] = functools.reduce(_added, (_signed(value, each.sign) for each, value in found))
        return sums

    def pull_back(
        self, image: tf.Tensor, guides: Features, maps: _ContentParts, slopes: Any, gradient: np.ndarray
    ) -> None:
        """Add to the picture's gradient what these slopes of the statistics make of it."""

        def one(index: int) -> np.ndarray:
            signed = _signed(slopes, self.regions[index].sign)
            part: np.ndarray = self.programs.pull_back(*self._arguments(index, image, guides, maps), signed).numpy()
            return part

        for region, part in zip(self.regions, _spread(one, range(len(self.regions))), strict=True):
            gradient[region.window] += part

    def _arguments(self, index: int, image: tf.Tensor, guides: Features, maps: _ContentParts | None) -> Any:
        region = self.regions[index]
        crops = tf.constant(region.crops(list(self.strides.values())))
        content = {} if maps is None else maps.of(index)
        return image[region.window], crops, content, region.of(guides, self.strides)


class _ContentParts:
    """The content's maps, region by region: kept while there is room for them, else computed when asked for."""

    def __init__(self, part: _Part, pixels: tf.Tensor, keep: float) -> None:
        self._part, self._pixels = part, pixels
        self._maps: list[Any] | None = None
        first = self._compute(0)
        size = sum(value.dtype.size * int(tf.size(value)) for value in first.values())
        if size * len(part.regions) <= keep:
            self._maps = [first, *_spread(self._compute, range(1, len(part.regions)))]

    def of(self, index: int) -> dict[str, tf.Tensor]:
        """The maps of one region's core."""
        maps: dict[str, tf.Tensor] = self._compute(index) if self._maps is None else self._maps[index]
        return maps

    def _compute(self, index: int) -> Any:
        part, region = self._part, self._part.regions[index]
        if not part.programs.layers.content_layers:
            return {}
        return part.programs.content(
            self._pixels[region.window], tf.constant(region.crops(list(part.strides.values())))
        )


class _Programs:
    """What is compiled for some losses on an extractor: for any picture, tile and size of window."""

    def __init__(self, losses: tuple[Loss, ...], extractor: Extractor) -> None:
        self.losses = losses
        self.layers = Objective(losses, extractor)
        self.strides: dict[str, int] = {
            layer: 1 if layer == "image" else extractor.layers[layer].stride for layer in self.layers.layers
        }
        self.content = OneTrace(self._content)
        self.target = OneTrace(self._target)
        self.statistics = OneTrace(self._statistics)
        self.pull_back = OneTrace(self._pull_back)
        self.compare = OneTrace(self._compare)

    def _cores(self, window: tf.Tensor, crops: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        """The maps of a window, less what belongs to its neighbours."""
        rows = {layer: tf.unstack(crops[i]) for i, layer in enumerate(self.strides)}
        maps = self.layers.features(window, layers)
        return {
            layer: value[:, rows[layer][0] : rows[layer][1], rows[layer][2] : rows[layer][3]]
            for layer, value in maps.items()
        }

    def _content(self, window: tf.Tensor, crops: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._cores(window, crops, self.layers.content_layers)

    def _target(self, window: tf.Tensor, crops: tf.Tensor, content: Features, guides: Features) -> Any:
        features = self._cores(window, crops, self.layers.style_layers)
        return tuple(loss.statistic(features, content, guides) if loss.uses_style else None for loss in self.losses)

    def _statistics(self, window: tf.Tensor, crops: tf.Tensor, content: Features, guides: Features) -> Any:
        features = self._cores(window, crops, self.layers.layers)
        return tuple(loss.statistic(features, content, guides) for loss in self.losses)

    def _pull_back(
        self, window: tf.Tensor, crops: tf.Tensor, content: Features, guides: Features, slopes: Any
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(window)
            statistics = self._statistics(window, crops, content, guides)
        return tape.gradient(
            tf.nest.flatten(statistics),
            window,
            output_gradients=tf.nest.flatten(slopes),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    def _compare(self, statistics: Any, targets: Any, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Any]:
        with tf.GradientTape() as tape:
            tape.watch(tf.nest.flatten(statistics))
            triples = zip(self.losses, statistics, targets, strict=True)
            terms = weights * tf.stack([loss.compare(statistic, target) for loss, statistic, target in triples])
            total = tf.reduce_sum(terms)
        slopes = tape.gradient(total, statistics, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return total, terms, slopes


def _programs_for(losses: tuple[Loss, ...], extractor: Extractor) -> _Programs:
    """What has been compiled for them already, by whatever run."""
    return _cached_programs(losses, extractor)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=64)
def _cached_programs(losses: tuple[Loss, ...], extractor: Extractor) -> _Programs:
    return _Programs(losses, extractor)


def _signed(statistics: Any, sign: float) -> Any:
    if sign == 1.0:
        return statistics
    return tf.nest.map_structure(lambda value: None if value is None else sign * value, statistics)


def _added(one: Any, other: Any) -> Any:
    return tf.nest.map_structure(lambda a, b: None if a is None else a + b, one, other)


def _spread(function: Callable[[Item], Value], items: Iterable[Item]) -> Iterator[Value]:
    """`map`, in order, on every device there is: accelerators where there are any, else the processors."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        yield from map(function, items)
        return
    free: queue.SimpleQueue[str] = queue.SimpleQueue()
    for device in devices:
        free.put(device.name)

    def on_a_device(item: Item) -> Value:
        name = free.get()
        try:
            with tf.device(name):
                return function(item)
        finally:
            free.put(name)

    with ThreadPoolExecutor(len(devices)) as pool:
        yield from pool.map(on_a_device, items)
