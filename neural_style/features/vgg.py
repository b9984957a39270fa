"""VGG16 and VGG19 (Simonyan and Zisserman, 2015) as feature extractors.

The forward pass is plain `tf.nn` on plain tensors: no Keras layer takes part, so no dtype policy, data
format or Keras backend of the host program can change what it computes. Layer names are those of
`keras.applications`; a map is taken after its ReLU. The pictures these networks were trained on were BGR
in [0, 255] less the mean colour; that happens here and nowhere else.

Reference: K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition",
arXiv:1409.1556. Average in place of max pooling: Gatys et al. (2016), section 2.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Self

import tensorflow as tf

from neural_style.features.base import Field, PullBack, Slope, check_layers, in_float32
from neural_style.features.convolutions import Convolution, convolution, mirrored
from neural_style.features.weights import Arrays, Weights, load_weights

__all__ = ["VGG", "VGG16", "VGG19"]

MEAN_BGR = (103.939, 116.779, 123.68)
_MEAN_RGB = MEAN_BGR[::-1]

Pooling = Literal["max", "average", "l2"]


class _Range(NamedTuple):
    """How numbers are scaled so that a precision's range holds them.

    Maps of VGG reach thousands and gradients fall below 1e-9; float16 spans 6e-8 to 65504. Convolution and ReLU
    are homogeneous, so scaling the input and the biases scales every map.
    """

    values: float  # every map is computed at this multiple
    gradient: float  # gradients are at this multiple for each pixel of the picture; 0 leaves them alone


_SMALL = 1e-6  # keeps the slope of a root finite at zero, in float16 too

_RANGE = {"float32": _Range(1.0, 0.0), "bfloat16": _Range(1.0, 0.0), "float16": _Range(1 / 64, 64.0)}


def scaled(offset: tf.Tensor, precision: str) -> tf.Tensor:
    """A constant that is added to maps, at the multiple they have in a precision."""
    return offset * _RANGE[precision].values


class _Layer(NamedTuple):
    """One convolution with its bias and ReLU, in one precision."""

    forward: Convolution
    back: Convolution

    @classmethod
    def of(cls, stored: Weights, precision: str) -> _Layer:
        """A kernel for BGR pictures is turned to take RGB: turning pictures would cost every step."""
        kernel = stored.kernel32
        if kernel.shape[2] == 3:
            kernel = kernel[:, :, ::-1]
        offset = tf.cast(scaled(tf.constant(stored.bias), precision), precision)
        return cls(convolution(kernel, precision, offset), convolution(mirrored(kernel), precision))

    def __call__(self, x: tf.Tensor, *, masked: bool = False) -> tf.Tensor:
        """Convolution, bias and ReLU.

        Args:
            x: (1, rows, columns, in).
            masked: gradients that come back are 0 already where the ReLU was; `_max_pool` sees to that.
        """

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def layer(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            y = tf.nn.relu(self.forward(x))

            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                return self.back(upstream if masked else tf.raw_ops.ReluGrad(gradients=upstream, features=y))

            return y, gradient

        return layer(x)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _max_pool(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """The largest of each 2x2 values behind a ReLU; the ReLU's gradient is taken on the quarter of the values."""
    y = tf.nn.max_pool2d(x, 2, 2, "VALID")

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        passed = tf.raw_ops.ReluGrad(gradients=upstream, features=y)
        window = [1, 2, 2, 1]
        return tf.raw_ops.MaxPoolGrad(
            orig_input=x, orig_output=y, grad=passed, ksize=window, strides=window, padding="VALID"
        )

    return y, gradient


