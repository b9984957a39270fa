"""Where things went from one frame of a video to the next, and pictures moved along.

The flow is OpenCV's dense inverse search (Kroeger et al., 2016). Where it can be relied on is found as in Ruder et
al. (2016), with the thresholds of Sundaram et al. (2010): the flow forward, read where the flow backward leads, has to
lead back, and at the edges of what moves neither is believed.

OpenCV is an extra: `pip install 'tf-neural-style[video]'`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neural_style import images

__all__ = ["Motion", "flicker", "motion", "warp"]


class Motion(NamedTuple):
    """What moved where, seen from the later of two frames.

    Attributes:
        flow: float32 (height, width, 2): for each pixel how far to the right and down in the frame before it is to
            be found, in pixels.
        seen: bool (height, width): whether it is to be found there at all.

    Example:
        >>> nothing_moved = Motion(np.zeros((48, 64, 2), np.float32), np.ones((48, 64), bool))
    """

    flow: np.ndarray
    seen: np.ndarray


def motion(before: Any, after: Any) -> Motion:
    r"""The motion between two frames.

    With :math:`\hat w = (\hat u, \hat v)` the flow from `after` to `before` and :math:`\tilde w` the one from `before`
    to `after`, read where :math:`\hat w` leads, a pixel counts as seen unless

    .. math:: |\tilde w + \hat w|^2 > 0.01 (|\tilde w|^2 + |\hat w|^2) + 0.5 \quad\text{or}\quad
              |\nabla \hat u|^2 + |\nabla \hat v|^2 > 0.01 |\hat w|^2 + 0.002

    as in Ruder et al. (2016); or :math:`\hat w` leads out of the picture.

    Args:
        before: a frame, as for `images.load`.
        after: the next one, of the same size.

    Raises:
        ImageError: a frame cannot be read.
        ValueError: they differ in size.
        ImportError: OpenCV is not installed.

    Example:
        >>> frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        >>> bool(motion(frame, frame).seen.all())
        True
    """
    first, second = (_gray(frame) for frame in (before, after))
    if first.shape != second.shape:
        raise ValueError(f"frames of one size are expected, not {first.shape[::-1]} and {second.shape[::-1]}")
    search = _opencv().DISOpticalFlow_create(_opencv().DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)  # flow for every pixel: strokes are to stay where they are by less than one
    backward, forward = search.calc(second, first, None), search.calc(first, second, None)
    return Motion(backward, _agree(backward, forward) & ~_edges(backward) & _inside(backward))


def warp(picture: Any, flow: np.ndarray) -> np.ndarray:
    """The frame before with everything moved to where it is now.

    Read by Lanczos' kernel over 8 x 8 pixels: linear interpolation, frame after frame, would wash a picture out.

    Args:
        picture: as for `images.load`.
        flow: a `Motion`'s, of the picture's size.

    Returns:
        float32 (1, height, width, 3) in [0, 1]. Where the flow leads out of the picture, its border goes on.

    Raises:
        ImageError: the picture cannot be read.
        ImportError: OpenCV is not installed.

    Example:
        >>> picture = np.random.default_rng(0).random((20, 30, 3))
        >>> one_to_the_right = np.full((20, 30, 2), (1.0, 0.0), np.float32)
        >>> bool(np.allclose(warp(picture, one_to_the_right)[0, :, 5:20], picture[:, 6:21], atol=1e-5))
        True
    """
    pixels = images.load(picture)[0]
    moved = _remap(pixels, flow, _opencv().INTER_LANCZOS4)
    clipped: np.ndarray = np.clip(moved, 0.0, 1.0)[None]
    return clipped


def flicker(before: Any, after: Any, moved: Motion) -> float:
    """How much two painted frames differ where they should not.

    The root of the mean square difference of the later frame from the earlier with everything moved to where it is
    now, over what is seen in both. The measure of Lai et al. (2018), under a root, and over all channels.

    Args:
        before: a painted frame, as for `images.load`.
        after: the next one, of the same size.
        moved: the motion between the frames they were painted from.

    Returns:
        At least 0, in units of the range [0, 1]; 0 where nothing is seen in both.

    Example:
        >>> nothing_moved = Motion(np.zeros((48, 64, 2), np.float32), np.ones((48, 64), bool))
        >>> round(flicker(np.full((48, 64, 3), 0.5), np.full((48, 64, 3), 0.6), nothing_moved), 3)
        0.1
    """
    squares = (warp(before, moved.flow) - images.load(after))[0][moved.seen] ** 2
    return float(np.sqrt(squares.mean())) if squares.size else 0.0


def _gray(frame: Any) -> np.ndarray:
    levels = np.round(255.0 * images.load(frame)[0]).astype(np.uint8)
    gray: np.ndarray = _opencv().cvtColor(levels, _opencv().COLOR_RGB2GRAY)
    return gray


def _agree(backward: np.ndarray, forward: np.ndarray) -> np.ndarray:
    there = _remap(forward, backward, _opencv().INTER_LINEAR)
    apart = np.sum((there + backward) ** 2, axis=-1)
    agree: np.ndarray = apart <= 0.01 * (np.sum(there**2, axis=-1) + np.sum(backward**2, axis=-1)) + 0.5
    return agree


def _edges(flow: np.ndarray) -> np.ndarray:
    """Where what moves meets what moves otherwise."""
    steepness = np.sum([np.sum(np.square(slope), axis=-1) for slope in np.gradient(flow, axis=(0, 1))], axis=0)
    edges: np.ndarray = steepness > 0.01 * np.sum(flow**2, axis=-1) + 0.002
    return edges


def _inside(flow: np.ndarray) -> np.ndarray:
    height, width = flow.shape[:2]
    x, y = np.moveaxis(_places(flow), -1, 0)
    inside: np.ndarray = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside


def _places(flow: np.ndarray) -> np.ndarray:
    """Where each pixel is read, (height, width, 2) of columns and rows."""
    height, width = flow.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    places: np.ndarray = (grid + flow).astype(np.float32)
    return places


def _remap(values: np.ndarray, flow: np.ndarray, kernel: int) -> np.ndarray:
    cv2 = _opencv()
    moved: np.ndarray = cv2.remap(values, _places(flow), None, kernel, borderMode=cv2.BORDER_REPLICATE)
    return moved


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "the motion between frames is found by OpenCV; install it with: pip install 'tf-neural-style[video]'"
        ) from error
    return cv2
