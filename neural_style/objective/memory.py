"""How much memory a picture takes, told before TensorFlow asks the system for it.

A step holds the network's maps of one piece (the picture, or a tile's window) and some arrays of the picture's own
size. The maps are counted on the graph of a step, as `liveness` tells; `SLACK` is what is measured beyond that.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import tensorflow as tf

from neural_style.features.base import Extractor
from neural_style.losses.base import PREVIOUS, Loss
from neural_style.objective.graph_memory import most_alive
from neural_style.objective.tiled import TiledObjective, check_tiled
from neural_style.objective.whole import Objective, objective_for
from neural_style.optimizers import Optimizer

__all__ = ["Estimate", "Tile", "available_bytes", "objective_within", "plan"]

Tile = int | Literal["auto"] | None

FIXED = 300 * 2**20  # plans, statistics, the allocator's slack: measured 250 to 300 MiB on two cores
SLACK = 1.2
PIXEL = 12  # bytes of a float32 pixel
ARRAYS = 8  # content, canvas, the next and the best, gradient and its sum, and what passes between them
STATES = 3  # copies of an optimiser's state: the last, the next, and one to compute with
PROBE = 1024  # side of the picture the maps are counted on; nothing of this size is allocated
UNKNOWN = 4 * 2**30  # what "auto" makes do with where nobody says how much there is
TILES = (2048, 1024, 512, 256, 128)


class Estimate(NamedTuple):
    """What a run at some size takes.

    Attributes:
        bytes: at the peak of a step, beyond what the process has now.
        tile: side of the tiles, None for untiled.
        available: bytes there are now; None where nobody says.
    """

    bytes: int
    tile: int | None
    available: int | None

    @property
    def fits(self) -> bool:
        """Whether there is room, as far as known."""
        return self.available is None or self.bytes <= self.available


class _Demand(NamedTuple):
    """Bytes by what they grow with."""

    maps: float
    content: float
    arrays: float

    def of(self, pixels: int, piece: int | None = None) -> int:
        """For a picture of so many pixels, in pieces of at most so many."""
        kept = self.content * pixels
        return int(FIXED + kept + self.arrays * pixels + self.maps * min(pixels, piece or pixels))


def plan(
    losses: Sequence[Loss],
    extractor: Extractor,
    optimizer: Optimizer,
    size: tuple[int, int],
    tile: Tile = None,
    available: int | None = None,
    regions: int = 0,
) -> Estimate:
    """What a picture of (width, height) takes with these tiles; for `"auto"`, with those that it would choose.

    Args:
        losses: what is minimised.
        extractor: what gives the layers.
        optimizer: whose state counts too.
        size: (width, height) in pixels.
        tile: None for untiled; `"auto"` for untiled where that fits, else the largest tiles that do.
        available: bytes there are; None for `available_bytes()`.
        regions: how many masks share the picture out; each takes a look of its own at the maps.

    Raises:
        ValueError: the losses or the extractor cannot be tiled, but an integer `tile` asks for it.
    """
    available = available_bytes() if available is None else available
    demand, pixels = _demand(tuple(losses), extractor, optimizer, regions), size[0] * size[1]
    if tile != "auto":
        return Estimate(demand.of(pixels, _piece(losses, extractor, tile)), tile, available)
    room = UNKNOWN if available is None else available
    choices = [None, *(side for side in TILES if _can_tile(losses, extractor))]
    estimates = [Estimate(demand.of(pixels, _piece(losses, extractor, side)), side, available) for side in choices]
    return next((each for each in estimates if each.bytes <= room), estimates[-1])


def objective_within(
    losses: Sequence[Loss],
    extractor: Extractor,
    optimizer: Optimizer,
    size: tuple[int, int],
    tile: Tile,
    regions: int = 0,
) -> Objective | TiledObjective:
    """The objective that evaluates a picture of (width, height) with these tiles in the memory there is.

    Args are those of `plan`.

    Raises:
        MemoryError: it does not fit; the text names a tile or a size that would.
        ValueError: the losses or the extractor cannot be tiled, but an integer `tile` asks for it.
    """
    losses, available = tuple(losses), available_bytes()
    if isinstance(tile, int):
        check_tiled(losses, extractor)
    if available is not None and tile is None and size[0] * size[1] * 2**14 * (1 + regions) < available:
        return objective_for(losses, extractor)  # small beyond doubt, and not worth counting
    chosen = plan(losses, extractor, optimizer, size, tile, available, regions)
    if not chosen.fits:
        raise MemoryError(_story(losses, extractor, optimizer, size, chosen, regions))
    if chosen.tile is None:
        return objective_for(losses, extractor)
    room = UNKNOWN if available is None else available
    demand = _demand(losses, extractor, optimizer, regions)
    whole = int((room - FIXED) / sum(demand)) if tile == "auto" else 0
    piece = _piece(losses, extractor, chosen.tile) or 0
    return TiledObjective(losses, extractor, chosen.tile, whole=max(whole, piece), keep=room / 4)


def _story(
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
    better = plan(losses, extractor, optimizer, size, "auto", room, regions)
    if better.fits and better.tile is not None:
        remedies.append(f"tile={better.tile}")
    most = _longest_side(
        losses, extractor, _demand(tuple(losses), extractor, optimizer, regions), size, chosen.tile, room
    )
    if most:
        remedies.append(f"size={most}")
    advice = " or ".join(remedies) or "a machine with more memory"
    needed, there = (f"{value / 2**30:.1f} GiB" for value in (chosen.bytes, room))
    return f"a picture of {width}x{height} {how} needs about {needed}, and {there} are free. Try {advice}."


def _longest_side(
    losses: Sequence[Loss],
    extractor: Extractor,
    demand: _Demand,
    size: tuple[int, int],
    tile: int | None,
    room: int,
) -> int:
    """The longest side, in steps of 16 pixels, of a picture of this shape that fits; 0 if none does."""
    piece = _piece(losses, extractor, tile)
    shape = min(size) / max(size)
    sides = range(max(size) // 16 * 16, 0, -16)
    return next((side for side in sides if demand.of(int(side * side * shape), piece) <= room), 0)


def _piece(losses: Sequence[Loss], extractor: Extractor, tile: int | None) -> int | None:
    """Pixels of a window."""
    return None if tile is None else TiledObjective(losses, extractor, tile).window ** 2


def _can_tile(losses: Sequence[Loss], extractor: Extractor) -> bool:
    try:
        check_tiled(losses, extractor)
    except ValueError:
        return False
    return True


def _demand(losses: tuple[Loss, ...], extractor: Extractor, optimizer: Optimizer, regions: int) -> _Demand:
    kept = optimizer.state_bytes(PROBE**2) / PROBE**2
    maps, content = _map_bytes(losses, extractor, regions)  # type: ignore[arg-type]
    return _Demand(maps, content, ARRAYS * PIXEL + STATES * kept)


@functools.lru_cache(maxsize=64)
def _map_bytes(losses: tuple[Loss, ...], extractor: Extractor, regions: int = 0) -> tuple[float, float]:
    """Bytes a pixel at the peak of a step, and of the content's maps that are kept."""
    objective = Objective(losses, extractor)

    side = PROBE * max(1, objective.smallest_side // PROBE)

    cells = {layer: side // stride for layer, stride in objective.strides(objective.style_layers).items()}
    guides = {layer: tf.TensorSpec([1, count, count, regions]) for layer, count in cells.items() if regions}
    if any(loss.uses_previous for loss in losses):
        guides[PREVIOUS] = tf.TensorSpec([1, side, side, 4])
    canvas = tf.TensorSpec([1, side, side, 3])
    content = _outputs(objective._content, canvas)
    targets = _outputs(objective._target, canvas, guides)
    step = _outputs(objective._evaluate, canvas, content, targets, tf.TensorSpec([len(losses)]), guides)
    kept = sum((value.shape.num_elements() or 0) * int(value.dtype.size) for value in content.values())
    return SLACK * most_alive(step.gradient) / side**2, kept / side**2


def _outputs(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives, traced for these shapes and not run."""
    specs = tf.nest.map_structure(
        lambda value: value if value is None else tf.TensorSpec(value.shape, value.dtype), arguments
    )
    return tf.function(function, autograph=False).get_concrete_function(*specs).structured_outputs


def available_bytes() -> int | None:
    """What this process may still take: of the machine and of its control group; None where nobody says.

    Where TensorFlow sees an accelerator the maps lie in memory that it does not tell about: None.
    """
    if tf.config.list_physical_devices("GPU"):
        return None
    known = [value for value in (_machine_bytes(), _group_bytes()) if value is not None]
    return min(known, default=None)


def _machine_bytes() -> int | None:
    """Linux's own estimate, or half of what is built in."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return None


def _group_bytes() -> int | None:
    """What a container leaves, by either version of control groups."""
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limit, taken = (Path("/sys/fs/cgroup", name).read_text().strip() for name in (most, used))
            return None if limit == "max" else max(0, int(limit) - int(taken))
        except (OSError, ValueError):
            continue
    return None
