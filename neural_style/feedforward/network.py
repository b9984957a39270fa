"""The network of style transfer in one pass: the encoder's layers, and decoders that make images of their maps.

The levels are the first convolutions of the blocks of `features.Lite`. One chain of stages decodes all of them: stage k
computes the map of level k - 1 from that of level k, and stage 1 computes the image. An image is decoded from level k
by stages k, k - 1, ..., 1. They are trained to reconstruct images, so no style is known to them before it is used.

Between levels, maps are standardized: each channel has mean 0 and deviation 1 on the images it was trained on.

Reference: Y. Li, C. Fang, J. Yang, Z. Wang, X. Lu, M.-H. Yang, "Universal style transfer via feature transforms", 2017,
arXiv:1705.08086, which trains one decoder for each level. Here the levels share their stages.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from neural_style._archive import Header
from neural_style.errors import WeightsUnavailableError
from neural_style.features.lite import Lite
from neural_style.features.weights import read_arrays

__all__ = ["LAYERS", "LEVELS", "MULTIPLE", "WIDTHS", "Network", "shapes", "stage"]

LEVELS = (1, 2, 3)
"""Levels that an image is decoded from."""

LAYERS = {level: f"block{level}_conv1" for level in LEVELS}
"""The encoder's layer at each level."""

WIDTHS = {1: 16, 2: 48, 3: 96}
"""Channels at each level."""

STAGES = {3: (96 + 48 + 96, 144, 96, 64, 48), 2: (48 + 16 + 48, 64, 32, 32, 16), 1: (16, 32, 3)}
"""Channels into the first and out of each convolution of a stage. Between its second and third the map is enlarged.

Channels are of the map that is decoded; of the smaller canvas's map of the level above, which has the same rows and
columns; and of the map of the image that is painted over. Stage 1 sees the first alone."""

MULTIPLE = 4
"""Decoders give back an image of the same size if its sides are multiples of this."""


def shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of the decoders' arrays by name, the deepest stage first: `stage3/conv1/kernel` is (3, 3, in, out)."""
    found: dict[str, tuple[int, ...]] = {}
    for level in reversed(LEVELS):
        for position, (inputs, outputs) in enumerate(itertools.pairwise(STAGES[level]), 1):
            name = f"stage{level}/conv{position}"
            found |= {f"{name}/kernel": (3, 3, inputs, outputs), f"{name}/bias": (outputs,)}
    return found


def stage(
    arrays: Mapping[str, Any],
    level: int,
    x: tf.Tensor,
    smaller: tf.Tensor | None = None,
    own: tf.Tensor | None = None,
) -> tf.Tensor:
    """One stage of the decoders.

    Args:
        arrays: kernels and biases, as in `shapes`, in the precision of `x`.
        level: from `LEVELS`.
        x: standardized map of this level, (images, rows, columns, channels).
        smaller: standardized map of the level above, of the canvas at half the size, with the rows and columns of `x`;
            None for a mean map.
        own: standardized map of this level, of the image that is painted over, in the shape of `x`; None for a mean
            map. Stage 1 has neither.

    Returns:
        The standardized map of the level above, (images, 2 * rows, 2 * columns, channels), or from level 1 the image,
        (images, rows, columns, 3), in about [0, 1].
    """
    count = len(STAGES[level]) - 1
    for position in range(1, count + 1):
        name = f"stage{level}/conv{position}"
        kernel = arrays[f"{name}/kernel"]
        if position == 1 and level > 1:
            parts = tf.split(kernel, [WIDTHS[level], WIDTHS[level - 1], WIDTHS[level]], axis=2)
            seen = [(each, part) for each, part in zip((x, smaller, own), parts, strict=True) if each is not None]
            x, kernel = (tf.concat(each, axis=axis) for each, axis in zip(zip(*seen, strict=True), (3, 2), strict=True))
        x = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), arrays[f"{name}/bias"])
        if position < count:
            x = tf.nn.relu(x)
        if position == 2 and level > 1:
            x = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
    return x


