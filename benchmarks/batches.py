"""Throughput of many small pictures with one and two workers, and the memory of a long batch.

    python benchmarks/batches.py --json batches.json
    python benchmarks/batches.py --memory

The first jobs, in which workers load and compile, are not counted. Two workers have one core each; one worker is
measured with one core and with two.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from common import parser, print_table, sample, write_json
from PIL import Image

from neural_style import stylize_many
from neural_style.batch.executors import processes
from neural_style.batch.jobs import Job

ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def main() -> None:
    arguments = parser(__doc__)
    add = arguments.add_argument
    add("--jobs", type=int, default=16, help="pictures in each round (%(default)s)")
    add("--size", type=int, default=128, help="long side in pixels (%(default)s)")
    add("--steps", type=int, default=20, help="steps per picture (%(default)s)")
    add("--memory", action="store_true", help="run 500 jobs one after the other and print the memory in use")
    options = arguments.parse_args()
    if options.memory:
        memory()
        return
    settings = {"size": options.size, "steps": options.steps, "extractor": "vgg16"}
    rows = []
    for name, start, warm_up in WORKERS:
        with tempfile.TemporaryDirectory() as folder, start() as executor:
            jobs = jobs_in(Path(folder), options.jobs, options.size)
            paint(jobs[:warm_up], executor, settings)
            seconds = paint(jobs, executor, settings)
        rows.append({"workers": name, "seconds": seconds, "per_minute": 60 * len(jobs) / seconds})
    base = rows[0]["per_minute"]
    print_table(
        ["workers", "pictures per minute", "relative to one core"],
        [[row["workers"], f"{row['per_minute']:.1f}", f"{row['per_minute'] / base:.2f}"] for row in rows],
    )
    write_json(options, rows)


def jobs_in(folder: Path, count: int, size: int) -> list[Job]:
    """Make jobs from one photograph, shifted by one more pixel each time."""
    with Image.open(sample("astronaut")) as photograph:
        small = np.asarray(photograph.convert("RGB").resize((size, size)))
    jobs = []
    for number in range(count):
        path = folder / f"{number}.png"
        Image.fromarray(np.roll(small, number, axis=1)).save(path)
        jobs.append(Job(path, str(sample("nocturne")), folder / "out" / path.name))
    return jobs


def paint(jobs: list[Job], executor: Executor | None, settings: dict[str, Any]) -> float:
    began = time.perf_counter()
    outcomes = list(stylize_many(jobs, executor=executor, **settings))
    seconds = time.perf_counter() - began
    failed = [outcome.error for outcome in outcomes if outcome.status != "done"]
    if failed:
        raise SystemExit(failed[0])
    return seconds


@contextlib.contextmanager
def dask() -> Iterator[Executor]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, env=ONE_CORE) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


WORKERS: list[tuple[str, Callable[[], Any], int]] = [
    ("one process, one core", lambda: processes(1, threads=1), 2),
    ("one process, two cores", lambda: processes(1, threads=2), 2),
    ("two processes, one core each", lambda: processes(2, threads=1), 6),
    ("two Dask workers, one core each", dask, 6),
]
"""Name of each configuration, a function that starts it, and the number of warm-up jobs."""


def memory() -> None:
    import psutil

    process, used = psutil.Process(), []
    with tempfile.TemporaryDirectory() as folder:
        jobs = jobs_in(Path(folder), 500, 32)
        for _ in stylize_many(jobs, size=32, steps=2, extractor="vgg16"):
            used.append(process.memory_info().rss / 2**20)
    marks = [0, 49, 99, 199, 299, 399, 499]
    print_table(["after job", "resident MiB"], [[mark + 1, f"{used[mark]:.0f}"] for mark in marks])


if __name__ == "__main__":
    main()
