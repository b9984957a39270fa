"""What a visitor can begin with: pairs of sample images, a shelf of paintings, and presets of the controls."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageOps

from neural_style import samples

__all__ = ["PAIRS", "PRESETS", "paintings_strip", "pairs_strip"]

PAIRS = (
    ("astronaut", "starry_night"),
    ("chenonceau", "great_wave"),
    ("cat", "harvest"),
    ("pagoda", "shipwreck"),
    ("chenonceau", "nocturne"),
)
"""Photographs and paintings that go well together."""

PRESETS: dict[str, dict[str, Any]] = {
    "Portrait": {"strength": 0.45, "style_scale": 0.8, "color": "style", "quality": "best", "size": 768},
    "Landscape": {"strength": 0.6, "style_scale": 1.0, "color": "style", "quality": "best", "size": 768},
    "Bold": {"strength": 0.7, "style_scale": 1.8, "color": "style", "quality": "best", "size": 512},
    "My colors": {"strength": 0.6, "style_scale": 1.0, "color": "content", "quality": "best", "size": 512},
    "Quick look": {"strength": 0.5, "style_scale": 1.0, "color": "style", "quality": "instant", "size": 512},
    "Print": {"strength": 0.6, "style_scale": 1.0, "color": "style", "quality": "fast", "size": 3008},
}
"""What each preset sets; a long side of 3008 pixels is 25 cm at 300 dpi."""

SIDE = 160
"""Of a thumbnail, in pixels."""


def pairs_strip() -> str:
    """HTML of a button for each pair: the photograph beside the painting."""
    return _strip("Click an example", ((_beside(*pair), " in the style of ".join(map(_title, pair))) for pair in PAIRS))


def paintings_strip() -> str:
    """HTML of a button for each painting, in the order of `samples.names`."""
    names = samples.names("painting")
    return _strip("Or a painting for the style", ((_thumbnail(name, (SIDE, SIDE)), _title(name)) for name in names))


def _strip(label: str, thumbnails: Iterable[tuple[Image.Image, str]]) -> str:
    """Buttons with an index each, and images that are part of the text."""
    buttons = "".join(
        f'<button type="button" data-index="{index}" aria-label="{html.escape(title)}" title="{html.escape(title)}">'
        f'<img alt="" src="{_data_address(image)}"></button>'
        for index, (image, title) in enumerate(thumbnails)
    )
    return f'<div class="strip-label">{label}</div><div class="strip">{buttons}</div>'


def _data_address(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _beside(photo: str, painting: str) -> Image.Image:
    both = Image.new("RGB", (SIDE, SIDE), "white")
    half = (SIDE // 2 - 1, SIDE)
    both.paste(_thumbnail(photo, half), (0, 0))
    both.paste(_thumbnail(painting, half), (SIDE // 2 + 1, 0))
    return both


def _thumbnail(name: str, size: tuple[int, int]) -> Image.Image:
    with Image.open(samples.path(name)) as image:
        image.draft("RGB", (4 * size[0], 4 * size[1]))
        return ImageOps.fit(image.convert("RGB"), size)


def _title(name: str) -> str:
    return samples.get(name).title
