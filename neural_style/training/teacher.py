"""What a student is taught: VGG16's maps along their principal directions, and the gradient of the recipe `moments`.

A `Batch` holds canvases with the teacher's maps of them and its gradient of that recipe's loss. Canvases come
from optimization runs. A run starts at crops of images, each painted in the style of the next, and continues from
batch to batch by the teacher's gradient or by the student's own. The student is therefore taught on the canvases that
it produces itself, errors included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from neural_style import recipes
from neural_style.features.base import Extractor
from neural_style.losses import Content, Moments, Sum, TotalVariation
from neural_style.losses.style import average_over_layers, covariance_distance, relative_square
from neural_style.optimizers.adam import adam_moments
from neural_style.training.data import Crops, perturb

__all__ = [
    "CONTENT",
    "STYLE",
    "Batch",
    "Gradient",
    "Maps",
    "Teacher",
    "make_batches",
    "moments",
    "recipe_loss",
    "unit_gradient",
]

Maps = Mapping[str, tf.Tensor]
"""For each layer (images, rows, columns, channels)."""

Gradient = Callable[[tf.Tensor], tf.Tensor]
"""From canvases to the gradient of the recipe's loss, both (images, side, side, 3)."""


def _terms_of(loss: Sum) -> tuple[Moments, dict[str, float]]:
    """The style loss, and the weight of the content loss by layer, whatever the order of a recipe's terms.

    Raises:
        TypeError: a term is of a kind that a student is not taught, so the recipe must not change without this file.
    """
    style, content = [], {}
    for term in loss.terms:
        match term.loss:
            case Moments() if term.weight == 1.0:
                style.append(term.loss)
            case Content(layers=(layer,)):
                content[layer] = term.weight
            case TotalVariation():
                pass  # of pixels; no network takes part
            case _:
                raise TypeError(f"a student is not taught {term.weight} * {term.loss!r}")
    if len(style) != 1:
        raise TypeError(f"a student is taught one style loss, not {len(style)}")
    return style[0], content


STYLE, CONTENT = _terms_of(recipes.MOMENTS.loss())


class Batch(NamedTuple):
    """Canvases of one step of training, with the teacher's answers, in float16.

    Attributes:
        start: images that their runs began with, in [0, 1], (images, side, side, 3); each is the content of its run,
            and the next one is the style.
        canvas: canvases in [0, 1], of the same shape.
        maps: the teacher's, for each layer (images, rows, columns, directions); the mean square of a layer is 1.
        gradient: the teacher's, (images, side, side, 3); the mean square of each canvas is 1.
    """

    start: np.ndarray
    canvas: np.ndarray
    maps: dict[str, np.ndarray]
    gradient: np.ndarray


