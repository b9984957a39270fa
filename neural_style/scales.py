"""Coarse to fine: the sizes an image is painted at, and the number of steps at each.

Large shapes and strokes form in cheap steps on a small canvas, which is then enlarged; the steps at full size only
add detail that smaller canvases cannot hold. Gatys et al. (2017), section 6, introduced this to style transfer.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from neural_style._arguments import checked, count, real, whole

if TYPE_CHECKING:
    from neural_style.features.base import Extractor

__all__ = ["CoarseToFine", "Relay", "RelayStage", "Scale", "Schedule", "SingleScale", "fit"]


class Scale(NamedTuple):
    """A canvas size, and the number of optimization steps at it.

    Attributes:
        width: canvas width in pixels.
        height: canvas height in pixels.
        steps: number of steps.

    Example:
        >>> Scale(256, 192, 20).steps
        20
    """

    width: int
    height: int
    steps: int


Schedule = Callable[[tuple[int, int], int | None], Sequence[Scale]]
"""Function that returns the scales of a run in order, the last at the final size. Its arguments are the final
(width, height) and the total number of steps, or None to let the schedule decide."""


def fit(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """Scale a size to a given long side, keeping the aspect ratio; no side becomes less than 1.

    Args:
        size: (width, height) in pixels.
        long_side: long side of the result, in pixels.

    Returns:
        (width, height) in pixels.

    Example:
        >>> fit((4000, 3000), 512)
        (512, 384)
    """
    factor = long_side / max(size)
    width, height = (max(1, round(side * factor)) for side in size)
    return width, height


@dataclasses.dataclass(frozen=True)
class SingleScale:
    """Schedule that makes every step at the final size.

    Args:
        steps: number of steps of a run that does not set its own.

    Raises:
        ValueError: `steps` is negative.

    Example:
        >>> SingleScale(steps=200)((512, 384))
        (Scale(width=512, height=384, steps=200),)
    """

    steps: int = 500

    def __post_init__(self) -> None:
        checked(self, steps=functools.partial(whole, at_least=0))

    def __call__(self, size: tuple[int, int], steps: int | None = None) -> tuple[Scale, ...]:
        return (Scale(*size, *_share(self.steps if steps is None else steps, [1])),)


@dataclasses.dataclass(frozen=True)
class CoarseToFine:
    """Schedule from a small canvas to the final size by equal factors, with fewer steps at each larger size.

    A scale of long side L gets `steps * (smallest / L) ** decay` steps, but at least `min_steps`. The defaults are
    those of the recipe `moments`.

    Args:
        smallest: long side of the first canvas, in pixels.
        factor: approximate ratio of each canvas's long side to the one before; at least 1.1.
        steps: number of steps at the smallest scale.
        decay: exponent by which the number of steps falls as canvases grow. At 2 every scale takes the same time.
        min_steps: minimum number of steps at any scale.
        grid: divisor of both sides of every canvas but the last, so that images of different shapes share canvas
            sizes: TensorFlow builds and keeps a plan for each size. The last canvas has exactly the requested size.
        min_side: minimum short side of every canvas but the last, in pixels.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> [tuple(scale) for scale in CoarseToFine()((512, 384))]
        [(128, 96, 20), (256, 192, 14), (512, 384, 10)]
    """

    smallest: int = 128
    factor: float = 2.0
    steps: int = 20
    decay: float = 0.5
    min_steps: int = 8
    grid: int = 16
    min_side: int = 32

    def __post_init__(self) -> None:
        checked(self, **dict.fromkeys(("smallest", "grid", "min_side"), count))
        checked(self, **dict.fromkeys(("steps", "min_steps"), functools.partial(whole, at_least=0)))
        checked(self, factor=functools.partial(real, at_least=1.1), decay=real)

    def __call__(self, size: tuple[int, int], steps: int | None = None) -> tuple[Scale, ...]:
        """Compute the scales of a run.

        Args:
            size: final (width, height) in pixels.
            steps: total number of steps over all scales; None for the schedule's own number.

        Returns:
            The scales in order, the last at the final size.

        Raises:
            ValueError: `steps` is negative.
        """
        sides = self._long_sides(size)
        wanted = [max(self.min_steps, round(self.steps * (self.smallest / side) ** self.decay)) for side in sides]
        counts = wanted if steps is None else _share(steps, wanted)
        sizes = [self._on_grid(size, side) for side in sides[:-1]] + [size]
        return tuple(Scale(*each, count) for each, count in zip(sizes, counts, strict=True))

    def _long_sides(self, size: tuple[int, int]) -> list[float]:
        long, short = max(size), min(size)
        first = max(self.smallest, self.min_side * long / short)
        doublings = max(0, round(math.log(long / first) / math.log(self.factor))) if long > first else 0
        return [long * (first / long) ** ((doublings - i) / doublings) for i in range(doublings)] + [long]

    def _on_grid(self, size: tuple[int, int], long_side: float) -> tuple[int, int]:
        width, height = (
            min(full, max(self.grid, self.grid * round(side * long_side / max(size) / self.grid)))
            for side, full in zip(size, size, strict=True)
        )
        return width, height


class RelayStage(NamedTuple):
    """A part of a run during which one network is used.

    Attributes:
        scale: canvas size and number of steps.
        uses_other: whether this stage uses the relay's extractor in place of the run's own.

    Example:
        >>> scale, uses_other = RelayStage(Scale(128, 96, 40), True)
        >>> scale.steps, uses_other
        (40, True)
    """

    scale: Scale
    uses_other: bool


@dataclasses.dataclass(frozen=True)
class Relay:
    """Use of a second network for part of a run.

    Args:
        extractor: the other network: an `Extractor`, or `"vgg16"`, `"vgg19"` or `"lite"`.
        sketch: largest long side, in pixels, of the canvases that use the other network; 0 for none.
        polish: number of steps at the end of the run that use the other network.

    Raises:
        ValueError: `sketch` or `polish` is negative.

    Example:
        >>> for scale, uses_other in Relay(sketch=128, polish=2).stages([Scale(128, 96, 40), Scale(256, 192, 10)]):
        ...     print(scale.width, scale.steps, uses_other)
        128 40 True
        256 8 False
        256 2 True
    """

    extractor: Extractor | str = "vgg16"
    sketch: int = 128
    polish: int = 0

    def __post_init__(self) -> None:
        checked(self, **dict.fromkeys(("sketch", "polish"), functools.partial(whole, at_least=0)))

    def stages(self, scales: Sequence[Scale]) -> list[RelayStage]:
        """Assign a network to each scale, and split the last scale in two where its last steps are polished.

        Args:
            scales: scales of the run, in order.
        """
        *before, last = [RelayStage(scale, max(scale.width, scale.height) <= self.sketch) for scale in scales]
        polish = min(self.polish, last.scale.steps)
        if last.uses_other or not polish:
            return [*before, last]
        own = last.scale.steps - polish
        split = [RelayStage(last.scale._replace(steps=own), False)] if own else []
        return [*before, *split, RelayStage(last.scale._replace(steps=polish), True)]


def _share(total: int, wanted: Sequence[int]) -> list[int]:
    """Split a total into whole numbers in the given proportions; they add up to the total.

    >>> _share(10, [6, 3, 3])
    [5, 3, 2]
    """
    if total < 0:
        raise ValueError(f"steps must be at least 0, not {total}")
    marks = [round(total * sum(wanted[: i + 1]) / sum(wanted)) for i in range(len(wanted))]
    return [mark - before for mark, before in zip(marks, [0, *marks], strict=False)]
