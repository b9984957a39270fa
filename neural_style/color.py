"""Color: conversion to Oklab, color transfer between images, and soft proofs.

Pixels are float RGB in [0, 1], sRGB as displayed, (1, height, width, 3); every function returns new float32 arrays.

Oklab (B. Ottosson, 2020, "A perceptual color space for image processing") has a lightness L in [0, 1] and two
opponent color axes, a from green to red and b from blue to yellow, both within about ±0.4. Equal distances look about
equally different, and 0.02 is about the smallest visible difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

from neural_style._files import open_regular
from neural_style.errors import ImageError

__all__ = [
    "Palette",
    "from_oklab",
    "keep_colors",
    "match_color_moments",
    "match_histograms",
    "palette",
    "soft_proof",
    "to_oklab",
]

# Linear sRGB -> responses of three cones, and their cube roots -> L, a, b.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_BAND = 1 << 20  # pixels converted at a time, to bound the memory of intermediate arrays
_MAX_PROFILE = 1 << 26  # bytes; profiles of printers have a few MB
_HALVINGS = 14  # bisection steps in the search for the largest chroma inside the gamut


class Palette(NamedTuple):
    """Mean and covariance of an image's colors.

    Attributes:
        mean: float64 (3,).
        covariance: float64 (3, 3).

    Example:
        >>> palette(np.full((1, 2, 2, 3), 0.5)).mean.tolist()
        [0.5, 0.5, 0.5]
    """

    mean: np.ndarray
    covariance: np.ndarray


def palette(pixels: np.ndarray, weight: np.ndarray | None = None) -> Palette:
    """Compute the mean and covariance of an image's colors in RGB.

    Args:
        pixels: float RGB in [0, 1], (..., 3).
        weight: how much each pixel counts, in [0, 1] and not all 0, (..., 1); None for all alike.

    Example:
        >>> palette(np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])).covariance[0].tolist()
        [0.5, 0.0, 0.0]
    """
    flat = pixels.reshape(-1, 3).astype(np.float64)
    if weight is not None:
        shares = weight.reshape(-1, 1).astype(np.float64)
        total = float(shares.sum())
        mean = (shares * flat).sum(axis=0) / total
        return Palette(mean, (shares * (flat - mean)).T @ (flat - mean) / max(1.0, total - 1.0))
    centered = flat - flat.mean(axis=0)
    return Palette(flat.mean(axis=0), centered.T @ centered / max(1, len(flat) - 1))


def to_oklab(pixels: np.ndarray) -> np.ndarray:
    """Convert RGB to Oklab.

    Args:
        pixels: float RGB in [0, 1], (..., 3).

    Returns:
        float32, (..., 3): L in [0, 1], and a and b within about ±0.4.

    Example:
        >>> to_oklab(np.ones((1, 1, 1, 3))).round(3) + 0.0
        array([[[[1., 0., 0.]]]], dtype=float32)
    """
    return _in_bands(_to_oklab, pixels)


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """Convert Oklab to RGB; the chroma of colors outside the sRGB gamut is reduced at constant lightness and hue.

    Args:
        lab: Oklab, (..., 3); a lightness outside [0, 1] is clipped.

    Returns:
        float32 RGB in [0, 1].

    Example:
        >>> from_oklab(to_oklab(np.array([[0.2, 0.5, 0.9]]))).round(3)
        array([[0.2, 0.5, 0.9]], dtype=float32)
    """
    return _in_bands(_in_gamut, lab)


def keep_colors(pixels: np.ndarray, reference: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Combine the lightness of one image with the colors of another, in Oklab.

    After Gatys et al. (2017), section 5.2, who keep the YIQ colors of the content. The chroma of combinations outside
    the sRGB gamut is reduced.

    Args:
        pixels: image that gives the lightness, (1, height, width, 3).
        reference: image that gives the colors, of the same shape.
        strength: share of the reference's colors, from 0 (the image's own colors) to 1.

    Returns:
        float32 RGB in [0, 1], of the shape of `pixels`.

    Example:
        >>> gray, red = np.full((1, 1, 1, 3), 0.5), np.array([[[[0.6, 0.4, 0.4]]]])
        >>> keep_colors(gray, red).round(2)
        array([[[[0.64, 0.44, 0.44]]]], dtype=float32)
    """

    def keep(pixels: np.ndarray, reference: np.ndarray) -> np.ndarray:
        own, kept = _to_oklab(pixels), _to_oklab(reference)
        colors = (1.0 - strength) * own[:, 1:] + strength * kept[:, 1:]
        return _in_gamut(np.concatenate([own[:, :1], colors], axis=1))

    return _in_bands(keep, pixels, reference)


