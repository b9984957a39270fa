"""The 3x3 convolutions of VGG at the least work: forward, and back to what went in.

Each keeps rows and columns, and sees zeros beyond the border. `convolution` picks how one is computed:

- `Direct`: as TensorFlow does it.
- `ByPairs`: pairs of rows at once with two thirds of the products, by Winograd's minimal filtering; in float32.
- `Fourfold`: to the three channels of a picture, four pixels at once.

References: S. Winograd, "Arithmetic complexity of computations" (1980). A. Lavin, S. Gray, "Fast algorithms for
convolutional neural networks", arXiv:1509.09308, with the filter F(2, 3). They nest it in both directions; here it runs
from row to row only, and leaves convolutions of 1x3 to TensorFlow. In both directions, moving the sums through memory
took longer than the products saved, but in maps of 512 channels. F(4, 3) saves more products, but rounds worse than
direct filtering does, where F(2, 3) rounds no worse; a tile would then no longer have the gradient of the whole. In
bfloat16 F(2, 3) doubles the rounding errors: a step took 0.85 of the time, but small pictures took more of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["Convolution", "convolution", "mirrored"]

Convolution = Callable[[tf.Tensor], tf.Tensor]
"""From maps (pictures, rows, columns, in) to (pictures, rows, columns, out), in the precision it was made for."""

NARROWEST = 128  # of fewer channels, the sums take about as long as the products they save


def convolution(kernel: np.ndarray, precision: str, bias: tf.Tensor | None = None) -> Convolution:
    """The fastest way to convolve with a kernel.

    Args:
        kernel: float32 (3, 3, in, out).
        precision: what it is to compute in.
        bias: (out,) in that precision, to add. None for nothing; none can be added to a picture.
    """
    if kernel.shape[3] == 3:
        return Fourfold(kernel, precision)
    on_cpu = not tf.config.list_logical_devices("GPU")  # a GPU's library chooses by itself
    if precision == "float32" and on_cpu and min(kernel.shape[2:]) >= NARROWEST:
        return ByPairs(kernel, bias)
    return Direct(kernel, precision, bias)


def mirrored(kernel: np.ndarray) -> np.ndarray:
    """The kernel of a convolution's gradient: turned by half a circle, its channels swapped.

    TensorFlow's own gradient unfolds the map into nine copies first: at block1_conv2 that is 2.3 kB a pixel, three
    quarters of a step's memory, and a fifth of its time.
    """
    return kernel[::-1, ::-1].transpose(0, 1, 3, 2)


class Direct:
    """TensorFlow's convolution."""

    def __init__(self, kernel: np.ndarray, precision: str, bias: tf.Tensor | None = None) -> None:
        self.kernel = tf.cast(kernel, precision)
        self.bias = bias

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        found = tf.nn.conv2d(x, self.kernel, 1, "SAME")
        return found if self.bias is None else tf.nn.bias_add(found, self.bias)


class Fourfold:
    """To three channels: one by one, most of a processor's lanes stay empty, and it takes half as long again."""

    def __init__(self, kernel: np.ndarray, precision: str) -> None:
        fourfold = np.zeros((4, 4, kernel.shape[2], 2, 2, 3), kernel.dtype)
        for row, column in np.ndindex(2, 2):
            fourfold[row : row + 3, column : column + 3, :, row, column] = kernel
        self.kernel = tf.cast(fourfold.reshape(4, 4, -1, 12), precision)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        size = tf.shape(x)
        found = tf.nn.depth_to_space(tf.nn.conv2d(x, self.kernel, 2, [[0, 0], [1, 2], [1, 2], [0, 0]]), 2)
        return found[:, : size[1], : size[2]]


class ByPairs:
    """F(2, 3) from row to row: four products where filtering two rows takes six.

    A pair of rows is made of four: itself, the row before it and the row after. Four sums of these are convolved with
    1x3 kernels of their own, and the pair is two sums of what comes out.
    """

    def __init__(self, kernel: np.ndarray, bias: tf.Tensor | None = None) -> None:
        upper, middle, lower = kernel
        both = (upper + lower) / 2
        made = upper, both + middle / 2, both - middle / 2, lower
        self.kernels = [tf.constant(each[None]) for each in made]
        self.bias = tf.zeros(kernel.shape[3]) if bias is None else bias

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        if x.shape[0] == 1:
            return self._of_one(x)
        size = tf.shape(x)  # more than one: below each other, with a row of zeros between
        tall = tf.reshape(tf.pad(x, [[0, 0], [0, 1], [0, 0], [0, 0]]), [1, -1, size[2], x.shape[3]])
        return tf.reshape(self._of_one(tall), [size[0], size[1] + 1, size[2], self.bias.shape[0]])[:, :-1]

    def _of_one(self, x: tf.Tensor) -> tf.Tensor:
        if x.shape.is_fully_defined():
            return _by_pairs(x, self.kernels, self.bias)
        found = _traced()(x, self.kernels, self.bias)
        found.set_shape([*x.shape[:3], self.bias.shape[0]])
        return found


@functools.cache
def _traced() -> Any:
    """One trace for all layers. It stays a call: as parts of a step, its copies would take a second to compile."""
    return tf.function(
        _by_pairs,
        input_signature=[tf.TensorSpec([None] * 4), [tf.TensorSpec([1, 3, None, None])] * 4, tf.TensorSpec([None])],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


def _by_pairs(x: tf.Tensor, kernels: Sequence[tf.Tensor], bias: tf.Tensor) -> tf.Tensor:
    size, channels = tf.shape(x), tf.size(bias)
    rows, columns = size[1], size[2]
    pairs = (rows + 1) // 2
    apart = tf.space_to_batch(x, [2, 1], [[1, 2 * pairs + 1 - rows], [0, 0]])
    odd, even = tf.unstack(tf.expand_dims(apart, 2), 2)  # (pairs + 1, 1, columns, in): each row as a picture
    before, first, second, after = odd[:-1], even[:-1], odd[1:], even[1:]
    sums = before - second, first + second, second - first, after - first
    a, b, c, d = (tf.nn.conv2d(each, kernel, 1, "SAME") for each, kernel in zip(sums, kernels, strict=True))
    b = tf.nn.bias_add(b, bias)  # the one that is in both rows once
    found = tf.stack([a + (b + c), d + (b - c)], axis=1)
    return tf.slice(tf.reshape(found, [1, -1, columns, channels]), [0, 0, 0, 0], [1, rows, columns, channels])
