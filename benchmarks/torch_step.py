"""The step of `step_time.py` in plain PyTorch: the same network, losses and optimizer with the same weights.

This is idiomatic PyTorch: `conv2d` on tensors, autograd, `torch.optim.Adam`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from workload import Pictures, Workload

Arrays = Mapping[str, tuple[np.ndarray, np.ndarray]]
MEAN_BGR = (103.939, 116.779, 123.68)


class TorchStep:
    """A canvas with its losses and optimizer.

    Args:
        workload: losses and layers.
        pictures: content, style and start.
        arrays: the weights of each convolution, in order.
        precision: `"float32"`, or the autocast type of the convolutions.
        channels_last: the memory format of canvas, maps and kernels.
    """

    def __init__(
        self, workload: Workload, pictures: Pictures, arrays: Arrays, *, precision: str, channels_last: bool
    ) -> None:
        torch.set_float32_matmul_precision("high")  # TF32 on GPUs, as in TensorFlow
        self.workload = workload
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.precision = getattr(torch, precision)
        self.mean = torch.tensor(MEAN_BGR, device=self.device).view(1, 3, 1, 1)
        # Convert kernels once; autocast would convert them in every step.
        self.weights = {name: self._layer(stored.kernel32, stored.bias) for name, stored in arrays.items()}
        with torch.no_grad():
            self.content = self.features(self._picture(pictures.content))[workload.content_layer]
            style = self.features(self._picture(pictures.style))
            self.targets = {layer: moments(style[layer]) for layer in workload.style_layers}
        self.canvas = self._picture(pictures.start).requires_grad_()
        self.adam = torch.optim.Adam([self.canvas], lr=0.02, betas=(0.9, 0.99), eps=1e-12)

    def step(self) -> float:
        """Make one step; return the loss before it."""
        self.adam.zero_grad()
        loss = self.loss()
        loss.backward()
        self.adam.step()
        with torch.no_grad():
            self.canvas.clamp_(0.0, 1.0)
        return float(loss.item())

    def loss(self) -> torch.Tensor:
        """Return the weighted sum of losses of the canvas."""
        maps = self.features(self.canvas)
        style = [
            weight * relative_moments(moments(maps[layer]), self.targets[layer])
            for layer, weight in zip(self.workload.style_layers, self.workload.layer_weights, strict=True)
        ]
        content = relative(maps[self.workload.content_layer], self.content)
        return (
            self.workload.content_weight * content
            + torch.stack(style).sum() / sum(self.workload.layer_weights)
            + self.workload.variation_weight * total_variation(self.canvas)
        )

    def features(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the feature maps that the losses use, in float32."""
        maps: dict[str, torch.Tensor] = {}
        x = image.flip(1) * 255.0 - self.mean
        with self._casting():
            for name, (kernel, bias) in self.weights.items():
                if len(maps) == len(self.workload.layers):
                    break
                if name.endswith("conv1") and name != "block1_conv1":
                    x = functional.max_pool2d(x, 2)
                x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
                if name in self.workload.layers:
                    maps[name] = x
        return {name: value.float() for name, value in maps.items()}

    def _casting(self) -> contextlib.AbstractContextManager[Any]:
        if self.precision == torch.float32:
            return contextlib.nullcontext()
        casting: contextlib.AbstractContextManager[Any] = torch.autocast(self.device, dtype=self.precision)
        return casting

    def _picture(self, pixels: np.ndarray) -> torch.Tensor:
        tensor = torch.tensor(pixels).permute(0, 3, 1, 2).to(self.device)
        return tensor.contiguous(memory_format=self.format)

    def _layer(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        laid_out = torch.tensor(kernel).permute(3, 2, 0, 1).contiguous(memory_format=self.format)
        return laid_out.to(self.device, self.precision), torch.tensor(bias).to(self.device, self.precision)


def moments(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and covariance of the vectors of a map (1, channels, rows, columns)."""
    vectors = features.flatten(2)[0]
    mean = vectors.mean(dim=1)
    return mean, vectors @ vectors.T / vectors.shape[1] - torch.outer(mean, mean)


def relative_moments(value: tuple[torch.Tensor, torch.Tensor], goal: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return the sum of the relative squared distances of means and of covariances."""
    return relative(value[0], goal[0]) + relative(value[1], goal[1])


def relative(value: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """Return the squared distance divided by the squared norm of the goal."""
    return (value - goal).square().sum() / (goal.square().sum() + 1e-8)


def total_variation(image: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference of neighbors, with diagonal neighbors at half weight."""
    differences = [
        (1.0, image[..., 1:, :] - image[..., :-1, :]),
        (1.0, image[..., :, 1:] - image[..., :, :-1]),
        (0.5, image[..., 1:, 1:] - image[..., :-1, :-1]),
        (0.5, image[..., 1:, :-1] - image[..., :-1, 1:]),
    ]
    return torch.stack([weight * d.square().sum() for weight, d in differences]).sum() / (3.0 * image.numel())
