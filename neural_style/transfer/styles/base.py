"""What a style is to a run: a weight, a mask region, and statistics at every scale."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from neural_style import color
from neural_style.losses import Statistic
from neural_style.objective import Objective

__all__ = ["Measured", "Style"]


class Measured(NamedTuple):
    """The statistics of one style at one scale.

    Attributes:
        statistic: of each loss; None for a loss that reads no style.
        area: how many pixels were measured, each weighted by its mask.
    """

    statistic: tuple[Statistic | None, ...]
    area: float


class Style(Protocol):
    """A style with its weight and the index of the mask region it is painted in (0 where there are no masks)."""

    @property
    def weight(self) -> float: ...

    @property
    def region(self) -> int: ...

    @property
    def palette(self) -> color.Palette:
        """Mean and covariance of its colors."""
        ...

    def fingerprint(self) -> str:
        """A hash of everything that is measured."""
        ...

    def measure(self, objective: Objective, long_side: int, regions: int) -> Measured:
        """Compute the statistics for a canvas.

        Args:
            objective: whose losses are served.
            long_side: of the canvas, in pixels.
            regions: how many mask regions the canvas has; 0 without masks.
        """
        ...
