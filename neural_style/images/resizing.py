"""Resizing."""

from typing import Any

import numpy as np
from PIL import Image

__all__ = ["resize"]


def resize(pixels: Any, size: tuple[int, int]) -> np.ndarray:
    """Resize with antialiasing: Lanczos if either side shrinks, bicubic otherwise.

    Each channel is filtered in float32, without loss of precision. Both kernels overshoot at edges, so the result is
    clipped.

    Args:
        pixels: (1, H, W, C), floats in [0, 1], any number of channels.
        size: (width, height) of the result.

    Returns:
        (1, height, width, C), float32 in [0, 1]; `pixels` itself if it already has that size.

    Raises:
        ValueError: `pixels` has another shape, or a side is less than 1.

    Example:
        >>> resize(np.zeros((1, 48, 64, 3)), (32, 24)).shape
        (1, 24, 32, 3)
    """
    array = np.asarray(pixels, np.float32)
    if array.ndim != 4 or array.shape[0] != 1 or array.size == 0:
        raise ValueError(f"resize expects pixels of shape (1, height, width, channels), got {array.shape}")
    width, height = (int(side) for side in size)
    if min(width, height) < 1:
        raise ValueError(f"resize expects a (width, height) of at least (1, 1), got {tuple(size)}")
    if array.shape[1:3] == (height, width):
        return array
    shrinks = height < array.shape[1] or width < array.shape[2]
    kernel = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    resized = np.empty((1, height, width, array.shape[3]), np.float32)
    for channel in range(array.shape[3]):
        plane = Image.fromarray(np.ascontiguousarray(array[0, :, :, channel]))
        resized[0, :, :, channel] = np.asarray(plane.resize((width, height), kernel))
    return np.clip(resized, 0.0, 1.0, out=resized)
