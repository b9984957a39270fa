"""Read every picture of a folder, and check that each quickly gives either pixels or an `ImageError`.

    python benchmarks/corpus.py FOLDER --json corpus.json

A suitable folder is `Tests/images` of Pillow's unpacked source distribution (`pip download --no-deps
--no-binary=:all: pillow`): it has many variants of formats, damaged files, and files made to crash or exhaust a reader.
"""

from __future__ import annotations

import argparse
import collections
import time
from pathlib import Path
from typing import Any

import psutil
from common import write_json

from neural_style import ImageError, images

MAX_SECONDS, MAX_MEGABYTES = 1.0, 200.0


def read(path: Path) -> dict[str, Any]:
    """Read one file; return the outcome (`read`, `refused` or an exception's name), seconds and memory growth."""
    process = psutil.Process()
    before, began = process.memory_info().rss, time.perf_counter()
    try:
        images.read(path)
        outcome = "read"
    except ImageError:
        outcome = "refused"
    except Exception as error:
        outcome = type(error).__name__
    seconds = time.perf_counter() - began
    return {"outcome": outcome, "seconds": seconds, "megabytes": (process.memory_info().rss - before) / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.is_file())
    results = {str(path.relative_to(options.folder)): read(path) for path in files}
    counts = collections.Counter(result["outcome"] for result in results.values())
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    for name, result in results.items():
        slow, large = result["seconds"] > MAX_SECONDS, result["megabytes"] > MAX_MEGABYTES
        if slow or large or result["outcome"] not in ("read", "refused"):
            print(f"{name}: {result['outcome']}, {result['seconds']:.2f} s, {result['megabytes']:.0f} MB")
    write_json(options, {"counts": dict(counts), "files": results})


if __name__ == "__main__":
    main()
