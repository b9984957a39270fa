"""Masks: where each style applies, and the guides of each layer that follow from them.

A mask gives the weight of a style at each pixel. It is resized to the canvas, normalized against the other masks, and
averaged over the pixels of each cell of a feature map, which gives the guides of Gatys et al. (2017), section 4.
Deviation: their guide at a layer is 1 either where the receptive field of a cell lies inside the region, or where it
overlaps it; here it is the share of the cell's own pixels that lie in the region.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from neural_style import images
from neural_style.errors import ImageError

__all__ = [
    "as_list",
    "coverage",
    "covered_shares",
    "guides_per_layer",
    "label_masks",
    "mask_shares",
    "read_mask",
    "resize_mask",
]

MAX_LABELS = 32
MIN_COVER = 0.9  # smallest sum of the masks at a pixel that counts as covered
MIN_LEVEL = 1 / 255 + 1e-6  # a mask that is nowhere above it changes no pixel by a level
MIN_CHROMA = 16 / 255  # more than JPEG's noise leaves of a gray image
MIN_PAINTED = 0.01  # a smaller painted share of an image is warned about

logger = logging.getLogger("neural_style")


def as_list(masks: Any) -> list[Any]:
    """Convert one mask, a list of masks or None to a list."""
    if masks is None:
        return []
    return list(masks) if isinstance(masks, list | tuple) else [masks]


def read_mask(source: Any, name: str = "mask") -> np.ndarray:
    """Read a mask from any source.

    Levels of 0 and 1 only, as segmentation tools write them, count as 0 and white. Class numbers are refused: whether
    2 means a region or a dark gray, the file does not say.

    Args:
        source: any source that `neural_style.images.read` accepts, converted to luma and multiplied by its alpha; or
            an array (height, width) of bool, or of the integers 0 to 255.
        name: name of the mask in error messages.

    Returns:
        float32 in [0, 1], (1, height, width, 1).

    Raises:
        ImageError: the source cannot be read.
        ValueError: the mask is nowhere above 1/255, or holds class numbers or flat colors.
        TypeError: the source is neither an image nor an array of numbers or bools.

    Example:
        >>> read_mask(np.array([[True, False]]))[0, ..., 0]
        array([[1., 0.]], dtype=float32)
    """
    try:
        image = images.read(_as_image(source))
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from error.__cause__
    _check_gray(image.pixels, name)
    # Luma of ITU-R BT.709, whose weights add up to 1: a white mask is 1, and a gray one its gray level.
    mask = image.pixels @ np.array([[0.2126], [0.7152], [0.0722]], np.float32)
    if image.alpha is not None:
        mask = mask * image.alpha
    mask = _without_numbers(mask, name)
    _check_visible(mask, name)
    return np.clip(mask, 0.0, 1.0)


def _as_image(source: Any) -> Any:
    """A mask's array as an array that `images.read` takes: bools and wide integers become levels."""
    if not hasattr(source, "__array__") or isinstance(source, Image.Image):
        return source
    array = np.asarray(source)
    if array.dtype == bool:
        return array.astype(np.float32)
    wide = array.dtype.kind in "iu" and array.dtype not in (np.uint8, np.uint16)
    return array.astype(np.uint8) if wide and array.size and 0 <= array.min() <= array.max() <= 255 else source


def _check_gray(pixels: np.ndarray, name: str) -> None:
    """Refuse an image of several flat colors: its luma means nothing."""
    if not (pixels.max(axis=-1) - pixels.min(axis=-1) > MIN_CHROMA).any():
        return
    colors = np.unique(_codes(pixels))
    if 1 < len(colors) <= MAX_LABELS:
        shown = ", ".join(f"#{color:06x}" for color in colors[:4])
        raise ValueError(
            f"{name} consists of {len(colors)} flat colors ({shown}), and a mask is gray: white where its style "
            "applies; neural_style.images.masks.label_masks makes a mask of each color"
        )


