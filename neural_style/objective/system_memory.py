"""The memory that this process may still allocate, and the return of what it freed."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

__all__ = ["available_bytes", "return_freed_memory"]

CONTROL_GROUPS = "/sys/fs/cgroup"


def available_bytes() -> int | None:
    """Memory that this process may still allocate.

    It is the least of what the machine, the control groups around this process and its own limits (`ulimit`) leave.

    Returns:
        Bytes; None if the system does not report it, or if TensorFlow uses an accelerator, since the feature maps then
        lie in the accelerator's memory.
    """
    if tf.config.list_physical_devices("GPU"):
        return None
    known = [value for value in (_machine_bytes(), _group_bytes(), _own_bytes()) if value is not None]
    return min(known, default=None)


def return_freed_memory() -> None:
    """Free what only circular references keep, such as compiled graphs, and return freed memory to the system.

    glibc keeps most of what is freed for the next allocation, and is asked to return it. Other allocators decide for
    themselves.
    """
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def _machine_bytes() -> int | None:
    """Linux's estimate of available memory, or half of the installed memory elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return None


def _group_bytes() -> int | None:
    """Memory left under the limits of this process's control group and of all groups around it."""
    return min((left for group in _groups() if (left := _left_in(*group)) is not None), default=None)


class _Files(NamedTuple):
    """Names of the files that describe a control group's memory."""

    limit: str
    used: str
    cached: str  # its line in memory.stat, which counts file contents that the kernel drops on demand


_V1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = _Files("memory.max", "memory.current", "inactive_file")


def _groups() -> Iterator[tuple[Path, _Files]]:
    """The folders of the control groups that this process is in, from the innermost to the root."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/", "0:memory:/"]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, files = (Path(CONTROL_GROUPS, "memory"), _V1) if controllers else (Path(CONTROL_GROUPS), _V2)
        inner = Path(path.strip("/"))
        yield from ((root / each, files) for each in (inner, *inner.parents))


def _left_in(folder: Path, files: _Files) -> int | None:
    try:
        limit = folder.joinpath(files.limit).read_text().strip()
        if limit == "max":
            return None
        used = int(folder.joinpath(files.used).read_text())
        stat = dict(line.split(maxsplit=1) for line in folder.joinpath("memory.stat").read_text().splitlines())
        return max(0, int(limit) - used + int(stat.get(files.cached, 0)))
    except (OSError, ValueError):
        return None


def _own_bytes() -> int | None:
    """Memory left under the limits of this process, which `ulimit -v` and `ulimit -d` set."""
    try:
        resource: Any = importlib.import_module("resource")  # not on Windows
        counts = [int(each) for each in Path("/proc/self/statm").read_text().split()]
    except (ImportError, OSError, ValueError):
        return None
    used = {resource.RLIMIT_AS: counts[0], resource.RLIMIT_DATA: counts[5]}
    limits = {kind: resource.getrlimit(kind)[0] for kind in used}
    left = [
        limit - used[kind] * resource.getpagesize() for kind, limit in limits.items() if limit != resource.RLIM_INFINITY
    ]
    return max(0, min(left)) if left else None
