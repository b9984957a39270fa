"""Artistic controls of a run: masks, colors and the size of strokes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from neural_style import color
from neural_style._arguments import checked, choice, real, share
from neural_style.images import masks

__all__ = ["COLOR_MODES", "ColorMode", "Controls"]


class ColorMode(NamedTuple):
    """What is done about colors before and after a run.

    Attributes:
        before: `(style, content, weight of each of the style's pixels) -> style` in the content's palette; None leaves
            the style's colors alone.
        after: `(canvas, content, strength) -> canvas` in the content's colors; None leaves the canvas's colors alone.
    """

    before: Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray] | None = None
    after: Callable[[np.ndarray, np.ndarray, float], np.ndarray] | None = None


COLOR_MODES: Mapping[str, ColorMode] = MappingProxyType(
    {
        "style": ColorMode(),
        "content": ColorMode(after=color.keep_colors),
        "match": ColorMode(before=color.match_color_moments),
        "histogram": ColorMode(before=color.match_histograms),
    }
)
"""Every value of `color=`; a row here is all that a new one needs."""


@dataclasses.dataclass(frozen=True, eq=False)
class Controls:
    """Masks, colors and stroke size; see `StyleTransfer.run`.

    Args:
        masks: one for each style, over the content, or pairs of one and a style mask; a single one for a single
            style; None for none.
        style_masks: one for each style, over that style, or None; likewise.
        background: None, or `"content"`.
        color: a key of `COLOR_MODES`.
        color_strength: in [0, 1].
        style_scale: above 0.

    Raises:
        ValueError: an argument is out of range, or a mask is missing.
        TypeError: a number is expected, and something else came.
    """

    masks: Any = None
    style_masks: Any = None
    background: Literal["content"] | None = None
    color: str = "style"
    color_strength: float = 1.0
    style_scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("masks", "style_masks"):
            object.__setattr__(self, name, tuple(masks.as_list(getattr(self, name))))
        self._split_pairs()
        if any(mask is None for mask in self.masks):
            raise ValueError("if there are masks, every style needs one; None is allowed in style_masks only")
        if self.background not in (None, "content"):
            raise ValueError(f"background must be 'content' or None, not {self.background!r}")
        if self.background is not None and not self.masks:
            raise ValueError("background='content' keeps the content where no mask covers it, so it needs masks")
        choice("color", self.color, COLOR_MODES)
        checked(self, color_strength=share, style_scale=functools.partial(real, above=0))

    def _split_pairs(self) -> None:
        """Sort masks given as `(mask, style mask)` into the two fields."""
        if not any(isinstance(mask, tuple) for mask in self.masks):
            return
        if self.style_masks:
            raise ValueError("pass style masks in pairs with masks or in style_masks, not both")
        pairs = [mask if isinstance(mask, tuple) else (mask, None) for mask in self.masks]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError("a mask must be one mask, or a pair (mask over the content, mask over the style)")
        object.__setattr__(self, "masks", tuple(mask for mask, _ in pairs))
        object.__setattr__(self, "style_masks", tuple(mask for _, mask in pairs))

    @property
    def mode(self) -> ColorMode:
        """What `color` stands for."""
        return COLOR_MODES[self.color]

    def recolor(self, style: np.ndarray, content: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
        """The style in the content's palette, as far as `color_strength` says; float32 (1, height, width, 3).

        Args:
            style: float32 (1, height, width, 3).
            content: likewise, of any size.
            weight: how much each of the style's pixels counts, (1, height, width, 1); None for all alike.
        """
        if self.mode.before is None:
            return style
        return style + np.float32(self.color_strength) * (self.mode.before(style, content, weight) - style)

    def record(self) -> dict[str, Any]:
        """Plain values for the record of a run."""
        return {
            "masks": len(self.masks),
            "style_masks": sum(mask is not None for mask in self.style_masks),
            "background": self.background,
            "color": self.color,
            "color_strength": self.color_strength,
            "style_scale": self.style_scale,
        }
