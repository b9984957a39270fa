"""Any Keras model as a feature extractor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from neural_style._fingerprint import fingerprint
from neural_style.features.base import ReceptiveField, check_layers

__all__ = ["KerasExtractor"]


class KerasExtractor:
    """An extractor made of any Keras model that has one image as its input.

    The model is not changed: its own data type, data format and padding apply. Each requested set of layers becomes a
    sub-model that ends at the deepest of them.

    Args:
        model: a Keras model whose input is (batch, height, width, 3), height and width unspecified.
        preprocess: from RGB in [0, 1] to the input the model was trained on. None passes the pixels through.
        fields: `{layer name: ReceptiveField}` of the layers to offer. None offers every layer whose output is a map of
            rank 4, with strides computed from the model's shapes; the radius is then unbounded, which rules out tiled
            runs but nothing else.

    Raises:
        ValueError: the model has no layer whose output is a map.

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
        fields: Mapping[str, ReceptiveField] | None = None,
    ) -> None:
        self.model = model
        self.preprocess = preprocess
        self.layers: Mapping[str, ReceptiveField] = dict(fields) if fields is not None else self._find_fields()
        if not self.layers:
            raise ValueError("the model has no layer whose output is a map (batch, height, width, channels)")
        self._submodels: dict[tuple[str, ...], Any] = {}

    def __repr__(self) -> str:
        return f"KerasExtractor({self.model.name!r}, {len(self.layers)} layers)"

    def fingerprint(self) -> str:
        """Identity of what a call computes: the model with its weights, `preprocess`, and the layers' fields.

        Computed at each call, since the model may be trained in between. Attributes that a subclass adds count too.
        """
        fields = {name: value for name, value in vars(self).items() if name != "_submodels"}
        return fingerprint(type(self), fields)

    def __call__(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        check_layers(layers, self.layers)
        if self.preprocess is not None:
            image = self.preprocess(image)
        maps = self._submodel(tuple(layers))(image, training=False)
        return {name: maps[name] for name in layers}

    def _submodel(self, layers: tuple[str, ...]) -> Any:
        """The part of the model whose outputs are these layers."""
        import keras

        if layers not in self._submodels:
            outputs = {name: self.model.get_layer(name).output for name in layers}
            self._submodels[layers] = keras.Model(self.model.inputs[0], outputs)
        return self._submodels[layers]

    def _find_fields(self) -> dict[str, ReceptiveField]:
        """Every layer whose output is a map, with its stride for a square image."""
        import keras

        side = 512
        layers = [layer for layer in self.model.layers[1:] if len(getattr(layer.output, "shape", ())) == 4]
        if not layers:
            return {}
        whole = keras.Model(self.model.inputs[0], [layer.output for layer in layers])
        shapes = whole.compute_output_shape((1, side, side, 3))
        return {
            layer.name: ReceptiveField(stride=max(1, round(side / shape[1])), radius=self.UNBOUNDED)
            for layer, shape in zip(layers, shapes, strict=True)
        }
