"""VGG16 and VGG19 (Simonyan and Zisserman, 2015) as feature extractors.

The forward pass is plain `tf.nn` on plain tensors: it uses no Keras layer, so no dtype policy, data format or Keras
backend of the host program can change the result. Layer names are those of `keras.applications`; a map is the output
of a layer's ReLU. These networks were trained on BGR images in [0, 255] less the mean color. Images are converted to
that range here and nowhere else.

Reference: K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition",
arXiv:1409.1556. Average in place of max pooling: Gatys et al. (2016), section 2.
"""

from __future__ import annotations

import copy
import copyreg
import functools
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Self

import tensorflow as tf

from neural_style._fingerprint import fingerprint
from neural_style._tracing import check_process, custom_gradient
from neural_style.features.base import LayerGradient, PullBack, ReceptiveField, check_layers, in_float32
from neural_style.features.convolutions import Convolution, convolution, mirrored
from neural_style.features.weights import Arrays, Weights, load_weights

__all__ = ["MEAN_BGR", "VGG", "VGG16", "VGG19", "convolution_names", "follows_pooling", "scale_offset"]

MEAN_BGR = (103.939, 116.779, 123.68)
"""Mean color of the images these networks were trained on, in [0, 255]."""

_MEAN_RGB = MEAN_BGR[::-1]

Pooling = Literal["max", "average", "l2"]


def convolution_names(blocks: Sequence[int]) -> list[str]:
    """Names of the convolutions, in order.

    Args:
        blocks: number of convolutions in each block.

    Example:
        >>> convolution_names((2, 1))
        ['block1_conv1', 'block1_conv2', 'block2_conv1']
    """
    return [f"block{b}_conv{c}" for b, count in enumerate(blocks, 1) for c in range(1, count + 1)]


def follows_pooling(name: str) -> bool:
    """Whether a pooling comes before this convolution: the first of every block but block 1."""
    return name.endswith("_conv1") and name != "block1_conv1"


class _Range(NamedTuple):
    """Factors that keep maps and gradients within the range of a precision.

    Maps of VGG reach thousands and gradients fall below 1e-9; float16 spans 6e-8 to 65504. Convolution and ReLU
    are homogeneous, so scaling the input and the biases scales every map.
    """

    values: float  # factor of every map
    gradient: float  # loss scale for each pixel of the image; 0: gradients are not scaled


_VARIANT = ("weights", "precision")
"""Attributes on which the identity of a network does not depend."""

_RESTORED: weakref.WeakValueDictionary[str, VGG] = weakref.WeakValueDictionary()
"""The networks that were unpickled and are in use, by fingerprint."""

_RESTORED_LOCK = threading.Lock()

_SMALL = 1e-6  # keeps the derivative of a root finite at zero, in float16 too

_RANGE = {"float32": _Range(1.0, 0.0), "bfloat16": _Range(1.0, 0.0), "float16": _Range(1 / 64, 64.0)}


def scale_offset(offset: tf.Tensor, precision: str) -> tf.Tensor:
    """A constant that is added to maps, multiplied by the factor that maps have in a precision."""
    return offset * _RANGE[precision].values


