"""Peak memory of a run by picture size, and the baseline before any step.

Every run is a fresh process that makes a few steps of the default recipe at full size only, on the bundled VGG16. It
needs as much memory as a whole run but less time. The peak is the maximum resident memory; the baseline is the peak
after TensorFlow and the weights are loaded and before the first step. The slope is that of a straight line fitted to
all peaks, in MiB per megapixel.

    python benchmarks/memory.py --json memory.json
    python benchmarks/memory.py --sizes 256 512 1024 2048 --repeats 5
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import common
import numpy as np

MIB = 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.child is not None:
        common.print_report(_paint(**options.child))
        return
    reports = [
        common.run_in_subprocess(__file__, {"size": size, "steps": options.steps}).report
        for _, size in common.alternating(options.sizes, options.repeats)
    ]
    results = _results(reports)
    common.print_table(("size", "megapixels", "peak MiB"), _rows(results))
    print(f"\nbaseline {common.shown(results['baseline_mib'], 0)} MiB")
    if results["mib_per_megapixel"] is not None:
        print(f"slope {results['mib_per_megapixel']:.0f} MiB per megapixel")
    common.write_json(options, results)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024], help="long sides (%(default)s)")
    parser.add_argument("--steps", type=int, default=3, help="steps per run (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="runs per size (%(default)s)")
    return parser.parse_args(arguments)


def _paint(*, size: int, steps: int) -> dict[str, Any]:
    from neural_style import StyleTransfer
    from neural_style.scales import SingleScale

    transfer = StyleTransfer(extractor="vgg16", scales=SingleScale(steps))
    baseline = common.peak_memory()
    result = transfer.run(common.CONTENT, common.STYLE, size=size)
    height, width = result.pixels.shape[:2]
    return {"size": size, "megapixels": width * height * 1e-6, "baseline_bytes": baseline}


def _results(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    sizes = sorted({report["size"] for report in reports})
    megapixels = [report["megapixels"] for report in reports]
    peaks = [report["peak_bytes"] / MIB for report in reports]
    slope = float(np.polyfit(megapixels, peaks, 1)[0]) if len(sizes) > 1 else None
    return {
        "baseline_mib": common.summary([report["baseline_bytes"] / MIB for report in reports]),
        "mib_per_megapixel": slope,
        "sizes": [_of_size(size, reports) for size in sizes],
    }


def _of_size(size: int, reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    mine = [report for report in reports if report["size"] == size]
    peaks = common.summary([report["peak_bytes"] / MIB for report in mine])
    return {"size": size, "megapixels": mine[0]["megapixels"], "peak_mib": peaks}


def _rows(results: dict[str, Any]) -> list[tuple[object, ...]]:
    return [(each["size"], f"{each['megapixels']:.2f}", common.shown(each["peak_mib"], 0)) for each in results["sizes"]]


if __name__ == "__main__":
    main()
