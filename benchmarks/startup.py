"""Time from the command to the first step, by part, and the time of a second run in the same process.

Each measurement is a fresh process of one of two kinds, which take turns. `whole` calls `stylize` and measures the time
to its first step, as a user sees it. `parts` measures the parts: it loads one module after the other, calls each
compiled function once on 64 pixels, where nearly all of the time is tracing, and makes the first step of a run. It then
builds a second `StyleTransfer` with the same losses and extractor and makes its first step, which must not trace
anything again.

    python benchmarks/startup.py --json startup.json
    python benchmarks/startup.py --size 128 --repeats 3
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import common

if TYPE_CHECKING:
    from neural_style import Step, StyleTransfer
    from neural_style.objective import WholeObjective

FUNCTIONS = ("content", "target", "evaluate")
SMALL = 64


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.child is not None:
        kind = options.child.pop("kind")
        common.print_report(_whole(**options.child) if kind == "whole" else _parts_of_start(**options.child))
        return
    reports: dict[str, list[dict[str, Any]]] = {"whole": [], "parts": []}
    _report("whole", options)  # not counted: it warms up the disk cache
    for _, kind in common.alternating(list(reports), options.repeats):
        reports[kind].append(_report(kind, options))
    results = _results(reports)
    common.print_table(("part", "seconds"), [(part, common.shown(s, 2)) for part, s in results["seconds"].items()])
    print(f"\ntraces of each function after the first and after the second run: {results['traces']}")
    common.write_json(options, results)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--size", type=int, default=512, help="long side of the runs (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="processes per kind (%(default)s)")
    return parser.parse_args(arguments)


def _report(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    settings = {"kind": kind, "size": options.size, "spawned_at": time.time()}
    return common.run_in_subprocess(__file__, settings).report


def _results(reports: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    traces = [report["traces"] for report in reports["parts"]]
    return {
        "seconds": {part: seconds for kind in reports.values() for part, seconds in _parts(kind).items()},
        "traces": [each for number, each in enumerate(traces) if each not in traces[:number]],
    }


def _parts(reports: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    return {part: common.summary([each["seconds"][part] for each in reports]) for part in reports[0]["seconds"]}


# --- in the child ------------------------------------------------------------------------------------


class _Clock:
    """Seconds of each part, measured from the previous mark."""

    def __init__(self, began: float) -> None:
        self.seconds: dict[str, float] = {}
        self._last = began

    def mark(self, part: str) -> None:
        now = time.time()
        self.seconds[part] = now - self._last
        self._last = now


def _whole(*, size: int, spawned_at: float) -> dict[str, Any]:
    clock = _Clock(spawned_at)
    from neural_style import stylize

    def stop(step: Step) -> None:
        clock.mark("command to first step")
        raise StopIteration

    stylize(common.CONTENT, common.STYLE, size=size, extractor="vgg16", callbacks=[stop])
    return {"seconds": clock.seconds}


def _parts_of_start(*, size: int, spawned_at: float) -> dict[str, Any]:
    clock = _Clock(spawned_at)
    clock.mark("interpreter and this script")
    import neural_style

    clock.mark("import neural_style")
    import tensorflow as tf

    clock.mark("import tensorflow")
    tf.zeros([]).numpy()
    clock.mark("start of TensorFlow's runtime")
    from neural_style import StyleTransfer, images
    from neural_style.objective import objective_for

    clock.mark("rest of neural_style")
    extractor = neural_style.VGG16()
    clock.mark("weights")
    content, style = (images.load(path, size=size) for path in (common.CONTENT, common.STYLE))
    clock.mark("reading both pictures")
    transfer = StyleTransfer(extractor=extractor)
    objective = objective_for(tuple(term.loss for term in transfer.settings.loss), transfer.settings.extractor)
    _trace(objective, transfer, clock)
    _first_step(transfer, content, style, size)
    clock.mark("targets and first step, all traced")
    first = {name: getattr(objective, name).traces for name in FUNCTIONS}
    again = StyleTransfer(extractor=extractor)
    clock.mark("a second StyleTransfer")
    _first_step(again, content, style, size)
    clock.mark("its targets and first step")
    second = {name: getattr(objective, name).traces for name in FUNCTIONS}
    return {"seconds": clock.seconds, "traces": {"first": first, "second": second}}


def _trace(objective: WholeObjective, transfer: StyleTransfer, clock: _Clock) -> None:
    """Call each compiled function once on a small image."""
    import tensorflow as tf

    picture = tf.random.stateless_uniform([1, SMALL, SMALL, 3], seed=[0, 0])
    content = objective.content(picture)
    clock.mark("trace content")
    targets = objective.target(picture, {})
    clock.mark("trace target")
    losses: Sequence[Any] = objective.losses
    vectors = [(target,) if loss.refresh else None for loss, target in zip(losses, targets, strict=True)]
    matches = objective.match(picture, content, vectors)
    clock.mark("trace match")
    assignments = tuple(
        None if index is None or styles is None else loss.assignment(index, tf.ones(index.shape), styles)
        for loss, index, styles in zip(losses, matches, vectors, strict=True)
    )
    fixed = tuple(None if loss.refresh else target for loss, target in zip(losses, targets, strict=True))
    weights = tf.constant([term.weight for term in transfer.settings.loss], tf.float32)
    objective.evaluate(picture, content, fixed, weights, {}, None, tf.constant(0), assignments).loss.numpy()
    clock.mark("trace evaluate")


def _first_step(transfer: StyleTransfer, content: Any, style: Any, size: int) -> None:
    def stop(step: Step) -> None:
        raise StopIteration

    transfer.run(content, style, size=size, callbacks=[stop])


if __name__ == "__main__":
    main()
