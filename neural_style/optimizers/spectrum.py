"""A preconditioner from the curvature that losses on a convolutional network have at each spatial frequency."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from neural_style._arguments import checked, real, whole

__all__ = ["FACTORS", "Factors", "Spectrum", "filtered"]

Band = tuple[float, float]
"""The frequency of the largest curvature, in cycles per pixel, and that curvature."""

AXES = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0))
"""Luminance, red to blue and magenta to green; orthogonal, not yet of unit length."""

FACTORS = tf.TensorSpec([3, None, None], tf.complex64)

SLOWEST, LEAST = 1.0 / 128.0, 0.3
"""Frequency below which the curvature is constant, and its least share of the largest at the frequencies above that."""


@dataclasses.dataclass(frozen=True)
class Spectrum:
    r"""Curvature of a loss by spatial frequency and color, as a preconditioner.

    A loss on the maps of a network changes most with some patterns of pixels: with luminance at about nine pixels a
    cycle, with hue at about 25. At other frequencies its curvature is up to a hundred times smaller, and gradient
    descent is slow there. The preconditioner divides the gradient's Fourier coefficients by the curvature

    .. math:: c(f) = \frac{4 h q^2}{(1 + q^2)^2} + c_0, \quad q = \frac{f}{f_0}

    along three color axes. Its first part is at least 0.3 h beyond f_0, and below 1/128 cycles per pixel it is that at
    1/128. The defaults fit what `benchmarks/curvature.py` measured for the recipe `default` on VGG16; the largest
    curvature of luminance is the unit. `LBFGS` works in coordinates in which a loss of this curvature has the same in
    all directions: the canvas, its Fourier coefficients multiplied by the root of c. The transform is periodic, so in
    the direction of a step, unlike in the gradient, opposite borders act on each other.

    References: Nocedal and Wright, "Numerical optimization", 2006, section 5.1, for preconditioning. Mordvintsev et al.
    ("Differentiable image parameterizations", Distill, 2018) optimize the coefficients of decorrelated colors, scaled
    by the spectrum of photographs.

    Args:
        luminance: the frequency f_0 in cycles per pixel, and the curvature h there.
        red_blue: likewise from red to blue.
        magenta_green: likewise from magenta to green.
        floor: c_0, added at every frequency.
        min_side: long side in pixels of the smallest canvas that is preconditioned.

    Raises:
        ValueError: a number is not above 0, or `min_side` is below 0.

    Example:
        >>> from neural_style.optimizers import LBFGS
        >>> LBFGS(spectrum=Spectrum(floor=0.2)).spectrum.floor
        0.2
    """

    luminance: Band = (0.115, 1.0)
    red_blue: Band = (0.04, 0.9)
    magenta_green: Band = (0.04, 1.65)
    floor: float = 0.1
    min_side: int = 0

    def __post_init__(self) -> None:
        checked(self, floor=functools.partial(real, above=0), min_side=functools.partial(whole, at_least=0))
        for name in ("luminance", "red_blue", "magenta_green"):
            frequency, curvature = getattr(self, name)
            band = real(f"the frequency of {name}", frequency, above=0), real(f"{name}'s curvature", curvature, above=0)
            object.__setattr__(self, name, band)

    def of_gradient(self, gradient: tf.Tensor) -> tf.Tensor:
        """The coordinates' gradient, from the canvas's, both (1, height, width, 3)."""
        return filtered(gradient, self.factors(gradient).inverse)

    def of_move(self, move: tf.Tensor) -> tf.Tensor:
        """A canvas's move in coordinates, both (1, height, width, 3); its product with a gradient stays the same."""
        return filtered(move, self.factors(move).root)

    def to_move(self, coordinates: tf.Tensor) -> tf.Tensor:
        """The move of the canvas from one in coordinates, both (1, height, width, 3)."""
        return filtered(coordinates, self.factors(coordinates).inverse)

    def factors(self, canvas: tf.Tensor) -> Factors:
        """What `filtered` multiplies with to change between a canvas's pixels and coordinates."""
        return _factors(self, *canvas.shape[1:3])


class Factors(NamedTuple):
    """The root of the curvature for each Fourier coefficient, and its inverse, complex64 (axes, rows, columns).

    Attributes:
        root: from a canvas's move to its coordinates.
        inverse: from a canvas's gradient to its coordinates, and from a move's coordinates to the move.
    """

    root: tf.Tensor
    inverse: tf.Tensor


@functools.lru_cache(maxsize=2)
def _factors(spectrum: Spectrum, height: int, width: int) -> Factors:
    with tf.init_scope():
        square = np.square(np.fft.fftfreq(height))[:, None] + np.square(np.fft.rfftfreq(width))
        square = np.maximum(square, SLOWEST**2).astype(np.float32)
        bands = (spectrum.luminance, spectrum.red_blue, spectrum.magenta_green)
        root = np.sqrt([h * _shape(square / np.float32(f) ** 2) + spectrum.floor for f, h in bands])
        return Factors(tf.constant(root, tf.complex64), tf.constant(1.0 / root, tf.complex64))


def _shape(q_square: np.ndarray) -> np.ndarray:
    """The curvature as a share of the largest, for squares of q."""
    share = 4.0 * q_square / np.square(1.0 + q_square)
    return np.where(q_square > 1.0, np.maximum(share, np.float32(LEAST)), share)


def filtered(vectors: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Multiply the Fourier coefficients of a canvas along each axis of color."""
    axes = tf.math.l2_normalize(tf.constant(AXES), axis=-1)
    planes = tf.tensordot(axes, vectors[0], [[1], [2]])
    filtered = tf.signal.irfft2d(tf.signal.rfft2d(planes) * factors, fft_length=tf.shape(planes)[1:])
    return tf.tensordot(filtered, axes, [[0], [0]])[None]
