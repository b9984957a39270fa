"""Who paints many pictures: processes, a thread for each local device, or the workers of a Ray cluster.

Each is a `concurrent.futures.Executor` for `stylize_many`. A Dask cluster's is `Client.get_executor()`, and needs
nothing of this.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

__all__ = ["RayExecutor", "devices", "processes", "settle_in"]

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


def processes(count: int, *, threads: int | None = None, gpus: Sequence[int | str] | None = None) -> Executor:
    """Processes of this machine, each with its share of the cores, and with a graphics card of its own where told so.

    They are spawned, not forked, because TensorFlow does not survive a fork: the program that calls this must be
    importable without side effects (`if __name__ == "__main__":`).

    Args:
        count: how many.
        threads: how many cores each may keep busy; None to share out those this process may use.
        gpus: numbers of graphics cards, as `nvidia-smi` counts them, or their names: the processes take them in
            turn and see no other. None: each sees all there are, and TensorFlow takes the memory of all of them.

    Raises:
        ValueError: `count` or `threads` is less than 1, or `gpus` is empty.

    Example:
        >>> with processes(2, gpus=[0, 1]) as executor:
        ...     pass
    """
    if count < 1 or (threads is not None and threads < 1):
        raise ValueError(f"count and threads are at least 1, not {count} and {threads}")
    if gpus is not None and not gpus:
        raise ValueError("gpus is an empty list; leave it out to have every process see all there are")
    context = get_context("spawn")
    shares: Any = context.Queue()
    for number in range(count):
        shares.put(None if gpus is None else str(gpus[number % len(gpus)]))
    each = max(1, _cores() // count) if threads is None else threads
    return ProcessPoolExecutor(count, context, _become_worker, (each, shares))


def devices(names: Sequence[str] | None = None) -> Executor:
    """A thread of this process for each local device, which computes there.

    Args:
        names: of TensorFlow's logical devices, such as `"GPU:0"`; None for all graphics cards, or, where there is none,
            all processors.

    Raises:
        ValueError: TensorFlow has no device of that name.

    Example:
        >>> with devices() as executor:
        ...     executor.submit(sum, [1, 2]).result()
        3
    """
    import tensorflow as tf

    there = {kind: [device.name for device in tf.config.list_logical_devices(kind)] for kind in ("GPU", "CPU")}
    known = {name.removeprefix("/device:"): name for name in (*there["GPU"], *there["CPU"])}
    chosen = (
        list(names) if names is not None else [name.removeprefix("/device:") for name in there["GPU"] or there["CPU"]]
    )
    for name in chosen:
        if name.removeprefix("/device:") not in known:
            raise ValueError(f"there is no device {name!r}; there are {', '.join(known)}")
    if not chosen:
        raise ValueError("names is an empty list; leave it out for all devices")
    free: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in chosen:
        free.put(name)
    return ThreadPoolExecutor(len(chosen), "neural_style-device", lambda: tf.device(free.get()).__enter__())


class RayExecutor(Executor):
    """Jobs as tasks of the Ray cluster this process is connected to; those of a worker that dies begin again elsewhere.

    Args:
        options: of each task, as for `ray.remote`: `num_cpus=2`; `num_gpus=1` for a graphics card of its own, which Ray
            picks; `max_retries=3` for how often a job begins again.

    Raises:
        ImportError: Ray is not installed.

    Example:
        >>> RayExecutor(num_gpus=1)  # doctest: +SKIP
    """

    def __init__(self, **options: Any) -> None:
        try:
            import ray
        except ImportError as error:
            raise ImportError("install Ray with: pip install 'tf-neural-style[ray]'") from error
        self._task = ray.remote(**{"num_cpus": 1, **options})(_call)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        """Run a function in some worker; see `concurrent.futures.Executor.submit`."""
        future: Future[Any] = self._task.remote(function, *arguments, **keywords).future()
        return future


def settle_in() -> None:
    """What a program may do to its own process, and a library may not: less memory held on to, no banners.

    Example:
        >>> settle_in()
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no banners
    if sys.platform == "linux":
        # The C library keeps freed blocks of up to 32 MiB, and a step leaves more holes than it fills again: maps
        # of 16 MiB go back to the system. Smaller ones come too often for that.
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 16 * 2**20)


def _call(function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
    return function(*arguments, **keywords)


def _cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _become_worker(threads: int, shares: Any) -> None:
    """Take a share of the machine; said before TensorFlow is loaded."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    settle_in()
    gpu = shares.get()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