class Network:
    """Encoder and decoders in one precision.

    Args:
        weights: `"bundled"` (ships with this package) or the path of an `.npz` file written by
            `neural_style.training.decoders`.
        precision: of the convolutions, `"float32"`, `"bfloat16"` or `"float16"`.

    Raises:
        WeightsUnavailableError: the file is missing or damaged, or holds other weights.

    Attributes:
        encoder: the network whose maps are decoded.
        precision: of the convolutions.

    Example:
        >>> network = Network()
        >>> features = network.encoder(tf.zeros([1, 64, 48, 3]), ["block3_conv1"])["block3_conv1"]
        >>> features.shape, network.decode(3, features).shape
        (TensorShape([1, 16, 12, 96]), TensorShape([1, 64, 48, 3]))
    """

    def __init__(self, weights: str | os.PathLike[str] = "bundled", precision: str = "float32") -> None:
        stored = read_arrays("decoders", weights, functools.partial(_check, os.fspath(weights)))
        self.precision = precision
        self.encoder = Lite(precision=precision)
        with tf.init_scope():
            self._moments = {level: tf.unstack(tf.constant(stored[f"moments{level}"])) for level in LEVELS}
            self._arrays = {name: tf.cast(_array(stored, name), precision) for name in shapes()}

    def maps(self, image: tf.Tensor, levels: Sequence[int]) -> dict[int, tf.Tensor]:
        """The encoder's maps of an image at these levels, float32 (1, rows, columns, channels)."""
        found = self.encoder(image, [LAYERS[level] for level in levels])
        return {level: tf.cast(found[LAYERS[level]], tf.float32) for level in levels}

    def decode(
        self,
        level: int,
        features: tf.Tensor,
        smaller: tf.Tensor | None = None,
        own: Mapping[int, tf.Tensor] | None = None,
    ) -> tf.Tensor:
        """The image of a map, float32 (1, height, width, 3), in about [0, 1].

        Args:
            level: from `LEVELS`.
            features: the encoder's map of `LAYERS[level]`, float32 (1, rows, columns, channels).
            smaller: an image of half the size, whose shapes and colors the image keeps while the map gives it detail;
                None for none.
            own: `maps` of the image that is painted over, at this level and those above but the first; None for none.
        """
        skips = {} if smaller is None or level == 1 else self.maps(smaller, range(1, level))
        x = self._standardized(level, features)
        for each in range(level, 0, -1):
            shown = skips.get(each - 1), None if own is None else own.get(each)
            x = stage(
                self._arrays,
                each,
                x,
                *(
                    None if found is None else self._standardized(at, found)
                    for at, found in zip((each - 1, each), shown, strict=True)
                ),
            )
        return tf.cast(x, tf.float32)

    def _standardized(self, level: int, features: tf.Tensor) -> tf.Tensor:
        mean, deviation = self._moments[level]
        return tf.cast((tf.cast(features, tf.float32) - mean) / deviation, self.precision)


def _array(stored: Mapping[str, Any], name: str) -> Any:
    """A stored array in float32; kernels are stored in 8 bits, with a scale for each output channel."""
    if not name.endswith("kernel"):
        return stored[name]
    return stored[name] * stored[f"{name.removesuffix('kernel')}scale"]


def _check(where: str, stored: Mapping[str, Header]) -> None:
    """Raise unless these are the arrays of the decoders."""
    wanted = shapes() | {f"moments{level}": (2, WIDTHS[level]) for level in LEVELS}
    wanted |= {f"{name.removesuffix('kernel')}scale": shape[-1:] for name, shape in shapes().items() if len(shape) > 1}
    for name, shape in wanted.items():
        if name not in stored:
            raise WeightsUnavailableError(f"{where} lacks {name}, so it is not a weights file of the decoders")
        if stored[name].shape != shape:
            raise WeightsUnavailableError(f"{where}: {name} has shape {stored[name].shape} where {shape} was expected")
