"""Colour: Oklab, one picture's palette given to another, and a painting that keeps the colours of its content.

Pixels are float RGB in [0, 1], sRGB as displayed, (1, height, width, 3); every function gives new float32 arrays.

Oklab (B. Ottosson, 2020, "A perceptual color space for image processing") has lightness L in [0, 1] and two
opponent colours, a from green to red and b from blue to yellow, both within about ±0.4; equal distances look about
equally far apart, and 0.02 is about the least an eye tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

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
_BAND = 1 << 20  # pixels converted at a time, so that no more than a few of a picture's arrays are held
_HALVINGS = 14  # of the interval in which the largest saturation that can be shown is looked for


class Palette(NamedTuple):
    """A picture's colours in two moments.

    Attributes:
        mean: (3,).
        covariance: (3, 3).

    Example:
        >>> palette(np.full((1, 2, 2, 3), 0.5)).mean.tolist()
        [0.5, 0.5, 0.5]
    """

    mean: np.ndarray
    covariance: np.ndarray


def palette(pixels: np.ndarray) -> Palette:
    """Mean and covariance of a picture's colours in RGB.

    Args:
        pixels: float RGB in [0, 1], (..., 3).

    Example:
        >>> palette(np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])).covariance[0].tolist()
        [0.5, 0.0, 0.0]
    """
    flat = pixels.reshape(-1, 3).astype(np.float64)
    centred = flat - flat.mean(axis=0)
    return Palette(flat.mean(axis=0), centred.T @ centred / max(1, len(flat) - 1))


def to_oklab(pixels: np.ndarray) -> np.ndarray:
    """RGB to Oklab.

    Args:
        pixels: float RGB in [0, 1], (..., 3).

    Returns:
        float32, (..., 3): lightness in [0, 1], and two colours within about 0.4 of 0.

    Example:
        >>> to_oklab(np.ones((1, 1, 1, 3))).round(3) + 0.0
        array([[[[1., 0., 0.]]]], dtype=float32)
    """
    return _in_bands(_to_oklab, pixels)


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """Oklab to RGB; a colour that no screen shows is made paler, at its lightness and hue, until one does.

    Args:
        lab: (..., 3); a lightness outside [0, 1] is clipped.

    Returns:
        float32 RGB in [0, 1].

    Example:
        >>> from_oklab(to_oklab(np.array([[0.2, 0.5, 0.9]]))).round(3)
        array([[0.2, 0.5, 0.9]], dtype=float32)
    """
    return _in_bands(_shown, lab)


def keep_colors(pixels: np.ndarray, reference: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """A picture's lightness with another's colours, in Oklab.

    After Gatys et al. (2017), section 5.2, who keep the YIQ colours of the content. Where the two do not go together
    (a colour cannot be shown at that lightness), the colour is made paler.

    Args:
        pixels: gives the lightness, (1, height, width, 3).
        reference: gives the colours, of the same shape.
        strength: from 0 (the picture's own colours) to 1 (the reference's).

    Example:
        >>> grey, red = np.full((1, 1, 1, 3), 0.5), np.array([[[[0.6, 0.4, 0.4]]]])
        >>> keep_colors(grey, red).round(2)
        array([[[[0.64, 0.44, 0.44]]]], dtype=float32)
    """

    def keep(pixels: np.ndarray, reference: np.ndarray) -> np.ndarray:
        painted, kept = _to_oklab(pixels), _to_oklab(reference)
        colors = (1.0 - strength) * painted[:, 1:] + strength * kept[:, 1:]
        return _shown(np.concatenate([painted[:, :1], colors], axis=1))

    return _in_bands(keep, pixels, reference)


def match_color_moments(pixels: np.ndarray, reference: np.ndarray | Palette) -> np.ndarray:
    r"""Move a picture's colours so that their mean and covariance become the reference's.

    .. math:: x \mapsto A (x - \mu) + \hat\mu, \quad
              A = \Sigma^{-1/2} (\Sigma^{1/2} \hat\Sigma \Sigma^{1/2})^{1/2} \Sigma^{-1/2}

    the linear map that moves colours least (Pitié and Kokaram, 2007, "The linear Monge-Kantorovitch linear
    colour mapping"); Gatys et al. (2017), section 5.1, use other solutions of the same two equations.

    Args:
        pixels: float RGB in [0, 1], (1, height, width, 3).
        reference: likewise, of any size; or the `Palette` of one.

    Returns:
        float32 in [0, 1], shape of `pixels`; clipped, so the moments agree only up to clipping.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> pixels, reference = 0.3 + 0.1 * rng.random((1, 8, 8, 3)), 0.5 + 0.2 * rng.random((1, 9, 9, 3))
        >>> moved = match_color_moments(pixels, reference)
        >>> bool(np.allclose(palette(moved).mean, palette(reference).mean, atol=1e-3))
        True
    """
    own, goal = palette(pixels), reference if isinstance(reference, Palette) else palette(reference)
    spread = own.covariance + 1e-6 * np.eye(3)
    root, inverse = _power(spread, 0.5), _power(spread, -0.5)
    transform = inverse @ _power(root @ goal.covariance @ root, 0.5) @ inverse
    moved = (pixels.reshape(-1, 3).astype(np.float64) - own.mean) @ transform + goal.mean
    result: np.ndarray = np.clip(moved, 0.0, 1.0).reshape(pixels.shape).astype(np.float32)
    return result


def match_histograms(pixels: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Move a picture's colours so that each Oklab channel has the reference's histogram.

    Histogram specification as in any textbook, channel by channel: order is kept, so nothing gets grainy; how the
    channels hang together stays the picture's own. Channels of Oklab hang together less than those of RGB.

    Args:
        pixels: float RGB in [0, 1], (1, height, width, 3).
        reference: likewise, of any size.

    Returns:
        float32 in [0, 1], shape of `pixels`. Where the channels do not go together, the colour is made paler.

    Example:
        >>> dark, light = np.full((1, 2, 2, 3), 0.2), np.full((1, 2, 2, 3), 0.8)
        >>> match_histograms(dark, light)[0, 0, 0].round(3)
        array([0.8, 0.8, 0.8], dtype=float32)
    """
    own, goal = to_oklab(pixels), to_oklab(reference)
    moved = np.stack([_specified(own[..., channel], goal[..., channel]) for channel in range(3)], axis=-1)
    return from_oklab(moved)


def soft_proof(pixels: np.ndarray, profile: str | os.PathLike[str] | bytes) -> np.ndarray:
    """What becomes of a picture's colours on a printer, as a screen can show it.

    Colours that the printer has not become the nearest that it has. Of a content and a style that were treated so, a
    picture is painted that can be printed as it is seen. The work is LittleCMS's, in 8 bits, relative colorimetric with
    black point compensation: white stays white.

    Args:
        pixels: (1, height, width, 3).
        profile: the ICC profile of printer and paper, most often CMYK: a file or its bytes.

    Returns:
        (1, height, width, 3).

    Raises:
        ImageError: the profile cannot be read, or is none of a device that shows colours.

    Example:
        >>> screen = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        >>> float(soft_proof(np.ones((1, 2, 2, 3), np.float32), screen).min())
        1.0
    """
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.SOFTPROOFING
    screen = ImageCms.createProfile("sRGB")
    try:
        printer = ImageCms.ImageCmsProfile(BytesIO(profile) if isinstance(profile, bytes) else os.fspath(profile))
        proof = ImageCms.buildProofTransform(
            *(screen, screen, printer, "RGB", "RGB"), intent, intent, flags | ImageCms.Flags.BLACKPOINTCOMPENSATION
        )
        seen = ImageCms.applyTransform(Image.fromarray(np.uint8(np.rint(255.0 * pixels[0]))), proof)
    except (OSError, ImageCms.PyCMSError) as error:
        raise ImageError(
            f"{'the profile' if isinstance(profile, bytes) else profile} cannot be used: {error}"
        ) from error
    return np.asarray(seen, np.float32)[None] / np.float32(255.0)


def _specified(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Values moved, their order kept, to where the reference has values of the same rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    levels, there = np.unique(reference, return_counts=True)
    ranks, theirs = ((np.cumsum(each) - each / 2) / each.sum() for each in (counts, there))
    moved: np.ndarray = np.interp(ranks, theirs, levels)[inverse].reshape(values.shape)
    return moved


def _to_oklab(pixels: np.ndarray) -> np.ndarray:
    """(N, 3) -> (N, 3)."""
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((np.maximum(pixels, 0.04045) + 0.055) / 1.055) ** 2.4)
    lab: np.ndarray = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    return lab


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    """(N, 3) -> (N, 3), whatever no screen shows outside [0, 1]."""
    linear = (lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_CONES).T
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def _shown(lab: np.ndarray) -> np.ndarray:
    """(N, 3) -> (N, 3) in [0, 1], too strong colours made paler by bisection."""
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
    clipped: np.ndarray = np.clip(pixels, 0.0, 1.0)
    return clipped


def _in_bands(function: Callable[..., np.ndarray], *pictures: np.ndarray) -> np.ndarray:
    """A function of colours on whole pictures, in double precision and bounded memory."""
    flat = [np.asarray(picture).reshape(-1, 3) for picture in pictures]
    result = np.empty(flat[0].shape, np.float32)
    for start in range(0, len(result), _BAND):
        band = slice(start, start + _BAND)
        result[band] = function(*(each[band].astype(np.float64) for each in flat))
    return result.reshape(np.shape(pictures[0]))


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Power of a symmetric positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    result: np.ndarray = (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
    return result
