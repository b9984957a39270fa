"""Train the decoders of one-pass style transfer: `python -m neural_style.training.decoders PHOTOGRAPHS`.

The decoders learn to reconstruct images from the maps of `features.Lite`; see `neural_style.feedforward.network`.
All stages are trained at once, by images decoded from different levels. The image has to equal the original, in its
pixels and in its maps. Some images are decoded from mixed maps, whose patches are partly replaced by the nearest of
another image, as in use; there, the map of the decoded image has to equal the mixed map. In the later rounds,
each position of such an image is also compared by VGG16 with the position of the other image that it shows.

Training goes in rounds, and the run is saved after each; the same command continues it. Everything random comes from
the seed and the round's number.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style.features.lite import Lite
from neural_style.features.precision import fastest_precision
from neural_style.features.vgg import VGG16
from neural_style.feedforward.network import LAYERS, LEVELS, WIDTHS, shapes, stage
from neural_style.training import command
from neural_style.training.data import Crops
from neural_style.training.quantize import quantize
from neural_style.training.trainer import Layout, Run, Trainer, load_run

__all__ = ["Reconstruction", "main", "weight"]

Maps = dict[int, tf.Tensor]

MOMENTS = "moments"  # begins the names of the means and deviations of a level in the files
VALIDATION_BATCHES = 8
WEIGHTS = {"pixels": 20.0, "level3": 2.0, "mixed": 3.0, "taught": 3.0, "texture": 0.5, "smoothness": 0.1}
DECODED = 0.75  # odds that a stage's input is the decoded map
MIXED = 4  # images of a batch that are decoded from mixed maps
SHARE = 0.85  # of the replaced patches in a mixed map


def weight(name: str) -> float:
    """Weight of a loss."""
    return WEIGHTS.get(name, 0.3 if name.startswith("decoded") else 1.0)


class Reconstruction:
    """The decoders' losses.

    Args:
        moments: mean and deviation of each channel of a level's maps, by level.
    """

    def __init__(self, moments: Mapping[int, tuple[np.ndarray, np.ndarray]]) -> None:
        self.layout = Layout(shapes())
        self.precision = fastest_precision()
        self._encoder = Lite(precision=self.precision)
        self._teacher = VGG16(precision=self.precision)
        self._moments = moments

    def maps(self, images: tf.Tensor) -> dict[int, tf.Tensor]:
        """Standardized maps of images, (images, side, side, 3) in [0, 1]."""
        found = self._encoder(images, [LAYERS[level] for level in LEVELS])
        return {
            level: (tf.cast(found[LAYERS[level]], tf.float32) - self._moments[level][0]) / self._moments[level][1]
            for level in LEVELS
        }

    def losses(self, parameters: tf.Tensor, batch: Any) -> dict[str, tf.Tensor]:
        """Distances of the decoded images, and of the maps on the way to them, from the photographs."""
        goal = tf.cast(batch["images"], tf.float32) / 255.0
        arrays = {name: tf.cast(value, self.precision) for name, value in self.layout.arrays(parameters).items()}
        maps = {level: tf.stop_gradient(value) for level, value in self.maps(goal).items()}
        deepest, others = LEVELS[-1], {level: tf.roll(value, 1, axis=0)[:MIXED] for level, value in maps.items()}
        nearest = _nearest(maps[deepest][:MIXED], others[deepest])
        mixed = SHARE * _chosen(others[deepest], nearest) + (1.0 - SHARE) * maps[deepest][:MIXED]
        x = tf.concat([mixed, maps[deepest][MIXED:]], axis=0)
        losses = {}
        for level in reversed(LEVELS):
            x = tf.cast(stage(arrays, level, tf.cast(x, self.precision)), tf.float32)
            if level > 1:
                losses[f"decoded{level - 1}"] = self._distance(level - 1, x[MIXED:], maps[level - 1][MIXED:])
                x = tf.where(batch["decoded"][:, level - 2, None, None, None], x, maps[level - 1])
        found = self.maps(x)
        losses["pixels"] = tf.reduce_mean(tf.math.squared_difference(x[MIXED:], goal[MIXED:]))
        for level in LEVELS:
            losses[f"level{level}"] = self._distance(level, found[level][MIXED:], maps[level][MIXED:])
        losses["mixed"] = self._distance(deepest, found[deepest][:MIXED], mixed)
        shown = _chosen(self._taught(tf.roll(goal, 1, axis=0)[:MIXED]), nearest)
        cosine = tf.reduce_sum(self._taught(x[:MIXED]) * tf.stop_gradient(shown), axis=-1)
        losses["taught"] = batch["taught"] * (1.0 - tf.reduce_mean(cosine))
        losses["texture"] = _texture(found, others)
        losses["smoothness"] = tf.reduce_mean(tf.image.total_variation(x[:MIXED])) / float(np.prod(goal.shape[1:3]))
        return losses

    def _taught(self, images: tf.Tensor) -> tf.Tensor:
        """VGG16's map of images at the deepest level, each vector of length 1."""
        layer = LAYERS[LEVELS[-1]]
        return tf.math.l2_normalize(tf.cast(self._teacher(images, [layer])[layer], tf.float32), axis=-1)

    def _distance(self, level: int, found: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
        """Mean squared difference of standardized maps, each channel weighted by its deviation."""
        deviation = self._moments[level][1]
        return tf.reduce_mean(tf.math.squared_difference(found, goal) * (deviation / np.mean(deviation)))


def _nearest(maps: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """For each position of maps the index of the most similar 3x3 patch of the others, (images, positions)."""
    asked, offered = (tf.image.extract_patches(x, [1, 3, 3, 1], [1] * 4, [1] * 4, "SAME") for x in (maps, others))
    asked, offered = (tf.reshape(x, [x.shape[0], -1, x.shape[-1]]) for x in (asked, offered))
    return tf.argmax(tf.matmul(asked, tf.math.l2_normalize(offered, axis=-1), transpose_b=True), axis=-1)


def _chosen(maps: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """The vectors of maps at these positions, as maps of the same shape."""
    vectors = tf.reshape(maps, [maps.shape[0], -1, maps.shape[-1]])
    return tf.reshape(tf.gather(vectors, index, batch_dims=1), tf.shape(maps))


def _texture(found: Maps, goal: Maps) -> tf.Tensor:
    """Difference of the means and deviations of the shallower maps of mixed images from those of the others."""
    distances = []
    for level in LEVELS[:-1]:
        (mean, variance), (goal_mean, goal_variance) = (
            tf.nn.moments(maps[level], [1, 2]) for maps in ({level: found[level][:MIXED]}, goal)
        )
        deviation, goal_deviation = tf.sqrt(variance + 1e-4), tf.sqrt(goal_variance + 1e-4)
        distances += [
            tf.math.squared_difference(mean, goal_mean),
            tf.math.squared_difference(deviation, goal_deviation),
        ]
    return tf.add_n([tf.reduce_mean(distance) for distance in distances])


def standardization(
    crops: Crops, generator: np.random.Generator, count: int
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Mean and deviation, float32 (channels,), of each level's maps of `count` crops."""
    encoder = Lite()
    images = [tf.constant(crops.batch(generator, 4)) for _ in range(max(1, count // 4))]
    vectors: dict[int, list[np.ndarray]] = {level: [] for level in LEVELS}
    for batch in images:
        found = encoder(batch, list(LAYERS.values()))
        for level in LEVELS:
            vectors[level].append(tf.reshape(found[LAYERS[level]], [-1, WIDTHS[level]]).numpy())
    stacked = {level: np.concatenate(parts).astype(np.float64) for level, parts in vectors.items()}
    return {
        level: (value.mean(axis=0).astype(np.float32), value.std(axis=0).astype(np.float32))
        for level, value in stacked.items()
    }


def start(layout: Layout, generator: np.random.Generator) -> np.ndarray:
    """Random parameters (He et al., 2015), with zero biases."""
    arrays = {}
    for name, shape in layout.shapes.items():
        fan_in = math.prod(shape[:-1])
        spread = math.sqrt(2.0 / fan_in) if name.endswith("kernel") else 0.0
        arrays[name] = generator.normal(0.0, spread, shape)
    return layout.vector(arrays)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, or continue training, and write the weights and the record."""
    command.main(_parser(), arguments, _run)


def _run(options: argparse.Namespace, crops: Crops, unseen: Crops) -> None:
    layout = Layout(shapes())
    run = load_run(options.checkpoint)
    if run is None:
        generator = np.random.default_rng([options.seed])
        moments = standardization(crops, generator, 256)
        constants = {f"{MOMENTS}{level}": np.stack(moments[level]) for level in LEVELS}
        run = Run(Trainer.start(start(layout, generator)), constants)
    moments = {level: tuple(run.constants[f"{MOMENTS}{level}"]) for level in LEVELS}
    reconstruction = Reconstruction(moments)
    trainer = Trainer(reconstruction.losses, weight, rates(layout))
    validation = make_batches(unseen, command.validation_generator(options), VALIDATION_BATCHES, options.batch)
    run = command.carry_out(
        options,
        run,
        trainer,
        lambda run, generator: make_batches(
            crops, generator, options.steps, options.batch, taught=run.round >= options.taught_after
        ),
        validation,
        digits=5,
    )
    command.publish(options, run, _stored(layout, run), images=len(crops), precision=reconstruction.precision)


def make_batches(
    crops: Crops, generator: np.random.Generator, count: int, images: int, *, taught: bool = True
) -> list[dict[str, Any]]:
    """Batches of crops, in 8 bits, each with whether the input of a stage is the decoded map, and VGG16 compares."""
    return [
        {
            "images": np.round(crops.batch(generator, images) * 255.0).astype(np.uint8),
            "decoded": _entries(generator, images),
            "taught": np.float32(taught),
        }
        for _ in range(count)
    ]


def _entries(generator: np.random.Generator, images: int) -> np.ndarray:
    """Whether each stage but the first decodes what the stage below made, for each image; mixed maps go all the way."""
    decoded = generator.random((images, len(LEVELS) - 1)) < DECODED
    decoded[:MIXED] = True
    return decoded


def rates(layout: Layout) -> np.ndarray:
    """Factor of the learning rate for each parameter, float32: kernels with many inputs move slower."""
    return layout.repeat([min(1.0, 144.0 / math.prod(shape[:-1])) for shape in layout.shapes.values()])


def _stored(layout: Layout, run: Run) -> dict[str, np.ndarray]:
    """The arrays of the weights file: kernels in 8 bits, with a scale for each output channel."""
    stored: dict[str, np.ndarray] = {}
    for name, value in layout.arrays(run.state["kept"]).items():
        if name.endswith("kernel"):
            kernel, scale = quantize(value.numpy())
            stored |= {name: kernel, f"{name.removesuffix('kernel')}scale": scale}
        else:
            stored[name] = value.numpy()
    return stored | {name: run.constants[name] for name in (f"{MOMENTS}{level}" for level in LEVELS)}


def _parser() -> argparse.ArgumentParser:
    parser = command.option_parser(
        "decoders",
        "decoders",
        "Train the decoders of one-pass style transfer.",
        rounds=40,
        batch=8,
        side=128,
        rate=2e-3,
        held_out=48,
    )
    parser.add_argument("--steps", type=int, default=250, help="steps of a round (%(default)s)")
    parser.add_argument(
        "--taught-after", type=int, default=19, help="rounds before VGG16 compares as well (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    main()