def _without_numbers(mask: np.ndarray, name: str) -> np.ndarray:
    """Turn levels of 0 and 1 into 0 and white, and refuse class numbers, also with 255 for pixels without a class."""
    if ((mask > MAX_LABELS / 255.0 + 1e-6) & (mask < 1.0)).any():
        return mask
    values = np.unique(mask[(mask > 0.0) & (mask < 1.0)])
    if not 0 < len(values) <= MAX_LABELS:
        return mask
    full = next((full for full in (255, 65_535) if _are_whole(values * full)), None)
    if full is None:
        return mask
    numbers = np.rint(values * full).astype(int).tolist()
    if numbers == [1] and not (mask >= 1.0).any():
        return np.where(mask > 0.0, np.float32(1.0), np.float32(0.0))
    shown = ", ".join(map(str, numbers[:6])) + (", ..." if len(numbers) > 6 else "")
    raise ValueError(
        f"{name} has the levels {shown} of {full}, which look like class numbers and would have almost no effect; pass "
        "a mask that is 1 (white) where its style applies, such as labels == 2, or a faint one as an array of floats"
    )


def _are_whole(values: np.ndarray) -> bool:
    """Whether all are whole numbers from 1 on."""
    return bool(values.min() > 0.5) and np.allclose(values, np.rint(values), rtol=0.0, atol=1e-2)


def _check_visible(mask: np.ndarray, name: str, where: str = "") -> None:
    """Raise `ValueError` for a mask that covers nothing: no 8-bit image would show it."""
    largest = float(mask.max())
    if not largest > 0.0:
        raise ValueError(f"{name} is 0 everywhere{where}; pass a mask that is 1 (white) where its style applies")
    if largest <= MIN_LEVEL:
        raise ValueError(
            f"{name} covers nothing{where}: its largest value is {largest:.2g}; pass a mask that is 1 (white) where "
            "its style applies"
        )


def label_masks(labels: Any, style_labels: Any = None) -> list[Any]:
    """Make masks from a label image, whose colors mark regions, as in neural doodles (Champandard, 2016).

    Args:
        labels: label image over the content: one flat color per region, at most `MAX_LABELS` colors; in a lossless
            format such as PNG.
        style_labels: label image over the style, in the same colors; None if each region has its own style.

    Returns:
        A bool mask (height, width) for each color, the largest region first; with `style_labels`, a pair of masks
        `(over the content, over the style)`. Pass the list as `masks=`, with one style per region, or the same style
        once for each.

    Raises:
        ImageError: an image cannot be read.
        ValueError: there are more than `MAX_LABELS` colors, or the style's labels lack one of the content's colors.

    Example:
        >>> labels = np.zeros((4, 6, 3), np.uint8)
        >>> labels[:, 4:] = (0, 0, 255)
        >>> [int(mask.sum()) for mask in label_masks(labels)]
        [16, 8]
    """
    codes = _codes(images.load(labels))
    colors, counts = np.unique(codes, return_counts=True)
    if len(colors) > MAX_LABELS:
        raise ValueError(
            f"a label image has at most {MAX_LABELS} colors, and this has {len(colors)}: draw it without antialiasing "
            "and save it losslessly, as PNG"
        )
    ordered = colors[np.argsort(-counts, kind="stable")]
    masks = [codes == color for color in ordered]
    if style_labels is None:
        return masks
    style_codes = _codes(images.load(style_labels))
    if missing := [f"#{color:06x}" for color in ordered if not (style_codes == color).any()]:
        raise ValueError(
            f"the style's label image lacks {', '.join(missing)}, which the content's label image contains"
        )
    return [(mask, style_codes == color) for mask, color in zip(masks, ordered, strict=True)]


