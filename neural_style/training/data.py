"""What a smaller network is taught with: pictures, and what VGG16 sees in them.

A lesson is a few canvases with the teacher's maps of them, brought to a handful of directions, and with its
gradient of the default recipe's loss. Canvases come from runs: a run starts at crops of pictures, each painted in
the style of the next, and is carried on from lesson to lesson by the teacher's gradient or by the student's own. What
a student does wrong when it paints is therefore what it is shown next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from neural_style import images, recipes
from neural_style.features.base import Extractor
from neural_style.losses.style import covariance_distance

__all__ = [
    "CONTENT",
    "STYLE",
    "Crops",
    "Gradient",
    "Lesson",
    "Maps",
    "Teacher",
    "disturbed",
    "lessons",
    "moments",
    "moved",
    "recipe_loss",
]

STYLE: Any = recipes.DEFAULT.style.terms[0].loss
CONTENT = {term.loss.layers[0]: term.weight for term in recipes.DEFAULT.content.terms}

Maps = Mapping[str, tf.Tensor]
Gradient = Callable[[tf.Tensor], tf.Tensor]
"""From canvases to the recipe's gradient, both (pictures, side, side, 3)."""


class Lesson(NamedTuple):
    """What is known of a few canvases.

    Attributes:
        start: what their runs began with, in [0, 1], (pictures, side, side, 3): the content, and the next one's style.
        canvas: in [0, 1], likewise.
        maps: the teacher's, for each layer (pictures, rows, columns, directions), of mean square 1 for each layer.
        gradient: the teacher's, of mean square 1 for each canvas.
    """

    start: np.ndarray
    canvas: np.ndarray
    maps: dict[str, np.ndarray]
    gradient: np.ndarray


# --- what is measured of maps ------------------------------------------------------------------------


