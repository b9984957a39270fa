"""Time and memory of `quality="instant"`, beside the default.

    python benchmarks/one_pass.py --json one_pass.json

Seconds of a call in a process that has made one before, at full size, as a preview and with the default, taking turns;
and of the whole command, with its peak memory. `docs/gallery_qualities.py` measures the pictures.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import common


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    content, style = (common.sample(name) for name in ("chenonceau", "starry_night"))
    seconds = _warm(content, style, options)
    commands = [_command(content, style, options.size) for _ in range(options.repeats + 1)][1:]
    rows = [(name, common.shown(common.summary(values), 2)) for name, values in seconds.items()]
    rows.append(("whole command, instant", common.shown(common.summary([each[0] for each in commands]), 2)))
    common.print_table(("what", "seconds"), rows)
    peak = statistics.median(each[1] for each in commands)
    print(f"\npeak memory of the command: {peak / 2**20:.0f} MiB")
    common.write_json(options, {"seconds": seconds, "commands": commands})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="timed calls and commands (%(default)s)")
    parser.add_argument("--size", type=int, default=512, help="long side (%(default)s)")
    return parser.parse_args(arguments)


def _warm(content: Path, style: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of calls in this process, by method, in turns."""
    from neural_style import stylize

    calls = {
        "instant": {"quality": "instant", "size": options.size},
        "instant, preview": {"quality": "instant", "preview": True},
        "best": {"extractor": "vgg16", "size": options.size},
    }
    for each in calls.values():
        stylize(content, style, **each)  # not counted: it loads and compiles
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _, name in common.alternating(list(calls), options.repeats):
        seconds[name].append(common.timed(lambda name=name: stylize(content, style, **calls[name])))
    return seconds


def _command(content: Path, style: Path, size: int) -> tuple[float, int]:
    """Seconds and peak memory in bytes of the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        painting = ["-m", "neural_style", str(content), str(style), "-o", f"{folder}/out.png", "--size", str(size)]
        code = (
            "import resource, subprocess, sys\n"
            "subprocess.run([sys.executable, *sys.argv[1:]], check=True, stdout=2)\n"
            "print(1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, *painting, "--quality", "instant", "--quiet"],
            check=True,
            stdout=subprocess.PIPE,
            cwd=common.ROOT,
        )
        return time.perf_counter() - began, int(done.stdout)


if __name__ == "__main__":
    main()
