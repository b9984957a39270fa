"""The memory that this process may still allocate, and the return of what it freed."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from pathlib import Path

import tensorflow as tf

__all__ = ["available_bytes", "return_freed_memory"]


def available_bytes() -> int | None:
    """Memory that this process may still allocate: the least of what the machine and its control group have left.

    Returns:
        Bytes; None if the system does not report it, or if TensorFlow uses an accelerator, since the feature maps then
        lie in the accelerator's memory.
    """
    if tf.config.list_physical_devices("GPU"):
        return None
    known = [value for value in (_machine_bytes(), _group_bytes()) if value is not None]
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
    """Memory left under the limit of a container, for both versions of control groups."""
    for maximum, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limit, taken = (Path("/sys/fs/cgroup", name).read_text().strip() for name in (maximum, used))
            return None if limit == "max" else max(0, int(limit) - int(taken))
        except (OSError, ValueError):
            continue
    return None
