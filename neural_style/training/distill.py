"""Teach a small network to see what VGG16 sees: `python -m neural_style.training.distill PICTURES`.

The student has VGG16's shape with few channels. It starts from the teacher: each layer's channels are those of the
teacher from which the others can best be told, and its kernels are fitted by least squares to give these channels from
what the student's layer before gives. Then it learns from lessons (see `lessons`): to give the teacher's maps, their
means and covariances, and the gradient of the default recipe's loss with respect to the picture. The weights kept are
a running mean.

Training goes in rounds: lessons are made with the student as it is, and gone through a few times. A round is saved
when it is done; the same command goes on from there. Everything random comes from the seed and the round's number.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from neural_style import _atomic as files
from neural_style.features.precision import fastest_precision
from neural_style.features.vgg import MEAN_BGR, VGG16
from neural_style.training.data import (
    CONTENT,
    STYLE,
    Crops,
    Gradient,
    Lesson,
    Maps,
    Teacher,
    apart,
    disturbed,
    lessons,
    moments,
    recipe_loss,
    unit,
)
from neural_style.training.quantize import PRETRAINED

__all__ = ["WIDTHS", "Student", "main"]

WIDTHS: Mapping[str, int] = {
    f"block{block}_conv{i}": width
    for block, count, width in ((1, 2, 16), (2, 2, 48), (3, 3, 96), (4, 3, 128), (5, 1, 128))
    for i in range(1, count + 1)
}
LAYERS = tuple(WIDTHS)
SCALE = 64.0  # of pixels in [0, 255], so that everything inside is of the order of 1
IMPORTANT = {*STYLE.layers, *CONTENT}


class Student:
    """VGG16's shape with few channels, all parameters in one vector."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        inputs = 3
        for name, width in widths.items():
            self.shapes |= {f"{name}/kernel": (3, 3, inputs, width), f"{name}/bias": (width,)}
            self.shapes |= {f"{name}/readout": (width, width), f"{name}/offset": (width,)}
            inputs = width
        self.widths = widths
        self.precision = fastest_precision()

    def arrays(self, parameters: Any) -> dict[str, Any]:
        """The vector's parts by name."""
        parts = tf.split(parameters, [math.prod(shape) for shape in self.shapes.values()])
        return {k: tf.reshape(part, shape) for (k, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def rates(self) -> np.ndarray:
        """Each parameter's share of the learning rate: a move of Adam's shifts a sum by as much as it has terms."""
        shares = [min(1.0, 144.0 / math.prod(shape[:-1])) for shape in self.shapes.values()]
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        return np.repeat(np.array(shares, np.float32), sizes)

    def vector(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([np.ravel(arrays[name]) for name in self.shapes]).astype(np.float32)

    def maps(self, parameters: tf.Tensor, pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        """Of pictures in [0, 1], (pictures, side, side, 3)."""
        arrays = {name: tf.cast(value, self.precision) for name, value in self.arrays(parameters).items()}
        x = tf.cast((pictures[..., ::-1] * 255.0 - MEAN_BGR) / SCALE, self.precision)
        found = {}
        for name in self.widths:
            if name.endswith("conv1") and name != "block1_conv1":
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, arrays[f"{name}/kernel"], 1, "SAME"), arrays[f"{name}/bias"]))
            seen = tf.nn.conv2d(x, arrays[f"{name}/readout"][None, None], 1, "SAME") + arrays[f"{name}/offset"]
            found[name] = tf.cast(seen, tf.float32)
        return found

    def study(self, parameters: tf.Tensor, canvas: tf.Tensor, begun: Maps) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Maps of canvases, and the gradient of the recipe's loss there, given the maps of what they began with."""
        with tf.GradientTape() as tape:
            tape.watch(canvas)
            maps = self.maps(parameters, canvas)
            loss = tf.reduce_sum(recipe_loss(maps, begun))
        return maps, unit(tape.gradient(loss, canvas))


# --- where it starts ---------------------------------------------------------------------------------


def from_teacher(student: Student, teacher: Teacher, crops: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Parameters fitted to the teacher, layer by layer, on crops (pictures, side, side, 3)."""
    network: Any = teacher.extractor
    before = inside = list(tf.split((crops[..., ::-1] * 255.0 - np.array(MEAN_BGR, np.float32)), len(crops)))
    inside = [value / SCALE for value in inside]
    arrays: dict[str, np.ndarray] = {}
    for name, width in tqdm(student.widths.items(), desc="fitting"):
        if name.endswith("conv1") and name != "block1_conv1":
            before, inside = ([tf.nn.max_pool2d(x, 2, 2, "VALID") for x in maps] for maps in (before, inside))
        taught = network.arrays[name]
        wanted = [tf.nn.conv2d(x, taught.kernel32, 1, "SAME") + taught.bias for x in before]
        before = [tf.nn.relu(x) for x in wanted]
        chosen = _telling(np.mean([_second(x) for x in before], axis=0), width)
        scale = float(np.sqrt(np.mean([tf.reduce_mean(tf.gather(x, chosen, axis=-1) ** 2) for x in before])))
        patches = (tf.image.extract_patches(x, [1, 3, 3, 1], [1] * 4, [1] * 4, "SAME") for x in inside)
        goals = (tf.gather(x, chosen, axis=-1) / scale for x in wanted)
        weights = _least_squares(patches, goals, generator)
        arrays[f"{name}/kernel"] = weights[:-1].reshape(student.shapes[f"{name}/kernel"])
        arrays[f"{name}/bias"] = weights[-1]
        inside = [tf.nn.relu(tf.nn.conv2d(x, arrays[f"{name}/kernel"], 1, "SAME") + weights[-1]) for x in inside]
        seen = (tf.einsum("bhwc,cd->bhwd", x, teacher.bases[name]) for x in before)
        weights = _least_squares(inside, seen, generator)
        arrays[f"{name}/readout"], arrays[f"{name}/offset"] = weights[:-1], weights[-1]
    return student.vector(arrays)


def _second(maps: tf.Tensor) -> np.ndarray:
    vectors = tf.reshape(maps, [-1, maps.shape[-1]])
    result: np.ndarray = (tf.matmul(vectors, vectors, transpose_a=True) / vectors.shape[0]).numpy()
    return result


def _telling(second: np.ndarray, count: int) -> list[int]:
    """Channels from which all others are told best, one after the other: a pivoted Cholesky of the second moments."""
    left = second.astype(np.float64)
    chosen: list[int] = []
    for _ in range(count):
        told = np.square(left).sum(axis=0) / (np.diag(left) + 1e-9 * np.trace(second))
        told[chosen] = -1.0
        chosen.append(int(np.argmax(told)))
        column = left[:, chosen[-1]].copy()
        left -= np.outer(column, column) / (column[chosen[-1]] + 1e-12)
    return chosen


def _least_squares(
    inputs: Iterable[tf.Tensor], goals: Iterable[tf.Tensor], generator: np.random.Generator
) -> np.ndarray:
    """Weights (inputs + 1, outputs), the last row a constant, of a linear fit at up to 1000 positions a picture."""
    xs, ys = [], []
    for x, y in zip(inputs, goals, strict=True):
        flat = tf.reshape(x, [-1, x.shape[-1]]).numpy()
        rows = generator.permutation(len(flat))[:1000]
        xs.append(np.pad(flat[rows], ((0, 0), (0, 1)), constant_values=1.0))
        ys.append(tf.reshape(y, [-1, y.shape[-1]]).numpy()[rows])
    x64, y64 = np.concatenate(xs).astype(np.float64), np.concatenate(ys).astype(np.float64)
    square = x64.T @ x64
    square[np.diag_indices_from(square)] += 1e-4 * np.trace(square) / len(square)
    weights: np.ndarray = np.linalg.solve(square, x64.T @ y64).astype(np.float32)
    return weights


# --- learning ----------------------------------------------------------------------------------------


class Trainer:
    """The compiled step. The state is a dict of vectors: parameters, Adam's means, the running mean."""

    def __init__(self, student: Student) -> None:
        self.student = student
        self.rates = tf.constant(student.rates())
        self.step = tf.function(self._step, autograph=False)
        self.measure = tf.function(self._measure, autograph=False)
        self.maps = tf.function(student.maps, autograph=False)
        self.gradient = tf.function(lambda *arguments: student.study(*arguments)[1], autograph=False)

    @staticmethod
    def start(parameters: np.ndarray) -> dict[str, tf.Tensor]:
        zeros = tf.zeros([len(parameters)])
        first = tf.constant(parameters)
        return {"first": first, "now": first, "kept": first, "mean": zeros, "square": zeros}

    def _measure(self, parameters: tf.Tensor, lesson: Lesson) -> dict[str, tf.Tensor]:
        """How far the student is from the teacher: by layer, in the moments, and in the gradient (1 - cosine)."""
        start, canvas, gradient = (tf.cast(x, tf.float32) for x in (lesson.start, lesson.canvas, lesson.gradient))
        begun = {name: tf.stop_gradient(value) for name, value in self.student.maps(parameters, start).items()}
        maps, slope = self.student.study(parameters, canvas, begun)
        goals = {name: tf.cast(value, tf.float32) for name, value in lesson.maps.items()}
        found = {name: _relative(maps[name], goals[name]) for name in maps}
        distances = {name: apart(moments(maps[name]), moments(goals[name])) for name in STYLE.layers}
        weights = zip(STYLE.layers, STYLE.layer_weights, strict=True)
        total = tf.add_n([w * tf.minimum(distances[name], 4.0) for name, w in weights]) / sum(STYLE.layer_weights)
        found["moments"] = tf.reduce_mean(total)
        found["gradient"] = tf.reduce_mean(1.0 - tf.reduce_mean(slope * gradient, axis=[1, 2, 3]))
        return found

    def _step(self, state: dict[str, tf.Tensor], lesson: Lesson, rate: tf.Tensor, count: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(state["now"])
            found = self._measure(state["now"], lesson)
            total = tf.add_n([weight(name) * value for name, value in found.items()])
        slope = tf.clip_by_norm(tape.gradient(total, state["now"]), 1.0)
        mean, square = 0.9 * state["mean"] + 0.1 * slope, 0.99 * state["square"] + 0.01 * tf.square(slope)
        move = mean / (1.0 - 0.9**count) / (tf.sqrt(square / (1.0 - 0.99**count)) + 1e-8)
        now = state["now"] - rate * self.rates * move
        memory = tf.minimum(0.999, (1.0 + count) / (10.0 + count))
        kept = memory * state["kept"] + (1.0 - memory) * now
        return state | {"now": now, "kept": kept, "mean": mean, "square": square}, found | {"total": total}


def weight(part: str) -> float:
    """What a part of the loss counts."""
    others = {"moments": 1.0, "gradient": 1.0}
    return others.get(part, 0.5 if part in IMPORTANT else 0.15)


def _relative(found: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
    """Squared distance over the goal's energy, but at least a fifth of what is usual, mean over pictures."""
    distance = tf.reduce_mean(tf.math.squared_difference(found, goal), axis=[1, 2, 3])
    return tf.reduce_mean(distance / tf.maximum(tf.reduce_mean(tf.square(goal), axis=[1, 2, 3]), 0.2))


def rate_at(progress: float, peak: float) -> float:
    """Up over the first hundredth, then down along half a cosine to a fiftieth."""
    return peak * min(1.0, progress / 0.01 + 0.05) * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * progress)))


# --- the command -------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Teach, or go on teaching, and write weights and record."""
    options = _parser().parse_args(arguments)
    paths = sorted(path for path in options.pictures.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(paths) <= options.held_out:
        raise SystemExit(f"{options.pictures} has {len(paths)} pictures; there must be more than {options.held_out}")
    every = max(1, len(paths) // max(1, options.held_out))
    held_out = paths[::every][: options.held_out]
    crops = Crops([path for path in paths if path not in set(held_out)], options.side)
    print(f"{len(crops)} pictures to learn from, {len(held_out)} to be examined on", flush=True)
    run(options, crops, Crops(held_out, options.side))


def run(options: argparse.Namespace, crops: Crops, unseen: Crops) -> None:
    student = Student(WIDTHS)
    trainer = Trainer(student)
    network = VGG16().with_precision(student.precision)
    kept = _load(options.checkpoint)
    if kept is None:
        generator = np.random.default_rng([options.seed])
        first = np.concatenate([disturbed(crops.batch(generator, 2), generator) for _ in range(options.first // 2)])
        teacher = Teacher.of(network, first, WIDTHS)
        state = trainer.start(from_teacher(student, teacher, first, generator))
        position: dict[str, Any] = {"round": 0, "steps": 0, "seconds": 0.0, "history": []}
        _save(options.checkpoint, position, teacher, state)
    else:
        position, bases, state = kept
        teacher = Teacher(network, bases)
    sizes = {"runs": options.runs, "pictures": options.batch}
    exam = _made(
        teacher, trainer, state["first"], unseen, np.random.default_rng([options.seed, 2**31]), sizes | {"runs": 4}
    )
    if not position["history"]:
        position["history"].append(_examined(trainer, state, exam, position))
    while position["round"] < options.rounds:
        began = time.perf_counter()
        state = _round(options, teacher, trainer, state, crops, position, sizes)
        position["seconds"] += time.perf_counter() - began
        position["history"].append(_examined(trainer, state, exam, position))
        _save(options.checkpoint, position, teacher, state)
    _publish(options, student, teacher, state, position, len(crops))


def _made(
    teacher: Teacher,
    trainer: Trainer,
    parameters: tf.Tensor,
    crops: Crops,
    generator: np.random.Generator,
    sizes: Mapping[str, int],
) -> list[Lesson]:
    """Lessons whose canvases a student with these parameters has painted."""

    def student(start: tf.Tensor) -> Gradient:
        begun = trainer.maps(parameters, start)
        return lambda canvas: trainer.gradient(parameters, canvas, begun)

    return list(lessons(teacher, student, crops, generator, **sizes))


def _round(
    options: argparse.Namespace,
    teacher: Teacher,
    trainer: Trainer,
    state: dict[str, tf.Tensor],
    crops: Crops,
    position: dict[str, Any],
    sizes: dict[str, int],
) -> dict[str, tf.Tensor]:
    generator = np.random.default_rng([options.seed, position["round"] + 1])
    known = _made(teacher, trainer, state["kept"], crops, generator, sizes)
    order = [i for _ in range(options.epochs) for i in generator.permutation(len(known))]
    for i, index in enumerate(tqdm(order, desc=f"round {position['round'] + 1} of {options.rounds}", mininterval=5.0)):
        progress = (position["round"] + i / len(order)) / options.rounds
        position["steps"] += 1
        rate, count = rate_at(progress, options.rate), float(position["steps"])
        state, found = trainer.step(state, known[index], tf.constant(rate), tf.constant(count))
        if not math.isfinite(float(found["total"])):
            raise SystemExit(f"the loss is {float(found['total'])} at step {position['steps']}; lower --rate")
    position["round"] += 1
    position.setdefault("planned", []).append(options.rounds)
    return state


def _examined(trainer: Trainer, state: dict[str, tf.Tensor], exam: Sequence[Lesson], position: Any) -> dict[str, Any]:
    """The kept weights' distances from the teacher on pictures that are not learnt from."""
    found = [trainer.measure(state["kept"], lesson) for lesson in exam]
    means = {name: round(float(np.mean([float(each[name]) for each in found])), 4) for name in found[0]}
    total = round(sum(weight(name) * value for name, value in means.items()), 4)
    short = " ".join(f"{name.replace('block', '').replace('_conv', '.')} {value:.3f}" for name, value in means.items())
    print(f"step {position['steps']} after {position['seconds'] / 60:.1f} min: {total:.4f} = {short}", flush=True)
    return {"step": position["steps"], "seconds": round(position["seconds"]), "total": total, **means}


def _save(path: Path, position: dict[str, Any], teacher: Teacher, state: dict[str, tf.Tensor]) -> None:
    arrays = {f"state/{name}": value.numpy() for name, value in state.items()}
    arrays |= {f"bases/{name}": value.numpy() for name, value in teacher.bases.items()}
    text = np.frombuffer(json.dumps(position).encode(), np.uint8)
    files.write_whole(path, lambda stream: np.savez(stream, position=text, **arrays))


def _load(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, tf.Tensor]] | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        position = json.loads(stored["position"].tobytes())
        parts = {name: stored[name] for name in stored.files if name != "position"}
    bases = {name.removeprefix("bases/"): value for name, value in parts.items() if name.startswith("bases/")}
    state = {name.removeprefix("state/"): tf.constant(v) for name, v in parts.items() if name.startswith("state/")}
    return position, bases, state


def exported(student: Student, teacher: Teacher, parameters: tf.Tensor) -> dict[str, np.ndarray]:
    """Weights as `features.Lite` reads them: of pixels in [0, 255], maps in the teacher's own units."""
    arrays = {name: value.numpy() for name, value in student.arrays(parameters).items()}
    for name in student.widths:
        scale = 1.0 / float(np.linalg.norm(teacher.bases[name].numpy()[:, 0]))
        arrays[f"{name}/bias"] = arrays[f"{name}/bias"] * SCALE
        arrays[f"{name}/readout"] = arrays[f"{name}/readout"] * (scale / SCALE)
        arrays[f"{name}/offset"] = arrays[f"{name}/offset"] * scale
    return arrays


def _publish(
    options: argparse.Namespace, student: Student, teacher: Teacher, state: Any, position: Any, pictures: int
) -> None:
    arrays: dict[str, Any] = {k: v.astype(np.float16) for k, v in exported(student, teacher, state["kept"]).items()}
    files.write_whole(options.weights, lambda stream: np.savez(stream, **arrays))
    digest = hashlib.sha256(options.weights.read_bytes()).hexdigest()
    history = position["history"]
    record = {
        "sha256": digest,
        "steps": position["steps"],
        "hours": round(position["seconds"] / 3600, 2),
        "pictures": pictures,
        "rounds_planned": position.get("planned", []),  # at each round; the rate falls towards that end
        "settings": {
            k: getattr(options, k) for k in ("seed", "rounds", "runs", "epochs", "batch", "side", "rate", "first")
        },
        "precision": student.precision,
        "first": history[0],
        "last": history[-1],
        "totals": [each["total"] for each in history],
    }
    options.weights.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"{options.weights}: {options.weights.stat().st_size / 1e6:.2f} MB, SHA-256 {digest}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m neural_style.training.distill", description="Teach a small VGG16.")
    parser.add_argument("pictures", type=Path, help="a folder of pictures, short side at least --side")
    parser.add_argument("--weights", type=Path, default=PRETRAINED / "lite.npz")
    parser.add_argument("--checkpoint", type=Path, default=Path("distill.npz"), help="gone on from where it exists")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=24, help="of three lessons each, in a round (%(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="how often a round's lessons are gone through")
    parser.add_argument("--batch", type=int, default=4, help="pictures of a lesson (%(default)s)")
    parser.add_argument("--side", type=int, default=128, help="of a picture (%(default)s)")
    parser.add_argument("--rate", type=float, default=7e-4, help="Adam's, at its highest (%(default)s)")
    parser.add_argument("--first", type=int, default=128, help="crops the first fit is made on (%(default)s)")
    parser.add_argument("--held-out", type=int, default=24, help="pictures not to learn from (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    main()
