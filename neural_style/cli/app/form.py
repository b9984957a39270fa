"""What a visitor has chosen, as the page's fields hold it and as `stylize` takes it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from neural_style.cli.app.words import Problem, check_image

__all__ = ["BRUSH_OPACITY", "PREVIEW_SIZE", "STYLES", "WHERE", "Form"]

STYLES = 3
"""How many styles the page has room for."""

WHERE = {
    "everywhere": "everywhere",
    "brushed": "where I brush; the rest stays a photo",
    "second": "the second style where I brush, the first elsewhere",
}
"""Where the styles go, and how the page says it."""

BRUSH_OPACITY = 0.6
"""Of a brush stroke, so that the photo shows through."""

PREVIEW_SIZE = 512
"""Long side of a preview in pixels, at most."""


@dataclasses.dataclass(frozen=True)
class Form:
    """The values of the page's fields, in their order.

    Args:
        photo: file to paint, or None.
        style_1: file of the first style, or None; likewise the second and the third.
        weight_1: of the first style, from 0; likewise the others.
        where: a key of `WHERE`.
        brush: value of the editor: its `layers` are images with alpha, opaque where the brush went.
        strength: see `stylize`; likewise the following.
        style_scale: see `stylize`.
        color: see `stylize`.
        size: long side in pixels.
        quality: see `stylize`.
        recipe: see `stylize`.
        steps: None, or 0, for the recipe's own.
        seed: see `stylize`.
    """

    photo: str | None
    style_1: str | None
    style_2: str | None
    style_3: str | None
    weight_1: float
    weight_2: float
    weight_3: float
    where: str
    brush: dict[str, Any] | None
    strength: float
    style_scale: float
    color: str
    size: int
    quality: str
    recipe: str
    steps: int | None
    seed: int | None

    @property
    def styles(self) -> list[tuple[str, float]]:
        """The files of the styles that have a weight, each with its weight."""
        given = ((getattr(self, f"style_{n}"), getattr(self, f"weight_{n}")) for n in range(1, STYLES + 1))
        return [(path, float(weight)) for path, weight in given if path and weight]

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to paint."""
        return bool(self.photo and self.styles)

    @property
    def key(self) -> object:
        """Equal for forms that paint the same."""
        return dataclasses.replace(self, brush=None), [mask.tobytes() for mask in self.masks()]

    def check(self) -> None:
        """Raise `Problem` for what a visitor has to mend."""
        if not self.photo:
            raise Problem("Choose a photo first, or click an example.")
        check_image(self.photo, "The photo")
        if not self.styles:
            has_style = any((self.style_1, self.style_2, self.style_3))
            raise Problem("Give one style a weight above 0." if has_style else "Choose a style, or click a painting.")
        for number, (path, _) in enumerate(self.styles, 1):
            check_image(path, "The style" if len(self.styles) == 1 else f"Style {number}")
        if self.where == "second" and len(self.styles) < 2:
            raise Problem("Choose a second style under Several styles: it goes where you brush.")
        if self.where != "everywhere" and not self.masks():
            raise Problem("Brush over a part of the photo under Regions.")

    def options(self) -> dict[str, Any]:
        """Keywords of `stylize`, with masks as uint8 arrays."""
        names = ("strength", "style_scale", "color", "size", "quality", "recipe")
        options: dict[str, Any] = {name: getattr(self, name) for name in names}
        options |= {"steps": self.steps or None, "seed": int(self.seed or 0), "tile": "auto"}
        if masks := self.masks():
            options |= {"masks": masks, "background": "content" if self.where == "brushed" else None}
        return options

    def preview(self) -> Form:
        """The same, painted in one pass and small."""
        size = min(self.size, PREVIEW_SIZE)
        return dataclasses.replace(self, quality="instant", recipe="default", steps=None, size=size)

    def masks(self) -> list[np.ndarray]:
        """A mask (height, width) for each style, uint8; empty if styles go everywhere or nothing is brushed.

        Styles that share a region share its mask, so that the masks add up to 255 there.
        """
        brushed = None if self.where == "everywhere" else _brushed(self.brush)
        if brushed is None:
            return []
        inside = self.styles if self.where == "brushed" else self.styles[1:]
        shares = [np.round(brushed / max(1, len(inside))).astype(np.uint8)] * len(inside)
        return shares if self.where == "brushed" else [255 - sum(shares, np.zeros_like(shares[0])), *shares]


def _brushed(brush: dict[str, Any] | None) -> np.ndarray | None:
    """Where the brush went, float in [0, 255]; None if it went nowhere."""
    layers = [np.asarray(layer)[..., 3] for layer in (brush or {}).get("layers") or ()]
    if not layers or not max(layer.max() for layer in layers):
        return None
    return np.clip(np.max(layers, axis=0) / BRUSH_OPACITY, 0.0, 255.0)