class _Layer(NamedTuple):
    """One convolution with its bias and ReLU, in one precision."""

    forward: Convolution
    back: Convolution

    @classmethod
    def of(cls, stored: Weights, precision: str) -> _Layer:
        """From stored weights. A kernel for BGR images is reordered for RGB; reordering the image would cost a step."""
        kernel = stored.kernel32
        if kernel.shape[2] == 3:
            kernel = kernel[:, :, ::-1]
        offset = tf.cast(scale_offset(tf.constant(stored.bias), precision), precision)
        return cls(convolution(kernel, precision, offset), convolution(mirrored(kernel), precision))

    def __call__(self, x: tf.Tensor, *, masked: bool = False) -> tf.Tensor:
        """Convolution, bias and ReLU.

        Args:
            x: (1, rows, columns, in).
            masked: whether incoming gradients are already 0 where the ReLU was, as `_max_pool` makes them.
        """

        @custom_gradient
        def layer(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            y = tf.nn.relu(self.forward(x))

            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                return self.back(upstream if masked else tf.raw_ops.ReluGrad(gradients=upstream, features=y))

            return y, gradient

        return layer(x)


@custom_gradient
def _max_pool(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """2x2 max pooling after a ReLU, whose gradient is applied here, to a quarter of the values."""
    y = tf.nn.max_pool2d(x, 2, 2, "VALID")

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        passed = tf.raw_ops.ReluGrad(gradients=upstream, features=y)
        window = [1, 2, 2, 1]
        return tf.raw_ops.MaxPoolGrad(
            orig_input=x, orig_output=y, grad=passed, ksize=window, strides=window, padding="VALID"
        )

    return y, gradient


class VGG:
    """Blocks of 3x3 convolutions with ReLU, and a 2x2 pooling between blocks.

    Attributes:
        layers: receptive field of each convolution there are weights for.
        arrays: their weights, as stored.
        weights: where the weights were loaded from.
        pooling: `"max"`, `"average"` or `"l2"`.
        precision: of the convolutions.
    """

    network: str
    convolutions: tuple[int, ...]

    def __init__(
        self,
        weights: str | os.PathLike[str],
        *,
        pooling: Pooling = "max",
        precision: str = "float32",
    ) -> None:
        check_process()
        if pooling not in ("max", "average", "l2"):
            raise ValueError(f"pooling must be 'max', 'average' or 'l2', not {pooling!r}")
        self.pooling: Pooling = pooling
        self.weights = weights
        names = convolution_names(self.convolutions)
        self.arrays = self._load(weights, names)
        fields = _receptive_fields(names)
        self.layers: Mapping[str, ReceptiveField] = MappingProxyType({n: fields[n] for n in names if n in self.arrays})
        self._by_precision: dict[str, Any] = {}
        self._set_precision(precision)

    def _load(self, weights: str | os.PathLike[str], names: list[str]) -> Arrays:
        """Weights of the convolutions that the source holds."""
        return load_weights(self.network, weights, names)

    def __repr__(self) -> str:
        settings = f"{os.fspath(self.weights)!r}, pooling={self.pooling!r}, precision={self.precision!r}"
        return f"{type(self).__name__}({settings})"

    def __str__(self) -> str:
        """The network without its precision, such as `VGG16('bundled')`."""
        pooling = "" if self.pooling == "max" else f", pooling={self.pooling!r}"
        return f"{type(self).__name__}({os.fspath(self.weights)!r}{pooling})"

    def fingerprint(self) -> str:
        """Identity of what a call computes: class, pooling and weights, but not the precision.

        Computed once. Attributes that a subclass adds count too.
        """
        return self._identity

    @functools.cached_property
    def _identity(self) -> str:
        return fingerprint(type(self), {name: value for name, value in self._settled().items() if name not in _VARIANT})

    def _settled(self) -> dict[str, Any]:
        """The attributes that are not derived from others."""
        members = [member for cls in type(self).__mro__ for member in vars(cls).items()]
        cached = [name for name, member in members if isinstance(member, functools.cached_property)]
        settled = {name: value for name, value in vars(self).items() if name not in {"_by_precision", *cached}}
        return settled | {"arrays": dict(self.arrays)}  # a plain copy of what may be read on demand

    def __getstate__(self) -> dict[str, Any]:
        """The weights as stored and the settings; what is built from them is built anew."""
        return self._settled() | {"layers": dict(self.layers)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state | {"layers": MappingProxyType(state["layers"]), "_by_precision": {}})
        self._set_precision(self.precision)

    def __reduce__(self) -> tuple[Any, ...]:
        """Equal networks of this package that are unpickled in one process are one, and so share what they compile."""
        if not type(self).__module__.startswith("neural_style."):
            return copyreg.__newobj__, (type(self),), self.__getstate__()  # type: ignore[attr-defined]
        return _restored, (type(self), self.fingerprint(), self.__getstate__())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same object for a network of this package, which never changes; a copy for a subclass."""
        if type(self).__module__.startswith("neural_style."):
            return self
        made: Self = object.__new__(type(self))
        memo[id(self)] = made
        made.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return made

    def with_precision(self, precision: str) -> Self:
        """The same network with its convolutions in `"float32"`, `"bfloat16"` or `"float16"`.

        Preprocessing is always float32, and maps come out as float32.
        """
        if precision not in self._by_precision:
            twin: Self = object.__new__(type(self))
            twin.__dict__.update(self.__dict__)
            twin.__dict__.pop("_built", None)
            twin._set_precision(precision)
        return self._by_precision[precision]

    def _set_precision(self, precision: str) -> None:
        if precision not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"precision must be 'float32', 'bfloat16' or 'float16', not {precision!r}")
        self.precision = precision
        self._by_precision[precision] = self  # one object per precision, so that its compiled functions are found

    @functools.cached_property
    def _built(self) -> dict[str, _Layer]:
        return {}

    def _layer(self, name: str) -> _Layer:
        """Built on first use: most runs use one precision, and few use the deepest layers, which are the largest."""
        if name not in self._built:
            with tf.init_scope():
                self._built[name] = _Layer.of(self.arrays[name], self.precision)
        return self._built[name]

    def __call__(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        check_process()
        x, gradient_scale, maps = image, self._gradient_scale(image), {}
        for segment in self._segments(layers):
            x = self._run_segment(segment, x, gradient_scale)
            maps[segment[-1]] = self._output(segment[-1], x, gradient_scale)
        return maps

    def forward_with_vjp(self, image: tf.Tensor, layers: Sequence[str]) -> tuple[dict[str, tf.Tensor], PullBack]:
        """The maps of a call and their pull-back; see `DifferentiableExtractor`."""
        x, gradient_scale, maps, past = image, self._gradient_scale(image), {}, []
        for segment in self._segments(layers):
            start, name = x, segment[-1]
            with tf.GradientTape() as tape:
                tape.watch(start)
                x = self._run_segment(segment, start, gradient_scale)
            maps[name] = self._output(name, x, gradient_scale)
            past.append((name, tape, start, x))

        def pull_back(layer_gradient: LayerGradient) -> tf.Tensor:
            gradient = None
            for name, tape, start, end in reversed(past):
                with tf.control_dependencies([] if gradient is None else [gradient]):
                    again = tf.identity(end)
                with tf.GradientTape() as output_tape:
                    output_tape.watch(again)
                    value = self._output(name, again, gradient_scale)
                here = output_tape.gradient(value, again, layer_gradient(name, value))
                gradient = tape.gradient(end, start, here if gradient is None else tf.add_n([here, gradient]))
            return gradient

        return maps, pull_back

    def _segments(self, layers: Sequence[str]) -> list[list[str]]:
        """Split the convolutions into segments, each ending at a requested layer."""
        check_layers(layers, self.layers)
        segments: list[list[str]] = [[]]
        for name in self.layers:
            segments[-1].append(name)
            if name in layers:
                segments.append([])
        return segments[:-1]

    def _run_segment(self, segment: Sequence[str], x: tf.Tensor, gradient_scale: tf.Tensor) -> tf.Tensor:
        """From the image, or the map of the segment before, to the map of this segment's last convolution."""
        for name in segment:
            if name == "block1_conv1":
                x = _to_precision(x * 255.0 - _MEAN_RGB, gradient_scale, self.precision)
            elif follows_pooling(name):
                x = self._pool(x)
            is_pooled_only = self.pooling == "max" and name in self._last_of_blocks and name != segment[-1]
            x = self._layer(name)(x, masked=is_pooled_only)
        return x

    def _gradient_scale(self, image: tf.Tensor) -> tf.Tensor:
        """Loss scale for float16, proportional to the number of pixels; 0 in other precisions, which use none."""
        return _RANGE[self.precision].gradient * tf.cast(tf.shape(image)[1] * tf.shape(image)[2], tf.float32)

    def _output(self, name: str, x: tf.Tensor, gradient_scale: tf.Tensor) -> tf.Tensor:
        """A layer's output in float32."""
        return _to_float32(self._read_out(name, x), gradient_scale, self.precision)

    def _read_out(self, name: str, x: tf.Tensor) -> tf.Tensor:
        """A layer's output in the network's precision: its map."""
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
        WeightsUnavailableError: the file is neither on this machine nor reachable, is damaged, or holds the weights of
            another network.
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
        WeightsUnavailableError: the file is neither on this machine nor reachable, is damaged, or holds the weights of
            another network.
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


def _restored(cls: type[VGG], identity: str, state: dict[str, Any]) -> VGG:
    """An unpickled network: one that was unpickled before, where it is still in use."""
    with _RESTORED_LOCK:
        if identity not in _RESTORED:
            made = object.__new__(cls)
            made.__setstate__(state)
            _RESTORED[identity] = made
        return _RESTORED[identity].with_precision(state["precision"])


def _to_precision(x: tf.Tensor, gradient_scale: tf.Tensor, precision: str) -> tf.Tensor:
    """Cast float32 to the network's precision; the backward pass removes the gradient scale."""
    if precision != "float16":
        return tf.cast(x, precision)

    @custom_gradient
    def cast(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        inside = tf.cast(x * _RANGE[precision].values, precision)
        return inside, lambda upstream: tf.cast(upstream, tf.float32) / gradient_scale

    return cast(x)


def _to_float32(x: tf.Tensor, gradient_scale: tf.Tensor, precision: str) -> tf.Tensor:
    """Cast the network's precision to float32; the backward pass applies the gradient scale."""
    if precision != "float16":
        return in_float32(x)

    @custom_gradient
    def cast(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        outside = tf.cast(x, tf.float32) / _RANGE[precision].values
        return outside, lambda upstream: tf.cast(upstream * gradient_scale, precision)

    return cast(x)


def _receptive_fields(names: Sequence[str]) -> dict[str, ReceptiveField]:
    """A 3x3 convolution at stride s adds s pixels of radius; a 2x2 pooling doubles s and adds none."""
    stride, radius = 1, 0
    fields = {}
    for name in names:
        if follows_pooling(name):
            stride *= 2
        radius += stride
        fields[name] = ReceptiveField(stride, radius)
    return fields
