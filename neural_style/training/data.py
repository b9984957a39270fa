"""Training images: files of a folder, random crops of them, and perturbed crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neural_style import images

__all__ = ["Crops", "hold_out", "image_paths", "perturb"]

SUFFIXES = (".jpg", ".jpeg", ".png")


def image_paths(folder: Path) -> list[Path]:
    """The JPEG and PNG files of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def hold_out(paths: Sequence[Path], count: int) -> tuple[list[Path], list[Path]]:
    """Split paths into those to train on and `count`, at equal distances, to validate on."""
    stride = max(1, len(paths) // max(1, count))
    held_out = list(paths[::stride][:count])
    return [path for path in paths if path not in set(held_out)], held_out


class Crops:
    """Random square crops of images, at random scales, flipped and recolored.

    Args:
        paths: of the images; all are kept in memory, with 8 bits per channel.
        side: of a crop in pixels.
    """

    def __init__(self, paths: Sequence[Path], side: int) -> None:
        self.side = side
        self._images = [np.round(images.load(path)[0] * 255.0).astype(np.uint8) for path in paths]

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Random crops, float32 (count, side, side, 3) in [0, 1]."""
        return np.stack([self._one(generator) for _ in range(count)])

    def _one(self, generator: np.random.Generator) -> np.ndarray:
        pixels = self._images[generator.integers(len(self))]
        short = min(pixels.shape[:2])
        cut = round(min(self.side, short) * (short / self.side) ** generator.random()) if short > self.side else short
        top, left = (generator.integers(extent - cut + 1) for extent in pixels.shape[:2])
        crop = pixels[top : top + cut, left : left + cut].astype(np.float32)[None] / 255.0
        crop = images.resize(crop, (self.side, self.side))[0]
        crop = crop[:, ::-1] if generator.random() < 0.5 else crop
        crop = crop.transpose(1, 0, 2) if generator.random() < 0.15 else crop
        crop = _recolor(crop, generator) if generator.random() < 0.5 else crop
        return np.asarray(np.clip(crop, 0.0, 1.0), np.float32)


def _recolor(crop: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Change saturation, contrast and brightness at random, and permute the channels of every second crop."""
    gray = crop.mean(axis=-1, keepdims=True)
    crop = gray + (crop - gray) * generator.uniform(0.3, 1.6)
    crop = crop[..., generator.permutation(3)] if generator.random() < 0.5 else crop
    middle = crop.mean()
    crop = middle + (crop - middle) * generator.uniform(0.5, 1.5) + generator.uniform(-0.15, 0.15, 3)
    return np.asarray(crop, np.float32)


def perturb(crops: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Perturb crops as a canvas may differ from its content.

    Four of six times: noise, half the resolution, a blend with the next crop, or noise at two scales.

    Args:
        crops: float32 (count, side, side, 3) in [0, 1].
        generator: source of the perturbation, which is of one kind for all crops.

    Returns:
        Crops of the same shape and range.
    """
    kind = generator.integers(6)
    noise = generator.normal(size=crops.shape).astype(np.float32)
    if kind == 0:
        changed = crops + generator.uniform(0.02, 0.2) * noise
    elif kind == 1:
        changed = _enlarge(crops[:, ::2, ::2], crops.shape[1])
    elif kind == 2:
        changed = crops + generator.uniform(0.2, 0.6) * (np.roll(crops, 1, axis=0) - crops)
    elif kind == 3:
        changed = crops + 0.2 * _enlarge(noise[:, ::4, ::4], crops.shape[1]) + 0.03 * noise
    else:
        changed = crops
    return np.asarray(np.clip(changed, 0.0, 1.0), np.float32)


def _enlarge(crops: np.ndarray, side: int) -> np.ndarray:
    return np.concatenate([images.resize(crop[None], (side, side)) for crop in crops])
