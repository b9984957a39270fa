"""Losses that hold on to the content picture."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import tensorflow as tf

from neural_style.losses.base import Features, Loss, Statistic, layer_names

__all__ = ["Content"]


@dataclasses.dataclass(frozen=True)
class Content(Loss):
    r"""Squared distance of feature maps, position by position.

    .. math:: \frac{1}{L} \sum_l \frac{\sum_{ij} (F^l_{ij} - P^l_{ij})^2}{\sum_{ij} (P^l_{ij})^2}

    Gatys et al. (2016), equation 1, with the sum over the content's own energy in place of one half, so that
    neither the picture's size nor the network's scale matters: 1 means as far away as a picture without
    features.

    Args:
        layers: where to compare.
        name: what it is reported by.
    """

    layers: tuple[str, ...] = ("block4_conv2",)
    name: str = "content"
    uses_content: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", layer_names(self.layers))

    def statistic(self, features: Features, content: Features, guides: Features) -> Statistic:
        return {
            layer: (
                tf.reduce_sum(tf.math.squared_difference(features[layer], content[layer])),
                tf.reduce_sum(tf.square(content[layer])),
            )
            for layer in self.layers
        }

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        distances = [distance / (energy + 1e-8) for distance, energy in statistic.values()]
        return tf.add_n(distances) / len(distances)
