"""Make the bundled weights: `python -m neural_style.features.quantize SOURCE.npz [TARGET.npz]`.

Each output channel of a kernel is rounded to 8 bits with a scale of its own. Of 48 candidate scales the one
with the least squared error is taken: clipping the few largest weights a little costs less than a coarser
step for all the others.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

LAYERS = [f"block{b}_conv{c}" for b, n in enumerate((2, 2, 3, 3, 1), 1) for c in range(1, n + 1)]


def quantize(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round a kernel to 8 bits per output channel.

    Args:
        kernel: float32 (3, 3, in, out).

    Returns:
        The kernel as int8 (3, 3, in, out) in [-127, 127] and the float32 scale (out,) of each channel.
    """
    flat = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    largest = np.abs(flat).max(axis=0) / 127.0
    best_scale, best_error = largest, np.full_like(largest, np.inf)
    for shrink in np.linspace(1.0, 0.53, 48):
        scale = largest * shrink
        rounded = np.clip(np.round(flat / scale), -127, 127)
        error = np.square(rounded * scale - flat).sum(axis=0)
        best_scale = np.where(error < best_error, scale, best_scale)
        best_error = np.minimum(error, best_error)
    scale = best_scale.astype(np.float32)
    integers = np.clip(np.round(flat / scale), -127, 127).astype(np.int8)
    return integers.reshape(kernel.shape), scale


def main() -> None:
    """Write the file and print its SHA-256."""
    parser = argparse.ArgumentParser(description="Round VGG16's weights to 8 bits per output channel.")
    parser.add_argument("source", type=Path, help="float32 weights, keys block1_conv1/kernel, ...")
    parser.add_argument("target", type=Path, nargs="?", default=Path(__file__).parent / "weights" / "vgg16.npz")
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
