"""Make the bundled weights: `python -m neural_style.training.quantize SOURCE.npz [TARGET.npz]`.

Each output channel of a kernel is rounded to 8 bits with a scale of its own. Of 48 candidate scales the one
with the least squared error is taken: clipping the few largest weights a little costs less than a coarser
step for all the others. Then the nine taps between an input and an output channel are rounded up or down so
that their sum comes out right: maps are smooth, so errors that cancel over neighbours hardly show. Against
rounding each tap to the nearest, that takes a third off the error of the deepest map.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

PRETRAINED = Path(__file__).parents[1] / "features" / "pretrained"
LAYERS = [f"block{b}_conv{c}" for b, n in enumerate((2, 2, 3, 3, 1), 1) for c in range(1, n + 1)]


def quantize(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round a kernel to 8 bits per output channel.

    Args:
        kernel: float32 (3, 3, in, out).

    Returns:
        The kernel as int8 (3, 3, in, out) in [-127, 127] and the float32 scale (out,) of each channel.
    """
    scale = _best_scale(kernel.reshape(-1, kernel.shape[-1]).astype(np.float64))
    taps = np.clip(kernel.reshape(-1, *kernel.shape[2:]) / scale.astype(np.float64), -127, 127)
    integers = np.clip(_round_keeping_sums(taps), -127, 127).astype(np.int8)
    return integers.reshape(kernel.shape), scale


def _best_scale(flat: np.ndarray) -> np.ndarray:
    """The scale of each channel (out,) with the least squared rounding error of (weights, out)."""
    largest = np.abs(flat).max(axis=0) / 127.0
    best_scale, best_error = largest, np.full_like(largest, np.inf)
    for shrink in np.linspace(1.0, 0.53, 48):
        scale = largest * shrink
        rounded = np.clip(np.round(flat / scale), -127, 127)
        error = np.square(rounded * scale - flat).sum(axis=0)
        best_scale = np.where(error < best_error, scale, best_scale)
        best_error = np.minimum(error, best_error)
    result: np.ndarray = best_scale.astype(np.float32)
    return result


def _round_keeping_sums(taps: np.ndarray) -> np.ndarray:
    """Round (taps, in, out) so that sums over the first axis are right to half a step.

    Where rounding to the nearest misses the sum by k steps, the k taps nearest to rounding the other way do so.
    """
    rounded = np.round(taps)
    missing = np.round((taps - rounded).sum(axis=0))
    residual = (taps - rounded) * np.sign(missing)
    order = np.argsort(np.argsort(-residual, axis=0), axis=0)
    result: np.ndarray = rounded + np.sign(missing) * (order < np.abs(missing))
    return result


def main() -> None:
    """Write the file and print its SHA-256."""
    parser = argparse.ArgumentParser(description="Round VGG16's weights to 8 bits per output channel.")
    parser.add_argument("source", type=Path, help="float32 weights, keys block1_conv1/kernel, ...")
    parser.add_argument("target", type=Path, nargs="?", default=PRETRAINED / "vgg16.npz")
    arguments = parser.parse_args()
    stored = {}
    with np.load(arguments.source, allow_pickle=False) as source:
        for name in LAYERS:
            kernel, scale = quantize(source[f"{name}/kernel"])
            stored[f"{name}/kernel"] = kernel
            stored[f"{name}/scale"] = scale
            stored[f"{name}/bias"] = source[f"{name}/bias"].astype(np.float32)
    np.savez_compressed(arguments.target, allow_pickle=False, **stored)
    data = arguments.target.read_bytes()
    print(f"{arguments.target}: {len(data) / 1e6:.1f} MB, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
