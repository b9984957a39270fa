"""What an artist can ask of a run beside its two pictures, and what of the canvas is shown for it."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np

from neural_style import color, images
from neural_style.images import masks as guides

__all__ = ["COLORS", "Composition", "Controls"]

COLORS = ("style", "content", "match", "histogram")


@dataclasses.dataclass(frozen=True, eq=False)
class Controls:
    """Masks, colour and stroke size; see `StyleTransfer.run`.

    Args:
        masks: one for each style, over the content, or pairs of one and a style mask; a single one for a single
            style; None for none.
        style_masks: one for each style, over that style, or None; likewise.
        background: None, or `"content"`.
        color: `"style"`, `"content"`, `"match"` or `"histogram"`.
        color_strength: in [0, 1].
        style_scale: above 0.

    Raises:
        ValueError: something is out of range, or there are masks and not one for each style.
    """

    masks: Any = None
    style_masks: Any = None
    background: Literal["content"] | None = None
    color: str = "style"
    color_strength: float = 1.0
    style_scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("masks", "style_masks"):
            object.__setattr__(self, name, tuple(guides.as_list(getattr(self, name))))
        self._part_pairs()
        if any(mask is None for mask in self.masks):
            raise ValueError("every style needs a mask where there are masks; None is for style_masks")
        if self.background not in (None, "content"):
            raise ValueError(f"background is 'content' or None, not {self.background!r}")
        if self.background is not None and not self.masks:
            raise ValueError("background='content' leaves what the masks do not cover as it is, so it needs masks")
        if self.color not in COLORS:
            raise ValueError(f"color is one of {', '.join(map(repr, COLORS))}, not {self.color!r}")
        if not 0.0 <= self.color_strength <= 1.0:
            raise ValueError(f"color_strength is between 0 and 1, not {self.color_strength!r}")
        if not 0.0 < self.style_scale < float("inf"):
            raise ValueError(f"style_scale is above 0 and finite, not {self.style_scale!r}")

    def _part_pairs(self) -> None:
        """Give masks that come as `(mask, style mask)` their places."""
        if not any(isinstance(mask, tuple) for mask in self.masks):
            return
        if self.style_masks:
            raise ValueError("style masks come in pairs with masks or in style_masks, not both")
        pairs = [mask if isinstance(mask, tuple) else (mask, None) for mask in self.masks]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError("a mask is one mask, or a pair (mask over the content, mask over the style)")
        object.__setattr__(self, "masks", tuple(mask for mask, _ in pairs))
        object.__setattr__(self, "style_masks", tuple(mask for _, mask in pairs))

    def check_styles(self, count: int) -> None:
        """Raise `ValueError` unless there is a mask for each of so many styles, where there are masks."""
        for name, masks in (("masks", self.masks), ("style_masks", self.style_masks)):
            if masks and len(masks) != count:
                raise ValueError(f"{count} styles need as many {name}, not {len(masks)}")

    def recolored(self, style: np.ndarray, content: np.ndarray) -> np.ndarray:
        """A style with the content's palette, as far as that is asked for."""
        if self.color == "match":
            moved = color.match_color_moments(style, content)
        elif self.color == "histogram":
            moved = color.match_histograms(style, content)
        else:
            return style
        mixed: np.ndarray = style + np.float32(self.color_strength) * (moved - style)
        return mixed

    def described(self) -> dict[str, Any]:
        """Plain values for a record of the run."""
        return {
            "masks": len(self.masks),
            "style_masks": sum(mask is not None for mask in self.style_masks),
            "background": self.background,
            "color": self.color,
            "color_strength": self.color_strength,
            "style_scale": self.style_scale,
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Composition:
    """What is shown of a canvas: kept colours and a background over it.

    Args:
        controls: what was asked for.
        content: float32 (1, height, width, 3); None where there is no content.
        cover: how far each pixel is painted, (1, height, width, 1); None where all of it is.
    """

    controls: Controls
    content: np.ndarray | None = None
    cover: np.ndarray | None = None

    def shown(self, canvas: np.ndarray) -> np.ndarray:
        """The picture of a canvas of any size, (1, height, width, 3) in [0, 1]."""
        if self.content is None or (self.cover is None and self.controls.color != "content"):
            return canvas
        size = (canvas.shape[2], canvas.shape[1])
        content = images.resize(self.content, size)
        if self.controls.color == "content":
            canvas = color.keep_colors(canvas, content, self.controls.color_strength)
        if self.cover is None:
            return canvas
        cover = guides.resize_mask(self.cover, size)
        shown: np.ndarray = cover * canvas + (1.0 - cover) * content
        return shown
