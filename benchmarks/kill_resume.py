"""Kill a run repeatedly with `kill -9` and check that its result equals that of an uninterrupted run.

    python benchmarks/kill_resume.py --kills 50

A 64-pixel run in a child process saves after every step. The script kills the process at a random moment after its
first step, while it computes or writes; the next process resumes from the checkpoint. When a run completes and kills
remain, another run starts with another seed. The script compares the SHA-256 of the finished pixels.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STEPS = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    parser.add_argument("--vgg", action="store_true", help="the default recipe on VGG16; otherwise two convolutions")
    parser.add_argument("--worker", nargs=2, metavar=("PATH", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(paint(options.worker[0], int(options.worker[1]), options.vgg), flush=True)
        return
    print(json.dumps(measure(options), indent=1))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    moments = random.Random(options.seed)
    report: dict[str, Any] = {"kills": 0, "runs": 0, "identical": 0, "resumes": 0, "resumes_failed": 0}
    with tempfile.TemporaryDirectory() as folder:
        while report["kills"] < options.kills:
            path = Path(folder) / f"{report['runs']}.npz"
            finished = None
            while finished is None:
                report["resumes"] += path.exists() or path.with_name(f"{path.name}.bak").exists()
                spare = report["kills"] < options.kills
                finished = attempt(path, report, moments.expovariate(1.5) if spare else None, options.vgg)
            unbroken = attempt(path.with_suffix(".unbroken"), report, None, options.vgg)
            report["identical"] += finished == unbroken
            report["runs"] += 1
        report["temporaries_left"] = len(list(Path(folder).glob(".*.part")))
    return report | {"hardware": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"}


def attempt(path: Path, report: dict[str, Any], moment: float | None, vgg: bool) -> str | None:
    """Run one process, killed `moment` seconds after its first step unless None; return its result's hash, if any."""
    command = [sys.executable, __file__, "--worker", str(path), str(report["runs"]), *(["--vgg"] if vgg else [])]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(command, env=environment, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        if moment is not None and first.startswith("step"):
            time.sleep(moment)
            process.kill()
        lines = [first, *process.stdout]
    if process.returncode == -9:
        report["kills"] += 1
        print(f"kill {report['kills']}: {first.strip()} to {lines[-1].strip()}", file=sys.stderr, flush=True)
        return None
    if process.returncode != 0:
        report["resumes_failed"] += 1
        raise SystemExit(f"a resume failed: {report}")
    return lines[-1].strip()


def paint(path: str, seed: int, vgg: bool) -> str:
    from neural_style import Checkpoint, StyleTransfer
    from neural_style.scales import SingleScale
    from tests import tiny

    transfer = StyleTransfer(None, "vgg16", scales=SingleScale()) if vgg else tiny.transfer()
    result = transfer.run(
        tiny.picture(1, 48, 64),
        tiny.picture(2, 64, 64),
        size=64,
        steps=20 if vgg else STEPS,
        init="noise",
        seed=seed,
        checkpoint=Checkpoint(path, every_steps=1),
        callbacks=[lambda step: print(f"step {step.step}", flush=True)],
    )
    return hashlib.sha256(result.pixels.tobytes()).hexdigest()


if __name__ == "__main__":
    main()
