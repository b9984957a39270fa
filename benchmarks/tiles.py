"""Cost of tiles: time per megapixel and peak memory of one evaluation, by picture size.

Every measurement is a separate process. It computes the targets and the content's maps of the default recipe's losses
on the bundled VGG16, evaluates loss and gradient `--repeats` times without a warm-up, and makes one step of Adam. The
memory before the first evaluation includes TensorFlow, the network, the content and the canvas. The first peak is what
an evaluation adds to it, including the gradient; the second is that of the process.

    python benchmarks/tiles.py --sizes 1024 2048 4096 --tiles 0 512 --json tiles.json
    python benchmarks/tiles.py --sizes 2048 8192 --tiles 512 --layers 2 --repeats 1    # minutes, not hours
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.child is not None:
        common.print_report(measure(**options.child))
        return
    rows = [_row(options, size, tile) for size in options.sizes for tile in options.tiles]
    headers = ["long side", "tile", "s/MP", "processor s/MP", "content maps MiB", "evaluation MiB", "process MiB"]
    common.print_table(headers, (_cells(row) for row in rows))
    common.write_json(options, rows)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", default=[1024, 2048], help="long sides of pictures 4 to 3 (%(default)s)")
    add("--tiles", type=int, nargs="+", default=[0, 512], help="sides of tiles, 0 for untiled (%(default)s)")
    add("--repeats", type=int, default=3, help="number of evaluations, of which the median is reported (%(default)s)")
    add("--layers", type=int, default=5, help="use only the first N of the five style layers (%(default)s)")
    add("--recompute", action="store_true", help="keep no content maps, recompute them in every pass")
    return parser.parse_args(arguments)


def _row(options: argparse.Namespace, size: int, tile: int) -> dict[str, Any]:
    settings = {name: getattr(options, name) for name in ("repeats", "layers", "recompute")}
    settings |= {"size": size, "tile": tile}
    return settings | common.run_in_subprocess(__file__, settings).report


def _cells(row: dict[str, Any]) -> list[object]:
    times = [round(statistics.median(row[name]) / row["megapixels"], 1) for name in ("seconds", "processor_seconds")]
    memory = [round(row[name]) for name in ("content_maps_mib", "evaluation_mib", "process_mib")]
    return [row["size"], row["tile"] or "none", *times, *memory]


def measure(size: int, tile: int, repeats: int, layers: int, recompute: bool) -> dict[str, Any]:
    """Measure one size with one tile in this process."""
    import tensorflow as tf

    objective = _objective(tile, layers, recompute)
    random = np.random.default_rng(0)
    targets = objective.target(tf.constant(random.random((1, 384, 512, 3), np.float32)), {})
    picture = tf.constant(random.random((1, size * 3 // 4, size, 3), np.float32))
    canvas, weights = tf.identity(picture * 0.9), tf.constant([0.075, 1.0, 0.5])
    held = _resident("VmRSS")
    content = objective.content(picture)
    kept = _resident("VmRSS") - held
    _reset_peak()
    report: dict[str, Any] = {"seconds": [], "processor_seconds": []}
    for _ in range(repeats):
        began, worked = time.perf_counter(), time.process_time()
        evaluation = objective.evaluate(canvas, content, targets, weights, {})
        float(evaluation.loss)
        report["seconds"].append(time.perf_counter() - began)
        report["processor_seconds"].append(time.process_time() - worked)
    evaluating = _resident("VmHWM") - held
    _move(canvas, evaluation)
    memory = {"held_before_mib": held, "content_maps_mib": kept, "evaluation_mib": evaluating}
    return report | memory | {"process_mib": _resident("VmHWM"), "megapixels": size * (size * 3 // 4) / 1e6}


def _objective(tile: int, layers: int, recompute: bool) -> Any:
    from neural_style.features import VGG16
    from neural_style.losses import Content, Moments, TotalVariation
    from neural_style.losses.style import STYLE_LAYERS
    from neural_style.objective import TiledObjective, WholeObjective

    content = Content() if layers == len(STYLE_LAYERS) else Content(STYLE_LAYERS[layers - 1 : layers])
    losses = (content, Moments(STYLE_LAYERS[:layers]), TotalVariation())
    if not tile:
        return WholeObjective(losses, VGG16())
    return TiledObjective(losses, VGG16(), tile, keep=0.0 if recompute else float("inf"))


def _move(canvas: Any, evaluation: Any) -> None:
    from neural_style.optimizers import Adam, Progress

    adam = Adam()
    adam.step(lambda _: evaluation, canvas, adam.start(canvas), Progress(0, 1))[0].numpy()


def _resident(what: str) -> float:
    """Return resident memory in MiB: VmRSS now, or VmHWM, the peak since `_reset_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    main()
