"""Optimizers compared at equal work: the final loss and the quality of the picture.

All methods use the default recipe's losses, sizes, steps and detail; only the optimizer differs. The last step reports
the loss of the canvas before it, so the loss of the finished picture is taken from the first step of a new run that
starts from it. Work is the number of evaluations of loss and gradient, in units of an evaluation at the final size.

    python benchmarks/optimizers.py --json optimizers.json
    python benchmarks/optimizers.py --pairs photo.jpg:painting.jpg --methods default adam lbfgs --size 512

`default` is the optimizer of the default recipe: L-BFGS, with a memory of two pairs at the final size. `lbfgs` and
`adam` use this library's optimizers at all sizes. `mixed` uses L-BFGS and, at the final size, Adam with a learning rate
of 0.02. `momentum` is Adam with the tutorial's rate and beta_1, 0.02 and 0.99, but not its epsilon, which is in units
of another loss's gradient. `pyramid` is Adam on the levels of a Laplacian pyramid. `averaged` ends each scale with the
running mean of Adam's canvases. `warm` carries Adam's state from scale to scale.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import common
import tensorflow as tf

from neural_style import StyleTransfer, images, metrics
from neural_style.optimizers import LBFGS, Adam, Evaluation, Optimizer, Progress, State
from neural_style.recipes import MOMENTS
from neural_style.scales import SingleScale

PAIRS = ("astronaut:nocturne", "astronaut:harvest")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    results = [_paint(pair, method, options) for pair in options.pairs for method in options.methods]
    common.print_table(
        ("pair", "method", "work", "processor s", "loss", "content", "style"),
        (
            (
                each["pair"],
                each["method"],
                f"{each['work']:.1f}",
                f"{each['processor_seconds']:.0f}",
                *(f"{each[name]:.4f}" for name in ("loss", "content", "style")),
            )
            for each in results
        ),
    )
    common.write_json(options, results)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="CONTENT:STYLE", help="(%(default)s)")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS, help="(all)")
    parser.add_argument("--size", type=int, default=256, help="long side of the results (%(default)s)")
    parser.add_argument("--save", type=Path, metavar="DIR", help="save the pictures to DIR")
    return parser.parse_args(arguments)


def _paint(pair: str, method: str, options: argparse.Namespace) -> dict[str, Any]:
    content, style = map(common.sample, pair.split(":"))
    optimizer, finish = (Counting(each) for each in METHODS[method]())
    loss = MOMENTS.loss()
    transfer = StyleTransfer(
        loss, "vgg16", optimizer=optimizer, final_optimizer=finish, detail_strength=MOMENTS.detail_strength_at()
    )
    began = time.process_time()
    result = transfer.run(content, style, size=options.size)
    seconds = time.process_time() - began
    if options.save is not None:
        options.save.mkdir(parents=True, exist_ok=True)
        result.save(options.save / f"{content.stem}-{style.stem}-{method}.png")
    judge = StyleTransfer(loss, "vgg16", optimizer=Adam(), scales=SingleScale())
    last = judge.run(content, style, size=options.size, steps=1, init=result.pixels).history[0]
    full = result.pixels.shape[0] * result.pixels.shape[1]
    return {
        "pair": f"{content.stem}:{style.stem}",
        "method": method,
        "work": (sum(optimizer.pixels) + sum(finish.pixels)) / full,
        "processor_seconds": seconds,
        "loss": last.loss,
        "terms": dict(last.terms),
        "content": metrics.content_distance(result.pixels, images.load(content)),
        "style": metrics.style_distance(result.pixels, images.load(style)),
    }


class Counting:
    """An optimizer that records the pixels of every evaluation it requests."""

    def __init__(self, optimizer: Optimizer, pixels: list[int] | None = None) -> None:
        self.optimizer = optimizer
        self.pixels: list[int] = [] if pixels is None else pixels

    def with_rate(self, factor: float) -> Counting:
        return Counting(self.optimizer.with_rate(factor), self.pixels)

    def state_bytes(self, pixels: int) -> int:
        return self.optimizer.state_bytes(pixels)

    def start(self, canvas: tf.Tensor) -> State:
        return self.optimizer.start(canvas)

    def step(
        self, evaluate: Callable[[tf.Tensor], Evaluation], canvas: tf.Tensor, state: State, progress: Progress
    ) -> tuple[tf.Tensor, State, Evaluation]:
        def counted(canvas: tf.Tensor) -> Evaluation:
            self.pixels.append(canvas.shape[1] * canvas.shape[2])
            return evaluate(canvas)

        return self.optimizer.step(counted, canvas, state, progress)


class Pyramid:
    """Adam on the levels of a Laplacian pyramid: each level's gradient is normalized by its own history.

    Args:
        adam: learning rate and betas of every level.
        levels: number of levels, each half the size of the previous one.
    """

    def __init__(self, adam: Adam, levels: int = 4) -> None:
        self.adam, self.levels = adam, levels

    def with_rate(self, factor: float) -> Pyramid:
        return Pyramid(self.adam.with_rate(factor), self.levels)

    def state_bytes(self, pixels: int) -> int:
        return self.adam.state_bytes(sum(pixels // 4**number for number in range(self.levels)))

    def start(self, canvas: tf.Tensor) -> State:
        state = {"count": tf.zeros([])}
        level = tf.zeros_like(canvas)
        for number in range(self.levels):
            state |= {f"mean {number}": level, f"square {number}": level}
            level = tf.nn.avg_pool2d(level, 2, 2, "SAME")
        return state

    def step(
        self, evaluate: Callable[[tf.Tensor], Evaluation], canvas: tf.Tensor, state: State, progress: Progress
    ) -> tuple[tf.Tensor, State, Evaluation]:
        evaluation = evaluate(canvas)
        one, two, count = self.adam.beta_1, self.adam.beta_2, state["count"] + 1.0
        after, moves, gradient = {"count": count}, tf.zeros_like(canvas), evaluation.gradient
        for number in range(self.levels):
            mean = one * state[f"mean {number}"] + (1.0 - one) * gradient
            square = two * state[f"square {number}"] + (1.0 - two) * tf.square(gradient)
            after |= {f"mean {number}": mean, f"square {number}": square}
            move = mean / (1.0 - one**count) / (tf.sqrt(square / (1.0 - two**count)) + self.adam.epsilon)
            moves += tf.image.resize(move, canvas.shape[1:3])
            gradient = 4.0 * tf.nn.avg_pool2d(gradient, 2, 2, "SAME")  # gradient of a sum of four pixels
        moved = canvas - self.adam.rate(progress.fraction) / self.levels * moves
        return tf.clip_by_value(moved, 0.0, 1.0), after, evaluation


@dataclasses.dataclass(frozen=True)
class Averaged(Adam):
    """Adam whose canvas becomes the running mean of its iterates at the end of a scale."""

    decay: float = 0.8

    def start(self, canvas: tf.Tensor) -> State:
        return super().start(canvas) | {"average": canvas}

    def state_bytes(self, pixels: int) -> int:
        return super().state_bytes(pixels) * 3 // 2

    def step(
        self, evaluate: Callable[[tf.Tensor], Evaluation], canvas: tf.Tensor, state: State, progress: Progress
    ) -> tuple[tf.Tensor, State, Evaluation]:
        canvas, after, evaluation = super().step(evaluate, canvas, state, progress)
        average = self.decay * state["average"] + (1.0 - self.decay) * canvas
        canvas = average if progress.is_last and progress.done else canvas
        return canvas, after | {"average": average}, evaluation


class Warm:
    """Adam that keeps the moments of the gradient when the canvas grows; for one run."""

    def __init__(self, adam: Adam) -> None:
        self.adam = adam
        self.last: State | None = None

    def with_rate(self, factor: float) -> Warm:
        slower = Warm(self.adam.with_rate(factor))
        slower.last = self.last
        return slower

    def state_bytes(self, pixels: int) -> int:
        return self.adam.state_bytes(pixels)

    def start(self, canvas: tf.Tensor) -> State:
        if self.last is None:
            return self.adam.start(canvas)
        growth = self.last["mean"].shape[1] / canvas.shape[1]
        mean, square = (tf.image.resize(self.last[name], canvas.shape[1:3]) for name in ("mean", "square"))
        return {"mean": mean * growth**2, "square": square * growth**4, "count": self.last["count"]}

    def step(
        self, evaluate: Callable[[tf.Tensor], Evaluation], canvas: tf.Tensor, state: State, progress: Progress
    ) -> tuple[tf.Tensor, State, Evaluation]:
        canvas, self.last, evaluation = self.adam.step(evaluate, canvas, state, progress)
        return canvas, self.last, evaluation


def _both(optimizer: Optimizer) -> tuple[Optimizer, Optimizer]:
    return optimizer, optimizer


METHODS: dict[str, Callable[[], tuple[Optimizer, Optimizer]]] = {
    "default": lambda: (MOMENTS.optimizer, MOMENTS.final_optimizer or MOMENTS.optimizer),
    "lbfgs": lambda: _both(LBFGS()),
    "adam": lambda: _both(Adam()),
    "mixed": lambda: (LBFGS(), Adam(learning_rate=0.02)),
    "momentum": lambda: _both(Adam(learning_rate=0.02, beta_1=0.99, beta_2=0.999)),
    "pyramid": lambda: _both(Pyramid(Adam())),
    "averaged": lambda: _both(Averaged(learning_rate=0.05, tail=0.0)),
    "warm": lambda: _both(Warm(Adam())),
}


if __name__ == "__main__":
    main()
