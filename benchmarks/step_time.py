"""Milliseconds of one step, and its share of the machine's matrix-multiply peak.

A step is everything a run does between two callbacks: the loss, its gradient, the move of the optimizer, and reading
the loss back to the host. The work is that of `workload.py` on the bundled VGG16, on square images. The rate counts
only the network's convolutions and the losses' outer products; the peak is that of float32 products for every
precision, so that shares on one machine are comparable. `network` measures only the network: the forward pass to the
deepest layer, and the gradient of the image.

Each round measures the peak, then every contender for `--steps` steps, in alternating order. The first steps of a run
and the whole first round are not counted. Shares are computed within a round.

    python benchmarks/step_time.py --json step_time.json
    python benchmarks/step_time.py --sizes 512 1024 2048 --precisions float32 bfloat16 float16
    python benchmarks/step_time.py --precisions float32 bfloat16 --torch

`--torch` adds a plain PyTorch implementation of the same step (`torch_step.py`), with both memory formats, and first
checks that both compute the same loss. PyTorch has to be installed. On a machine that is busy with other work its
threads wait for one another; compare with `--threads 1` there. Processors without reduced precision emulate it, which
takes minutes per step.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import itertools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import common
from workload import Pictures, Workload

if TYPE_CHECKING:
    from neural_style import StyleTransfer

TOLERANCE = 1e-3
MATRICES = (2048, 4096)
SKIPPED = 2  # first steps of each run, in addition to the very first, which has no predecessor to subtract


@dataclasses.dataclass
class Contender:
    """One implementation of a step.

    Attributes:
        name: name in the table.
        precision: precision of the convolutions.
        flops: counted operations of one step.
        steps: function that makes a number of steps and returns the seconds of each and the loss at the start.
        seconds: seconds of every counted step.
        shares: share of the peak in each counted round.
    """

    name: str
    precision: str
    flops: float
    steps: Callable[[int], tuple[list[float], float | None]]
    seconds: list[float] = dataclasses.field(default_factory=list)
    shares: list[float] = dataclasses.field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # leaves memory for PyTorch
    _limit_threads(options)
    device = ", ".join(common.devices())
    print(f"device: {device}\n")
    results = [_measure(size, options) for size in options.sizes]
    common.print_table(
        ("size", "step", "ms", "GFLOP/s", "share of peak", "peak GFLOP/s", "first loss"),
        (row for result in results for row in _rows(result)),
    )
    common.write_json(options, results)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512], help="sides in pixels (%(default)s)")
    parser.add_argument("--precisions", nargs="+", default=["float32"], help="of the convolutions (%(default)s)")
    parser.add_argument("--rounds", type=int, default=6, help="counted rounds (%(default)s)")
    parser.add_argument("--steps", type=int, default=6, help="counted steps per contender and round (%(default)s)")
    parser.add_argument(
        "--matrices", type=int, nargs="+", default=MATRICES, help="matrix sizes for the peak (%(default)s)"
    )
    parser.add_argument("--products", type=int, help="consecutive products for the peak (1; 16 on a GPU)")
    parser.add_argument("--threads", type=int, help="arithmetic threads (one per core)")
    parser.add_argument("--torch", action="store_true", help="also measure plain PyTorch")
    return parser.parse_args(arguments)


def _limit_threads(options: argparse.Namespace) -> None:
    if options.threads is None:
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    if options.torch:
        import torch

        torch.set_num_threads(options.threads)


def _measure(size: int, options: argparse.Namespace) -> dict[str, Any]:
    contenders = _contenders(size, Workload(), options)
    losses = {contender.name: contender.steps(1)[1] for contender in contenders}
    _check_losses(contenders, losses)
    peaks = _play(contenders, options)
    return {
        "size": size,
        "peak_gflops": common.summary(peaks),
        "contenders": [_record(contender, losses[contender.name]) for contender in contenders],
    }


def _play(contenders: Sequence[Contender], options: argparse.Namespace) -> list[float]:
    """Run the rounds in alternating order after one warm-up round; return the peak of each counted round."""
    products = options.products or (1 if common.devices() == ["CPU"] else 16)
    peaks = []
    for number in range(options.rounds + 1):
        peak = common.peak(options.matrices, products=products)
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            seconds = contender.steps(options.steps + SKIPPED)[0][SKIPPED:]
            if number > 0:
                contender.seconds += seconds
                contender.shares.append(contender.flops * 1e-9 / common.summary(seconds)["median"] / peak)
        peaks.append(peak)
    return peaks[1:]


def _record(contender: Contender, loss: float | None) -> dict[str, Any]:
    milliseconds = common.summary([1e3 * seconds for seconds in contender.seconds])
    return {
        "name": contender.name,
        "precision": contender.precision,
        "gflop_per_step": contender.flops * 1e-9,
        "milliseconds": milliseconds,
        "gflops": contender.flops * 1e-6 / milliseconds["median"],
        "share_of_peak": common.summary(contender.shares),
        "first_loss": loss,
    }


def _rows(result: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            result["size"],
            each["name"],
            common.shown(each["milliseconds"]),
            f"{each['gflops']:.0f}",
            f"{each['share_of_peak']['median']:.0%}",
            f"{result['peak_gflops']['median']:.0f}",
            "" if each["first_loss"] is None else f"{each['first_loss']:.6f}",
        )
        for each in result["contenders"]
    ]


# --- the contenders ----------------------------------------------------------------------------------


def _contenders(size: int, workload: Workload, options: argparse.Namespace) -> list[Contender]:
    from neural_style import VGG16

    pictures, extractor = Pictures.square(size), VGG16()
    network = common.step_flops(extractor, workload.layers, (size, size))
    whole = network + common.product_flops(extractor, workload.style_layers, (size, size))
    ours = [
        contender
        for precision in options.precisions
        for contender in (_network(workload, pictures, precision, network), _own(workload, pictures, precision, whole))
    ]
    if not options.torch:
        return ours
    theirs = [
        _torch(workload, pictures, precision, channels_last, whole)
        for precision in options.precisions
        for channels_last in (False, True)
    ]
    return ours + theirs


def _network(workload: Workload, pictures: Pictures, precision: str, flops: float) -> Contender:
    import tensorflow as tf

    from neural_style import VGG16

    extractor, deepest = VGG16().with_precision(precision), max(workload.layers)
    start = tf.constant(pictures.start)

    @tf.function(autograph=False)
    def look(image: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(image)
            maps = extractor(image, [deepest])[deepest]
        return tape.gradient(maps, image, output_gradients=maps)

    return Contender(
        f"network {precision}",
        precision,
        flops,
        lambda count: ([common.timed(lambda: look(start).numpy()) for _ in range(count)], None),
    )


def _own(workload: Workload, pictures: Pictures, precision: str, flops: float) -> Contender:
    transfer = _transfer(workload, precision)

    def steps(count: int) -> tuple[list[float], float]:
        result = transfer.run(pictures.content, pictures.style, size=None, steps=count + 1, init=pictures.start)
        clock = [step.seconds for step in result.history]
        return [after - before for before, after in itertools.pairwise(clock)], result.history[0].loss

    return Contender(f"neural_style {precision}", precision, flops, steps)


def _transfer(workload: Workload, precision: str) -> StyleTransfer:
    from neural_style import VGG16, StyleTransfer
    from neural_style.scales import SingleScale

    takes_it = "precision" in inspect.signature(StyleTransfer).parameters
    chosen: dict[str, Any] = {"precision": precision} if takes_it else {}
    extractor = VGG16().with_precision(precision)
    return StyleTransfer(workload.loss(), extractor, scales=SingleScale(), **chosen)


def _torch(workload: Workload, pictures: Pictures, precision: str, channels_last: bool, flops: float) -> Contender:
    from torch_step import TorchStep

    from neural_style.features.weights import load_weights

    arrays = load_weights("vgg16", "bundled", [])

    def steps(count: int) -> tuple[list[float], float]:
        begun = TorchStep(workload, pictures, arrays, precision=precision, channels_last=channels_last)
        loss = begun.step()
        return [common.timed(begun.step) for _ in range(count)], loss

    layout = "channels last" if channels_last else "contiguous"
    return Contender(f"PyTorch {precision}, {layout}", precision, flops, steps)


def _check_losses(contenders: Sequence[Contender], losses: dict[str, float | None]) -> None:
    """Check that all float32 contenders compute the same loss, and therefore the same work."""
    seen = {each.name: losses[each.name] for each in contenders if each.precision == "float32"}
    exact = {name: loss for name, loss in seen.items() if loss is not None}
    if exact and max(exact.values()) - min(exact.values()) > TOLERANCE * max(exact.values()):
        raise SystemExit(f"the implementations disagree about the loss: {exact}")


if __name__ == "__main__":
    main()
