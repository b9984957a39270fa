"""Sweep over options: stylize with each combination and show the results on one labeled contact sheet."""

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
from neural_style.api import PREVIEW_SIDE, stylize_result
from neural_style.callbacks.progress import make_bar

__all__ = ["Sweep", "sweep"]

GAP = 8
FONT = 13
MAX_LABEL = 40  # characters, the last ones: the end of a path says more than its beginning
LISTS = ("masks", "style_masks", "callbacks")
"""Options whose values are lists, so that a list does not vary them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """Images stylized with different options.

    Attributes:
        axes: the varied options, `{name: labels}`; the last one runs along the rows of the sheet.
        settings: the varied options of each image, `{name: value}`; the last name varies fastest.
        images: the images, in that order; fewer if Ctrl-C ended the sweep.

    Example:
        >>> images = [Image.new("RGB", (64, 48), color) for color in ("red", "blue")]
        >>> Sweep({"seed": ["0", "1"]}, [{"seed": 0}, {"seed": 1}], images).image.size
        (152, 80)
    """

    axes: Mapping[str, Sequence[str]]
    settings: Sequence[Mapping[str, Any]]
    images: Sequence[Image.Image]

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}: {', '.join(labels)}" for name, labels in self.axes.items())
        return f"<Sweep of {len(self.images)} images; {axes}>"

    @functools.cached_property
    def image(self) -> Image.Image:
        """The contact sheet. The last axis runs along the rows, with a row for each combination of the others."""
        columns = len(list(self.axes.values())[-1])
        font = ImageFont.load_default(FONT)
        lines = [f"{name} {label}" for name, labels in self.axes.items() for label in labels]
        cell = [max(image.size[side] for image in self.images) for side in (0, 1)]
        cell[0] = max(cell[0], *(math.ceil(font.getlength(line)) for line in lines))
        caption = (FONT + 3) * len(self.axes)
        width, height = cell[0] + GAP, cell[1] + caption + GAP
        rows = -(-len(self.images) // columns)
        sheet = Image.new("RGB", (GAP + columns * width, GAP + rows * height), "white")
        draw = ImageDraw.Draw(sheet)
        for number, (image, labels) in enumerate(zip(self.images, itertools.product(*self.axes.values()))):  # noqa: B905
            left, top = GAP + number % columns * width, GAP + number // columns * height
            sheet.paste(image.convert("RGB"), (left, top))
            text = "\n".join(f"{name} {label}" for name, label in zip(self.axes, labels, strict=True))
            draw.multiline_text((left, top + cell[1] + 1), text, fill="black", font=font, spacing=2)
        return sheet

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the contact sheet; see `neural_style.images.save`."""
        images.save(self.image, path)

    def _repr_png_(self) -> bytes:
        """Shown by notebooks."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()


def sweep(content: Any, style: Any, *, size: Any = PREVIEW_SIDE, progress: bool | None = None, **options: Any) -> Sweep:
    """Stylize with every combination of some options, at a small size, on one labeled sheet.

    Args:
        content: as for `stylize`, or `{label: content}` to vary the content.
        style: as for `stylize`, or `{label: style}` to vary the style; a list of styles is a blend.
        size: long side of each image in pixels.
        progress: whether to show a bar that counts the images, as for `stylize`.
        **options: further arguments of `stylize`. A list of values varies the option, except for `masks`, `style_masks`
            and `callbacks`, whose values are lists.

    Returns:
        The images, their options and the sheet. Ctrl-C ends the sweep with the images so far.

    Raises:
        ValueError: no option varies, a list is empty, or there is a `checkpoint`; and what `stylize` raises.

    Example:
        >>> import numpy as np
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> sweep(content, style, strength=[0.3, 0.7], size=48, steps=1, extractor="vgg16")
        <Sweep of 2 images; strength: 0.3, 0.7>
    """
    given = {"content": content, "style": style, "size": size, **options}
    varied = {name: list(_choices(name, value)) for name, value in given.items() if _is_axis(name, value)}
    if not varied or not all(varied.values()):
        raise ValueError("a sweep varies at least one option: pass a list of values, such as strength=[0.3, 0.7]")
    if options.get("checkpoint") is not None:
        raise ValueError("a checkpoint stores one run, but a sweep makes many: omit checkpoint")
    settings: list[dict[str, Any]] = []
    stylized: list[Image.Image] = []
    combinations = list(itertools.product(*varied.values()))
    for combination in make_bar(combinations, shown=progress, unit="image"):
        chosen = {name: value for name, (_, value) in zip(varied, combination, strict=True)}
        try:
            result = stylize_result(**{**given, **chosen}, progress=False)
        except KeyboardInterrupt:  # in one pass, or before a run has an image
            if not stylized:
                raise
            break
        settings.append(chosen)
        stylized.append(result.image)
        if result.stopped_by == "interrupt":
            break
    axes = {name: [label for label, _ in choices] for name, choices in varied.items()}
    return Sweep(axes, settings, stylized)


def _is_axis(name: str, value: Any) -> bool:
    if name in ("content", "style"):
        return isinstance(value, Mapping)
    return isinstance(value, list) and name not in LISTS


def _choices(name: str, values: Any) -> list[tuple[str, Any]]:
    """`(label, value)` pairs."""
    if isinstance(values, Mapping):
        return [(str(label), value) for label, value in values.items()]
    return [(_label(value), value) for value in values]


def _label(value: Any) -> str:
    """A short text for a value."""
    if isinstance(value, float):
        return f"{value:g}"
    if value is None or isinstance(value, str | int | tuple):
        return str(value)[-MAX_LABEL:]
    return str(getattr(value, "name", type(value).__name__))
