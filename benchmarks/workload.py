"""The fixed work of `step_time.py`: losses given as plain numbers, so that other frameworks can compute the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from common import CONTENT, STYLE

from neural_style import images
from neural_style.losses import Content, Moments, Sum, TotalVariation


@dataclasses.dataclass(frozen=True)
class Workload:
    """Layers and weights; the defaults are those of the default recipe when this was written."""

    content_layer: str = "block4_conv2"
    content_weight: float = 0.075
    style_layers: tuple[str, ...] = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
    layer_weights: tuple[float, ...] = (3.0, 2.0, 1.0, 1.0, 0.5)
    variation_weight: float = 0.5

    @property
    def layers(self) -> tuple[str, ...]:
        return (*self.style_layers, self.content_layer)

    def loss(self) -> Sum:
        """Return the workload as a sum of this library's losses."""
        style = Moments(self.style_layers, layer_weights=self.layer_weights)
        content = self.content_weight * Content((self.content_layer,))
        return content + style + self.variation_weight * TotalVariation()


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Content, style and initial canvas, float32 (1, side, side, 3) in [0, 1]."""

    content: np.ndarray
    style: np.ndarray
    start: np.ndarray

    @classmethod
    def square(cls, side: int) -> Pictures:
        """Return square sample pictures, and the content with added noise, so that no loss starts at zero."""
        content, style = (_square(path, side) for path in (CONTENT, STYLE))
        noise = np.random.default_rng(0).normal(0.0, 0.1, content.shape)
        return cls(content, style, np.clip(content + noise, 0.0, 1.0).astype(np.float32))


def _square(path: Path, side: int) -> np.ndarray:
    return images.resize(images.load(path), (side, side))