def moments(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean (images, channels) and covariance (images, channels, channels) of each image's map."""
    vectors = tf.reshape(maps, [tf.shape(maps)[0], -1, maps.shape[-1]])
    mean = tf.reduce_mean(vectors, axis=1)
    count = tf.cast(tf.shape(vectors)[1], tf.float32)
    outer = tf.matmul(vectors, vectors, transpose_a=True) / count
    return mean, outer - mean[:, :, None] * mean[:, None, :]


def _style_distance(found: Maps, goals: Mapping[str, tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
    """The recipe `moments`'s style loss for each image, (images,)."""
    return average_over_layers(
        STYLE, [covariance_distance(*moments(found[name]), *goals[name]) for name in STYLE.layers]
    )


def recipe_loss(found: Maps, start: Maps) -> tf.Tensor:
    """The recipe `moments`'s loss, total variation left out, for each image, (images,).

    Args:
        found: maps of the canvases.
        start: maps of the images that the runs began with; each is the content of its run, and the next one the style.
    """
    goals = {name: tuple(tf.roll(value, -1, axis=0) for value in moments(start[name])) for name in STYLE.layers}
    content = [weight * relative_square(found[name], start[name]) for name, weight in CONTENT.items()]
    return _style_distance(found, goals) + tf.add_n(content)


def unit_gradient(gradient: tf.Tensor) -> tf.Tensor:
    """A gradient (images, side, side, 3), scaled to a mean square of 1 for each image."""
    return gradient * tf.math.rsqrt(tf.reduce_mean(tf.square(gradient), axis=[1, 2, 3], keepdims=True) + 1e-30)


class Teacher:
    """A network whose maps are projected to their principal directions.

    Distances, inner products and covariances of the projected maps are those of the network's maps, except for the
    components outside these directions.

    Args:
        extractor: the network.
        bases: for each layer its directions divided by their scale, float32 (channels, directions).
    """

    def __init__(self, extractor: Extractor, bases: Mapping[str, np.ndarray]) -> None:
        self.extractor = extractor
        self.bases = {name: tf.constant(basis, tf.float32) for name, basis in bases.items()}
        self.maps = tf.function(self._maps, autograph=False)
        self.maps_and_gradient = tf.function(self._maps_and_gradient, autograph=False)

    @classmethod
    def of(cls, extractor: Extractor, crops: np.ndarray, widths: Mapping[str, int]) -> Teacher:
        """Fit the directions to crops, by an eigendecomposition of each layer's second moments.

        Args:
            extractor: the network.
            crops: float32 (count, side, side, 3) in [0, 1].
            widths: number of directions for each layer.
        """
        second = dict.fromkeys(widths, 0.0)
        for batch in np.array_split(crops, max(1, len(crops) // 4)):
            for name, value in extractor(tf.constant(batch), list(widths)).items():
                vectors = tf.reshape(value, [-1, value.shape[-1]])
                second[name] += tf.matmul(vectors, vectors, transpose_a=True).numpy() / vectors.shape[0]
        bases = {}
        for name, width in widths.items():
            values, directions = np.linalg.eigh(second[name])
            scale = np.sqrt(values.sum() / len(np.array_split(crops, max(1, len(crops) // 4))) / width)
            bases[name] = (directions[:, ::-1][:, :width] / scale).astype(np.float32)
        return cls(extractor, bases)

    def _maps(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Projected maps of images, (images, side, side, 3) in [0, 1]."""
        found = self.extractor(images, list(self.bases))
        return {name: tf.einsum("bhwc,cd->bhwd", found[name], basis) for name, basis in self.bases.items()}

    def _maps_and_gradient(self, canvas: tf.Tensor, start: Maps) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Projected maps of canvases, and the unit gradient of the recipe's loss with respect to the canvases."""
        with tf.GradientTape() as tape:
            tape.watch(canvas)
            maps = self._maps(canvas)
            loss = tf.reduce_sum(recipe_loss(maps, start))
        return maps, unit_gradient(tape.gradient(loss, canvas))


def make_batches(
    teacher: Teacher,
    student: Callable[[tf.Tensor], Gradient],
    crops: Crops,
    generator: np.random.Generator,
    *,
    runs: int,
    images: int,
) -> Iterator[Batch]:
    """Three batches from each of several runs: at its start, at a later canvas, and at one later still.

    Args:
        teacher: provides the answers.
        student: from the start of a run to the student's gradient, which makes about two thirds of the moves.
        crops: where runs start.
        generator: source of everything random.
        runs: number of runs.
        images: canvases of a batch.
    """
    for _ in range(runs):
        start = crops.batch(generator, images)
        start_maps, student_gradient = teacher.maps(start), student(tf.constant(start))
        canvas = tf.constant(perturb(start, generator))
        for part in range(3):
            maps, gradient = teacher.maps_and_gradient(canvas, start_maps)
            goals = {name: _in_float16(value) for name, value in maps.items()}
            yield Batch(_in_float16(start), _in_float16(canvas), goals, _in_float16(gradient))
            if part < 2:
                canvas = _advance(canvas, gradient, student_gradient, generator)


def _advance(
    canvas: tf.Tensor, gradient: tf.Tensor, student_gradient: Gradient, generator: np.random.Generator
) -> tf.Tensor:
    """One long move along the teacher's gradient, or several steps along the student's."""
    if generator.random() < 0.35:
        move = generator.uniform(0.02, 0.08) * gradient / (tf.abs(gradient) + 0.3)
        return tf.clip_by_value(canvas - move, 0.0, 1.0)
    return _descend(canvas, student_gradient, int(generator.integers(2, 16)), generator.uniform(0.015, 0.04))


def _descend(canvas: tf.Tensor, gradient: Gradient, steps: int, rate: float) -> tf.Tensor:
    """Canvases after some steps of Adam."""
    mean = square = tf.zeros_like(canvas)
    for count in range(1, steps + 1):
        mean, square, correction, root = adam_moments(gradient(canvas), mean, square, count, 0.8, 0.98)
        canvas = tf.clip_by_value(canvas - rate * (mean / correction / (root + 1e-6)), 0.0, 1.0)
    return canvas


def _in_float16(tensor: tf.Tensor) -> np.ndarray:
    return tf.cast(tf.clip_by_value(tensor, -6e4, 6e4), tf.float16).numpy()
