"""Distill VGG16 into a small network: `python -m neural_style.training.distill IMAGES`.

The student has VGG16's architecture with few channels. It starts from the teacher: each layer's channels are those of
the teacher that best predict the others, and its kernels are fitted by least squares to compute them from the student's
layer before. Then it is trained to reproduce the teacher's maps, their means and covariances, and the gradient of the
recipe `moments`'s loss with respect to the image (see `neural_style.training.teacher`). The result is a running mean of
the weights.

Training goes in rounds. The batches of a round are made with the student's current weights, and used for a few epochs.
The run is saved after each round, and the same command continues it. Everything random comes from the seed and the
round's number.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from neural_style.features.vgg import VGG16
from neural_style.losses.style import average_over_layers, covariance_distance
from neural_style.training import command
from neural_style.training.data import Crops, perturb
from neural_style.training.student import WIDTHS, Student, exported, fit_to_teacher
from neural_style.training.teacher import (
    CONTENT,
    STYLE,
    Batch,
    Gradient,
    Teacher,
    make_batches,
    moments,
)
from neural_style.training.trainer import Run, Trainer, load_run, save_run

__all__ = ["Distillation", "main", "weight"]

IMPORTANT = {*STYLE.layers, *CONTENT}
BASES = "bases/"  # begins the names of the teacher's directions in a saved run
VALIDATION_RUNS = 4


def weight(name: str) -> float:
    """Weight of a loss: by layer, of the moments, or of the gradient."""
    others = {"moments": 1.0, "gradient": 1.0}
    return others.get(name, 0.5 if name in IMPORTANT else 0.15)


class Distillation:
    """The student's losses and batches.

    Args:
        student: the network to train.
        teacher: the network to reproduce.
        runs: optimization runs in a round.
        images: canvases of a batch.
    """

    def __init__(self, student: Student, teacher: Teacher, *, runs: int, images: int) -> None:
        self.student, self.teacher = student, teacher
        self.runs, self.images = runs, images
        self._maps = tf.function(student.maps, autograph=False)
        self._gradient = tf.function(lambda *arguments: student.maps_and_gradient(*arguments)[1], autograph=False)

    def losses(self, parameters: tf.Tensor, batch: Batch) -> dict[str, tf.Tensor]:
        """Distance of the student from the teacher: by layer, of the moments, and of the gradient (1 - cosine)."""
        start, canvas, goal = (tf.cast(x, tf.float32) for x in (batch.start, batch.canvas, batch.gradient))
        start_maps = {name: tf.stop_gradient(value) for name, value in self.student.maps(parameters, start).items()}
        maps, gradient = self.student.maps_and_gradient(parameters, canvas, start_maps)
        goals = {name: tf.cast(value, tf.float32) for name, value in batch.maps.items()}
        losses = {name: _relative_distance(maps[name], goals[name]) for name in maps}
        distances = [covariance_distance(*moments(maps[name]), *moments(goals[name])) for name in STYLE.layers]
        capped = [tf.minimum(distance, 4.0) for distance in distances]
        losses["moments"] = tf.reduce_mean(average_over_layers(STYLE, capped))
        losses["gradient"] = tf.reduce_mean(1.0 - tf.reduce_mean(gradient * goal, axis=[1, 2, 3]))
        return losses

    def batches(
        self, parameters: tf.Tensor, crops: Crops, generator: np.random.Generator, runs: int | None = None
    ) -> list[Batch]:
        """Batches on canvases that a student with these parameters has painted."""

        def student(start: tf.Tensor) -> Gradient:
            start_maps = self._maps(parameters, start)
            return lambda canvas: self._gradient(parameters, canvas, start_maps)

        runs = self.runs if runs is None else runs
        return list(make_batches(self.teacher, student, crops, generator, runs=runs, images=self.images))


def _relative_distance(found: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
    """Mean over images of the squared distance, relative to the goal's mean square or 0.2, whichever is larger."""
    distance = tf.reduce_mean(tf.math.squared_difference(found, goal), axis=[1, 2, 3])
    return tf.reduce_mean(distance / tf.maximum(tf.reduce_mean(tf.square(goal), axis=[1, 2, 3]), 0.2))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, or continue training, and write the weights and the record."""
    command.main(_parser(), arguments, _run)


def _run(options: argparse.Namespace, crops: Crops, unseen: Crops) -> None:
    student = Student(WIDTHS)
    run, teacher = _start(options, student, crops)
    distillation = Distillation(student, teacher, runs=options.runs, images=options.batch)
    trainer = Trainer(distillation.losses, weight, student.rates())
    generator = command.validation_generator(options)
    validation = distillation.batches(run.state["first"], unseen, generator, VALIDATION_RUNS)
    run = command.carry_out(
        options,
        run,
        trainer,
        lambda run, generator: distillation.batches(run.state["kept"], crops, generator),
        validation,
        epochs=options.epochs,
        digits=4,
    )
    arrays = {name: value.astype(np.float16) for name, value in exported(student, teacher, run.state["kept"]).items()}
    command.publish(options, run, arrays, images=len(crops), precision=student.precision)


def _start(options: argparse.Namespace, student: Student, crops: Crops) -> tuple[Run, Teacher]:
    """The saved run and its teacher, or a new run whose parameters are fitted to the teacher."""
    network = VGG16().with_precision(student.precision)
    run = load_run(options.checkpoint)
    if run is not None:
        bases = {name.removeprefix(BASES): value for name, value in run.constants.items()}
        return run, Teacher(network, bases)
    generator = np.random.default_rng([options.seed])
    first = np.concatenate([perturb(crops.batch(generator, 2), generator) for _ in range(options.first // 2)])
    teacher = Teacher.of(network, first, WIDTHS)
    parameters = fit_to_teacher(student, teacher, first, generator)
    bases = {f"{BASES}{name}": value.numpy() for name, value in teacher.bases.items()}
    run = Run(Trainer.start(parameters), bases)
    save_run(options.checkpoint, run)
    return run, teacher


def _parser() -> argparse.ArgumentParser:
    parser = command.option_parser(
        "lite",
        "distill",
        "Distill VGG16 into a small network.",
        rounds=7,
        batch=4,
        side=128,
        rate=7e-4,
        held_out=24,
    )
    parser.add_argument(
        "--runs", type=int, default=24, help="optimization runs in a round; 3 batches each (%(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=6, help="passes over a round's batches (%(default)s)")
    parser.add_argument("--first", type=int, default=128, help="crops of the first fit (%(default)s)")
    return parser


if __name__ == "__main__":
    main()
