"""A preconditioner from the curvature that losses on a convolutional network have at each spatial frequency."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from neural_style._arguments import checked, real
from neural_style._tracing import function
from neural_style.optimizers.base import CANVAS

__all__ = ["Spectrum"]

Band = tuple[float, float]
"""The frequency of the largest curvature, in cycles per pixel, and that curvature."""

AXES = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0))
"""Luminance, red to blue and magenta to green; orthogonal, not yet of unit length."""

SLOWEST, LEAST = 1.0 / 128.0, 0.3
"""Frequency below which the curvature is constant, and its least share of the largest at the frequencies above that."""


@dataclasses.dataclass(frozen=True)
class Spectrum:
    r"""Curvature of a loss by spatial frequency and color, as a preconditioner.

    A loss on the maps of a network changes most with some patterns of pixels: with luminance at about ten pixels a
    cycle, with hue at about 25. At other frequencies its curvature is up to a hundred times smaller, and gradient
    descent is slow there. The preconditioner divides the gradient's Fourier coefficients by the curvature

    .. math:: c(f) = \frac{4 h q^2}{(1 + q^2)^2} + c_0, \quad q = \frac{f}{f_0}

    along three color axes. Its first part is at least 0.3 h beyond f_0, and below 1/128 cycles per pixel it is that at
    1/128. The defaults fit what `benchmarks/curvature.py` measured for the recipe `default` on VGG16; the largest
    curvature of luminance is the unit. The transform is periodic, so in the direction of a step, unlike in the
    gradient, opposite borders act on each other.

    References: Nocedal and Wright, "Numerical optimization", 2006, section 5.1, for preconditioning. Mordvintsev et al.
    ("Differentiable image parameterizations", Distill, 2018) optimize the coefficients of decorrelated colors, scaled
    by the spectrum of photographs.

    Args:
        luminance: the frequency f_0 in cycles per pixel, and the curvature h there.
        red_blue: likewise from red to blue.
        magenta_green: likewise from magenta to green.
        floor: c_0, added at every frequency.

    Raises:
        ValueError: a number is not above 0.

    Example:
        >>> from neural_style.optimizers import LBFGS
        >>> LBFGS(spectrum=Spectrum(floor=0.2)).spectrum.floor
        0.2
    """

    luminance: Band = (0.115, 1.0)
    red_blue: Band = (0.04, 0.9)
    magenta_green: Band = (0.04, 1.65)
    floor: float = 0.1

    def __post_init__(self) -> None:
        checked(self, floor=functools.partial(real, above=0))
        for name in ("luminance", "red_blue", "magenta_green"):
            frequency, curvature = getattr(self, name)
            band = real(f"the frequency of {name}", frequency, above=0), real(f"{name}'s curvature", curvature, above=0)
            object.__setattr__(self, name, band)

    def of_gradient(self, gradient: tf.Tensor) -> tf.Tensor:
        """A gradient with respect to the coordinates, from that with respect to the canvas, (1, height, width, 3)."""
        return _divided(gradient, self._numbers)

    def of_move(self, move: tf.Tensor) -> tf.Tensor:
        """A move of the canvas in coordinates; its inner product with a gradient stays the same."""
        return _multiplied(move, self._numbers)

    def to_move(self, coordinates: tf.Tensor) -> tf.Tensor:
        """The move of the canvas, from one in coordinates."""
        return _divided(coordinates, self._numbers)

    @property
    def _numbers(self) -> tf.Tensor:
        return tf.constant([*self.luminance, *self.red_blue, *self.magenta_green, self.floor])


_NUMBERS = tf.TensorSpec([7])


@function([CANVAS, _NUMBERS])
def _divided(vectors: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    return _filtered(vectors, tf.math.rsqrt, numbers)


@function([CANVAS, _NUMBERS])
def _multiplied(vectors: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    return _filtered(vectors, tf.sqrt, numbers)


def _filtered(vectors: tf.Tensor, function_of: Callable[[tf.Tensor], tf.Tensor], numbers: tf.Tensor) -> tf.Tensor:
    """Multiply the Fourier coefficients of (1, rows, columns, 3) by a function of the curvature."""
    axes = tf.math.l2_normalize(tf.constant(AXES), axis=-1)
    size = tf.shape(vectors)[1:3]
    square = tf.square(_frequencies(size[0])[:, None]) + tf.square(_frequencies(size[1])[None, : size[1] // 2 + 1])
    bands, floor = tf.unstack(tf.reshape(numbers[:6], [3, 2])), numbers[6]
    planes = []
    for plane, band in zip(tf.unstack(tf.tensordot(axes, vectors[0], [[1], [2]])), bands, strict=True):
        q = tf.maximum(square, SLOWEST**2) / tf.square(band[0])
        shape = 4.0 * q / tf.square(1.0 + q)
        shape = tf.where(q > 1.0, tf.maximum(shape, LEAST), shape)
        spectrum = tf.signal.rfft2d(plane) * tf.cast(function_of(band[1] * shape + floor), tf.complex64)
        planes.append(tf.signal.irfft2d(spectrum, fft_length=size))
    return tf.tensordot(tf.stack(planes, axis=-1), axes, 1)[None]


def _frequencies(count: tf.Tensor) -> tf.Tensor:
    """The magnitude of the frequency of each Fourier coefficient, in cycles per pixel."""
    index = tf.range(count)
    return tf.cast(tf.minimum(index, count - index), tf.float32) / tf.cast(count, tf.float32)
