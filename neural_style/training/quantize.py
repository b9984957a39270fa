"""Make the bundled weights: `python -m neural_style.training.quantize SOURCE.npz [TARGET.npz]`.

Each output channel of a kernel is rounded to 8 bits with a scale of its own: of 48 candidates, the one with the least
squared error. Clipping the few largest weights a little costs less than a coarser step for all the others. Then the
nine taps between an input and an output channel are rounded up or down so that their sum is preserved: maps are smooth,
so errors that cancel over neighboring pixels hardly matter. Compared with rounding each tap to the nearest integer,
this reduces the error of the deepest map by a third.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neural_style.features.vgg import convolution_names

__all__ = ["LAYERS", "PRETRAINED", "main", "quantize"]

PRETRAINED = Path(__file__).parents[1] / "features" / "pretrained"
"""Folder of the bundled weights."""

LAYERS = convolution_names((2, 2, 3, 3, 1))
"""The convolutions of VGG16 that are bundled."""


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
    """The scale of each channel, (out,), with the least squared rounding error; `flat` is (weights, out)."""
    largest = np.abs(flat).max(axis=0) / 127.0
    best_scale, best_error = largest, np.full_like(largest, np.inf)
    for shrink in np.linspace(1.0, 0.53, 48):
        scale = largest * shrink
        rounded = np.clip(np.round(flat / scale), -127, 127)
        error = np.square(rounded * scale - flat).sum(axis=0)
        best_scale = np.where(error < best_error, scale, best_scale)
        best_error = np.minimum(error, best_error)
    return best_scale.astype(np.float32)


def _round_keeping_sums(taps: np.ndarray) -> np.ndarray:
    """Round (taps, in, out) so that sums over the first axis are exact to half a step.

    Where rounding to the nearest misses the sum by k steps, the k taps nearest to the other integer go there.
    """
    rounded = np.round(taps)
    missing = np.round((taps - rounded).sum(axis=0))
    residual = (taps - rounded) * np.sign(missing)
    order = np.argsort(np.argsort(-residual, axis=0), axis=0)
    return rounded + np.sign(missing) * (order < np.abs(missing))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file and print its SHA-256."""
    parser = argparse.ArgumentParser(
        prog="python -m neural_style.training.quantize",
        description="Round VGG16's weights to 8 bits, with a scale for each output channel.",
    )
    parser.add_argument("source", type=Path, help="an .npz file of float32 weights: block1_conv1/kernel, ...")
    parser.add_argument(
        "target", type=Path, nargs="?", default=PRETRAINED / "vgg16.npz", help="file to write (%(default)s)"
    )
    options = parser.parse_args(arguments)
    stored = {}
    with np.load(options.source, allow_pickle=False) as source:
        for name in LAYERS:
            kernel, scale = quantize(source[f"{name}/kernel"])
            stored[f"{name}/kernel"] = kernel
            stored[f"{name}/scale"] = scale
            stored[f"{name}/bias"] = source[f"{name}/bias"].astype(np.float32)
    np.savez_compressed(options.target, allow_pickle=False, **stored)
    data = options.target.read_bytes()
    print(f"{options.target}: {len(data) / 1e6:.1f} MB, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
