"""The curvature of the default's loss at each spatial frequency, along three color axes.

Before the first step at the final size, the canvas is moved both ways along random patterns of one frequency band and
one color axis. The change of the gradient along the pattern is the curvature there. `neural_style.optimizers.Spectrum`
fits the means over the pairs, in units of the largest mean along luminance.

    python benchmarks/curvature.py --json curvature.json
    python benchmarks/curvature.py --pairs photo.jpg:painting.jpg --size 512
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import common
import numpy as np
import tensorflow as tf

from neural_style import recipes, stylize
from neural_style.optimizers import LBFGS, Evaluation, Progress, State

PAIRS = ("chenonceau:great_wave", "astronaut:starry_night", "chenonceau:shipwreck")
EDGES = (0.0, 1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 0.75)
AXES = {"luminance": (1.0, 1.0, 1.0), "red to blue": (1.0, 0.0, -1.0), "magenta to green": (1.0, -2.0, 1.0)}
MOVE = 0.02
"""Root mean square of a pattern, in units of the range of pixels."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    results = [{"pair": pair, "curvature": _measure(pair, options)} for pair in options.pairs]
    means = np.mean([result["curvature"] for result in results], axis=0)
    bands = itertools.pairwise(EDGES)
    common.print_table(
        ("cycles per pixel", *AXES),
        ((f"{low:.4f} to {high:.4f}", *(f"{value:.2f}" for value in row / means[:, 0].max()))
         for (low, high), row in zip(bands, means, strict=True)),
    )  # fmt: skip
    common.write_json(options, results)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="CONTENT:STYLE", help="(%(default)s)")
    parser.add_argument("--size", type=int, default=512, help="long side of the canvas (%(default)s)")
    return parser.parse_args(arguments)


def _measure(pair: str, options: argparse.Namespace) -> list[list[float]]:
    """The curvature in each band along each axis, at the first canvas of the final size."""
    probe = Probe()
    recipe = dataclasses.replace(recipes.get("default"), final_optimizer=probe)
    stylize(*map(common.sample, pair.split(":")), recipe=recipe, size=options.size, extractor="vgg16", progress=False)
    return probe.found


@dataclasses.dataclass(frozen=True)
class Probe(LBFGS):
    """Measures in place of the first step, and moves nothing."""

    found: list[list[float]] = dataclasses.field(default_factory=list, compare=False)

    def step(
        self, evaluate: Callable[[tf.Tensor], Evaluation], canvas: tf.Tensor, state: State, progress: Progress
    ) -> tuple[tf.Tensor, State, Evaluation]:
        if progress.done == 0:
            self.found.extend([_curvature(evaluate, canvas, *each) for each in row] for row in _rows())
        return canvas, state, evaluate(canvas)


def _rows() -> list[list[tuple[float, float, Any]]]:
    """For each band the two frequencies and an axis, for each axis."""
    return [[(low, high, np.array(axis)) for axis in AXES.values()] for low, high in itertools.pairwise(EDGES)]


def _curvature(
    evaluate: Callable[[tf.Tensor], Evaluation], canvas: tf.Tensor, low: float, high: float, axis: np.ndarray
) -> float:
    """The second derivative of the loss along a random pattern, for a pattern of length 1."""
    height, width = canvas.shape[1:3]
    spectrum = np.fft.rfft2(np.random.default_rng(0).normal(size=(height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    spectrum[(frequency < low) | (frequency >= high)] = 0.0
    pattern = np.fft.irfft2(spectrum, s=(height, width))[..., None] * axis
    pattern = (MOVE * pattern / np.sqrt(np.mean(pattern**2)))[None].astype(np.float32)
    ahead, behind = (evaluate(canvas + sign * pattern).gradient.numpy() for sign in (1.0, -1.0))
    return float(np.sum(pattern * (ahead - behind)) / (2.0 * np.sum(pattern**2)))


if __name__ == "__main__":
    main()
