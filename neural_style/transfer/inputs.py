"""Everything a run reads: images, masks, sizes and the start. Nothing is read after this."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from neural_style import images
from neural_style._arguments import real, whole
from neural_style._fingerprint import fingerprint
from neural_style.images import ImageLike, masks
from neural_style.objective import available_bytes
from neural_style.transfer.controls import Controls
from neural_style.transfer.styles.base import Style
from neural_style.transfer.styles.blending import Styles, read_styles
from neural_style.transfer.styles.image_style import final_size

__all__ = ["InitLike", "Inputs", "read_inputs", "side_of"]

MAX_SIDE = 2**20
"""Longest side of a result in pixels: more than any file format but TIFF and PNG holds."""

INITS = ("content", "recolored", "noise")

InitLike = ImageLike | float | None
"""`"content"`, `"recolored"`, `"noise"`, an image, a share of noise in [0, 1], or None."""


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """What a run works on.

    Attributes:
        content: float32 (1, height, width, 3) in [0, 1]; None for texture synthesis.
        alpha: the content's transparency, float32 (1, height, width, 1); None where it is opaque.
        styles: empty for content reconstruction.
        size: (width, height) of the result in pixels.
        shares: the share of each mask in every pixel, float32 (1, height, width, masks); None without masks.
        previous: the image that a `Temporal` loss holds on to and its weight, float32 (1, height, width, 4); None for
            none.
        init: `"content"`, `"recolored"`, `"noise"`, a share of noise, or float32 (1, height, width, 3).
        seed: of the noise.
        controls: colors, stroke size and background.
    """

    content: np.ndarray | None
    alpha: np.ndarray | None
    styles: tuple[Style, ...]
    size: tuple[int, int]
    shares: np.ndarray | None
    previous: np.ndarray | None
    init: str | float | np.ndarray
    seed: int
    controls: Controls

    @property
    def regions(self) -> int:
        """How many mask regions there are; 0 without masks."""
        return 0 if self.shares is None else int(self.shares.shape[-1])

    @functools.cached_property
    def cover(self) -> np.ndarray | None:
        """How far each pixel is painted, float32 (1, height, width, 1); None where all of them are."""
        if self.shares is None or self.controls.background is None:
            return None
        return masks.coverage(self.shares)

    @property
    def starts_as_content(self) -> bool:
        """Whether the canvas begins as the content, in its own colors or the styles'."""
        return self.content is not None and isinstance(self.init, str) and self.init in ("content", "recolored")

    def fingerprints(self) -> dict[str, str]:
        """A hash of each input by its name."""
        found = {"content": fingerprint(self.content, self.alpha)}
        for number, style in enumerate(self.styles, 1):
            found["style" if len(self.styles) == 1 else f"style {number}"] = style.fingerprint()
        arrays = {"masks": self.shares, "previous": self.previous, "init image": self.init}
        return found | {name: fingerprint(each) for name, each in arrays.items() if isinstance(each, np.ndarray)}

    def record(self) -> dict[str, Any]:
        """Plain values for the record of a run."""
        init = "image" if isinstance(self.init, np.ndarray) else self.init
        record = {"init": init, "seed": self.seed, "size": self.size, **self.controls.record()}
        return record if self.shares is None else record | {"coverage": masks.covered_shares(self.shares)}


def read_inputs(
    content: ImageLike | None,
    style: Styles | None,
    controls: Controls,
    *,
    size: int | tuple[int, int] | None,
    init: InitLike = None,
    seed: int = 0,
    previous: Any = None,
) -> Inputs:
    """Read what a run is given; the arguments are those of `StyleTransfer.run`.

    Raises:
        ImageError: an image cannot be read.
        ValueError: see `StyleTransfer.run`.
        TypeError: an argument is of another type than expected.
    """
    side = _check_size(size, content is not None)
    image = None if content is None else images.read(content, size=max(side) if isinstance(side, tuple) else side)
    pixels = None if image is None else image.pixels
    if pixels is None:
        _check_needs_no_content(controls)
    start = _read_init(init, content is not None, style is not None)
    long_side = max(side) if isinstance(side, tuple) else side
    styles = read_styles(style, controls, long_side, pixels)
    final = final_size(styles, side, pixels)
    _check_room(final, 3 * len(controls.masks) + (8 if previous is not None else 0))
    return Inputs(
        content=pixels,
        alpha=None if image is None else image.alpha,
        styles=styles,
        size=final,
        shares=masks.mask_shares(controls.masks, final, controls.background) if controls.masks else None,
        previous=_read_previous(previous, final),
        init=start,
        seed=whole("seed", seed, at_least=0),
        controls=controls,
    )


