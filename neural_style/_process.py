"""Process-wide settings for this package's own commands and batch workers.

A library must not change the process it is imported into, so nothing but the command line and the worker processes of
`neural_style.batch.executors.processes` calls this.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

__all__ = ["configure_process"]

_M_MMAP_THRESHOLD = -3  # in glibc's malloc.h
_MMAP_BYTES = 16 * 2**20


def configure_process() -> None:
    """Silence TensorFlow's banners and return freed memory to the system; call it before TensorFlow is loaded.

    Example:
        >>> configure_process()
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if sys.platform == "linux":
        # glibc raises its threshold up to 32 MiB and keeps freed blocks below it, and a step frees more holes than it
        # fills again. A fixed threshold returns feature maps of 16 MiB to the system; smaller blocks are allocated too
        # often for that.
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