def match_color_moments(
    pixels: np.ndarray, reference: np.ndarray | Palette, weight: np.ndarray | None = None
) -> np.ndarray:
    r"""Transform the colors of an image so that their mean and covariance become the reference's.

    .. math:: x \mapsto A (x - \mu) + \hat\mu, \quad
              A = \Sigma^{-1/2} (\Sigma^{1/2} \hat\Sigma \Sigma^{1/2})^{1/2} \Sigma^{-1/2}

    This linear map moves colors the least (Pitié and Kokaram, 2007); Gatys et al. (2017), section 5.1, use other
    solutions of the same two equations.

    Args:
        pixels: float RGB in [0, 1], (1, height, width, 3).
        reference: image of any size, or its `Palette`.
        weight: how much each pixel counts in the image's own mean and covariance; see `palette`.

    Returns:
        float32 in [0, 1], of the shape of `pixels`; clipped, so that the moments match only up to clipping.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> pixels, reference = 0.3 + 0.1 * rng.random((1, 8, 8, 3)), 0.5 + 0.2 * rng.random((1, 9, 9, 3))
        >>> moved = match_color_moments(pixels, reference)
        >>> bool(np.allclose(palette(moved).mean, palette(reference).mean, atol=1e-3))
        True
    """
    own, goal = palette(pixels, weight), reference if isinstance(reference, Palette) else palette(reference)
    spread = own.covariance + 1e-6 * np.eye(3)
    root, inverse = _power(spread, 0.5), _power(spread, -0.5)
    transform = inverse @ _power(root @ goal.covariance @ root, 0.5) @ inverse
    moved = (pixels.reshape(-1, 3).astype(np.float64) - own.mean) @ transform + goal.mean
    return np.clip(moved, 0.0, 1.0).reshape(pixels.shape).astype(np.float32)


