"""Turned and scaled copies of a style, for losses that look for the piece that fits best."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from neural_style import images

__all__ = ["Copy", "all_copies", "make_copy"]

Copy = tuple[float, float]
"""An angle in degrees and a scale."""


def all_copies(angles: Sequence[float], scales: Sequence[float]) -> tuple[Copy, ...]:
    """Every angle at every scale.

    Raises:
        ValueError: there is none, or one is not finite, or a scale is not above 0.
    """
    made = tuple(itertools.product(angles, scales))
    if not made or not all(math.isfinite(angle) and 0.0 < scale < math.inf for angle, scale in made):
        raise ValueError(f"angles are finite and scales above 0, at least one of each; not {angles} and {scales}")
    return made


def make_copy(pixels: np.ndarray, copy: Copy, min_side: int = 1) -> np.ndarray:
    """A picture turned counterclockwise and scaled.

    Quarter turns are exact. Otherwise what is left is the largest upright rectangle about the middle that the turned
    picture fills, so that there is nothing in the copy that is not in the picture.

    Args:
        pixels: float32 (1, height, width, channels) in [0, 1].
        copy: angle in degrees, and scale.
        min_side: no side of the result is below so many pixels.

    Example:
        >>> make_copy(np.zeros((1, 40, 60, 3), np.float32), (90.0, 0.5)).shape
        (1, 30, 20, 3)
    """
    angle, scale = copy
    quarters = round(angle / 90.0)
    turned = np.rot90(pixels, quarters, axes=(1, 2))
    rest = angle - 90.0 * quarters
    if rest:
        turned = _slightly_turned(turned, rest)
    height, width = (max(min_side, round(scale * side)) for side in turned.shape[1:3])
    return images.resize(turned, (width, height))


def _slightly_turned(pixels: np.ndarray, angle: float) -> np.ndarray:
    """By at most an eighth of a turn."""
    height, width = pixels.shape[1:3]
    columns, rows = (max(1, int(side)) for side in _inscribed(width, height, math.radians(abs(angle))))
    left, top = (width - columns) // 2, (height - rows) // 2
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(pixels[0], -1, 0)]
    turned = [np.asarray(plane.rotate(angle, Image.Resampling.BICUBIC)) for plane in planes]
    stacked = np.stack(turned, axis=-1)[None, top : top + rows, left : left + columns]
    clipped: np.ndarray = np.clip(stacked, 0.0, 1.0)
    return clipped


def _inscribed(width: float, height: float, angle: float) -> tuple[float, float]:
    """Sides of the largest upright rectangle in one that is turned by at most a right angle's half."""
    sine, cosine = math.sin(angle), math.cos(angle)
    long, short = max(width, height), min(width, height)
    if short <= 2.0 * sine * cosine * long:  # its corners lie on the two long sides alone
        sides = 0.5 * short / sine, 0.5 * short / cosine
        return sides if width >= height else sides[::-1]
    spread = cosine**2 - sine**2
    return (width * cosine - height * sine) / spread, (height * cosine - width * sine) / spread
