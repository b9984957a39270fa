"""Precision of the convolutions. Losses, statistics, canvas and optimizer are always float32."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import tensorflow as tf

from neural_style.features.base import Extractor

__all__ = ["PRECISIONS", "fastest_precision", "in_precision"]

PRECISIONS = ("auto", "float32", "bfloat16", "float16")

_CPU_INFO = Path("/proc/cpuinfo")


def in_precision(extractor: Extractor, precision: str) -> Extractor:
    """The same extractor, computing in another precision.

    Args:
        extractor: any extractor; only one with a method `with_precision(name)` can compute in another precision.
        precision: `"auto"` (the fastest that is safe on this device, where the extractor offers a choice),
            `"float32"`, `"bfloat16"` or `"float16"`.

    Raises:
        ValueError: an unknown precision, or one the extractor cannot compute in.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(map(repr, PRECISIONS))}, not {precision!r}")
    convert: Any = getattr(extractor, "with_precision", None)
    if convert is None:
        if precision in ("auto", "float32"):
            return extractor
        raise ValueError(f"{extractor!r} has no with_precision, so it cannot compute in {precision}")
    return convert(fastest_precision() if precision == "auto" else precision)


@functools.cache
def fastest_precision() -> str:
    """`"bfloat16"` where the hardware multiplies it natively, else `"float32"`.

    Decided by the instruction set or the GPU's generation, not by timing, so that equal calls on one machine always
    compute equal bits. Native are AVX512_BF16, AMX_BF16 and GPUs of compute capability 8.0 and up; elsewhere bfloat16
    is emulated and slower. float16 is never chosen: where bfloat16 is native, float16 is no faster.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "bfloat16" if capability >= (8, 0) else "float32"
    return "bfloat16" if _cpu_flags() & {"avx512_bf16", "amx_bf16"} else "float32"


def _cpu_flags() -> set[str]:
    try:
        lines = _CPU_INFO.read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())