class VGG:
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
        if pooling not in ("max", "average", "l2"):
            raise ValueError(f"pooling is 'max', 'average' or 'l2', not {pooling!r}")
        self.pooling: Pooling = pooling
        self.weights = weights
        names = _convolutions(self.convolutions)
        arrays = self._load(weights, names)
        fields = _fields(self.convolutions)
        self.layers: Mapping[str, Field] = MappingProxyType({n: fields[n] for n in names if n in arrays})
        self._arrays = arrays
        self._twins: dict[str, Any] = {}
        self._set_precision(precision)

    def _load(self, weights: str | os.PathLike[str], names: list[str]) -> Arrays:
        """The weights of each convolution there are any for."""
        return load_weights(self.network, weights, names)

    def __repr__(self) -> str:
        settings = f"{os.fspath(self.weights)!r}, pooling={self.pooling!r}, precision={self.precision!r}"
        return f"{type(self).__name__}({settings})"

    def with_precision(self, precision: str) -> Self:
        """The same network with its convolutions in `"float32"`, `"bfloat16"` or `"float16"`.

        Preprocessing is float32 always, and maps come out as float32.
        """
        if precision not in self._twins:
            twin: Self = object.__new__(type(self))
            twin.__dict__.update(self.__dict__)
            twin.__dict__.pop("_layers", None)
            twin._set_precision(precision)
        found: Self = self._twins[precision]
        return found

    def _set_precision(self, precision: str) -> None:
        if precision not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"precision is 'float32', 'bfloat16' or 'float16', not {precision!r}")
        self.precision = precision
        self._twins[precision] = self  # one object a precision, so that what was compiled for it is found

    @functools.cached_property
    def _layers(self) -> dict[str, _Layer]:
        """Made when first asked for: most runs use one precision, and each takes 110 MB in float32."""
        with tf.init_scope():
            return {name: _Layer.of(stored, self.precision) for name, stored in self._arrays.items()}

    def __call__(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        x, loudness, maps = image, self._loudness(image), {}
        for leg in self._legs(layers):
            x = self._follow(leg, x, loudness)
            maps[leg[-1]] = self._read(leg[-1], x, loudness)
        return maps

    def two_way(self, image: tf.Tensor, layers: Sequence[str]) -> tuple[dict[str, tf.Tensor], PullBack]:
        """The maps of a call, and the way back from them; see `TwoWay`."""
        x, loudness, maps, past = image, self._loudness(image), {}, []
        for leg in self._legs(layers):
            start, name = x, leg[-1]
            with tf.GradientTape() as tape:
                tape.watch(start)
                x = self._follow(leg, start, loudness)
            maps[name] = self._read(name, x, loudness)
            past.append((name, tape, start, x))

        def pull_back(slope: Slope) -> tf.Tensor:
            gradient = None
            for name, tape, start, end in reversed(past):
                with tf.control_dependencies([] if gradient is None else [gradient]):
                    again = tf.identity(end)
                with tf.GradientTape() as reading:
                    reading.watch(again)
                    value = self._read(name, again, loudness)
                here = reading.gradient(value, again, slope(name, value))
                gradient = tape.gradient(end, start, here if gradient is None else tf.add_n([here, gradient]))
            return gradient

        return maps, pull_back

    def _legs(self, layers: Sequence[str]) -> list[list[str]]:
        """The way to the deepest of some layers, cut behind each of them: lists of convolutions."""
        check_layers(layers, self.layers)
        legs: list[list[str]] = [[]]
        for name in self.layers:
            legs[-1].append(name)
            if name in layers:
                legs.append([])
        return legs[:-1]

    def _follow(self, leg: Sequence[str], x: tf.Tensor, loudness: tf.Tensor) -> tf.Tensor:
        """From the picture, or the map before, to the map of the last convolution of a leg."""
        for name in leg:
            if name == "block1_conv1":
                x = _enter(x * 255.0 - _MEAN_RGB, loudness, self.precision)
            elif _starts_block(name):
                x = self._pool(x)
            is_pooled_only = self.pooling == "max" and name in self._last_of_blocks and name != leg[-1]
            x = self._layers[name](x, masked=is_pooled_only)
        return x

    def _loudness(self, image: tf.Tensor) -> tf.Tensor:
        """What gradients inside are multiplied by."""
        return _RANGE[self.precision].gradient * tf.cast(tf.shape(image)[1] * tf.shape(image)[2], tf.float32)

    def _read(self, name: str, x: tf.Tensor, loudness: tf.Tensor) -> tf.Tensor:
        """What is given of a layer, in float32."""
        return _leave(self._shown(name, x), loudness, self.precision)

    def _shown(self, name: str, x: tf.Tensor) -> tf.Tensor:
        """What is given of a layer, in the network's precision: its map."""
        return x

    def _pool(self, x: tf.Tensor) -> tf.Tensor:
        if self.pooling == "l2":
            return tf.sqrt(tf.nn.avg_pool2d(tf.square(x), 2, 2, "VALID") + _SMALL)
        return _max_pool(x) if self.pooling == "max" else tf.nn.avg_pool2d(x, 2, 2, "VALID")

    @property
    def _last_of_blocks(self) -> set[str]:
        return {f"block{block}_conv{count}" for block, count in enumerate(self.convolutions, 1)}


class VGG16(VGG):
    """VGG16, configuration D.

    Args:
        weights: `"bundled"` (ships with this package, block1_conv1 to block5_conv1, 8 bits per weight),
            `"imagenet"` (Keras's file, from its cache or downloaded once), or the path of an `.npz` or
            Keras `.h5` file.
        pooling: `"max"` as trained, `"average"` as in Gatys et al. (2016), or `"l2"`, the root of the mean square.
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


class VGG19(VGG):
    """VGG19, configuration E: `VGG16` with a fourth convolution in blocks 3 to 5.

    Args:
        weights: `"imagenet"` (Keras's file, from its cache or downloaded once), or the path of an `.npz`
            or Keras `.h5` file.
        pooling: `"max"` as trained, `"average"` as in Gatys et al. (2016), or `"l2"`, the root of the mean square.
        precision: of the convolutions; see `with_precision`.

    Raises:
        WeightsUnavailableError: the file is neither here nor reachable, or is not what it should be.
        ValueError: an unknown pooling or precision.

    Example:
        >>> VGG19("mine.npz")
        Traceback (most recent call last):
            ...
        neural_style.errors.WeightsUnavailableError: ...
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


def _enter(x: tf.Tensor, loudness: tf.Tensor, precision: str) -> tf.Tensor:
    """From float32 into the network's precision; on the way back, from the louder gradient to the true one."""
    if precision != "float16":
        return tf.cast(x, precision)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def cast(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        inside = tf.cast(x * _RANGE[precision].values, precision)
        return inside, lambda upstream: tf.cast(upstream, tf.float32) / loudness

    return cast(x)


def _leave(x: tf.Tensor, loudness: tf.Tensor, precision: str) -> tf.Tensor:
    """From the network's precision to float32; on the way back the gradient is made louder."""
    if precision != "float16":
        return in_float32(x)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def cast(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        outside = tf.cast(x, tf.float32) / _RANGE[precision].values
        return outside, lambda upstream: tf.cast(upstream * loudness, precision)

    return cast(x)


def _convolutions(blocks: Sequence[int]) -> list[str]:
    """Layer names in order."""
    return [f"block{b}_conv{c}" for b, n in enumerate(blocks, 1) for c in range(1, n + 1)]


def _starts_block(name: str) -> bool:
    return name.endswith("_conv1")


def _fields(blocks: Sequence[int]) -> dict[str, Field]:
    """A 3x3 convolution at stride s adds s pixels of radius; a 2x2 pooling doubles s and adds none."""
    stride, radius = 1, 0
    fields = {}
    for name in _convolutions(blocks):
        if _starts_block(name) and name != "block1_conv1":
            stride *= 2
        radius += stride
        fields[name] = Field(stride, radius)
    return fields
