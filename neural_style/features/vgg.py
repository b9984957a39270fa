"""VGG16 and VGG19 (Simonyan and Zisserman, 2015) as feature extractors.

The forward pass is plain `tf.nn` on plain tensors: no Keras layer takes part, so no dtype policy, data
format or Keras backend of the host program can change what it computes. Layer names are those of
`keras.applications`; a map is taken after its ReLU. The pictures these networks were trained on were BGR
in [0, 255] less the mean colour; that happens here and nowhere else.

Reference: K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition",
arXiv:1409.1556. Average in place of max pooling: Gatys et al. (2016), section 2.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
import tensorflow as tf

from neural_style.features.base import Field, check_layers
from neural_style.features.sources import load_weights

__all__ = ["VGG16", "VGG19"]

MEAN_BGR = (103.939, 116.779, 123.68)

Pooling = Literal["max", "average"]


class _VGG:
    """Blocks of 3x3 convolutions with ReLU, a 2x2 pooling between blocks."""

    network: str
    convolutions: tuple[int, ...]

    def __init__(
        self,
        weights: str | os.PathLike[str],
        *,
        pooling: Pooling = "max",
        precision: str = "float32",
    ) -> None:
        if pooling not in ("max", "average"):
            raise ValueError(f"pooling is 'max' or 'average', not {pooling!r}")
        self.pooling: Pooling = pooling
        self.weights = weights
        names = [name for name, _ in _convolutions(self.convolutions)]
        arrays = load_weights(self.network, weights, names)
        fields = _fields(self.convolutions)
        self.layers: Mapping[str, Field] = MappingProxyType({n: fields[n] for n in names if n in arrays})
        self._arrays = arrays
        self._twins: dict[str, Any] = {}
        self._set_precision(precision)

    def __repr__(self) -> str:
        settings = f"{os.fspath(self.weights)!r}, pooling={self.pooling!r}, precision={self.precision!r}"
        return f"{type(self).__name__}({settings})"

    def with_precision(self, precision: str) -> Self:
        """The same network with its convolutions in `"float32"`, `"bfloat16"` or `"float16"`.

        Maps come out in that precision. Preprocessing is float32 always.
        """
        if precision not in self._twins:
            twin: Self = object.__new__(type(self))
            twin.__dict__.update(self.__dict__)
            twin._set_precision(precision)
        found: Self = self._twins[precision]
        return found

    def _set_precision(self, precision: str) -> None:
        if precision not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"precision is 'float32', 'bfloat16' or 'float16', not {precision!r}")
        self.precision = precision
        with tf.init_scope():
            self._weights = {
                name: (tf.constant(kernel, precision), tf.constant(bias, precision))
                for name, (kernel, bias) in self._arrays.items()
            }
        self._twins[precision] = self  # one object a precision, so that what was compiled for it is found

    def __call__(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        check_layers(layers, self.layers)
        maps: dict[str, tf.Tensor] = {}
        x = tf.cast(image[..., ::-1] * 255.0 - MEAN_BGR, self.precision)
        for name, starts_block in _convolutions(self.convolutions):
            if len(maps) == len(set(layers)):
                break
            if starts_block and name != "block1_conv1":
                x = self._pool(x)
            kernel, bias = self._weights[name]
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias))
            if name in layers:
                maps[name] = x
        return maps

    def _pool(self, x: tf.Tensor) -> tf.Tensor:
        pool = tf.nn.max_pool2d if self.pooling == "max" else tf.nn.avg_pool2d
        return pool(x, 2, 2, "VALID")


class VGG16(_VGG):
    """VGG16, configuration D.

    Args:
        weights: `"bundled"` (ships with this package, block1_conv1 to block5_conv1, 8 bits per weight),
            `"imagenet"` (Keras's file, from its cache or downloaded once), or the path of an `.npz` or
            Keras `.h5` file.
        pooling: `"max"` as trained, or `"average"` as in Gatys et al. (2016).
        precision: of the convolutions; see `with_precision`.

    Raises:
        WeightsUnavailableError: the file is neither here nor reachable, or is not what it should be.
        ValueError: an unknown pooling or precision.

    Example:
        >>> extractor = VGG16()
        >>> extractor(tf.zeros([1, 64, 48, 3]), ["block2_conv1"])["block2_conv1"].shape
        TensorShape([1, 32, 24, 128])
    """

    network = "vgg16"
    convolutions = (2, 2, 3, 3, 3)

    def __init__(
        self,
        weights: str | os.PathLike[str] = "bundled",
        *,
        pooling: Pooling = "max",
        precision: str = "float32",
    ) -> None:
        super().__init__(weights, pooling=pooling, precision=precision)


class VGG19(_VGG):
    """VGG19, configuration E: `VGG16` with a fourth convolution in blocks 3 to 5.

    Args:
        weights: `"imagenet"` (Keras's file, from its cache or downloaded once), or the path of an `.npz`
            or Keras `.h5` file.
        pooling: `"max"` as trained, or `"average"` as in Gatys et al. (2016).
        precision: of the convolutions; see `with_precision`.

    Raises:
        WeightsUnavailableError: the file is neither here nor reachable, or is not what it should be.
        ValueError: an unknown pooling or precision.
    """

    network = "vgg19"
    convolutions = (2, 2, 4, 4, 4)

    def __init__(
        self,
        weights: str | os.PathLike[str] = "imagenet",
        *,
        pooling: Pooling = "max",
        precision: str = "float32",
    ) -> None:
        super().__init__(weights, pooling=pooling, precision=precision)


def _convolutions(blocks: Sequence[int]) -> list[tuple[str, bool]]:
    """Layer names in order, each with whether it is the first of its block."""
    return [(f"block{b}_conv{c}", c == 1) for b, n in enumerate(blocks, 1) for c in range(1, n + 1)]


def _fields(blocks: Sequence[int]) -> dict[str, Field]:
    """A 3x3 convolution at stride s adds s pixels of radius; a 2x2 pooling doubles s and adds none."""
    stride, radius = 1, 0
    fields = {}
    for name, starts_block in _convolutions(blocks):
        if starts_block and name != "block1_conv1":
            stride *= 2
        radius += stride
        fields[name] = Field(stride, radius)
    return fields


def mean_color() -> np.ndarray:
    """The training set's mean colour, RGB in [0, 1]: what the network sees as zero."""
    return np.array(MEAN_BGR[::-1], np.float32) / 255.0
