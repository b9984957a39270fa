"""Rotated and scaled copies of a style image, for losses that search the style for the best match."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from neural_style import images

__all__ = ["Copy", "all_copies", "make_copy"]

Copy = tuple[float, float]
"""Rotation angle in degrees, counterclockwise, and scale factor."""


def all_copies(angles: Sequence[float], scales: Sequence[float]) -> tuple[Copy, ...]:
    """Combine every angle with every scale.

    Args:
        angles: rotation angles in degrees.
        scales: scale factors, above 0.

    Raises:
        ValueError: `angles` or `scales` is empty or not finite, or a scale is not positive.
    """
    copies = tuple(itertools.product(angles, scales))
    if not copies or not all(math.isfinite(angle) and 0.0 < scale < math.inf for angle, scale in copies):
        raise ValueError(f"angles are finite and scales above 0, at least one of each; not {angles} and {scales}")
    return copies


def make_copy(pixels: np.ndarray, copy: Copy, min_side: int = 1) -> np.ndarray:
    """Rotate an image counterclockwise and scale it.

    Rotations by multiples of 90 degrees are exact. Others are cropped to the largest upright centered rectangle inside
    the rotated image, so that the copy contains nothing from outside the image.

    Args:
        pixels: float32 (1, height, width, channels) in [0, 1].
        copy: rotation angle in degrees, and scale factor.
        min_side: minimum side of the result, in pixels.

    Returns:
        float32 (1, new height, new width, channels) in [0, 1].

    Example:
        >>> make_copy(np.zeros((1, 40, 60, 3), np.float32), (90.0, 0.5)).shape
        (1, 30, 20, 3)
    """
    angle, scale = copy
    quarters = round(angle / 90.0)
    rotated = np.rot90(pixels, quarters, axes=(1, 2))
    remainder = angle - 90.0 * quarters
    if remainder:
        rotated = _rotate_and_crop(rotated, remainder)
    height, width = (max(min_side, round(scale * side)) for side in rotated.shape[1:3])
    return images.resize(rotated, (width, height))


def _rotate_and_crop(pixels: np.ndarray, angle: float) -> np.ndarray:
    """Rotate by at most 45 degrees."""
    height, width = pixels.shape[1:3]
    columns, rows = (max(1, int(side)) for side in _inscribed(width, height, math.radians(abs(angle))))
    left, top = (width - columns) // 2, (height - rows) // 2
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(pixels[0], -1, 0)]
    rotated = [np.asarray(plane.rotate(angle, Image.Resampling.BICUBIC)) for plane in planes]
    cropped = np.stack(rotated, axis=-1)[None, top : top + rows, left : left + columns]
    return np.clip(cropped, 0.0, 1.0)


def _inscribed(width: float, height: float, angle: float) -> tuple[float, float]:
    """Sides of the largest upright rectangle inside one that is rotated by at most 45 degrees."""
    sine, cosine = math.sin(angle), math.cos(angle)
    long, short = max(width, height), min(width, height)
    if short <= 2.0 * sine * cosine * long:  # all its corners lie on the two long sides
        sides = 0.5 * short / sine, 0.5 * short / cosine
        return sides if width >= height else sides[::-1]
    spread = cosine**2 - sine**2
    return (width * cosine - height * sine) / spread, (height * cosine - width * sine) / spread
