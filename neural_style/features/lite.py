"""A small network distilled from VGG16, at about a fifteenth of the work.

It has VGG16's architecture and layer names, with 16 to 128 channels in place of 64 to 512. A layer's output is a linear
readout of its channels: an estimate of VGG16's map along that map's principal directions. Distances, inner products,
means and covariances of these outputs approximate those of VGG16's maps, in the same units, so losses and recipes need
no change. A single channel has no meaning.

`python -m neural_style.training.distill` makes the weights; its documentation describes how, and
`pretrained/lite.json` records the run.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping

import tensorflow as tf

from neural_style._archive import Header
from neural_style.errors import WeightsUnavailableError
from neural_style.features.vgg import VGG, scale_offset
from neural_style.features.weights import Arrays, Weights, read_arrays

__all__ = ["Lite"]


class Lite(VGG):
    """VGG16's substitute for quick results.

    Args:
        weights: `"bundled"` (ships with this package) or the path of an `.npz` file written by
            `neural_style.training.distill`.
        precision: of the convolutions; see `with_precision`.

    Raises:
        WeightsUnavailableError: the file is missing or damaged, or holds the weights of another network.
        ValueError: an unknown precision.

    Example:
        >>> extractor = Lite()
        >>> extractor(tf.zeros([1, 64, 48, 3]), ["block2_conv1"])["block2_conv1"].shape
        TensorShape([1, 32, 24, 48])
    """

    network = "lite"
    convolutions = (2, 2, 3, 3, 1)

    def __init__(self, weights: str | os.PathLike[str] = "bundled", *, precision: str = "float32") -> None:
        super().__init__(weights, precision=precision)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({os.fspath(self.weights)!r}, precision={self.precision!r})"

    def _load(self, weights: str | os.PathLike[str], names: list[str]) -> Arrays:
        stored = read_arrays("lite", weights, functools.partial(_check, os.fspath(weights), names))
        with tf.init_scope():
            self._readouts32 = {
                name: (tf.constant(stored[f"{name}/readout"][None, None]), tf.constant(stored[f"{name}/offset"]))
                for name in names
            }
        return {name: Weights(stored[f"{name}/kernel"], stored[f"{name}/bias"]) for name in names}

    def _set_precision(self, precision: str) -> None:
        super()._set_precision(precision)
        self.__dict__.pop("_readouts", None)  # those of the former precision

    @functools.cached_property
    def _readouts(self) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        with tf.init_scope():
            return {
                name: (tf.cast(matrix, self.precision), tf.cast(scale_offset(offset, self.precision), self.precision))
                for name, (matrix, offset) in self._readouts32.items()
            }

    def _read_out(self, name: str, x: tf.Tensor) -> tf.Tensor:
        """VGG16's map along its principal directions, estimated from this network's."""
        matrix, offset = self._readouts[name]
        return tf.nn.bias_add(tf.nn.conv2d(x, matrix, 1, "SAME"), offset)


def _check(where: str, names: list[str], stored: Mapping[str, Header]) -> None:
    """Raise unless these are the arrays of `Lite`, with shapes that fit from layer to layer."""
    inputs = 3
    for name in names:
        lacking = [part for part in ("kernel", "bias", "readout", "offset") if f"{name}/{part}" not in stored]
        if lacking:
            raise WeightsUnavailableError(f"{where} lacks {name}/{lacking[0]}, so it is not a weights file of Lite")
        width = stored[f"{name}/bias"].size
        shapes = {"kernel": (3, 3, inputs, width), "bias": (width,), "readout": (width, width), "offset": (width,)}
        for part, shape in shapes.items():
            found = stored[f"{name}/{part}"].shape
            if found != shape:
                raise WeightsUnavailableError(f"{where}: {name}/{part} has shape {found} where {shape} was expected")
        inputs = width
