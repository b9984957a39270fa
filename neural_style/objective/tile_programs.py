"""Two passes over the regions of a picture: their statistics added up, and slopes pulled back to the pixels.

What is compiled is compiled once for some losses on an extractor, whatever the picture, the tile and the window:
where a region's core lies in its window is an argument.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from neural_style.features.base import Extractor
from neural_style.losses.base import PREVIOUS, Features, Loss, Statistic
from neural_style.objective.tiling import Region
from neural_style.objective.whole import Objective, OneTrace, differentiable, fitted, slope_again, weighed

__all__ = ["ContentMaps", "Part", "Programs", "programs_for", "spread"]

Item = TypeVar("Item")
Value = TypeVar("Value")


class Part:
    """Some of the losses on the regions of one picture."""

    def __init__(
        self, losses: Sequence[Loss], extractor: Extractor, indices: Sequence[int], regions: Sequence[Region]
    ) -> None:
        self.indices = tuple(indices)
        self.regions = regions
        self.programs = programs_for(tuple(losses[i] for i in indices), extractor)
        self.strides = self.programs.strides
        held = any(loss.uses_previous for loss in self.programs.losses)
        self._guided = self.strides | ({PREVIOUS: 1} if held else {})

    def add_up(self, image: tf.Tensor, guides: Features, maps: ContentMaps | None) -> tuple[Statistic, ...]:
        """The statistics of the whole picture; of a style, which has no content, those that are wanted of it."""
        program = self.programs.target if maps is None else self.programs.statistics

        def one(index: int) -> Any:
            return program(*self._arguments(index, image, guides, maps))

        found = zip(self.regions, spread(one, range(len(self.regions))), strict=True)
        sums: tuple[Statistic, ...] = functools.reduce(_added, (_signed(value, each.sign) for each, value in found))
        return sums

    def pull_back(
        self, image: tf.Tensor, guides: Features, maps: ContentMaps, slopes: Any, gradient: np.ndarray
    ) -> None:
        """Add to the picture's gradient what these slopes of the statistics make of it."""

        def one(index: int) -> np.ndarray:
            signed = _signed(slopes, self.regions[index].sign)
            part: np.ndarray = self.programs.pull_back(*self._arguments(index, image, guides, maps), signed).numpy()
            return part

        for region, part in zip(self.regions, spread(one, range(len(self.regions))), strict=True):
            gradient[region.window] += part

    def _arguments(self, index: int, image: tf.Tensor, guides: Features, maps: ContentMaps | None) -> Any:
        region = self.regions[index]
        crops = tf.constant(region.crops(list(self.strides.values())))
        content = {} if maps is None else maps.of(index)
        return image[region.window], crops, content, region.of(guides, self._guided)


class ContentMaps:
    """The content's maps, region by region: kept while there is room for them, else computed when asked for."""

    def __init__(self, part: Part, pixels: tf.Tensor, keep: float) -> None:
        self._part, self._pixels = part, pixels
        self._maps: list[Any] | None = None
        first = self._compute(0)
        size = sum(value.dtype.size * int(tf.size(value)) for value in first.values())
        if size * len(part.regions) <= keep:
            self._maps = [first, *spread(self._compute, range(1, len(part.regions)))]

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


class Programs:
    """What is compiled for some losses on an extractor: for any picture, tile and size of window."""

    def __init__(self, losses: tuple[Loss, ...], extractor: Extractor) -> None:
        self.losses = losses
        self.layers = Objective(losses, extractor)
        self.strides = self.layers.strides(self.layers.layers)
        self.content = OneTrace(self._content)
        self.target = OneTrace(self._target)
        self.statistics = OneTrace(self._statistics)
        self.pull_back = OneTrace(self._pull_back)
        self.compare = OneTrace(self._compare)

    def _cores(self, window: tf.Tensor, crops: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        """The maps of a window, less what belongs to its neighbours."""
        maps = self.layers.features(window, layers)
        return {layer: self._core(layer, value, crops) for layer, value in maps.items()}

    def _core(self, layer: str, value: tf.Tensor, crops: tf.Tensor) -> tf.Tensor:
        top, bottom, left, right = tf.unstack(crops[list(self.strides).index(layer)])
        return value[:, top:bottom, left:right]

    def _content(self, window: tf.Tensor, crops: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._cores(window, crops, self.layers.content_layers)

    def _target(self, window: tf.Tensor, crops: tf.Tensor, content: Features, guides: Features) -> Any:
        features = self._cores(window, crops, self.layers.style_layers)
        guides = fitted(guides, features)
        return tuple(loss.statistic(features, content, guides) if loss.uses_style else None for loss in self.losses)

    def _statistics(self, window: tf.Tensor, crops: tf.Tensor, content: Features, guides: Features) -> Any:
        features = self._cores(window, crops, self.layers.layers)
        guides = fitted(guides, features)
        return tuple(loss.statistic(features, content, guides) for loss in self.losses)

    def _pull_back(
        self, window: tf.Tensor, crops: tf.Tensor, content: Features, guides: Features, slopes: Any
    ) -> tf.Tensor:
        maps, pull_back = self.layers.forward_with_vjp(window)
        cores = {layer: self._core(layer, value, crops) for layer, value in maps.items()}
        guides = fitted(guides, cores)

        def slope(layer: str, value: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(value)
                core = self._core(layer, value, crops)
            readers = [each for each in zip(self.losses, slopes, strict=True) if layer in each[0].layers]
            seen = cores | {layer: core}
            parts = [slope_again(loss, layer, told, seen, content, guides) for loss, told in readers]
            return tape.gradient(core, value, tf.add_n(parts))

        return pull_back(slope)

    def _compare(self, statistics: Any, targets: Any, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Any]:
        sources = differentiable(statistics)
        with tf.GradientTape() as tape:
            tape.watch(sources)
            total, terms = weighed(self.losses, statistics, targets, weights)
        slopes = tape.gradient(total, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return total, terms, slopes


_lock = threading.Lock()


def programs_for(losses: tuple[Loss, ...], extractor: Extractor) -> Programs:
    """What has been compiled for them already, by whatever run."""
    with _lock:
        return _cached_programs(losses, extractor)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=64)
def _cached_programs(losses: tuple[Loss, ...], extractor: Extractor) -> Programs:
    return Programs(losses, extractor)


def _signed(statistics: Any, sign: float) -> Any:
    if sign == 1.0:
        return statistics
    return tf.nest.map_structure(lambda value: None if value is None else sign * value, statistics)


def _added(one: Any, other: Any) -> Any:
    return tf.nest.map_structure(lambda a, b: None if a is None else a + b, one, other)


def spread(function: Callable[[Item], Value], items: Iterable[Item]) -> Iterator[Value]:
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