def _codes(pixels: np.ndarray) -> np.ndarray:
    """Encode each pixel's color as an integer, (1, height, width, 3) -> (height, width)."""
    levels = np.rint(pixels[0] * 255.0).astype(np.int64)
    return levels @ np.array([2**16, 2**8, 1])


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize masks with antialiasing, by a bilinear kernel: it never overshoots, so that 0 stays 0.

    Args:
        mask: float32 (1, rows, columns, R).
        size: (width, height) of the result.

    Returns:
        float32 (1, height, width, R). Masks that add up to 1 still do.
    """
    width, height = size
    if mask.shape[1:3] == (height, width):
        return mask
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(mask[0], -1, 0)]
    resized = [np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR)) for plane in planes]
    return np.clip(np.stack(resized, axis=-1)[None], 0.0, 1.0)


def mask_shares(masks: Sequence[Any], size: tuple[int, int], background: str | None = None) -> np.ndarray:
    """Share of each mask in every pixel of an image.

    Args:
        masks: one mask per region, of any sizes.
        size: (width, height) of the image.
        background: `"content"` if the masks may leave pixels uncovered, which keep the content; None if not.

    Returns:
        float32 (1, height, width, R). The shares add up to 1 where masks cover the image; overlapping masks are
        normalized by their sum.

    Raises:
        ValueError: a mask covers nothing or cannot be read as one, or masks leave pixels uncovered and there is no
            background.

    Warns:
        UserWarning: the masks together cover less than a hundredth of the image. The log `neural_style` says how much
            each covers, at level INFO.
    """
    read = [read_mask(mask, f"mask {number}") for number, mask in enumerate(masks, 1)]
    resized = [resize_mask(mask, size) for mask in read]
    for number, mask in enumerate(resized, 1):
        _check_visible(mask, f"mask {number}", f" at {size[0]}x{size[1]} pixels")
    shares = np.concatenate(resized, axis=-1)
    total = shares.sum(axis=-1, keepdims=True)
    if background is None:
        _check_covered(total, [mask.shape[1:3] for mask in read])
    else:
        total = np.maximum(total, 1.0)
    shares = shares / total
    covered = covered_shares(shares)
    logger.info("the masks cover %s of the image", ", ".join(f"{100.0 * share:.3g} %" for share in covered))
    if sum(covered) < MIN_PAINTED:
        warnings.warn(
            f"the masks cover {100.0 * sum(covered):.2g} % of the image; the rest of the content stays unchanged",
            UserWarning,
            stacklevel=2,
        )
    return shares


def _check_covered(total: np.ndarray, sizes: Sequence[tuple[int, ...]]) -> None:
    """Raise `ValueError` where masks leave pixels without a style; `total` is their sum, (1, height, width, 1)."""
    uncovered = 100.0 * float((total < MIN_COVER).mean())
    if uncovered > 0.0:
        seam = "" if len(set(sizes)) == 1 else "; masks of different sizes leave a seam, so make them of one size"
        raise ValueError(
            f"the masks leave {uncovered:.3g} % of the image uncovered{seam}. Cover it with another mask and style, or "
            "keep the content there with background='content'."
        )


def covered_shares(shares: np.ndarray) -> list[float]:
    """The part of the image that each mask covers, from the shares of `mask_shares`.

    Example:
        >>> covered_shares(np.array([1.0, 0.0, 0.5, 0.0], np.float32).reshape(1, 2, 2, 1))
        [0.375]
    """
    return [float(share) for share in shares.mean(axis=(0, 1, 2), dtype=np.float64)]


def coverage(shares: np.ndarray) -> np.ndarray:
    """Sum the shares at each pixel: (1, height, width, R) -> (1, height, width, 1) in [0, 1]."""
    return np.clip(shares.sum(axis=-1, keepdims=True), 0.0, 1.0)


def guides_per_layer(shares: np.ndarray, strides: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Compute the guides of each layer by averaging shares over the cells of its feature map.

    Args:
        shares: float32 (1, height, width, R); see `mask_shares`.
        strides: for each layer, the side of a cell of its feature map, in pixels.

    Returns:
        For each layer float32 (1, ceil(height / stride), ceil(width / stride), R): the mean over the pixels of each
        cell. Cells at the right and bottom edges that are cut off by the image border are included; crop them where
        a network's feature map lacks them.

    Raises:
        ValueError: at some layer no whole cell overlaps a region.

    Example:
        >>> mask = np.tile(np.array([0.0, 1.0, 1.0, 1.0, 1.0], np.float32), (2, 1))
        >>> guides_per_layer(mask[None, ..., None], {"deep": 2})["deep"].ravel()
        array([0.5, 1. , 1. ], dtype=float32)
    """
    found = {stride: _cell_means(shares, stride) for stride in set(strides.values())}
    height, width = shares.shape[1:3]
    for layer, stride in strides.items():
        if not found[stride][:, : height // stride, : width // stride].any():
            raise ValueError(
                f"at {width}x{height} pixels no cell of {layer!r} lies in a mask: it is too small, or at the very edge"
            )
    return {layer: found[stride] for layer, stride in strides.items()}


def _cell_means(shares: np.ndarray, stride: int) -> np.ndarray:
    if stride == 1:
        return shares
    height, width = shares.shape[1:3]
    padding = [(0, 0), (0, -height % stride), (0, -width % stride), (0, 0)]
    padded = np.pad(shares, padding, mode="edge")
    rows, columns = padded.shape[1] // stride, padded.shape[2] // stride
    return padded.reshape(1, rows, stride, columns, stride, -1).mean(axis=(2, 4))