def _check_size(size: Any, has_content: bool = True) -> int | tuple[int, int] | None:
    """The size of a run as Python's whole numbers.

    Args:
        size: long side in pixels, or None; without a content also (width, height).
        has_content: whether the content gives the shape.

    Raises:
        ValueError: a side is not between 1 and `MAX_SIDE`, or there are two beside a content.
        TypeError: a side is no whole number.
    """
    if size is None:
        return None
    if not isinstance(size, tuple):
        return side_of("size", size)
    if has_content:
        raise ValueError(
            f"size must be the long side in pixels, not {size}; (width, height) is for runs without content"
        )
    if len(size) != 2:
        raise ValueError(f"size must be the long side in pixels, or (width, height), not {size}")
    width, height = (side_of("size", side, "is (width, height) in pixels") for side in size)
    return width, height


def side_of(name: str, side: object, what: str = "is the long side in pixels") -> int:
    """A side as Python's whole number, between 1 and `MAX_SIDE`.

    Raises:
        ValueError: it is not between them.
        TypeError: it is no whole number.
    """
    number = whole(name, side)
    if not 1 <= number <= MAX_SIDE:
        shown = side if number.bit_length() < 200 else f"a number of {number.bit_length()} bits"
        raise ValueError(f"{name} {what}, at least 1 and at most {MAX_SIDE:,}; not {shown}")
    return number


def _check_room(size: tuple[int, int], planes: int) -> None:
    """Raise `MemoryError` if float32 planes of this size, which are held before a run is planned, do not fit."""
    room, needed = available_bytes(), 4 * size[0] * size[1] * planes
    if room is not None and needed > room:
        fitting = int(max(size) * (room / needed) ** 0.5)
        raise MemoryError(
            f"masks and previous frames of {size[0]}x{size[1]} pixels take about {needed / 2**30:.1f} GiB, and "
            f"{room / 2**30:.1f} GiB are free. Try size={fitting} or less."
        )


def _check_needs_no_content(controls: Controls) -> None:
    for name in ("background", "color"):
        if getattr(controls, name) == "content":
            raise ValueError(f"{name}='content' needs a content")


def _read_previous(previous: Any, size: tuple[int, int]) -> np.ndarray | None:
    """Read the previous frame, an image or an `(image, mask)` pair, with its mask as a fourth channel."""
    if previous is None:
        return None
    image, mask = previous if isinstance(previous, tuple) else (previous, None)
    held = images.resize(images.load(image), size)
    weight = np.ones((1, 1, 1, 1), np.float32) if mask is None else masks.read_mask(mask, "the mask of previous")
    return np.concatenate([held, masks.resize_mask(weight, size)], axis=-1)


def _read_init(init: InitLike, has_content: bool, has_style: bool) -> str | float | np.ndarray:
    """What the canvas begins as: a word, a share of noise, or an image (1, height, width, 3)."""
    if init is None:
        return "content" if has_content and has_style else "noise"
    if isinstance(init, str) and init == "instant":
        raise ValueError("init='instant' works only in stylize; here, pass the pixels that feedforward.OnePass returns")
    if isinstance(init, str) and init in INITS:
        if (init == "content" and not has_content) or (init == "recolored" and not (has_content and has_style)):
            raise ValueError(f"init={init!r} needs {'a content' if not has_content else 'a style'}; try 'noise'")
        return init
    if not _is_number(init):
        try:
            return images.load(init)
        except TypeError as error:
            raise TypeError(f"init is {', '.join(map(repr, INITS))}, a share of noise or an image; {error}") from error
    share = real("init", init, finite=False)
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"init as a number is the share of noise and must be between 0 (content) and 1, not {init!r}")
    if not has_content:
        raise ValueError(f"init={init!r} mixes noise with the content, but there is none; try 'noise'")
    return share


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
