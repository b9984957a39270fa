"""The canvas of a run: how it begins, how it grows from scale to scale, and what image is made of it."""

from __future__ import annotations

import numpy as np

from neural_style import color, images
from neural_style.images import masks
from neural_style.transfer.inputs import Inputs
from neural_style.transfer.styles.blending import blend_palettes

__all__ = ["render", "start", "upsample"]

NOISE_MEAN, NOISE_DEVIATION = 0.5, 0.15


def start(inputs: Inputs, size: tuple[int, int]) -> np.ndarray:
    """The first canvas.

    Args:
        inputs: the run's; `init` says what the canvas begins as.
        size: (width, height) of the first scale.

    Returns:
        float32 (1, height, width, 3) in [0, 1].
    """
    if isinstance(inputs.init, np.ndarray):
        return images.resize(inputs.init, size)
    width, height = size
    noise = np.random.default_rng(inputs.seed).normal(NOISE_MEAN, NOISE_DEVIATION, (1, height, width, 3))
    noise = np.clip(noise, 0.0, 1.0).astype(np.float32)
    if inputs.content is None or inputs.init == "noise":
        return noise
    content = images.resize(inputs.content, size)
    if isinstance(inputs.init, float):
        return content + np.float32(inputs.init) * (noise - content)
    return _recolor(inputs, content) if inputs.init == "recolored" else content


def _recolor(inputs: Inputs, content: np.ndarray) -> np.ndarray:
    """The content in the palette of each mask region's styles."""
    regions = sorted({style.region for style in inputs.styles})
    parts = [
        color.match_color_moments(content, blend_palettes([each for each in inputs.styles if each.region == region]))
        for region in regions
    ]
    if inputs.shares is None or len(parts) == 1:
        return parts[0]
    shares = masks.resize_mask(inputs.shares, (content.shape[2], content.shape[1]))
    shares = shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-6)
    mixed = sum(shares[..., region : region + 1] * part for region, part in zip(regions, parts, strict=True))
    return np.asarray(mixed, np.float32)


def upsample(
    canvas: np.ndarray, size: tuple[int, int], content: np.ndarray | None, detail_strength: float
) -> np.ndarray:
    """The canvas at the next scale's size, with a share of the content's detail that had no room before.

    The detail is one level of the content's Laplacian pyramid (Burt and Adelson, 1983).

    Args:
        canvas: float32 (1, height, width, 3) in [0, 1].
        size: (width, height) of the next scale.
        content: float32 (1, height, width, 3) of any size; None adds no detail.
        detail_strength: in [0, 1].
    """
    grown = images.resize(canvas, size)
    before = (canvas.shape[2], canvas.shape[1])
    if detail_strength == 0.0 or content is None or before == tuple(size):
        return grown
    blurred = images.resize(images.resize(content, before), size)
    detail = np.float32(detail_strength) * (images.resize(content, size) - blurred)
    return np.clip(grown + detail, 0.0, 1.0)


def render(inputs: Inputs, canvas: np.ndarray) -> np.ndarray:
    """Make the image from a canvas of any size, with the content's colors and the background if requested.

    Args:
        inputs: the run's.
        canvas: float32 (1, height, width, 3) in [0, 1]; the result has its shape.
    """
    after, cover = inputs.controls.mode.after, inputs.cover
    if inputs.content is None or (cover is None and after is None):
        return canvas
    size = (canvas.shape[2], canvas.shape[1])
    content = images.resize(inputs.content, size)
    if after is not None:
        canvas = after(canvas, content, inputs.controls.color_strength)
    if cover is None:
        return canvas
    cover = masks.resize_mask(cover, size)
    return cover * canvas + (1.0 - cover) * content
