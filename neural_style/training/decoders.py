"""Train the decoders of one-pass style transfer: `python -m neural_style.training.decoders PHOTOGRAPHS`.

The decoders learn two things at once; see `neural_style.feedforward.network`.

- To reconstruct images from the maps of `features.Lite`. All stages are trained at once, by images decoded from
  different levels. The image has to equal the original, in its pixels and in its maps. Every second one is decoded with
  a smaller canvas, which is the image itself at half the size.
- To paint one image with another: its map, whose vectors are mostly replaced by their nearest in the other image, is
  decoded at half the size, and again at full size with that canvas; the image's own maps are seen beside it. In the
  later rounds, VGG16 compares the result with the positions that were assigned and with the nearest ones, at both
  sizes; with the smaller canvas, which it has to keep; and with the image that it shows. Most smaller canvases are
  optimized for some steps, as those of a sketch are.

Training goes in rounds, and the run is saved after each; the same command continues it. Everything random comes from
the seed and the round's number.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from neural_style.features.lite import Lite
from neural_style.features.precision import fastest_precision
from neural_style.features.vgg import VGG16
from neural_style.feedforward.network import LAYERS, LEVELS, WIDTHS, shapes, stage
from neural_style.optimizers.adam import adam_moments
from neural_style.training import command
from neural_style.training.data import Crops
from neural_style.training.quantize import quantize
from neural_style.training.trainer import Layout, Run, Trainer, load_run

__all__ = ["Reconstruction", "main", "weight"]

Maps = dict[int, tf.Tensor]
Arrays = Mapping[str, tf.Tensor]

MOMENTS = "moments"  # begins the names of the means and deviations of a level in the files
VALIDATION_BATCHES = 8
WEIGHTS = {
    "pixels": 20.0,
    "level3": 2.0,
    "mixed": 1.0,
    "assigned": 2.0,
    "nearest": 3.0,
    "halved": 6.0,
    "kept": 4.0,
    "shape": 0.5,
    "canvas": 20.0,
    "texture": 0.5,
    "smoothness": 0.1,
}
TAUGHT = "block3_conv3"  # VGG16's layer, the deeper of the two whose vectors the recipe `default` compares
DECODED = 0.75  # odds that a stage's input is the decoded map
MIXED = 4  # images of a batch that are painted, each with the one before
SHARE = 0.85  # of the replaced vectors in a mixed map
ANCHORED = 0.3  # share of the content in the canvas that is matched
MAX_ANCHORED = 0.3  # and largest one in the smaller canvas that the decoders see
REFINED = 0.7  # odds that smaller canvases are optimized
REFINED_STEPS, REFINED_RATE, REFINED_CONTENT = 10, 0.03, 0.3  # steps of Adam, its learning rate, weight of the content


def weight(name: str) -> float:
    """Weight of a loss."""
    return WEIGHTS.get(name, 0.3 if name.startswith("decoded") else 1.0)


class _Painted(NamedTuple):
    """Images painted at one size.

    Attributes:
        images: float32 (images, side, side, 3), in about [0, 1].
        nearest: of each position the style's, from `_nearest`.
        mixed: distance of their deepest maps from those they were decoded from.
        texture: of their shallower maps' moments from the style's.
    """

    images: tf.Tensor
    nearest: tf.Tensor
    mixed: tf.Tensor
    texture: tf.Tensor


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
        images = tf.cast(batch["images"], tf.float32) / 255.0
        arrays = {name: tf.cast(value, self.precision) for name, value in self.layout.arrays(parameters).items()}
        losses = self._reconstructed(arrays, images[MIXED:], batch)
        return losses | self._painted(arrays, images[:MIXED], tf.roll(images, 1, axis=0)[:MIXED], batch)

    def _reconstructed(self, arrays: Arrays, goal: tf.Tensor, batch: Any) -> dict[str, tf.Tensor]:
        """Images decoded from their own maps; every second one with a smaller canvas, that image at half the size."""
        maps = {level: tf.stop_gradient(value) for level, value in self.maps(goal).items()}
        skips = self._skips(_halved(goal))
        seen = tf.cast(tf.range(goal.shape[0]) % 2, tf.float32)[:, None, None, None]
        x, losses = maps[LEVELS[-1]], {}
        for level in reversed(LEVELS):
            x = self._stage(arrays, level, x, skips[level] * seen if level > 1 else None)
            if level > 1:
                losses[f"decoded{level - 1}"] = self._distance(level - 1, x, maps[level - 1])
                x = tf.where(batch["decoded"][:, level - 2, None, None, None], x, maps[level - 1])
        found = self.maps(x)
        losses["pixels"] = tf.reduce_mean(tf.math.squared_difference(x, goal))
        return losses | {f"level{level}": self._distance(level, found[level], maps[level]) for level in LEVELS}

    def _painted(self, arrays: Arrays, content: tf.Tensor, style: tf.Tensor, batch: Any) -> dict[str, tf.Tensor]:
        """Images painted as in use, at half the size without a smaller canvas, then at full size with that one."""
        small_content, small_style = _halved(content), _halved(style)
        small = self._paint(arrays, small_content, small_content, small_style, None)
        canvas = tf.stop_gradient(tf.clip_by_value(small.images, 0.0, 1.0))
        canvas = tf.cond(
            batch["refined"], lambda: self._refined(canvas, small_content, small_style), lambda: tf.identity(canvas)
        )
        smaller = canvas + batch["anchored"][:, None, None, None] * (small_content - canvas)
        large = self._paint(arrays, _doubled(canvas), content, style, smaller)
        halved = _halved(large.images)
        goal, small_goal = self._taught(style), self._taught(small_style)
        found, small_found, halved_found = (self._taught(each) for each in (large.images, small.images, halved))
        taught = {
            "assigned": _cosine_distance(found, _chosen(goal, large.nearest))
            + _cosine_distance(small_found, _chosen(small_goal, small.nearest)),
            "nearest": _nearest_distance(found, goal) + _nearest_distance(small_found, small_goal),
            "halved": _nearest_distance(halved_found, small_goal),
            "kept": _cosine_distance(halved_found, self._taught(smaller)),
            "shape": _shape_distance(halved_found, self._taught(small_content)),
        }
        return {name: batch["taught"] * value for name, value in taught.items()} | {
            "mixed": large.mixed + small.mixed,
            "canvas": tf.reduce_mean(tf.math.squared_difference(halved, smaller)),
            "texture": large.texture,
            "smoothness": tf.reduce_mean(tf.image.total_variation(large.images)) / float(np.prod(content.shape[1:3])),
        }

    def _paint(
        self, arrays: Arrays, canvas: tf.Tensor, content: tf.Tensor, style: tf.Tensor, smaller: tf.Tensor | None
    ) -> _Painted:
        """Images whose maps are those of the canvas, mostly replaced by the style's nearest vectors."""
        deepest = LEVELS[-1]
        others = {level: tf.stop_gradient(value) for level, value in self.maps(style).items()}
        seen = self.maps(canvas + ANCHORED * (content - canvas))
        own = {level: tf.stop_gradient(seen[level]) for level in LEVELS[1:]}
        nearest = _nearest(own[deepest], others[deepest])
        mixed = x = SHARE * _chosen(others[deepest], nearest) + (1.0 - SHARE) * own[deepest]
        skips = {} if smaller is None else self._skips(smaller)
        for level in reversed(LEVELS):
            x = self._stage(arrays, level, x, skips.get(level), own.get(level))
        found = self.maps(x)
        return _Painted(x, nearest, self._distance(deepest, found[deepest], mixed), _texture(found, others))

    def _refined(self, canvas: tf.Tensor, content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        """A canvas after some steps of Adam toward the style's nearest vectors, as VGG16 sees them."""
        goal, own = tf.stop_gradient(self._taught(style)), tf.stop_gradient(self._taught(content))

        def step(number: tf.Tensor, x: tf.Tensor, mean: tf.Tensor, square: tf.Tensor) -> tuple[tf.Tensor, ...]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                found = self._taught(x)
                loss = _nearest_distance(found, goal) + REFINED_CONTENT * _cosine_distance(found, own)
            mean, square, correction, root = adam_moments(tape.gradient(loss, x), mean, square, number, 0.8, 0.95)
            x = tf.clip_by_value(x - REFINED_RATE * mean / correction / (root + 1e-8), 0.0, 1.0)
            return number + 1.0, x, mean, square

        zeros = tf.zeros_like(canvas)
        found = tf.while_loop(
            lambda number, *_: number <= float(REFINED_STEPS), step, (tf.constant(1.0), canvas, zeros, zeros)
        )
        return tf.stop_gradient(found[1])

    def _skips(self, smaller: tf.Tensor) -> Maps:
        """What the stages see of a canvas at half the size."""
        found = self.maps(smaller)
        return {level + 1: tf.stop_gradient(found[level]) for level in LEVELS[:-1]}

    def _stage(
        self, arrays: Arrays, level: int, x: tf.Tensor, smaller: tf.Tensor | None, own: tf.Tensor | None = None
    ) -> tf.Tensor:
        shown = [None if each is None else tf.cast(each, self.precision) for each in (x, smaller, own)]
        return tf.cast(stage(arrays, level, *shown), tf.float32)

    def _taught(self, images: tf.Tensor) -> tf.Tensor:
        """VGG16's map of images, with the rows and columns of the deepest level, each vector of length 1."""
        return tf.math.l2_normalize(tf.cast(self._teacher(images, [TAUGHT])[TAUGHT], tf.float32), axis=-1)

    def _distance(self, level: int, found: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
        """Mean squared difference of standardized maps, each channel weighted by its deviation."""
        deviation = self._moments[level][1]
        return tf.reduce_mean(tf.math.squared_difference(found, goal) * (deviation / np.mean(deviation)))


def _halved(images: tf.Tensor) -> tf.Tensor:
    return tf.nn.avg_pool2d(images, 2, 2, "VALID")


def _doubled(images: tf.Tensor) -> tf.Tensor:
    return tf.image.resize(images, [2 * side for side in images.shape[1:3]], "bilinear")


def _cosine_distance(found: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
    """Mean cosine distance of unit vectors, position by position."""
    return 1.0 - tf.reduce_mean(tf.reduce_sum(found * tf.stop_gradient(goal), axis=-1))


def _nearest_distance(found: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
    """Mean cosine distance of unit vectors to their nearest, wherever these are."""
    ours, theirs = (tf.reshape(each, [each.shape[0], -1, each.shape[-1]]) for each in (found, tf.stop_gradient(goal)))
    return 1.0 - tf.reduce_mean(tf.reduce_max(tf.matmul(ours, theirs, transpose_b=True), axis=-1))


def _shape_distance(found: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
    """Mean cosine distance, position by position, from the mean of the goal."""
    middle = tf.stop_gradient(tf.reduce_mean(goal, axis=[1, 2], keepdims=True))
    ours, theirs = (tf.math.l2_normalize(each - middle, axis=-1, epsilon=1e-4) for each in (found, goal))
    return _cosine_distance(ours, theirs)


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
        (mean, variance), (goal_mean, goal_variance) = (tf.nn.moments(maps[level], [1, 2]) for maps in (found, goal))
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
    """Batches of crops, in 8 bits, and what is drawn for each.

    Args:
        crops: of the images.
        generator: source of everything random.
        count: number of batches.
        images: in each; the first `MIXED` are painted, the others reconstructed.
        taught: whether VGG16 compares.

    Returns:
        For each batch `images`; `decoded`, whether the input of a stage is the decoded map; `anchored`, the share of
        the content in smaller canvases; `refined`, whether these are optimized; and `taught`.
    """
    return [
        {
            "images": np.round(crops.batch(generator, images) * 255.0).astype(np.uint8),
            "decoded": _entries(generator, images - MIXED),
            "anchored": generator.uniform(0.0, MAX_ANCHORED, MIXED).astype(np.float32),
            "refined": np.array(generator.random() < REFINED and taught),
            "taught": np.float32(taught),
        }
        for _ in range(count)
    ]


def _entries(generator: np.random.Generator, images: int) -> np.ndarray:
    """Whether each stage but the first decodes what the stage below made, for each image."""
    return generator.random((images, len(LEVELS) - 1)) < DECODED


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
