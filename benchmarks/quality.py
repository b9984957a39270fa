"""Time to a picture, and how painted it looks, for this library's recipes and TensorFlow's tutorial.

Every run is a fresh process. The script reports the seconds of the whole command, from starting Python to the saved
picture; the seconds of the run, from reading the pictures to the finished picture; steps; peak memory; and five
measures (`neural_style.metrics`) of the saved picture. `content` and `style` are distances on layers that the default
and some other recipes optimize. On a layer that no method optimizes, `nearest` is the distance of local features to
their nearest style features, relative to the content's own, and `sliced` the sliced Wasserstein distance from the
style; `shape` is the similarity of deep features at the same position. The ratio compares the whole command with the
first method of the pair. With `--repeats` the methods take turns in alternating order.

Each method can trade `nearest` for `shape` by its strength, so compare them at equal `shape`: `--shapes` runs each
recipe at the strengths where `shape` comes within 0.02 of the given values. The tutorial keeps its own weights.

    python benchmarks/quality.py --json quality.json --save pictures
    python benchmarks/quality.py --size 256 --methods default tutorial --weights imagenet --repeats 3
    python benchmarks/quality.py --pairs photo.jpg:painting.jpg --curve 20 --json quality.json
    python benchmarks/quality.py --methods default moments nnst --shapes .45 .36 .28

`default` is the recipe of `stylize`, `tutorial` is TensorFlow's tutorial (`tutorial.py`), `single` minimizes the losses
of the default with the tutorial's method, and `fast` is `quality="fast"` with its own networks; other recipes go by
their name. The tutorial uses block5_conv2, which the bundled weights lack: `--weights imagenet` selects Keras's file,
from its cache or downloaded once. `METHOD@STEPS` sets the number of steps. The line "the content itself" gives the
measures of the unchanged content. `--curve N` repeats each run and records seconds and measures at N points of equal
work, without the time of measuring.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common

if TYPE_CHECKING:
    import numpy as np

    from neural_style import Result, Step
    from neural_style.recipes import Recipe

PAIRS = ("astronaut:nocturne", "astronaut:harvest")
METHODS = ("default", "gatys2016")
MEASURES = ("content", "style", "nearest", "shape", "sliced")
SHAPE_TOLERANCE = 0.02
MAX_RUNS_PER_SHAPE = 5

Run = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.child is not None:
        common.print_report(_paint(**options.child))
        return
    results = [_pair(pair, options) for pair in options.pairs]
    common.print_table(
        ("pair", "method", "strength", "steps", "command s", "ratio", "run s", "processor s", "peak MiB", *MEASURES),
        (row for result in results for row in _rows(result, bool(options.shapes))),
    )
    common.write_json(options, results)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="CONTENT:STYLE", help="(%(default)s)")
    parser.add_argument("--methods", nargs="+", default=METHODS, metavar="METHOD[@STEPS]", help="(%(default)s)")
    parser.add_argument("--size", type=int, default=512, help="long side of the results (%(default)s)")
    parser.add_argument("--strength", type=float, default=0.5, help="of the recipes (%(default)s)")
    parser.add_argument("--shapes", nargs="+", type=float, metavar="SHAPE", help="find the strengths that give these")
    parser.add_argument("--extractor", default="vgg16", choices=("vgg16", "vgg19"), help="network of the runs")
    parser.add_argument("--weights", help="weights of the network, as for VGG16 and VGG19 (default: its own)")
    parser.add_argument("--repeats", type=int, default=1, help="runs per method (%(default)s)")
    parser.add_argument("--curve", type=int, default=0, metavar="N", help="record the progress at N points")
    parser.add_argument("--save", type=Path, metavar="DIR", help="save the pictures to DIR")
    return parser.parse_args(arguments)


# --- in the parent -----------------------------------------------------------------------------------


def _pair(pair: str, options: argparse.Namespace) -> dict[str, Any]:
    content, style = map(common.sample, pair.split(":"))
    unpainted = measures(_fitted(content, options.size), content, style)  # also warms up the disk cache
    runs: dict[str, list[Run]] = {method: [] for method in options.methods}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.save or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for _, method in common.alternating(options.methods, 1 if options.shapes else options.repeats):
            paint = functools.partial(_run, content, style, method, folder, options)
            if options.shapes and method.partition("@")[0] != "tutorial":
                runs[method] += _at_shapes(paint, options.shapes)
            else:
                runs[method].append(paint(options.strength))
    curves = {method: _curve(content, style, method, options) for method in options.methods if options.curve}
    return {"pair": pair, "unpainted": unpainted, "runs": runs, "curves": curves}


def _run(content: Path, style: Path, method: str, folder: Path, options: argparse.Namespace, strength: float) -> Run:
    from neural_style import images

    at = f"-{strength:.3f}" if options.shapes else ""
    output = folder / f"{content.stem}-{style.stem}-{method.replace('@', '-')}{at}-{options.size}.png"
    settings = _settings(content, style, method, options) | {"strength": strength, "output": str(output)}
    child = common.run_in_subprocess(__file__, settings)
    found = measures(images.load(output), content, style)
    return {"command_seconds": child.seconds, "strength": strength, **child.report, **found}


def _at_shapes(paint: Callable[[float], Run], shapes: Sequence[float]) -> list[Run]:
    """For each shape, the run that comes closest to it; strengths are found by linear interpolation."""
    runs: dict[float, Run] = {}
    for shape in shapes:
        for _ in range(MAX_RUNS_PER_SHAPE):
            if any(abs(run["shape"] - shape) <= SHAPE_TOLERANCE for run in runs.values()):
                break
            strength = _interpolate({0.0: 1.0, 1.0: 0.0} | {key: run["shape"] for key, run in runs.items()}, shape)
            runs[strength] = paint(strength)
    return [min(runs.values(), key=lambda run: abs(run["shape"] - shape)) for shape in shapes]


def _interpolate(shapes: dict[float, float], shape: float) -> float:
    """The strength between the closest ones with more and with less shape, to three decimals."""
    below = max(strength for strength, found in shapes.items() if found > shape)
    above = min(strength for strength, found in shapes.items() if found <= shape)
    share = (shapes[below] - shape) / (shapes[below] - shapes[above])
    return round(below + share * (above - below), 3)


def _curve(content: Path, style: Path, method: str, options: argparse.Namespace) -> list[dict[str, float]]:
    settings = _settings(content, style, method, options) | {"points": options.curve}
    points: list[dict[str, float]] = common.run_in_subprocess(__file__, settings).report["curve"]
    return points


def _settings(content: Path, style: Path, method: str, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "content": str(content),
        "style": str(style),
        "method": method,
        "size": options.size,
        "strength": options.strength,
        "extractor": options.extractor,
        "weights": options.weights,
    }


def _fitted(path: Path, size: int) -> np.ndarray:
    from neural_style import images
    from neural_style.scales import fit

    pixels = images.load(path)
    return images.resize(pixels, fit((pixels.shape[2], pixels.shape[1]), size))


def measures(picture: np.ndarray, content: Path, style: Path) -> dict[str, float]:
    """Return the five measures of a picture."""
    from neural_style import metrics

    return {
        "content": metrics.content_distance(picture, content),
        "style": metrics.style_distance(picture, style),
        "nearest": metrics.nearest_feature_distance(picture, content, style),
        "shape": metrics.shape_similarity(picture, content),
        "sliced": metrics.sliced_wasserstein(picture, style, layers=("block3_conv2",), levels=(1.0, 0.5, 0.25)),
    }


def _rows(result: dict[str, Any], at_shapes: bool) -> list[tuple[object, ...]]:
    groups = [
        (method, group)
        for method, runs in result["runs"].items()
        for group in ([[run] for run in runs] if at_shapes else [runs])
    ]
    first = common.summary([run["command_seconds"] for run in groups[0][1]])["median"]
    rows = [(result["pair"], *_row(method, group, first)) for method, group in groups]
    blanks = ("", "", "", "", "", "", "")
    unpainted = (f"{result['unpainted'][name]:.4f}" for name in MEASURES)
    return [*rows, (result["pair"], "the content itself", *blanks, *unpainted)]


def _row(method: str, runs: Sequence[Run], first: float) -> tuple[object, ...]:
    command, run = (common.summary([each[key] for each in runs]) for key in ("command_seconds", "run_seconds"))
    last = runs[-1]
    return (
        method,
        last["strength"],
        last["steps"],
        common.shown(command),
        f"{command['median'] / first:.2f}",
        common.shown(run),
        f"{last['processor_seconds']:.1f}",
        f"{max(each['peak_bytes'] for each in runs) / 2**20:.0f}",
        *(f"{last[name]:.4f}" for name in MEASURES),
    )


# --- in the child ------------------------------------------------------------------------------------


def _paint(
    *,
    content: str,
    style: str,
    method: str,
    size: int,
    strength: float,
    extractor: str,
    weights: str | None,
    output: str | None = None,
    points: int = 0,
) -> dict[str, Any]:
    from neural_style import VGG16, VGG19, StyleTransfer

    name, _, steps = method.partition("@")
    recipe = _recipe(name)
    network = {"vgg16": VGG16, "vgg19": VGG19}[extractor]
    strength = 0.5 if name == "tutorial" else strength
    transfer = StyleTransfer(
        recipe.loss(strength),
        recipe.extractor or (network(weights) if weights else extractor),
        optimizer=recipe.optimizer,
        final_optimizer=recipe.final_optimizer,
        scales=recipe.scales,
        relay=recipe.relay,
        detail_strength=recipe.detail_strength_at(strength),
    )
    curve = _Curve(Path(content), Path(style), points)
    began = time.perf_counter()
    result = transfer.run(
        content,
        style,
        size=size,
        steps=int(steps) if steps else None,
        init=recipe.init,
        callbacks=[curve] if points else [],
    )
    seconds = time.perf_counter() - began
    if output is not None:
        result.save(output)
    spent = time.process_time()
    return {"run_seconds": seconds, "processor_seconds": spent, **_facts(result), "curve": curve.points}


def _recipe(name: str) -> Recipe:
    if name in ("tutorial", "single"):
        from tutorial import SINGLE, TUTORIAL

        return TUTORIAL if name == "tutorial" else SINGLE
    from neural_style import recipes

    return recipes.FAST if name == "fast" else recipes.get(name)


def _facts(result: Result) -> dict[str, Any]:
    sizes = list(dict.fromkeys(step.scale for step in result.history))
    scales = [[*size, sum(step.scale == size for step in result.history)] for size in sizes]
    last = result.history[-1]
    return {"steps": len(result.history), "scales": scales, "loss": last.loss, "terms": dict(last.terms)}


class _Curve:
    """A callback that measures the canvas at points of equal work and excludes its own time."""

    def __init__(self, content: Path, style: Path, count: int) -> None:
        self.content, self.style, self.count = content, style, count
        self.points: list[dict[str, float]] = []
        self._spent = 0.0

    def __call__(self, step: Step) -> None:
        if step.progress * self.count < len(self.points) + 1 and step.step < step.steps:
            return
        began = time.perf_counter()
        seconds = step.seconds - self._spent
        self.points.append({"seconds": seconds, "step": step.step, **self._measure(step)})
        self._spent += time.perf_counter() - began

    def _measure(self, step: Step) -> dict[str, float]:
        from neural_style import images

        canvas = images.resize(images.load(step.image()), step.size)
        return measures(canvas, self.content, self.style)


if __name__ == "__main__":
    main()