def match_histograms(pixels: np.ndarray, reference: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Transform the colors of an image so that each Oklab channel has the reference's histogram.

    This is histogram specification, channel by channel. It is monotonic, so that it adds no grain, and does not change
    the correlation between the channels; those of Oklab are less correlated than those of RGB.

    Args:
        pixels: float RGB in [0, 1], (1, height, width, 3).
        reference: image of any size.
        weight: how much each pixel counts in the image's own histograms; see `palette`.

    Returns:
        float32 in [0, 1], of the shape of `pixels`. The chroma of colors outside the sRGB gamut is reduced.

    Example:
        >>> dark, light = np.full((1, 2, 2, 3), 0.2), np.full((1, 2, 2, 3), 0.8)
        >>> match_histograms(dark, light)[0, 0, 0].round(3)
        array([0.8, 0.8, 0.8], dtype=float32)
    """
    own, goal = to_oklab(pixels), to_oklab(reference)
    shares = None if weight is None else weight.ravel()
    moved = np.stack([_match_histogram(own[..., channel], goal[..., channel], shares) for channel in range(3)], axis=-1)
    return from_oklab(moved)


def soft_proof(pixels: np.ndarray, profile: str | os.PathLike[str] | bytes) -> np.ndarray:
    """Simulate the colors of a print on a screen.

    Colors outside the printer's gamut become the nearest colors inside it. An image painted from a content and a style
    that were converted this way can be printed as it is displayed. The conversion is done by LittleCMS in 8 bits, with
    relative colorimetric intent and black point compensation: white stays white.

    Args:
        pixels: float RGB in [0, 1], (1, height, width, 3).
        profile: ICC profile of printer and paper, usually CMYK: a file or its bytes.

    Returns:
        float32 RGB in [0, 1], (1, height, width, 3).

    Raises:
        ImageError: the profile cannot be read, or is not that of an output device.

    Example:
        >>> screen = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        >>> float(soft_proof(np.ones((1, 2, 2, 3), np.float32), screen).min())
        1.0
    """
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.SOFTPROOFING
    screen = ImageCms.createProfile("sRGB")
    try:
        printer = ImageCms.ImageCmsProfile(BytesIO(profile if isinstance(profile, bytes) else _read_profile(profile)))
        proof = ImageCms.buildProofTransform(
            *(screen, screen, printer, "RGB", "RGB"), intent, intent, flags | ImageCms.Flags.BLACKPOINTCOMPENSATION
        )
        proofed = ImageCms.applyTransform(Image.fromarray(np.rint(255.0 * pixels[0]).astype(np.uint8)), proof)
    except (OSError, ImageCms.PyCMSError) as error:
        raise ImageError(
            f"{'the profile' if isinstance(profile, bytes) else profile} cannot be used: {error}"
        ) from error
    return np.asarray(proofed, np.float32)[None] / np.float32(255.0)


def _read_profile(path: str | os.PathLike[str]) -> bytes:
    with open_regular(path) as handle:
        return handle.read(_MAX_PROFILE)


def _match_histogram(values: np.ndarray, reference: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Replace each value by the reference value of the same quantile."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    if weight is not None:
        counts = np.bincount(inverse.ravel(), weights=weight)
    levels, reference_counts = np.unique(reference, return_counts=True)
    quantiles, goal = ((np.cumsum(each) - each / 2) / each.sum() for each in (counts, reference_counts))
    return np.interp(quantiles, goal, levels)[inverse].reshape(values.shape)


def _to_oklab(pixels: np.ndarray) -> np.ndarray:
    """Convert RGB to Oklab, (N, 3) -> (N, 3)."""
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((np.maximum(pixels, 0.04045) + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    """Convert Oklab to RGB, (N, 3) -> (N, 3); colors outside the gamut have values outside [0, 1]."""
    linear = (lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_CONES).T
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def _in_gamut(lab: np.ndarray) -> np.ndarray:
    """Convert Oklab to RGB in [0, 1], (N, 3) -> (N, 3), reducing the chroma where needed, by bisection."""
    lab = np.concatenate([np.clip(lab[:, :1], 0.0, 1.0), lab[:, 1:]], axis=1)
    pixels = _from_oklab(lab)
    outside = ((pixels < -1e-4) | (pixels > 1.0 + 1e-4)).any(axis=1)
    colors = lab[outside]
    low, high = np.zeros((len(colors), 1)), np.ones((len(colors), 1))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tried = _from_oklab(colors * np.concatenate([np.ones_like(middle), middle, middle], axis=1))
        fits = ((tried >= 0.0) & (tried <= 1.0)).all(axis=1, keepdims=True)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    pixels[outside] = _from_oklab(colors * np.concatenate([np.ones_like(low), low, low], axis=1))
    return np.clip(pixels, 0.0, 1.0)


def _in_bands(function: Callable[..., np.ndarray], *images: np.ndarray) -> np.ndarray:
    """Apply a function of colors, (N, 3) -> (N, 3), to images in float64, a band of pixels at a time."""
    flat = [np.asarray(image).reshape(-1, 3) for image in images]
    result = np.empty(flat[0].shape, np.float32)
    for start in range(0, len(result), _BAND):
        band = slice(start, start + _BAND)
        result[band] = function(*(each[band].astype(np.float64) for each in flat))
    return result.reshape(np.shape(images[0]))


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Power of a symmetric positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
