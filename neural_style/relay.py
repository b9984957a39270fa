"""Two networks for one picture: which of them looks at which scale.

A step's time grows with the canvas, so a large network costs little while the canvas is small, and that is where
large shapes and strokes form. A small one then paints them out on the larger canvases.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from neural_style.features.base import Extractor
from neural_style.scales import Scale

__all__ = ["Relay"]


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
