"""Optical flow between the frames of a video, and warping along it.

The flow is OpenCV's dense inverse search (Kroeger et al., 2016). Occlusions and motion boundaries are detected as in
Ruder et al. (2016), with the thresholds of Sundaram et al. (2010), by a forward-backward consistency check and the
gradient of the flow.

Requires OpenCV, which the extra `[video]` installs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neural_style import _optional, images
from neural_style.images import ImageLike

__all__ = ["Motion", "flicker", "motion", "warp"]


class Motion(NamedTuple):
    """Motion between two frames, on the pixels of the later one.

    Attributes:
        flow: float32 (height, width, 2): displacement in pixels, to the right and down, from each pixel to its position
            in the earlier frame.
        seen: bool (height, width): whether the pixel is visible in the earlier frame.

    Example:
        >>> nothing_moved = Motion(np.zeros((48, 64, 2), np.float32), np.ones((48, 64), bool))
    """

    flow: np.ndarray
    seen: np.ndarray


def motion(before: ImageLike, after: ImageLike) -> Motion:
    r"""Estimate the motion between two frames.

    With :math:`\hat w = (\hat u, \hat v)` the flow from `after` to `before` and :math:`\tilde w` the flow from `before`
    to `after`, sampled at the positions that :math:`\hat w` points to, a pixel counts as seen unless

    .. math:: |\tilde w + \hat w|^2 > 0.01 (|\tilde w|^2 + |\hat w|^2) + 0.5 \quad\text{or}\quad
              |\nabla \hat u|^2 + |\nabla \hat v|^2 > 0.01 |\hat w|^2 + 0.002

    as in Ruder et al. (2016), or :math:`\hat w` points outside the image.

    Args:
        before: a frame, as for `images.load`.
        after: the next frame, of the same size.

    Raises:
        ImageError: a frame cannot be read.
        ValueError: the frames differ in size.
        ImportError: OpenCV is not installed.

    Example:
        >>> frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        >>> bool(motion(frame, frame).seen.all())
        True
    """
    first, second = (_gray(frame) for frame in (before, after))
    if first.shape != second.shape:
        raise ValueError(f"both frames must have the same size, not {first.shape[::-1]} and {second.shape[::-1]}")
    search = _opencv().DISOpticalFlow_create(_opencv().DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)  # flow for every pixel, because strokes must follow the motion to less than one pixel
    backward, forward = search.calc(second, first, None), search.calc(first, second, None)
    return Motion(backward, _consistent(backward, forward) & ~_motion_boundaries(backward) & _inside(backward))


def warp(image: ImageLike, flow: np.ndarray) -> np.ndarray:
    """Warp the earlier frame to the later one.

    Interpolation uses the Lanczos kernel over 8 x 8 pixels; linear interpolation would blur the image more with every
    frame.

    Args:
        image: as for `images.load`.
        flow: flow of a `Motion`, of the image's size.

    Returns:
        float32 (1, height, width, 3) in [0, 1]. Positions outside the image take the nearest border pixel.

    Raises:
        ImageError: the image cannot be read.
        ImportError: OpenCV is not installed.

    Example:
        >>> image = np.random.default_rng(0).random((20, 30, 3))
        >>> one_to_the_right = np.full((20, 30, 2), (1.0, 0.0), np.float32)
        >>> bool(np.allclose(warp(image, one_to_the_right)[0, :, 5:20], image[:, 6:21], atol=1e-5))
        True
    """
    warped = _remap(images.load(image)[0], flow, _opencv().INTER_LANCZOS4)
    return np.clip(warped, 0.0, 1.0)[None]


def flicker(before: ImageLike, after: ImageLike, moved: Motion) -> float:
    """Difference between two stylized frames where the motion says they should agree.

    Root mean square difference between the later frame and the warped earlier one, over the pixels seen in both: the
    measure of Lai et al. (2018) over all channels. Deviation: its root.

    Args:
        before: a stylized frame, as for `images.load`.
        after: the next stylized frame, of the same size.
        moved: motion between the original frames.

    Returns:
        At least 0, in units of the pixel range [0, 1]; 0 if no pixel is seen in both.

    Example:
        >>> nothing_moved = Motion(np.zeros((48, 64, 2), np.float32), np.ones((48, 64), bool))
        >>> round(flicker(np.full((48, 64, 3), 0.5), np.full((48, 64, 3), 0.6), nothing_moved), 3)
        0.1
    """
    squares = (warp(before, moved.flow) - images.load(after))[0][moved.seen] ** 2
    return float(np.sqrt(squares.mean())) if squares.size else 0.0


def _gray(frame: ImageLike) -> np.ndarray:
    levels = np.round(255.0 * images.load(frame)[0]).astype(np.uint8)
    return _opencv().cvtColor(levels, _opencv().COLOR_RGB2GRAY)


def _consistent(backward: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """Where the forward flow leads back to the pixel that the backward flow came from."""
    sampled = _remap(forward, backward, _opencv().INTER_LINEAR)
    error = np.sum((sampled + backward) ** 2, axis=-1)
    return error <= 0.01 * (np.sum(sampled**2, axis=-1) + np.sum(backward**2, axis=-1)) + 0.5


def _motion_boundaries(flow: np.ndarray) -> np.ndarray:
    squared_gradient = np.sum([np.sum(np.square(along), axis=-1) for along in np.gradient(flow, axis=(0, 1))], axis=0)
    return squared_gradient > 0.01 * np.sum(flow**2, axis=-1) + 0.002


def _inside(flow: np.ndarray) -> np.ndarray:
    """Where the flow points to a position inside the image."""
    height, width = flow.shape[:2]
    x, y = np.moveaxis(_positions(flow), -1, 0)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _positions(flow: np.ndarray) -> np.ndarray:
    """The position that each pixel's flow points to, float32 (height, width, 2) of columns and rows."""
    height, width = flow.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    return (grid + flow).astype(np.float32)


def _remap(values: np.ndarray, flow: np.ndarray, kernel: int) -> np.ndarray:
    cv2 = _opencv()
    return cv2.remap(values, _positions(flow), None, kernel, borderMode=cv2.BORDER_REPLICATE)


def _opencv() -> Any:
    return _optional.require("cv2", extra="video")
