"""Memory growth of a long-lived process over many runs of one size, and of many sizes.

    python benchmarks/leaks.py
    python benchmarks/leaks.py --vgg

Limits: resident memory grows by less than 20 MB from run 50 to run 2,000 of one size, and by less than 300 MB over 300
runs of 300 sizes. Each measurement is a separate process; its pictures have 32 to 63 pixels per side and four steps.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

MEASUREMENTS = {"one size": (2000, 50, 20.0), "many sizes": (300, 1, 300.0)}
"""For each measurement: the number of runs, the number of warm-up runs, and the limit in megabytes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vgg", action="store_true", help="the default recipe on VGG16; otherwise two convolutions")
    parser.add_argument("--runs", type=int, help="number of runs (default: as above)")
    parser.add_argument("--worker", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options.worker, options.vgg, options.runs)))
        return
    rows = [in_child_process(name) for name in MEASUREMENTS]
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


def measure(name: str, vgg: bool, runs: int | None) -> dict[str, Any]:
    import psutil

    from neural_style import StyleTransfer
    from neural_style.scales import SingleScale
    from tests import tiny

    # Without VGG16, two scales are used, so that both optimizers of the default run.
    transfer = StyleTransfer(None, "vgg16", scales=SingleScale()) if vgg else tiny.transfer()
    usual, warm_up, limit = MEASUREMENTS[name]
    count, style = runs or usual, tiny.picture(2, 64, 64)
    resident = []
    for i in range(count):
        height, width = (32, 32) if name == "one size" else (32 + i % 32, 32 + (i // 32 + 5 * i) % 32)
        content = tiny.picture(i, 64, 64)[:height, :width]
        transfer.run(content, style, size=None, steps=4)
        if i + 1 in (warm_up, count):
            gc.collect()
            resident.append(psutil.Process().memory_info().rss / 1e6)
    grown = resident[-1] - resident[0]
    return {
        "what": name,
        "network": "VGG16" if vgg else "two convolutions",
        "runs": count,
        "resident_mb": [round(value, 1) for value in resident],
        "grown_mb": round(grown, 1),
        "limit_mb": limit,
        "passed": grown < limit,
    }


if __name__ == "__main__":
    main()
