"""What an extractor is: a function from a picture to named feature maps.

An extractor never computes deeper than the deepest layer asked for, keeps no state between calls and
changes no global setting, so one instance serves any number of runs, sizes and threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import tensorflow as tf

__all__ = [
    "Extractor",
    "Field",
    "KerasExtractor",
    "PullBack",
    "Slope",
    "TwoWay",
    "check_layers",
    "in_float32",
    "two_way",
]

Slope = Callable[[str, tf.Tensor], tf.Tensor]
"""From a layer's name and its map in float32 to the gradient with respect to that map."""

PullBack = Callable[[Slope], tf.Tensor]
"""From the gradients with respect to the maps to that with respect to the picture, (1, height, width, 3)."""


class Field(NamedTuple):
    """Which pixels a cell of a feature map sees.

    Cell `i` of the map belongs to pixels `stride * i` to `stride * i + stride - 1` and sees no further
    than `radius` pixels beyond them.

    Attributes:
        stride: pixels from one cell to the next, at least 1.
        radius: how many pixels a cell sees beyond its own, to every side.

    Example:
        >>> Field(stride=8, radius=40).stride
        8
    """

    stride: int
    radius: int


@runtime_checkable
class Extractor(Protocol):
    """Anything with `layers` and a call; ten lines are enough to write one.

    Attributes:
        layers: the name of every layer it can give, in order of depth, with its `Field`.

    Example:
        >>> class Edges:
        ...     layers = {"edges": Field(stride=1, radius=1)}
        ...
        ...     def __call__(self, image, layers):
        ...         return {"edges": tf.image.sobel_edges(image)[..., 0]}
        >>> isinstance(Edges(), Extractor)
        True
    """

    @property
    def layers(self) -> Mapping[str, Field]: ...

    def __call__(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        """Feature maps of an image.

        Args:
            image: RGB, (1, height, width, 3), float32 in [0, 1].
            layers: names from `self.layers`.

        Returns:
            For each name a float map of shape (1, rows, columns, channels).
        """
        ...


@runtime_checkable
class TwoWay(Extractor, Protocol):
    """An extractor that also leads gradients back itself, one layer after the other; a step then holds fewer maps.

    What a loss adds at a layer is computed when the gradient from the deeper layers has arrived there, on a map in
    float32 that is made anew for that. Automatic differentiation would keep all of these maps from the way there,
    and fill as many again with the gradients of all layers at once. A subclass that changes what a call gives has to
    change `two_way` with it.

    Example:
        >>> from neural_style.features import VGG16
        >>> maps, pull_back = VGG16().two_way(tf.zeros([1, 64, 48, 3]), ["block1_conv1", "block3_conv1"])
        >>> pull_back(lambda layer, value: 2.0 * value).shape  # of the sum of squares
        TensorShape([1, 64, 48, 3])
    """

    def two_way(self, image: tf.Tensor, layers: Sequence[str]) -> tuple[dict[str, tf.Tensor], PullBack]:
        """What a call gives, and the way back from there.

        Args:
            image: RGB, (1, height, width, 3), float32 in [0, 1].
            layers: names from `self.layers`, at least one.

        Returns:
            Float32 maps by name, and a function for one use. It calls what it is given with each name and map, the
            deepest first, and gives the gradient with respect to the image, (1, height, width, 3).

        Raises:
            ValueError: a name that is not among `self.layers`.
        """
        ...


def two_way(extractor: Extractor, image: tf.Tensor, layers: Sequence[str]) -> tuple[dict[str, tf.Tensor], PullBack]:
    """Any extractor's maps in float32 and the way back, automatic where the extractor has none of its own.

    Arguments, results and errors are those of `TwoWay.two_way`.
    """
    if isinstance(extractor, TwoWay):
        return extractor.two_way(image, layers)
    with tf.GradientTape() as tape:
        tape.watch(image)
        maps = {layer: in_float32(value) for layer, value in extractor(image, layers).items()}

    def pull_back(slope: Slope) -> tf.Tensor:
        slopes = [slope(layer, value) for layer, value in maps.items()]
        return tape.gradient(list(maps.values()), image, slopes, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return maps, pull_back


def in_float32(value: tf.Tensor) -> tf.Tensor:
    """A map in float32, of the same shape.

    TensorFlow moves a cast behind a reshape that follows it, and so makes one copy of the map for each. It moves none
    past a check of the shape.
    """
    return value if value.dtype == tf.float32 else tf.ensure_shape(tf.cast(value, tf.float32), value.shape)


def check_layers(wanted: Sequence[str], known: Mapping[str, Field]) -> None:
    """Raise `ValueError` for the first wanted layer that is not known, listing those that are."""
    for name in wanted:
        if name not in known:
            raise ValueError(f"this extractor has no layer {name!r}; it has {', '.join(known)}")


class KerasExtractor:
    """An extractor made of any Keras model with one picture as its input.

    The model is used as it is: its own data type, data format and padding hold. Each asked-for set of
    layers becomes a sub-model that stops at the deepest of them.

    Args:
        model: a Keras model whose input is (batch, height, width, 3), height and width unspecified.
        preprocess: from RGB in [0, 1] to what the model was trained on. None passes the pixels through.
        fields: `{layer name: Field}` of the layers to offer. None offers every layer whose output is a
            map of rank 4, with strides read off the model's shapes; the radius is then unbounded, which
            excludes tiled runs but nothing else.

    Raises:
        ValueError: the model has no layer that gives a map.

    Example:
        >>> import keras
        >>> model = keras.applications.MobileNetV2(weights=None, include_top=False)
        >>> extractor = KerasExtractor(model, preprocess=lambda image: image * 2 - 1)
        >>> extractor(tf.zeros([1, 64, 48, 3]), ["block_1_expand_relu"])["block_1_expand_relu"].shape
        TensorShape([1, 32, 24, 96])
    """

    UNBOUNDED = 2**31 - 1

    def __init__(
        self,
        model: Any,
        preprocess: Callable[[tf.Tensor], tf.Tensor] | None = None,
        *,
        fields: Mapping[str, Field] | None = None,
    ) -> None:
        self.model = model
        self.preprocess = preprocess
        self.layers: Mapping[str, Field] = dict(fields) if fields is not None else self._find_fields()
        if not self.layers:
            raise ValueError("the model has no layer whose output is a map (batch, height, width, channels)")
        self._parts: dict[tuple[str, ...], Any] = {}

    def __repr__(self) -> str:
        return f"KerasExtractor({self.model.name!r}, {len(self.layers)} layers)"

    def __call__(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        check_layers(layers, self.layers)
        if self.preprocess is not None:
            image = self.preprocess(image)
        maps = self._part(tuple(layers))(image, training=False)
        return {name: maps[name] for name in layers}

    def _part(self, layers: tuple[str, ...]) -> Any:
        """The sub-model that gives just these layers."""
        import keras

        if layers not in self._parts:
            outputs = {name: self.model.get_layer(name).output for name in layers}
            self._parts[layers] = keras.Model(self.model.inputs[0], outputs)
        return self._parts[layers]

    def _find_fields(self) -> dict[str, Field]:
        """Every layer that gives a map, its stride read off the model's shapes for a square picture."""
        import keras

        side = 512
        layers = [layer for layer in self.model.layers[1:] if len(getattr(layer.output, "shape", ())) == 4]
        if not layers:
            return {}
        whole = keras.Model(self.model.inputs[0], [layer.output for layer in layers])
        shapes = whole.compute_output_shape((1, side, side, 3))
        return {
            layer.name: Field(stride=max(1, round(side / shape[1])), radius=self.UNBOUNDED)
            for layer, shape in zip(layers, shapes, strict=True)
        }
