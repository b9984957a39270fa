"""The extractor interface: a function from an image to named feature maps.

An extractor never computes deeper than the deepest layer requested, keeps no state between calls, and changes no global
setting, so one instance serves any number of runs, sizes and threads.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import tensorflow as tf

__all__ = [
    "DifferentiableExtractor",
    "Extractor",
    "Field",
    "LayerGradient",
    "PullBack",
    "ReceptiveField",
    "check_layers",
    "forward_with_vjp",
    "in_float32",
]

MAX_LISTED = 24
"""How many layers an error lists."""

LayerGradient = Callable[[str, tf.Tensor], tf.Tensor]
"""From a layer's name and its float32 map to the loss gradient with respect to that map."""

PullBack = Callable[[LayerGradient], tf.Tensor]
"""From the gradients with respect to the maps to the gradient with respect to the image, (1, height, width, 3)."""


class ReceptiveField(NamedTuple):
    """The pixels that a cell of a feature map depends on.

    Cell `i` of the map belongs to pixels `stride * i` to `stride * i + stride - 1`, and depends on no pixel more than
    `radius` pixels beyond them.

    Attributes:
        stride: pixels from one cell to the next, at least 1.
        radius: pixels that a cell depends on beyond its own, to every side, at least 0.

    Example:
        >>> ReceptiveField(stride=8, radius=40).stride
        8
    """

    stride: int
    radius: int


Field = ReceptiveField
"""Former name of `ReceptiveField`, kept for this release."""


@runtime_checkable
class Extractor(Protocol):
    """Anything with `layers` and a call; ten lines are enough to write one.

    Attributes:
        layers: name of every layer that can be requested, in order of depth, with its `ReceptiveField`.

    Example:
        >>> class Edges:
        ...     layers = {"edges": ReceptiveField(stride=1, radius=1)}
        ...
        ...     def __call__(self, image, layers):
        ...         return {"edges": tf.image.sobel_edges(image)[..., 0]}
        >>> isinstance(Edges(), Extractor)
        True
    """

    @property
    def layers(self) -> Mapping[str, ReceptiveField]: ...

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
class DifferentiableExtractor(Extractor, Protocol):
    """An extractor with its own backward pass, which keeps fewer activations in memory.

    Its backward pass goes from layer to layer. Each layer's loss gradient is computed when the backward pass reaches
    that layer, from a float32 map that is recomputed there. Automatic differentiation would keep all of these float32
    maps from the forward pass, and as many again for the gradients of all layers at once. A subclass that overrides
    `__call__` has to override `forward_with_vjp` to match.

    Example:
        >>> from neural_style.features import VGG16
        >>> image, layers = tf.zeros([1, 64, 48, 3]), ["block1_conv1", "block3_conv1"]
        >>> maps, pull_back = VGG16().forward_with_vjp(image, layers)
        >>> pull_back(lambda layer, value: 2.0 * value).shape  # gradient of the sum of squares
        TensorShape([1, 64, 48, 3])
    """

    def forward_with_vjp(self, image: tf.Tensor, layers: Sequence[str]) -> tuple[dict[str, tf.Tensor], PullBack]:
        """The maps of a call, and the function that carries gradients back from them (a vector-Jacobian product).

        Args:
            image: RGB, (1, height, width, 3), float32 in [0, 1].
            layers: names from `self.layers`, at least one.

        Returns:
            Float32 maps by name, and a function to be called once. It calls its argument with each name and map,
            deepest first, and returns the gradient with respect to the image, (1, height, width, 3).

        Raises:
            ValueError: a name that is not among `self.layers`.
        """
        ...


def forward_with_vjp(
    extractor: Extractor, image: tf.Tensor, layers: Sequence[str]
) -> tuple[dict[str, tf.Tensor], PullBack]:
    """Any extractor's float32 maps and pull-back, by automatic differentiation where it has no backward pass.

    Arguments, results and errors are those of `DifferentiableExtractor.forward_with_vjp`.
    """
    if isinstance(extractor, DifferentiableExtractor):
        return extractor.forward_with_vjp(image, layers)
    with tf.GradientTape() as tape:
        tape.watch(image)
        maps = {layer: in_float32(value) for layer, value in extractor(image, layers).items()}

    def pull_back(layer_gradient: LayerGradient) -> tf.Tensor:
        gradients = [layer_gradient(layer, value) for layer, value in maps.items()]
        return tape.gradient(list(maps.values()), image, gradients, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return maps, pull_back


def in_float32(value: tf.Tensor) -> tf.Tensor:
    """A map in float32, of the same shape.

    TensorFlow moves a cast behind each reshape that follows it, which makes one copy of the map for each. It moves no
    cast past a check of the shape.
    """
    return value if value.dtype == tf.float32 else tf.ensure_shape(tf.cast(value, tf.float32), value.shape)


def check_layers(wanted: Sequence[str], known: Mapping[str, ReceptiveField]) -> None:
    """Raise `ValueError` for the first wanted layer that is not known, listing those that are, or the most similar."""
    for name in wanted:
        if name not in known:
            shown = list(known)
            if len(shown) > MAX_LISTED:
                similar = difflib.get_close_matches(str(name), shown, MAX_LISTED, cutoff=0.0)
                shown = [*similar, f"and {len(shown) - MAX_LISTED} others"]
            raise ValueError(f"this extractor has no layer {name!r}; it has {', '.join(shown)}")
