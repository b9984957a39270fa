"""Coarse to fine: the sizes a picture is painted at, and how many steps each gets.

Large shapes and strokes form in cheap steps on a small canvas, which is then carried up; the full size only
adds what has no room below it. An idea as old as image pyramids; in this field Gatys et al. (2017), section 6.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from neural_style.features.base import Extractor

__all__ = ["CoarseToFine", "Relay", "Scale", "Schedule", "SingleScale", "fit"]


class Scale(NamedTuple):
    """One stage of a run: a canvas of `width` by `height` pixels, and how many steps it gets.

    Attributes:
        width: in pixels.
        height: in pixels.
        steps: how many are made.

    Example:
        >>> Scale(256, 192, 20).steps
        20
    """

    width: int
    height: int
    steps: int


Schedule = Callable[[tuple[int, int], int | None], Sequence[Scale]]
"""`(final (width, height), total steps or None for its own choice) -> scales`, the last at the final size."""


def fit(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """(width, height) of the same shape with that long side, each at least 1.

    Args:
        size: (width, height) in pixels.
        long_side: in pixels.

    Example:
        >>> fit((4000, 3000), 512)
        (512, 384)
    """
    factor = long_side / max(size)
    width, height = (max(1, round(side * factor)) for side in size)
    return width, height


@dataclasses.dataclass(frozen=True)
class SingleScale:
    """Every step at the final size.

    Args:
        steps: how many, unless the run says otherwise.

    Example:
        >>> SingleScale(steps=200)((512, 384))
        (Scale(width=512, height=384, steps=200),)
    """

    steps: int = 500

    def __call__(self, size: tuple[int, int], steps: int | None = None) -> tuple[Scale, ...]:
        return (Scale(*size, *_share(self.steps if steps is None else steps, [1])),)


@dataclasses.dataclass(frozen=True)
class CoarseToFine:
    """From a small canvas to the final one by equal factors, with fewer steps at each larger size.

    A scale of long side L gets `steps * (smallest / L) ** decay` steps, at least `least`.

    Args:
        smallest: long side of the first canvas, in pixels.
        factor: about how much larger each canvas is than the one before; at least 1.1.
        steps: at the smallest scale.
        decay: how fast the steps grow fewer. At 2 every scale costs the same time.
        least: the fewest steps any scale gets.
        grid: sides of all but the last canvas are multiples of this, so that different pictures share
            sizes (TensorFlow keeps a plan for each size it has met). The last has the size asked for.
        least_side: no canvas but the last has a side shorter than this.

    Raises:
        ValueError: a setting is out of range.

    Example:
        >>> [tuple(scale) for scale in CoarseToFine(steps=60)((512, 384))]
        [(128, 96, 60), (256, 192, 30), (512, 384, 15)]
    """

    smallest: int = 128
    factor: float = 2.0
    steps: int = 100
    decay: float = 1.0
    least: int = 10
    grid: int = 16
    least_side: int = 32

    def __post_init__(self) -> None:
        if self.factor < 1.1 or min(self.smallest, self.grid, self.least_side) < 1 or self.least < 0:
            raise ValueError(f"factor is at least 1.1, sides at least 1 and steps at least 0; got {self}")

    def __call__(self, size: tuple[int, int], steps: int | None = None) -> tuple[Scale, ...]:
        """The scales of a run.

        Args:
            size: final (width, height) in pixels.
            steps: total over all scales; None for this schedule's own number.
        """
        sides = self._long_sides(size)
        wanted = [max(self.least, round(self.steps * (self.smallest / side) ** self.decay)) for side in sides]
        counts = wanted if steps is None else _share(steps, wanted)
        sizes = [self._on_grid(size, side) for side in sides[:-1]] + [size]
        return tuple(Scale(*each, count) for each, count in zip(sizes, counts, strict=True))

    def _long_sides(self, size: tuple[int, int]) -> list[float]:
        long, short = max(size), min(size)
        first = max(self.smallest, self.least_side * long / short)
        doublings = max(0, round(math.log(long / first) / math.log(self.factor))) if long > first else 0
        return [long * (first / long) ** ((doublings - i) / doublings) for i in range(doublings)] + [long]

    def _on_grid(self, size: tuple[int, int], long_side: float) -> tuple[int, int]:
        width, height = (
            min(full, max(self.grid, self.grid * round(side * long_side / max(size) / self.grid)))
            for side, full in zip(size, size, strict=True)
        )
        return width, height


@dataclasses.dataclass(frozen=True)
class Relay:
    """Where another network takes over from a run's own.

    Args:
        extractor: the other network: an `Extractor`, or `"vgg16"`, `"vgg19"` or `"lite"`.
        sketch: it looks at canvases of this long side and below, in pixels; 0 for none.
        polish: it looks at so many of the last steps.

    Raises:
        ValueError: `sketch` or `polish` is below 0.

    Example:
        >>> Relay(sketch=128, polish=2).legs([Scale(128, 96, 40), Scale(256, 192, 10)])
        [(Scale(width=128, height=96, steps=40), True), (Scale(width=256, height=192, steps=8), False), \
(Scale(width=256, height=192, steps=2), True)]
    """

    extractor: Extractor | str = "vgg16"
    sketch: int = 128
    polish: int = 0

    def __post_init__(self) -> None:
        for name in ("sketch", "polish"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is at least 0, not {getattr(self, name)}")

    def legs(self, scales: Sequence[Scale]) -> list[tuple[Scale, bool]]:
        """The scales in order, the last one in two where its end is polished, and whether the other network looks."""
        *before, last = [(scale, max(scale.width, scale.height) <= self.sketch) for scale in scales]
        scale, other = last
        polish = min(self.polish, scale.steps)
        if other or not polish:
            return [*before, last]
        own = [(scale._replace(steps=scale.steps - polish), False)] if polish < scale.steps else []
        return [*before, *own, (scale._replace(steps=polish), True)]


def _share(total: int, wanted: Sequence[int]) -> list[int]:
    """Split a total in the proportions wanted, exactly.

    >>> _share(10, [6, 3, 3])
    [5, 3, 2]
    """
    if total < 0:
        raise ValueError(f"steps is at least 0, not {total}")
    marks = [round(total * sum(wanted[: i + 1]) / sum(wanted)) for i in range(len(wanted))]
    return [mark - before for mark, before in zip(marks, [0, *marks], strict=False)]
