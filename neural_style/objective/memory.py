"""Estimate the peak memory of a step before it runs, and choose tiles that fit.

A step holds the feature maps of one piece (the whole image, or the window of a tile) and a few arrays of the size of
the image. The maps are counted on the graph of a step by liveness analysis, see `graph_memory`; `SLACK` is the measured
excess over that count.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import tensorflow as tf

from neural_style._tracing import hold_gradients
from neural_style.features.base import Extractor
from neural_style.losses.base import Assignment, Features, Loss
from neural_style.objective.base import Objective, Targets
from neural_style.objective.graph_memory import peak_bytes
from neural_style.objective.system_memory import available_bytes
from neural_style.objective.tiled import TiledObjective, check_tiled, is_tileable
from neural_style.objective.tracing import cached
from neural_style.objective.whole import WholeObjective, objective_for
from neural_style.optimizers.base import PIXEL_BYTES, Optimizer

__all__ = ["Estimate", "TileSize", "choose_objective", "estimate_memory", "max_style_pixels", "style_target"]

TileSize = int | Literal["auto"] | None
"""Side of the tiles in pixels; `"auto"` to choose it by the available memory; None for no tiles."""

FIXED = 300 * 2**20  # oneDNN primitives, statistics, the allocator's slack: measured 250 to 300 MiB on two cores
SLACK = 1.2
ARRAYS = 8  # content, canvas, the next and the best canvas, gradient and its sum, and temporaries
STATES = 3  # copies of the optimizer's state: the last, the next, and a temporary one
PROBE = 1024  # side of the image for which the maps are counted; nothing of this size is allocated
ASSUMED = 4 * 2**30  # available memory assumed by tile="auto" if the system does not report it
TILES = (2048, 1024, 512, 256, 128)  # sides that tile="auto" chooses from
MAX_STEP_BYTES = 2**14
"""More than any step takes per pixel and region: all built-in losses together take 10 KiB on VGG16."""

MAX_STYLE_PIXELS = 2**20
"""A style is measured in one piece up to this size, or up to the size of the canvas if that is larger."""

STYLE_TILE = 512
"""Side of the tiles in which a larger style is measured."""


class Estimate(NamedTuple):
    """Estimated memory of a run.

    Attributes:
        bytes: peak of a step, in addition to what the process holds now.
        tile: side of the tiles in pixels; None for untiled.
        available: bytes available now; None if the system does not report them.
    """

    bytes: int
    tile: int | None
    available: int | None

    @property
    def fits(self) -> bool:
        """Whether the available memory suffices; True if it is unknown."""
        return self.available is None or self.bytes <= self.available


class _Demand(NamedTuple):
    """Bytes per pixel.

    Attributes:
        maps: of one piece.
        content: of the image, for the content's maps.
        arrays: of the image, for arrays of its size.
    """

    maps: float
    content: float
    arrays: float

    def of(self, pixels: int, piece: int | None = None) -> int:
        """Bytes for an image of this many pixels, in pieces of at most `piece` pixels."""
        kept = self.content * pixels
        return int(FIXED + kept + self.arrays * pixels + self.maps * min(pixels, piece or pixels))


def estimate_memory(
    losses: Sequence[Loss],
    extractor: Extractor,
    optimizer: Optimizer,
    size: tuple[int, int],
    tile: TileSize = None,
    available: int | None = None,
    regions: int = 0,
) -> Estimate:
    """Estimate the memory of a run with these tiles, or with those that `"auto"` would choose.

    Args:
        losses: losses that are minimized.
        extractor: network that computes their layers.
        optimizer: optimizer, whose state is included.
        size: (width, height) in pixels.
        tile: side of the tiles; `"auto"` for untiled if that fits, else the largest tiles that fit.
        available: available bytes; None for `available_bytes()`.
        regions: number of masks; each region needs another pass over the maps.

    Raises:
        ValueError: `tile` is a number, and the losses or the extractor cannot be tiled.
    """
    available = available_bytes() if available is None else available
    demand, pixels = _demand(tuple(losses), extractor, optimizer, regions), size[0] * size[1]
    if tile != "auto":
        return Estimate(demand.of(pixels, _piece(losses, extractor, tile)), tile, available)
    room = ASSUMED if available is None else available
    choices = [None, *(TILES if is_tileable(losses, extractor) else ())]
    estimates = [Estimate(demand.of(pixels, _piece(losses, extractor, side)), side, available) for side in choices]
    return next((each for each in estimates if each.bytes <= room), estimates[-1])


def choose_objective(
    losses: Sequence[Loss],
    extractor: Extractor,
    optimizer: Optimizer,
    size: tuple[int, int],
    tile: TileSize,
    regions: int = 0,
) -> Objective:
    """The objective that evaluates an image of (width, height) with these tiles in the available memory.

    The arguments are those of `estimate_memory`.

    Raises:
        MemoryError: it does not fit; the message names a tile or a size that would.
        ValueError: `tile` is a number, and the losses or the extractor cannot be tiled.
    """
    losses, available = tuple(losses), available_bytes()
    if isinstance(tile, int):
        check_tiled(losses, extractor)
    if available is not None and tile is None and size[0] * size[1] * MAX_STEP_BYTES * (1 + regions) < available:
        return objective_for(losses, extractor)  # certainly fits, so the graph of a step need not be traced
    chosen = estimate_memory(losses, extractor, optimizer, size, tile, available, regions)
    if not chosen.fits:
        raise MemoryError(_message(losses, extractor, optimizer, size, chosen, regions))
    if chosen.tile is None:
        return objective_for(losses, extractor)
    room = ASSUMED if available is None else available
    demand = _demand(losses, extractor, optimizer, regions)
    whole = int((room - FIXED) / sum(demand)) if tile == "auto" else 0
    piece = _piece(losses, extractor, chosen.tile) or 0
    return TiledObjective(losses, extractor, chosen.tile, whole=max(whole, piece), keep=room / 4)


def max_style_pixels(objective: Objective, long_side: int) -> float:
    """Number of pixels beyond which a style has to be cropped; infinite if `style_target` can use tiles.

    Args:
        objective: objective of the run.
        long_side: long side of the canvas in pixels.
    """
    readers = [loss for loss in objective.losses if loss.uses_style]
    return float("inf") if is_tileable(readers, objective.extractor) else max(MAX_STYLE_PIXELS, long_side**2)


def style_target(objective: Objective, image: tf.Tensor, guides: Features, long_side: int) -> Targets:
    """`objective.target`, computed in tiles for an image that has more than `MAX_STYLE_PIXELS` and than the canvas.

    Args:
        objective: objective of the run.
        image: the style, float32 (1, height, width, 3).
        guides: see `Objective.target`.
        long_side: long side of the canvas in pixels.
    """
    pixels, readers = image.shape[1] * image.shape[2], [loss for loss in objective.losses if loss.uses_style]
    in_one_piece = pixels <= max(MAX_STYLE_PIXELS, long_side**2) or not is_tileable(readers, objective.extractor)
    if in_one_piece or objective.tile is not None:
        return objective.target(image, guides)
    found = iter(TiledObjective(readers, objective.extractor, STYLE_TILE).target(image, guides))
    return tuple(next(found) if loss.uses_style else None for loss in objective.losses)


def _message(
    losses: Sequence[Loss],
    extractor: Extractor,
    optimizer: Optimizer,
    size: tuple[int, int],
    chosen: Estimate,
    regions: int,
) -> str:
    """What does not fit, and what would."""
    room = chosen.available or 0
    width, height = size
    how = "untiled" if chosen.tile is None else f"in tiles of {chosen.tile}"
    remedies = []
    better = estimate_memory(losses, extractor, optimizer, size, "auto", room, regions)
    if better.fits and better.tile is not None:
        remedies.append(f"tile={better.tile}")
    demand = _demand(tuple(losses), extractor, optimizer, regions)
    longest = _longest_side(demand, size, _piece(losses, extractor, chosen.tile), room)
    if longest:
        remedies.append(f"size={longest}")
    advice = " or ".join(remedies) or "a machine with more memory"
    needed, free = (f"{value / 2**30:.1f} GiB" for value in (chosen.bytes, room))
    return f"an image of {width}x{height} {how} needs about {needed}, and {free} are free. Try {advice}."


def _longest_side(demand: _Demand, size: tuple[int, int], piece: int | None, room: int) -> int:
    """The longest side, in steps of 16 pixels, of an image of this shape that fits; 0 if none does."""
    shape = min(size) / max(size)
    fits = bisect.bisect_left(
        range(max(size) // 16), True, key=lambda count: demand.of(int((16 * count + 16) ** 2 * shape), piece) > room
    )
    return 16 * fits


def _piece(losses: Sequence[Loss], extractor: Extractor, tile: int | None) -> int | None:
    """Pixels of a window."""
    return None if tile is None else TiledObjective(losses, extractor, tile).window ** 2


def _demand(losses: tuple[Loss, ...], extractor: Extractor, optimizer: Optimizer, regions: int) -> _Demand:
    kept = optimizer.state_bytes(PROBE**2) / PROBE**2
    maps, content = _map_bytes(losses, extractor, regions)
    return _Demand(maps, content, ARRAYS * PIXEL_BYTES + STATES * kept)


@cached(maxsize=64)
def _map_bytes(losses: tuple[Loss, ...], extractor: Extractor, regions: int = 0) -> tuple[float, float]:
    """Bytes per pixel at the peak of a step, and of the content's maps."""
    objective = WholeObjective(losses, extractor)
    side = PROBE * max(1, objective.smallest_side // PROBE)
    cells = {layer: side // stride for layer, stride in objective.strides(objective.style_layers).items()}
    guides = {layer: tf.TensorSpec([1, count, count, regions]) for layer, count in cells.items() if regions}
    previous = tf.TensorSpec([1, side, side, 4]) if any(loss.uses_previous for loss in losses) else None
    canvas, eager = tf.TensorSpec([1, side, side, 3]), objective.eager()
    content = _outputs(eager.content, canvas)
    targets = _outputs(eager.target, canvas, guides)
    weights = tf.TensorSpec([len(losses)])
    assignments = tuple(
        _assignment(objective, loss, target, side) for loss, target in zip(losses, targets, strict=True)
    )
    targets = tuple(None if loss.refresh else target for loss, target in zip(losses, targets, strict=True))
    step = _outputs(eager.evaluate, canvas, content, targets, weights, guides, previous, None, assignments)
    kept, queries = _bytes(content.maps), _bytes(content.queries)
    return (SLACK * peak_bytes(step.gradient) + queries) / side**2, kept / side**2


def _bytes(values: Any) -> int:
    """Bytes of all tensors of a nest."""
    return sum(
        (value.shape.num_elements() or 0) * int(value.dtype.size)
        for value in tf.nest.flatten(values)
        if value is not None
    )


def _assignment(objective: WholeObjective, loss: Any, style: Any, side: int) -> Assignment | None:
    """The specs of the matches of a loss with one style on a square image; None for other losses."""
    if not loss.refresh:
        return None
    cells = side // objective.strides([loss.grid])[loss.grid]
    energies = {layer: tf.TensorSpec([]) for layer in style}
    vectors = {layer: tf.TensorSpec([1, 1, loss.max_vectors, value.shape[-1]]) for layer, value in style.items()}
    return Assignment(
        tf.TensorSpec([1, cells, cells, 1], tf.int32), tf.TensorSpec([1, cells, cells, 1]), (vectors,), (energies,)
    )


def _outputs(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function as specs, traced for arguments of these shapes and not run."""
    specs = tf.nest.map_structure(
        lambda value: value if value is None else tf.TensorSpec(value.shape, value.dtype), arguments
    )
    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    hold_gradients(traced.graph)
    return traced.structured_outputs
