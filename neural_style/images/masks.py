"""From masks to guides: which style rules where, told to every layer.

A mask says for each pixel how far a style rules there. It is scaled to the canvas, held against the other masks,
and averaged over the pixels of each cell of a feature map, which gives the guides of Gatys et al. (2017), section 4.
Deviation: they let a guide at a layer be 1 only where a cell sees nothing but its region, or everywhere that it sees
any; here a cell counts by the share of its own pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from neural_style import images

__all__ = ["as_list", "coverage", "guides_per_layer", "label_masks", "mask_shares", "read_mask", "resize_mask"]

MAX_LABELS = 32
MIN_COVER = 0.9  # a pixel is covered when the masks there add up to so much


def as_list(masks: Any) -> list[Any]:
    """Masks one by one, whether they came as a list or as a single one; None for none."""
    if masks is None:
        return []
    return list(masks) if isinstance(masks, list | tuple) else [masks]


def read_mask(source: Any, name: str = "mask") -> np.ndarray:
    """A mask from whatever holds one.

    Args:
        source: anything `neural_style.images.read` takes, of which lightness counts, and nothing where it is
            transparent; or an array (height, width) of bool, or of whole numbers 0 and 1.
        name: what errors call it.

    Returns:
        float32 in [0, 1], (1, height, width, 1).

    Raises:
        ImageError: it cannot be read.
        ValueError: it is 0 everywhere.
        TypeError: it is no picture and no array of numbers or bools.

    Example:
        >>> read_mask(np.array([[True, False]]))[0, ..., 0]
        array([[1., 0.]], dtype=float32)
    """
    if hasattr(source, "__array__") and not isinstance(source, Image.Image):
        array = np.asarray(source)
        if array.dtype == bool or (array.dtype.kind in "iu" and array.size and 0 <= array.min() <= array.max() <= 1):
            source = array.astype(np.float32)
    picture = images.read(source)
    # The weights of brightness in sRGB (ITU-R BT.709): a white mask is 1, whatever grey it is made of.
    mask = picture.pixels @ np.array([[0.2126], [0.7152], [0.0722]], np.float32)
    if picture.alpha is not None:
        mask = mask * picture.alpha
    if not mask.max() > 0.0:
        raise ValueError(f"{name} is 0 everywhere; give one that is 1 (white) where its style shall be")
    clipped: np.ndarray = np.clip(mask, 0.0, 1.0)
    return clipped


def label_masks(labels: Any, style_labels: Any = None) -> list[Any]:
    """Masks from a picture whose colors name regions, as in neural doodles (Champandard, 2016).

    Args:
        labels: over the content: a flat color for each region, at most `MAX_LABELS` of them; a picture without
            losses, such as a PNG.
        style_labels: over the style, in the same colors. None where each region has a style of its own.

    Returns:
        A mask (height, width) of bools for each color, the largest region first; with `style_labels` a pair of masks,
        `(over the content, over the style)`. Either goes to `masks=`, with as many styles, or the one style as often.

    Raises:
        ImageError: a picture cannot be read.
        ValueError: there are more colors than labels could have, or one that the style's labels do not have.

    Example:
        >>> labels = np.zeros((4, 6, 3), np.uint8)
        >>> labels[:, 4:] = (0, 0, 255)
        >>> [int(mask.sum()) for mask in label_masks(labels)]
        [16, 8]
    """
    codes = _codes(labels)
    colors, counts = np.unique(codes, return_counts=True)
    if len(colors) > MAX_LABELS:
        raise ValueError(
            f"a label picture has at most {MAX_LABELS} colors, and this has {len(colors)}: draw it without soft edges "
            "and save it without losses, as PNG"
        )
    ordered = colors[np.argsort(-counts, kind="stable")]
    masks = [codes == color for color in ordered]
    if style_labels is None:
        return masks
    style_codes = _codes(style_labels)
    if missing := [f"#{color:06x}" for color in ordered if not (style_codes == color).any()]:
        raise ValueError(f"the style's labels have no {', '.join(missing)}, which the content's have")
    return [(mask, style_codes == color) for mask, color in zip(masks, ordered, strict=True)]


def _codes(labels: Any) -> np.ndarray:
    """A picture's colors as whole numbers, (height, width)."""
    levels = np.rint(images.load(labels)[0] * 255.0).astype(np.int64)
    codes: np.ndarray = levels @ np.array([2**16, 2**8, 1])
    return codes


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Masks at another (width, height): antialiased by a kernel that never overshoots, so that 0 stays 0.

    Args:
        mask: float32 (1, rows, columns, R).
        size: (width, height).

    Returns:
        float32 (1, height, width, R). Masks that add up to 1 still do.
    """
    width, height = size
    if mask.shape[1:3] == (height, width):
        return mask
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(mask[0], -1, 0)]
    resized = [np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR)) for plane in planes]
    stacked: np.ndarray = np.clip(np.stack(resized, axis=-1)[None], 0.0, 1.0)
    return stacked


def mask_shares(masks: Sequence[Any], size: tuple[int, int], background: str | None = None) -> np.ndarray:
    """The share of each mask in every pixel of a picture.

    Args:
        masks: one for each style, of any sizes.
        size: (width, height) of the picture.
        background: None: the masks cover the picture. `"content"`: they need not.

    Returns:
        float32 (1, height, width, R). Their sum is 1 where they cover the picture; where masks overlap, each has
        its share.

    Raises:
        ValueError: a mask is empty, or masks leave something uncovered and there is no background.
    """
    read = [read_mask(mask, f"mask {number}") for number, mask in enumerate(masks, 1)]
    shares = np.concatenate([resize_mask(mask, size) for mask in read], axis=-1)
    total: np.ndarray = shares.sum(axis=-1, keepdims=True)
    if background is None:
        bare = 100.0 * float((total < MIN_COVER).mean())
        if bare > 0.0:
            raise ValueError(
                f"the masks leave {bare:.2g} % of the picture uncovered. Cover it with another mask and style, or "
                "leave it as it is with background='content'."
            )
    else:
        total = np.maximum(total, 1.0)
    normalised: np.ndarray = shares / total
    return normalised


def coverage(shares: np.ndarray) -> np.ndarray:
    """How far each pixel is painted: (1, height, width, R) -> (1, height, width, 1) in [0, 1]."""
    cover: np.ndarray = np.clip(shares.sum(axis=-1, keepdims=True), 0.0, 1.0)
    return cover


def guides_per_layer(shares: np.ndarray, strides: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The guides of each layer.

    Args:
        shares: float32 (1, height, width, R).
        strides: of the layers: a cell of a map has so many pixels a side.

    Returns:
        For each layer float32 (1, ceil(height / stride), ceil(width / stride), R): the mean over each cell's
        pixels. A cell that the picture's end cuts off is there too; whether a network has it, its map tells.

    Raises:
        ValueError: at some layer no cell sees anything of any region.

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
    means: np.ndarray = padded.reshape(1, rows, stride, columns, stride, -1).mean(axis=(2, 4))
    return means
