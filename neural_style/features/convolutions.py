"""The 3x3 convolutions of VGG with the least work, forward and backward.

Each keeps rows and columns, and pads with zeros. `convolution` chooses one of three algorithms:

- `Direct`: TensorFlow's own.
- `ByPairs`: two rows at once with two thirds of the products, by Winograd's minimal filtering; in float32.
- `Fourfold`: for three output channels, four pixels at once.

References: S. Winograd, "Arithmetic complexity of computations" (1980). A. Lavin, S. Gray, "Fast algorithms for
convolutional neural networks", arXiv:1509.09308, with the filter F(2, 3). They nest it in both directions; here it is
applied across rows only, and TensorFlow computes the remaining 1x3 convolutions. In both directions, memory traffic
for the sums took longer than the saved products, except in maps of 512 channels. F(4, 3) saves more products, but its
rounding errors exceed those of direct filtering, which those of F(2, 3) do not; a tile's gradient would then differ
from that of the whole image. In bfloat16, F(2, 3) doubles the rounding errors: a step took 0.85 of the time, but small
images took more steps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["Convolution", "convolution", "mirrored"]

Convolution = Callable[[tf.Tensor], tf.Tensor]
"""From maps (images, rows, columns, in) to (images, rows, columns, out), in the precision it was made for."""

MIN_CHANNELS = 128  # with fewer channels, the sums take about as long as the saved products


def convolution(kernel: np.ndarray, precision: str, bias: tf.Tensor | None = None) -> Convolution:
    """The fastest convolution with a kernel.

    Args:
        kernel: float32 (3, 3, in, out).
        precision: of the convolution, such as `"float32"`.
        bias: to add, (out,) in that precision. None adds nothing, and with three output channels it is ignored.
    """
    if kernel.shape[3] == 3:
        return Fourfold(kernel, precision)
    on_cpu = not tf.config.list_logical_devices("GPU")  # a GPU's library chooses its own algorithm
    if precision == "float32" and on_cpu and min(kernel.shape[2:]) >= MIN_CHANNELS:
        return ByPairs(kernel, bias)
    return Direct(kernel, precision, bias)


def mirrored(kernel: np.ndarray) -> np.ndarray:
    """The kernel of a convolution's gradient: rotated by 180 degrees, with its channels swapped.

    TensorFlow's own gradient first unfolds the map into nine copies: at block1_conv2 that is 2.3 kB per pixel, three
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
    """A convolution with three output channels, four pixels at once.

    Computing one pixel at a time leaves most SIMD lanes of a processor idle and takes 1.5 times as long.
    """

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
    """F(2, 3) across rows: four products where direct filtering of two rows takes six.

    A pair of output rows depends on four input rows: the pair, the row before it and the row after. Four sums of these
    are convolved with a 1x3 kernel each, and the two output rows are sums of the results.
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
        size = tf.shape(x)  # several images: stacked vertically, with a row of zeros between
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
    """One trace for all layers. It is not inlined: its copies within a step would take a second to compile."""
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
    split = tf.space_to_batch(x, [2, 1], [[1, 2 * pairs + 1 - rows], [0, 0]])
    odd, even = tf.unstack(tf.expand_dims(split, 2), 2)  # (pairs + 1, 1, columns, in): each row as an image
    before, first, second, after = odd[:-1], even[:-1], odd[1:], even[1:]
    sums = before - second, first + second, second - first, after - first
    a, b, c, d = (tf.nn.conv2d(each, kernel, 1, "SAME") for each, kernel in zip(sums, kernels, strict=True))
    b = tf.nn.bias_add(b, bias)  # the term that both rows contain once
    found = tf.stack([a + (b + c), d + (b - c)], axis=1)
    return tf.slice(tf.reshape(found, [1, -1, columns, channels]), [0, 0, 0, 0], [1, rows, columns, channels])
