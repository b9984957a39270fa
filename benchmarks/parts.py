"""Where the time of a whole command and of a warm call goes, part by part.

Each measurement is a fresh process that paints the same picture twice with `stylize`, first cold and then warm. The
script times the functions of the library from outside. Content and style of later scales are measured by a second
thread while the first scales run, so these parts overlap the others, and the parts do not add up to the whole.

A second table divides one evaluation of loss and gradient at the final size: the network's forward pass, its backward
pass, and what the losses add to both.

    python benchmarks/parts.py --json parts.json
    python benchmarks/parts.py --size 1024 --precision float32 --repeats 3
"""

from __future__ import annotations

import argparse
import functools
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import common

PAIR = ("chenonceau", "starry_night")
FUNCTIONS = {
    "_content": "content's maps",
    "_target": "style's statistics",
    "_assign_all": "matching",
    "_evaluate": "loss and gradient",
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.child is not None:
        common.print_report(_measure(**options.child))
        return
    settings = {"size": options.size, "precision": options.precision}
    common.run_in_subprocess(
        __file__, settings | {"spawned_at": time.time()}
    )  # not counted: it warms up the disk cache
    reports = [
        common.run_in_subprocess(__file__, settings | {"spawned_at": time.time()}).report
        for _ in range(options.repeats)
    ]
    results = {
        table: {part: common.summary([each[table].get(part, 0.0) for each in reports]) for part in reports[0][table]}
        for table in ("cold", "warm", "evaluation")
    }
    parts = dict.fromkeys([*results["cold"], *results["warm"]])
    common.print_table(
        ("part", "cold s", "warm s"),
        [
            (part, *(common.shown(results[t][part], 2) if part in results[t] else "" for t in ("cold", "warm")))
            for part in parts
        ],
    )
    print()
    shown = [(part, common.shown(seconds, 3)) for part, seconds in results["evaluation"].items()]
    common.print_table(("part of an evaluation", "seconds"), shown)
    common.write_json(options, results)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--size", type=int, default=512, help="long side of the pictures (%(default)s)")
    parser.add_argument("--precision", default="auto", help="as for stylize (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="processes (%(default)s)")
    return parser.parse_args(arguments)


# --- in the child ------------------------------------------------------------------------------------


class _Stopwatch:
    """Seconds spent in functions, by the name of a part."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def watch(self, owner: Any, name: str, part: Callable[..., str | None]) -> None:
        """Replace a function of a module or class by one that adds up its time."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def timed(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                label = part(*arguments)
                if label is not None:
                    self.seconds[label] += time.perf_counter() - began

        setattr(owner, name, timed)


def _measure(*, size: int, precision: str, spawned_at: float) -> dict[str, Any]:
    from neural_style._process import configure_process

    configure_process()
    interpreter = time.time() - spawned_at
    began = time.perf_counter()
    import tensorflow  # noqa: F401

    start = {"interpreter": interpreter, "import of TensorFlow": time.perf_counter() - began}
    from neural_style.objective.tracing import OneTrace
    from neural_style.optimizers import LBFGS
    from neural_style.transfer import canvas

    watch = _Stopwatch()
    watch.watch(OneTrace, "_for", lambda *_: "tracing")
    watch.watch(OneTrace, "__call__", lambda function, *_: FUNCTIONS.get(function._function.__name__))
    watch.watch(LBFGS, "step", lambda *_: "optimizer")
    watch.watch(canvas, "upsample", lambda *_: "growing the canvas")
    return {
        "cold": start | _paint(watch, size, precision, since=spawned_at),
        "warm": _paint(watch, size, precision, since=time.time()),
        "evaluation": _evaluation(size, precision),
    }


def _paint(watch: _Stopwatch, size: int, precision: str, since: float) -> dict[str, float]:
    """Seconds of each part of one picture; tracing and evaluations are not counted again in what calls them."""
    import tempfile
    from pathlib import Path

    from neural_style import stylize

    watch.seconds.clear()
    content, style = map(common.sample, PAIR)
    image = stylize(content, style, size=size, extractor="vgg16", precision=precision, progress=False)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        image.save(Path(folder) / "painted.png")
    parts = dict(watch.seconds)
    parts["optimizer"] -= parts["loss and gradient"]
    return parts | {"saving": time.perf_counter() - began, "everything": time.time() - since}


def _evaluation(size: int, precision: str, repeats: int = 5) -> dict[str, float]:
    """Seconds of the parts of one evaluation, the fastest of some."""
    import tensorflow as tf

    from neural_style import StyleTransfer, images

    transfer = StyleTransfer(extractor="vgg16", precision=precision)
    pixels = tf.constant(images.load(common.sample(PAIR[0]), size=size))
    layers = [layer for layer in transfer.settings.loss.layers if layer != "image"]

    @tf.function(autograph=False)
    def forward(image: tf.Tensor) -> list[tf.Tensor]:
        return [tf.reduce_sum(value[:, :1]) for value in transfer.settings.extractor(image, layers).values()]

    @tf.function(autograph=False)
    def both(image: tf.Tensor) -> tf.Tensor:
        maps, pull_back = transfer.settings.extractor.forward_with_vjp(image, layers)
        deepest = list(maps)[-1]
        return pull_back(lambda layer, value: value if layer == deepest else tf.zeros_like(value))

    def seconds(function: Callable[[], Any]) -> float:
        function()
        return min(
            common.timed(lambda: tf.nest.map_structure(lambda each: each.numpy(), function())) for _ in range(repeats)
        )

    found = {"forward pass": seconds(lambda: forward(pixels)), "both passes": seconds(lambda: both(pixels))}
    times: list[float] = []
    transfer.run(
        pixels,
        common.sample(PAIR[1]),
        size=size,
        init="content",
        callbacks=[lambda step: times.append(step.seconds) if max(step.scale) == size else None],
    )
    return found | {
        "a step at the final size": statistics.median(after - before for before, after in itertools.pairwise(times))
    }


if __name__ == "__main__":
    main()