def moments(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean (pictures, channels) and covariance (pictures, channels, channels) of each picture's map."""
    vectors = tf.reshape(maps, [tf.shape(maps)[0], -1, maps.shape[-1]])
    mean = tf.reduce_mean(vectors, axis=1)
    count = tf.cast(tf.shape(vectors)[1], tf.float32)
    outer = tf.matmul(vectors, vectors, transpose_a=True) / count
    return mean, outer - mean[:, :, None] * mean[:, None, :]


def apart(found: tuple[tf.Tensor, tf.Tensor], goal: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """`Moments`' distance for each of several pictures, (pictures,)."""
    return covariance_distance(*found, *goal)


def style_apart(found: Maps, goals: Mapping[str, tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
    """The default recipe's style loss for each of several pictures, (pictures,)."""
    weights = STYLE.layer_weights
    parts = [w * apart(moments(found[name]), goals[name]) for name, w in zip(STYLE.layers, weights, strict=True)]
    return tf.add_n(parts) / sum(weights)


def strayed(found: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """`Content`'s distance for each of several pictures, (pictures,)."""
    distance = tf.reduce_sum(tf.math.squared_difference(found, start), axis=[1, 2, 3])
    return distance / (tf.reduce_sum(tf.square(start), axis=[1, 2, 3]) + 1e-8)


def recipe_loss(found: Maps, start: Maps) -> tf.Tensor:
    """The default recipe's loss but for its total variation, (pictures,): content is `start`, style is the next one."""
    goals = {name: tuple(tf.roll(value, -1, axis=0) for value in moments(start[name])) for name in STYLE.layers}
    kept = [weight * strayed(found[name], start[name]) for name, weight in CONTENT.items()]
    return style_apart(found, goals) + tf.add_n(kept)


# --- pictures ----------------------------------------------------------------------------------------


class Crops:
    """Random square pieces of a folder's pictures, at random sizes and in other colours.

    Args:
        paths: of pictures whose short side is at least `side`.
        side: of a piece in pixels.
    """

    def __init__(self, paths: Sequence[Path], side: int) -> None:
        self.side = side
        self._pictures = [np.round(images.load(path)[0] * 255.0).astype(np.uint8) for path in paths]

    def __len__(self) -> int:
        return len(self._pictures)

    def batch(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """float32 (count, side, side, 3) in [0, 1]."""
        return np.stack([self._one(generator) for _ in range(count)])

    def _one(self, generator: np.random.Generator) -> np.ndarray:
        pixels = self._pictures[generator.integers(len(self))]
        short = min(pixels.shape[:2])
        cut = round(min(self.side, short) * (short / self.side) ** generator.random()) if short > self.side else short
        top, left = (generator.integers(extent - cut + 1) for extent in pixels.shape[:2])
        piece = pixels[top : top + cut, left : left + cut].astype(np.float32)[None] / 255.0
        piece = images.resize(piece, (self.side, self.side))[0]
        piece = piece[:, ::-1] if generator.random() < 0.5 else piece
        piece = piece.transpose(1, 0, 2) if generator.random() < 0.15 else piece
        piece = _recolored(piece, generator) if generator.random() < 0.5 else piece
        return np.asarray(np.clip(piece, 0.0, 1.0), np.float32)


def _recolored(piece: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Channels swapped, brighter or darker, paler or more vivid."""
    gray = piece.mean(axis=-1, keepdims=True)
    piece = gray + (piece - gray) * generator.uniform(0.3, 1.6)
    piece = piece[..., generator.permutation(3)] if generator.random() < 0.5 else piece
    middle = piece.mean()
    piece = middle + (piece - middle) * generator.uniform(0.5, 1.5) + generator.uniform(-0.15, 0.15, 3)
    return np.asarray(piece, np.float32)


def disturbed(pieces: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """What a run may start from instead of its content: with noise, coarsened, mixed with another, or noise."""
    kind = generator.integers(6)
    noise = generator.normal(size=pieces.shape).astype(np.float32)
    if kind == 0:
        changed = pieces + generator.uniform(0.02, 0.2) * noise
    elif kind == 1:
        changed = _enlarged(pieces[:, ::2, ::2], pieces.shape[1])
    elif kind == 2:
        changed = pieces + generator.uniform(0.2, 0.6) * (np.roll(pieces, 1, axis=0) - pieces)
    elif kind == 3:
        changed = pieces + 0.2 * _enlarged(noise[:, ::4, ::4], pieces.shape[1]) + 0.03 * noise
    else:
        changed = pieces
    return np.asarray(np.clip(changed, 0.0, 1.0), np.float32)


def _enlarged(pieces: np.ndarray, side: int) -> np.ndarray:
    return np.concatenate([images.resize(piece[None], (side, side)) for piece in pieces])


# --- the teacher -------------------------------------------------------------------------------------


class Teacher:
    """A network seen along its maps' principal directions.

    Distances, inner products and covariances of maps are those of the network's own maps, but for what lies outside
    the directions.

    Args:
        extractor: the network.
        bases: for each layer its directions over their scale, float32 (channels, directions).
    """

    def __init__(self, extractor: Extractor, bases: Mapping[str, np.ndarray]) -> None:
        self.extractor = extractor
        self.bases = {name: tf.constant(basis, tf.float32) for name, basis in bases.items()}
        self.maps = tf.function(self._maps, autograph=False)
        self.study = tf.function(self._study, autograph=False)

    @classmethod
    def of(cls, extractor: Extractor, crops: np.ndarray, widths: Mapping[str, int]) -> Teacher:
        """With the directions in which maps of these crops are largest, as many as `widths` says for each layer."""
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

    def _maps(self, pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        found = self.extractor(pictures, list(self.bases))
        return {name: tf.einsum("bhwc,cd->bhwd", found[name], basis) for name, basis in self.bases.items()}

    def _study(self, canvas: tf.Tensor, start: Maps) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Maps of canvases, and the gradient of the recipe's loss with respect to them."""
        with tf.GradientTape() as tape:
            tape.watch(canvas)
            maps = self._maps(canvas)
            loss = tf.reduce_sum(recipe_loss(maps, start))
        return maps, unit(tape.gradient(loss, canvas))


def unit(gradient: tf.Tensor) -> tf.Tensor:
    """With a mean square of 1 for each picture."""
    return gradient * tf.math.rsqrt(tf.reduce_mean(tf.square(gradient), axis=[1, 2, 3], keepdims=True) + 1e-30)


def moved(canvas: tf.Tensor, gradient: Gradient, moves: int, rate: float) -> tf.Tensor:
    """Where Adam leads in so many moves."""
    mean = square = tf.zeros_like(canvas)
    for count in range(1, moves + 1):
        slope = gradient(canvas)
        mean, square = 0.8 * mean + 0.2 * slope, 0.98 * square + 0.02 * tf.square(slope)
        step = mean / (1.0 - 0.8**count) / (tf.sqrt(square / (1.0 - 0.98**count)) + 1e-6)
        canvas = tf.clip_by_value(canvas - rate * step, 0.0, 1.0)
    return canvas


def lessons(
    teacher: Teacher,
    student: Callable[[tf.Tensor], Gradient],
    crops: Crops,
    generator: np.random.Generator,
    *,
    runs: int,
    pictures: int,
) -> Iterator[Lesson]:
    """Three lessons a run: of what it starts from, of a canvas on the way, and of a later one.

    Args:
        teacher: whose answers they hold.
        student: from a run's start to the gradient of the network that is taught, which paints most of the way.
        crops: where runs start.
        generator: of all that is random.
        runs: how many.
        pictures: canvases of each.
    """
    for _ in range(runs):
        start = crops.batch(generator, pictures)
        begun, gradient = teacher.maps(start), student(tf.constant(start))
        canvas = tf.constant(disturbed(start, generator))
        for part in range(3):
            maps, slope = teacher.study(canvas, begun)
            goals = {name: _half(value) for name, value in maps.items()}
            yield Lesson(_half(start), _half(canvas), goals, _half(slope))
            if part < 2:
                canvas = _carried_on(canvas, slope, gradient, generator)


def _carried_on(canvas: tf.Tensor, slope: tf.Tensor, gradient: Gradient, generator: np.random.Generator) -> tf.Tensor:
    """One long move along the teacher's gradient, or some along the student's."""
    if generator.random() < 0.35:
        return tf.clip_by_value(canvas - generator.uniform(0.02, 0.08) * slope / (tf.abs(slope) + 0.3), 0.0, 1.0)
    return moved(canvas, gradient, int(generator.integers(2, 16)), generator.uniform(0.015, 0.04))


def _half(tensor: tf.Tensor) -> np.ndarray:
    value: np.ndarray = tf.cast(tf.clip_by_value(tensor, -6e4, 6e4), tf.float16).numpy()
    return value
