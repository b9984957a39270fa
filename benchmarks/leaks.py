"""Memory growth of a long-lived process over runs of one size, of many sizes, and of many settings.

    python benchmarks/leaks.py
    python benchmarks/leaks.py --network vgg16

Limits: resident memory grows by less than 20 MB from run 50 to run 2,000 of one size, likewise of mixed settings, and
to run 200 of new layer weights, each of which is compiled; and by less than 300 MB over 300 runs of 300 sizes. Each
measurement is a separate process; its pictures have 32 to 63 pixels per side and one to four steps.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import itertools
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

MEASUREMENTS = {
    "one size": (2000, 50, 20.0),
    "mixed settings": (2000, 50, 20.0),
    "new weights": (200, 50, 20.0),
    "many sizes": (300, 1, 300.0),
}
"""For each measurement: the number of runs, the number of warm-up runs, and the limit in megabytes."""

Run = Callable[[int], object]
"""A run by its number, which is the seed of its picture."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="lite", help="lite (default), vgg16, or tiny: two convolutions")
    parser.add_argument("--runs", type=int, help="number of runs (default: as above)")
    parser.add_argument("--only", choices=MEASUREMENTS, help="one of the measurements")
    parser.add_argument("--worker", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options.worker, options.network, options.runs)))
        return
    names = [options.only] if options.only else list(MEASUREMENTS)
    if options.network == "tiny":
        names = [name for name in names if name in ("one size", "many sizes")]  # others need the layers of VGG
    rows = [in_child_process(name) for name in names]
    print(json.dumps({"rows": rows, "hardware": f"{platform.machine()}, {os.cpu_count()} cores"}, indent=1))
    sys.exit(not all(row["passed"] for row in rows))


def in_child_process(name: str) -> dict[str, Any]:
    """Run one measurement in a separate process."""
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, *sys.argv[1:], "--worker", name]
    done = subprocess.run(command, env=environment, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def measure(name: str, network: str, runs: int | None) -> dict[str, Any]:
    usual, warm_up, limit = MEASUREMENTS[name]
    count, began = runs or usual, time.perf_counter()
    made = {
        "one size": one_size,
        "mixed settings": mixed_settings,
        "new weights": new_weights,
        "many sizes": many_sizes,
    }
    run = made[name](network)
    sizes = []  # after the warm-up, and after each quarter of the runs
    for i in range(count):
        run(i)
        if i + 1 in (warm_up, *(count * part // 4 for part in (1, 2, 3, 4))):
            sizes.append(resident())
    import neural_style

    neural_style.clear_cache()
    grown = sizes[-1] - sizes[0]
    return {
        "what": name,
        "network": network,
        "runs": count,
        "resident_mb": [round(value, 1) for value in sizes],
        "grown_mb": round(grown, 1),
        "limit_mb": limit,
        "cleared_mb": round(sizes[-1] - resident(), 1),
        "seconds": round(time.perf_counter() - began),
        "passed": grown < limit,
    }


def resident() -> float:
    """Megabytes that the process holds, without what glibc keeps of freed memory."""
    import psutil

    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    return float(psutil.Process().memory_info().rss / 1e6)


def transfer(network: str) -> Any:
    """The default recipe at one scale; for `tiny` a loss on its layers, at two scales with an optimizer each."""
    from neural_style import StyleTransfer
    from neural_style.scales import SingleScale
    from tests import tiny

    return tiny.transfer() if network == "tiny" else StyleTransfer(None, network, scales=SingleScale())


def one_size(network: str) -> Run:
    from tests.tiny import picture

    made, style = transfer(network), picture(2, 64, 64)
    return lambda i: made.run(picture(i, 32, 32), style, size=None, steps=4)


def many_sizes(network: str) -> Run:
    from tests.tiny import picture

    made, style = transfer(network), picture(2, 64, 64)

    def run(i: int) -> None:
        height, width = 32 + i % 32, 32 + (i // 32 + 5 * i) % 32
        made.run(picture(i, 64, 64)[:height, :width], style, size=None, steps=4)

    return run


def mixed_settings(network: str) -> Run:
    """Strengths, colors, masks, blends, a texture, recipes, optimizers, tiles and a target in turn."""
    kinds = itertools.cycle(settings(network))
    return lambda i: next(kinds)(i)


def new_weights(network: str) -> Run:
    """A loss that no other run has."""
    from neural_style import StyleTransfer
    from neural_style.losses import Content, Gram, TotalVariation
    from neural_style.scales import SingleScale
    from tests.tiny import picture

    style = picture(2, 64, 64)

    def run(i: int) -> object:
        weights = tuple(np.random.default_rng(i).random(5))
        loss = 0.1 * Content() + Gram(layer_weights=weights) + TotalVariation()
        return StyleTransfer(loss, network, scales=SingleScale()).run(picture(i, 48, 48), style, size=48, steps=2)

    return run


def settings(network: str) -> Iterator[Run]:
    from neural_style import StyleTransfer, stylize
    from neural_style.losses import Content, Gram, Moments
    from neural_style.scales import SingleScale
    from tests.tiny import picture

    style, other = picture(2, 64, 64), picture(3, 64, 64)
    half = np.repeat(np.arange(48)[None] < 24, 48, axis=0)
    single: dict[str, Any] = {"extractor": network, "scales": SingleScale()}
    target = transfer(network).target(style, size=48)

    def content(i: int) -> np.ndarray:
        return picture(i, 48, 48)

    def simple(**options: Any) -> Run:
        return lambda i: stylize(content(i), style, size=48, steps=2, extractor=network, **options)

    def own(loss: Any, **options: Any) -> Run:
        return lambda i: StyleTransfer(loss, **single, **options).run(content(i), style, size=48, steps=2)

    def new_strength(i: int) -> object:
        return simple(strength=0.1 + 0.8 * np.random.default_rng(i).random())(i)

    def blend(i: int) -> object:
        weight = float(np.random.default_rng(i).random())
        return StyleTransfer(**single).run(content(i), [(style, weight), other], size=48, steps=2)

    def texture(i: int) -> object:
        return StyleTransfer(**single).run(None, style, size=48, steps=1, seed=i)

    def masked(i: int) -> object:
        return stylize(content(i), [style, other], masks=[half, ~half], size=48, steps=2, extractor=network)

    def with_target(i: int) -> object:
        return StyleTransfer(**single).run(content(i), target, size=48, steps=2)

    gatys, moments = simple(recipe="gatys2016", init="noise"), simple(recipe="moments", color="content")
    gram, tiled = own(0.2 * Content() + Gram(), optimizer="adam"), own(0.2 * Content() + Moments(), tile=32)
    yield from (simple(), new_strength, gatys, masked, blend, moments, simple(color="match"))
    yield from (simple(color="histogram"), gram, texture, tiled, with_target, new_strength)
    yield from (simple(strength=1.0), simple(strength=0.0))


if __name__ == "__main__":
    main()
