"""Many settings side by side: a labelled contact sheet to choose from."""

from __future__ import annotations

import dataclasses
import functools
import io
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from neural_style import images
from neural_style.api import PREVIEW, paint

__all__ = ["Sweep", "sweep"]

GAP = 8
FONT = 13
LONGEST = 40  # characters of a label; of a path the end tells more
LISTS = ("masks", "style_masks", "callbacks")
"""Keywords whose value is a list anyway."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """Pictures painted with different settings.

    Attributes:
        axes: what was varied, `{name: labels}`, in order; the last runs along the rows.
        settings: of each picture, `{name: value}`, the last name varying fastest.
        pictures: the pictures, in that order. Fewer where Ctrl-C ended the sweep.

    Example:
        >>> pictures = [Image.new("RGB", (64, 48), color) for color in ("red", "blue")]
        >>> Sweep({"seed": ["0", "1"]}, [{"seed": 0}, {"seed": 1}], pictures).image.size
        (152, 80)
    """

    axes: Mapping[str, Sequence[str]]
    settings: Sequence[Mapping[str, Any]]
    pictures: Sequence[Image.Image]

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}: {', '.join(labels)}" for name, labels in self.axes.items())
        return f"<Sweep of {len(self.pictures)} pictures; {axes}>"

    @functools.cached_property
    def image(self) -> Image.Image:
        """The contact sheet, a row for one axis, a grid for two, a row for each mixture of the others for more."""
        columns = len(list(self.axes.values())[-1])
        font = ImageFont.load_default(FONT)
        lines = [f"{name} {label}" for name, labels in self.axes.items() for label in labels]
        cell = [max(picture.size[side] for picture in self.pictures) for side in (0, 1)]
        cell[0] = max(cell[0], *(math.ceil(font.getlength(line)) for line in lines))
        caption = (FONT + 3) * len(self.axes)
        width, height = cell[0] + GAP, cell[1] + caption + GAP
        rows = -(-len(self.pictures) // columns)
        sheet = Image.new("RGB", (GAP + columns * width, GAP + rows * height), "white")
        draw = ImageDraw.Draw(sheet)
        for number, (picture, labels) in enumerate(zip(self.pictures, itertools.product(*self.axes.values()))):  # noqa: B905
            left, top = GAP + number % columns * width, GAP + number // columns * height
            sheet.paste(picture.convert("RGB"), (left, top))
            text = "\n".join(f"{name} {label}" for name, label in zip(self.axes, labels, strict=True))
            draw.multiline_text((left, top + cell[1] + 1), text, fill="black", font=font, spacing=2)
        return sheet

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the contact sheet; see `neural_style.images.save`."""
        images.save(self.image, path)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()


def sweep(content: Any, style: Any, *, size: Any = PREVIEW, **options: Any) -> Sweep:
    """Paint every mixture of some settings, small, on one labelled sheet.

    Args:
        content: see `neural_style.stylize`; or `{label: content}` to vary it.
        style: see `neural_style.stylize`; or `{label: style}` to vary it. A list is a blend, as ever.
        size: long side of each picture in pixels.
        **options: any keyword of `stylize`. One whose value is a list is varied (but for `masks`, `style_masks` and
            `callbacks`, which are lists anyway).

    Returns:
        Pictures, their settings, and the sheet. Ctrl-C ends the sweep with the pictures so far.

    Raises:
        ValueError: nothing is varied, or a list is empty; and what `stylize` raises.

    Example:
        >>> import numpy as np
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> sweep(content, style, strength=[0.3, 0.7], size=48, steps=1, extractor="vgg16")
        <Sweep of 2 pictures; strength: 0.3, 0.7>
    """
    given = {"content": content, "style": style, "size": size, **options}
    varied = {name: list(_choices(name, value)) for name, value in given.items() if _is_axis(name, value)}
    if not varied or not all(varied.values()):
        raise ValueError("a sweep varies something: give at least one keyword a list of values, such as strength=[...]")
    if options.get("checkpoint") is not None:
        raise ValueError("a sweep is many runs, and a checkpoint keeps one: leave it out")
    settings, pictures = [], []
    for mixture in itertools.product(*varied.values()):
        chosen = {name: value for name, (_, value) in zip(varied, mixture, strict=True)}
        result = paint(**{**given, **chosen})
        settings.append(chosen)
        pictures.append(result.image)
        if result.stopped_by == "interrupt":
            break
    axes = {name: [label for label, _ in choices] for name, choices in varied.items()}
    return Sweep(axes, settings, pictures)


def _is_axis(name: str, value: Any) -> bool:
    if name in ("content", "style"):
        return isinstance(value, Mapping)
    return isinstance(value, list) and name not in LISTS


def _choices(name: str, values: Any) -> list[tuple[str, Any]]:
    """Labels with values."""
    if isinstance(values, Mapping):
        return [(str(label), value) for label, value in values.items()]
    return [(_label(value), value) for value in values]


def _label(value: Any) -> str:
    """A value in a few characters."""
    if isinstance(value, float):
        return f"{value:g}"
    if value is None or isinstance(value, str | int | tuple):
        return str(value)[-LONGEST:]
    return str(getattr(value, "name", type(value).__name__))
