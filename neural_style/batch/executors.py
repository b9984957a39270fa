"""Executors for `stylize_many`: processes, one thread for each local device, or the workers of a Ray cluster.

Each is a `concurrent.futures.Executor`. A Dask cluster provides its own, `Client.get_executor()`.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

from neural_style import _arguments, _optional
from neural_style.batch import worker

__all__ = ["RayExecutor", "devices", "processes"]


def processes(count: int, *, threads: int | None = None, gpus: Sequence[int | str] | None = None) -> Executor:
    """Worker processes on this machine, each with its share of the cores and, if requested, its own GPU.

    Processes are spawned, not forked, because TensorFlow does not survive a fork: the calling program must be
    importable without side effects (`if __name__ == "__main__":`). They end when this process does, also when it is
    killed; an interrupt that leaves the `with` block interrupts their jobs. Their warnings and what they log as
    `neural_style` reach this process.

    Args:
        count: number of processes, at least 1.
        threads: number of cores that each process may keep busy; None divides the cores available to this process.
        gpus: GPU indices as printed by `nvidia-smi`, or GPU names, assigned to the processes in turn; a process sees no
            GPU but its own. None: each process sees all GPUs, and TensorFlow reserves the memory of all of them.

    Raises:
        ValueError: `count` or `threads` is less than 1, or `gpus` is empty.

    Example:
        >>> with processes(2, gpus=[0, 1]) as executor:
        ...     pass
    """
    count, threads = _arguments.count("count", count), None if threads is None else _arguments.count("threads", threads)
    if gpus is not None and not gpus:
        raise ValueError("gpus is an empty list; omit it to let every process see all GPUs")
    each = max(1, _available_cores() // count) if threads is None else threads
    return _Processes(count, each, [None if gpus is None else str(gpus[number % len(gpus)]) for number in range(count)])


class _Processes(ProcessPoolExecutor):
    """A pool whose jobs stop when an interrupt leaves its `with` block, and whose workers end with this process."""

    def __init__(self, count: int, threads: int, gpus: Sequence[str | None]) -> None:
        context = get_context("spawn")
        with worker.unheard():  # the first of these starts a process that cleans up after them
            self._assigned: Any = context.Queue()
            messages: Any = context.Queue()
            self._closing = context.Event()
        for gpu in gpus:
            self._assigned.put(gpu)
        super().__init__(count, context, worker.start, (threads, self._assigned, messages, self._closing))
        self._messages = worker.Messages(messages)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        with worker.unheard():
            return super().submit(worker.call, function, *arguments, **keywords)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            self._messages.close()
            # A queue's thread gives back its semaphores, which the end of the process could interrupt: the process that
            # cleans up after this one would then report a leak.
            self._assigned.close()
            self._assigned.join_thread()

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is not None and not issubclass(kind, Exception):  # SIGTERM, say, which reached this process alone
            self._closing.set()
            for process in list(self._processes or ()):
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGINT)
        super().__exit__(kind, *rest)


def devices(names: Sequence[str] | None = None) -> Executor:
    """One thread of this process for each local device, which runs its jobs there.

    Args:
        names: TensorFlow's logical devices, such as `"GPU:0"`; None for all GPUs or, without any, all CPUs.

    Raises:
        ValueError: TensorFlow has no such device, or `names` is empty.

    Example:
        >>> with devices() as executor:
        ...     executor.submit(sum, [1, 2]).result()
        3
    """
    import tensorflow as tf

    logical = {kind: [device.name for device in tf.config.list_logical_devices(kind)] for kind in ("GPU", "CPU")}
    known = {name.removeprefix("/device:"): name for name in (*logical["GPU"], *logical["CPU"])}
    default = [name.removeprefix("/device:") for name in logical["GPU"] or logical["CPU"]]
    chosen = default if names is None else list(names)
    for name in chosen:
        if name.removeprefix("/device:") not in known:
            raise ValueError(f"no device {name!r}; there are {', '.join(known)}")
    if not chosen:
        raise ValueError("names is an empty list; omit it to use all devices")
    free: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in chosen:
        free.put(name)
    return ThreadPoolExecutor(len(chosen), "neural_style-device", lambda: tf.device(free.get()).__enter__())


class RayExecutor(Executor):
    """Runs jobs as tasks of the Ray cluster that this process is connected to; Ray restarts jobs of a dead worker.

    Args:
        **options: options of each task, as for `ray.remote`: `num_cpus=2`; `num_gpus=1` for a GPU of its own, chosen by
            Ray; `max_retries=3` for the number of restarts.

    Raises:
        ImportError: Ray is not installed.

    Example:
        >>> RayExecutor(num_gpus=1)  # doctest: +SKIP
    """

    def __init__(self, **options: Any) -> None:
        ray = _optional.require("ray", extra="ray")
        self._task = ray.remote(**{"num_cpus": 1, **options})(_call)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        """Run a function in some worker; see `concurrent.futures.Executor.submit`."""
        future: Future[Any] = self._task.remote(function, *arguments, **keywords).future()
        return future


def _call(function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
    return function(*arguments, **keywords)


def _available_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
