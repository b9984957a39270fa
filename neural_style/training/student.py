"""The student network: VGG16's architecture with few channels, and its first fit to the teacher."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from neural_style.features.lite import Lite
from neural_style.features.precision import fastest_precision
from neural_style.features.vgg import MEAN_BGR, convolution_names, follows_pooling
from neural_style.training.teacher import Maps, Teacher, recipe_loss, unit_gradient
from neural_style.training.trainer import Layout

__all__ = ["WIDTHS", "Student", "exported", "fit_to_teacher"]

WIDTHS: Mapping[str, int] = dict(
    zip(
        convolution_names(Lite.convolutions), np.repeat((16, 48, 96, 128, 128), Lite.convolutions).tolist(), strict=True
    )
)
"""Channels of each convolution."""

SCALE = 64.0  # divides pixels in [0, 255], so that maps are of the order of 1


class Student:
    """VGG16's architecture with few channels. Each layer's map is read out linearly, to estimate the teacher's.

    Args:
        widths: channels of each convolution by name.
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        shapes: dict[str, tuple[int, ...]] = {}
        inputs = 3
        for name, width in widths.items():
            shapes |= {f"{name}/kernel": (3, 3, inputs, width), f"{name}/bias": (width,)}
            shapes |= {f"{name}/readout": (width, width), f"{name}/offset": (width,)}
            inputs = width
        self.widths = widths
        self.layout = Layout(shapes)
        self.precision = fastest_precision()

    def rates(self) -> np.ndarray:
        """Factor of the learning rate for each parameter, float32.

        A step of Adam changes a sum in proportion to the number of its terms, so kernels with many inputs move slower.
        """
        return self.layout.repeat([min(1.0, 144.0 / math.prod(shape[:-1])) for shape in self.layout.shapes.values()])

    def maps(self, parameters: tf.Tensor, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Estimates of the teacher's maps of images, (images, side, side, 3) in [0, 1]."""
        arrays = {name: tf.cast(value, self.precision) for name, value in self.layout.arrays(parameters).items()}
        x = tf.cast((images[..., ::-1] * 255.0 - MEAN_BGR) / SCALE, self.precision)
        found = {}
        for name in self.widths:
            if follows_pooling(name):
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, arrays[f"{name}/kernel"], 1, "SAME"), arrays[f"{name}/bias"]))
            seen = tf.nn.conv2d(x, arrays[f"{name}/readout"][None, None], 1, "SAME") + arrays[f"{name}/offset"]
            found[name] = tf.cast(seen, tf.float32)
        return found

    def maps_and_gradient(
        self, parameters: tf.Tensor, canvas: tf.Tensor, start: Maps
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Maps of canvases, and the unit gradient of the recipe's loss with respect to the canvases.

        Args:
            parameters: of the network, float32 (n,).
            canvas: (images, side, side, 3) in [0, 1].
            start: this network's maps of the images that the runs began with.
        """
        with tf.GradientTape() as tape:
            tape.watch(canvas)
            maps = self.maps(parameters, canvas)
            loss = tf.reduce_sum(recipe_loss(maps, start))
        return maps, unit_gradient(tape.gradient(loss, canvas))


def fit_to_teacher(student: Student, teacher: Teacher, crops: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Parameters fitted to the teacher, layer by layer.

    Each layer's channels are those of the teacher that best predict the others. Its kernel is fitted by least squares
    to compute them from the student's layer before, and its readout to compute the teacher's projected map from them.

    Args:
        student: the network to fit.
        teacher: a `Teacher` whose extractor is a `VGG`.
        crops: (images, side, side, 3) in [0, 1].
        generator: chooses the positions of each least-squares fit.
    """
    network: Any = teacher.extractor
    before = list(tf.split((crops[..., ::-1] * 255.0 - np.array(MEAN_BGR, np.float32)), len(crops)))
    inside = [value / SCALE for value in before]
    arrays: dict[str, np.ndarray] = {}
    for name, width in tqdm(student.widths.items(), desc="fitting"):
        if follows_pooling(name):
            before, inside = ([tf.nn.max_pool2d(x, 2, 2, "VALID") for x in maps] for maps in (before, inside))
        taught = network.arrays[name]
        wanted = [tf.nn.conv2d(x, taught.kernel32, 1, "SAME") + taught.bias for x in before]
        before = [tf.nn.relu(x) for x in wanted]
        chosen = _predictive_channels(np.mean([_second_moments(x) for x in before], axis=0), width)
        scale = float(np.sqrt(np.mean([tf.reduce_mean(tf.gather(x, chosen, axis=-1) ** 2) for x in before])))
        patches = (tf.image.extract_patches(x, [1, 3, 3, 1], [1] * 4, [1] * 4, "SAME") for x in inside)
        goals = (tf.gather(x, chosen, axis=-1) / scale for x in wanted)
        weights = _least_squares(patches, goals, generator)
        arrays[f"{name}/kernel"] = weights[:-1].reshape(student.layout.shapes[f"{name}/kernel"])
        arrays[f"{name}/bias"] = weights[-1]
        inside = [tf.nn.relu(tf.nn.conv2d(x, arrays[f"{name}/kernel"], 1, "SAME") + weights[-1]) for x in inside]
        projected = (tf.einsum("bhwc,cd->bhwd", x, teacher.bases[name]) for x in before)
        weights = _least_squares(inside, projected, generator)
        arrays[f"{name}/readout"], arrays[f"{name}/offset"] = weights[:-1], weights[-1]
    return student.layout.vector(arrays)


def _second_moments(maps: tf.Tensor) -> np.ndarray:
    vectors = tf.reshape(maps, [-1, maps.shape[-1]])
    return (tf.matmul(vectors, vectors, transpose_a=True) / vectors.shape[0]).numpy()


def _predictive_channels(second: np.ndarray, count: int) -> list[int]:
    """Greedily choose the channels that best predict the others (pivoted Cholesky of the second moments)."""
    left = second.astype(np.float64)
    chosen: list[int] = []
    for _ in range(count):
        explained = np.square(left).sum(axis=0) / (np.diag(left) + 1e-9 * np.trace(second))
        explained[chosen] = -1.0
        chosen.append(int(np.argmax(explained)))
        column = left[:, chosen[-1]].copy()
        left -= np.outer(column, column) / (column[chosen[-1]] + 1e-12)
    return chosen


def _least_squares(
    inputs: Iterable[tf.Tensor], goals: Iterable[tf.Tensor], generator: np.random.Generator
) -> np.ndarray:
    """Weights of a linear fit, (inputs + 1, outputs), the bias last, from up to 1000 positions of each image."""
    xs, ys = [], []
    for x, y in zip(inputs, goals, strict=True):
        flat = tf.reshape(x, [-1, x.shape[-1]]).numpy()
        rows = generator.permutation(len(flat))[:1000]
        xs.append(np.pad(flat[rows], ((0, 0), (0, 1)), constant_values=1.0))
        ys.append(tf.reshape(y, [-1, y.shape[-1]]).numpy()[rows])
    x64, y64 = np.concatenate(xs).astype(np.float64), np.concatenate(ys).astype(np.float64)
    square = x64.T @ x64
    square[np.diag_indices_from(square)] += 1e-4 * np.trace(square) / len(square)
    return np.linalg.solve(square, x64.T @ y64).astype(np.float32)


def exported(student: Student, teacher: Teacher, parameters: tf.Tensor) -> dict[str, np.ndarray]:
    """Weights in the form that `features.Lite` reads: for pixels in [0, 255], with maps in the teacher's own units."""
    arrays = {name: value.numpy() for name, value in student.layout.arrays(parameters).items()}
    for name in student.widths:
        scale = 1.0 / float(np.linalg.norm(teacher.bases[name].numpy()[:, 0]))
        arrays[f"{name}/bias"] = arrays[f"{name}/bias"] * SCALE
        arrays[f"{name}/readout"] = arrays[f"{name}/readout"] * (scale / SCALE)
        arrays[f"{name}/offset"] = arrays[f"{name}/offset"] * scale
    return arrays
