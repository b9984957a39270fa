"""Two networks as one extractor: a style is measured on both at once, and a saved style holds what both read."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import tensorflow as tf

from neural_style.features.base import Extractor, LayerGradient, PullBack, ReceptiveField, forward_with_vjp

__all__ = ["Encoders"]


@dataclasses.dataclass(frozen=True, eq=False)
class Encoders:
    """The layers of one network under their own names, and those of another after a prefix.

    A call runs only the networks of the layers that are asked for.

    Attributes:
        plain: the network whose layers keep their names.
        other: the other one.
        prefix: of the names of its layers.

    Example:
        >>> from neural_style.features import VGG16, Lite
        >>> maps = Encoders(VGG16(), Lite(), "lite/")(tf.zeros([1, 64, 48, 3]), ["block2_conv1", "lite/block2_conv1"])
        >>> {name: value.shape[-1] for name, value in maps.items()}
        {'block2_conv1': 128, 'lite/block2_conv1': 48}
    """

    plain: Extractor
    other: Extractor
    prefix: str

    def __str__(self) -> str:
        return f"{self.plain} and {self.other}"

    @functools.cached_property
    def layers(self) -> Mapping[str, ReceptiveField]:
        """Those of the first network, then those of the other."""
        return {**self.plain.layers, **{self.prefix + name: field for name, field in self.other.layers.items()}}

    def __call__(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        """See `Extractor`."""
        return {
            prefix + name: value
            for network, prefix, names in self._split(layers)
            for name, value in network(image, names).items()
        }

    def forward_with_vjp(self, image: tf.Tensor, layers: Sequence[str]) -> tuple[dict[str, tf.Tensor], PullBack]:
        """See `DifferentiableExtractor`."""
        parts = [(prefix, *forward_with_vjp(network, image, names)) for network, prefix, names in self._split(layers)]

        def pull_back(layer_gradient: LayerGradient) -> tf.Tensor:
            return tf.add_n(
                [
                    back(lambda name, value, prefix=prefix: layer_gradient(prefix + name, value))  # type: ignore[misc]
                    for prefix, _, back in parts
                ]
            )

        return {prefix + name: value for prefix, maps, _ in parts for name, value in maps.items()}, pull_back

    def _split(self, layers: Sequence[str]) -> list[tuple[Extractor, str, list[str]]]:
        """The networks that layers belong to, with the prefix and the names of those of each."""
        others = [name for name in layers if name not in self.plain.layers]
        parts = [
            (self.plain, "", [name for name in layers if name in self.plain.layers]),
            (self.other, self.prefix, [name.removeprefix(self.prefix) for name in others]),
        ]
        return [part for part in parts if part[2]]
