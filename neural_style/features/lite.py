"""A small network that was taught to see what VGG16 sees, at about a fifteenth of the work.

It has VGG16's shape with 16 to 128 channels in place of 64 to 512, and the names of its layers. What a layer gives is
not the few channels themselves but, read out of them, the teacher's map along its principal directions: distances,
inner products, means and covariances of these maps stand in for those of VGG16's own, in its own units, so that
losses and recipes need not know. A single channel means nothing.

The weights are made by `python -m neural_style.training.distill`, which tells how; `weights/lite.json` is its record.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from neural_style.errors import WeightsUnavailableError
from neural_style.features.vgg import VGG, scaled
from neural_style.features.weights import Arrays, Weights, read_arrays

__all__ = ["Lite"]


class Lite(VGG):
    """VGG16's stand-in for a quick picture.

    Args:
        weights: `"bundled"` (ships with this package) or the path of an `.npz` file that
            `neural_style.training.distill` wrote.
        precision: of the convolutions; see `with_precision`.

    Raises:
        WeightsUnavailableError: the file is missing, damaged, or not of this network.
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
        return f"Lite({os.fspath(self.weights)!r}, precision={self.precision!r})"

    def _load(self, weights: str | os.PathLike[str], names: list[str]) -> Arrays:
        stored = read_arrays("lite", weights)
        _check(os.fspath(weights), names, stored)
        with tf.init_scope():
            self._readouts32 = {
                name: (tf.constant(stored[f"{name}/readout"][None, None]), tf.constant(stored[f"{name}/offset"]))
                for name in names
            }
        return {name: Weights(stored[f"{name}/kernel"], stored[f"{name}/bias"]) for name in names}

    def _set_precision(self, precision: str) -> None:
        super()._set_precision(precision)
        self.__dict__.pop("_readouts", None)  # of the precision it had before

    @functools.cached_property
    def _readouts(self) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        with tf.init_scope():
            return {
                name: (tf.cast(matrix, self.precision), tf.cast(scaled(offset, self.precision), self.precision))
                for name, (matrix, offset) in self._readouts32.items()
            }

    def _shown(self, name: str, x: tf.Tensor) -> tf.Tensor:
        matrix, offset = self._readouts[name]
        return tf.nn.bias_add(tf.nn.conv2d(x, matrix, 1, "SAME"), offset)


def _check(where: str, names: list[str], stored: Mapping[str, np.ndarray]) -> None:
    """Raise unless these are this network's arrays and each fits the one before."""
    inputs = 3
    for name in names:
        lacking = [part for part in ("kernel", "bias", "readout", "offset") if f"{name}/{part}" not in stored]
        if lacking:
            raise WeightsUnavailableError(f"{where} lacks {name}/{lacking[0]}, so it is no weights file of Lite")
        width = stored[f"{name}/bias"].size
        shapes = {"kernel": (3, 3, inputs, width), "bias": (width,), "readout": (width, width), "offset": (width,)}
        for part, shape in shapes.items():
            found = stored[f"{name}/{part}"].shape
            if found != shape:
                raise WeightsUnavailableError(f"{where}: {name}/{part} has shape {found} where {shape} was expected")
        inputs = width
