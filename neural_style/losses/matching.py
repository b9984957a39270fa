"""Losses that match each part of the image with the nearest part of the style."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from neural_style._arguments import checked, real, share
from neural_style.images.augmentation import Copy, all_copies
from neural_style.losses.base import Context, Features, Loss, Statistic, layer_names
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import check_counts, flat, hypercolumns, match, subsample, unit

__all__ = ["NearestNeighbor", "Patches", "convert_copies"]


@dataclasses.dataclass(frozen=True)
class NearestNeighbor(PointSetLoss):
    r"""Mean cosine distance of each feature vector to the nearest vector of the style.

    .. math:: \frac{1}{N} \sum_i \left(1 - \cos(x_i, s_{m(i)})\right), \quad
              m(i) = \arg\max_j \cos(q_i - \bar q, s_j - \bar s), \quad q = (1 - a) x + a c

    Kolkin et al. (2022). The vectors are hypercolumns: those of several layers at one position, stacked. They are
    centered for matching, and compared uncentered. The query is the image x, the content c, or a mixture of both: with
    an `anchor` a of 1, each position is matched with the part of the style that is most similar to the content there;
    with 0, the image may drift toward the style. Deviations: a mixes the features, in the paper the images; matches are
    recomputed at every step, in the paper once per scale before its last pass; copies of the style are used only with
    `angles` (the paper's are 0, 90, 180 and 270).

    The loss is not additive, because it searches, so it cannot be used with tiles. With several styles, it is the
    weighted mean of the losses for each style. No gradient passes through the choice of the match.

    Args:
        layers: layers whose maps are stacked; a single layer compares the layer's own vectors.
        stride: cells of the largest map per vector, along each axis; see `sampling.hypercolumns`.
        max_vectors: maximum number of style vectors; of more, a fixed random subset is used. Time grows with it, memory
            hardly does. A style of more vectors has a distance from itself slightly above 0.
        anchor: share of the content in the query, in [0, 1].
        angles: degrees counterclockwise, of rotated copies of the style to search as well; `(0.0,)` for the style
            alone. Quarter turns are lossless; other angles keep the largest upright rectangle inside.
        scales: factors of scaled copies to search as well; each angle is combined with each scale.
        name: name of the term in reports.

    Raises:
        ValueError: `stride` or `max_vectors` is less than 1, `anchor` is not in [0, 1], or a scale is not positive.

    Example:
        An image has distance 0 from itself:

        >>> image = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = NearestNeighbor(("image",), stride=1)
        >>> own = loss.statistic(image, Context())
        >>> round(float(loss.compare(own, own)), 4) + 0.0
        0.0
    """

    layers: tuple[str, ...] = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")
    stride: int = 4
    max_vectors: int = 4096
    anchor: float = 0.0
    angles: tuple[float, ...] = (0.0,)
    scales: tuple[float, ...] = (1.0,)
    name: str = "nearest"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", layer_names(self.layers))
        check_counts(self, "stride", "max_vectors")
        convert_copies(self)
        checked(self, anchor=share)

    @property
    def copies(self) -> tuple[Copy, ...]:
        """Every angle at every scale."""
        return all_copies(self.angles, self.scales)

    @property
    def uses_content(self) -> bool:
        """Whether the anchor is above 0."""
        return self.anchor > 0.0

    def without_content(self) -> Loss:
        """The same loss with an anchor of 0."""
        return dataclasses.replace(self, anchor=0.0)

    def feature_maps(self, features: Features, context: Context) -> dict[str, Statistic]:
        """The hypercolumns, and with an anchor and a content the queries as well."""
        columns = hypercolumns(features, self.layers, self.stride)
        if not self.uses_content or not context.content:
            return {self.layers[0]: (columns,)}
        content = hypercolumns(context.content, self.layers, self.stride)
        return {self.layers[0]: (columns, (1.0 - self.anchor) * columns + self.anchor * content)}

    def distance(self, summary: Statistic, target: Statistic) -> tf.Tensor:
        vectors, queries, style = flat(summary[0]), flat(summary[-1]), flat(target[0])
        energy = tf.reduce_mean(tf.reduce_sum(tf.square(style), axis=-1))
        keys = subsample(style, self.max_vectors)
        found = match(
            unit(queries - tf.reduce_mean(queries, axis=0), energy), unit(keys - tf.reduce_mean(style, axis=0), energy)
        )
        goal = tf.gather(keys, found.forward)
        return tf.nn.relu(1.0 - tf.reduce_mean(tf.reduce_sum(unit(vectors, energy) * unit(goal, energy), axis=-1)))


def convert_copies(loss: Any) -> None:
    """Convert a loss's `angles` and `scales` to tuples; raise `ValueError` for values that make no copy."""
    for name in ("angles", "scales"):
        values = getattr(loss, name)
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise TypeError(f"{name} must be a sequence of numbers, not {values!r}")
        object.__setattr__(loss, name, tuple(real(f"a number in {name}", each) for each in values))
    all_copies(loss.angles, loss.scales)


@dataclasses.dataclass(frozen=True)
class Patches(PointSetLoss):
    r"""Mean squared distance of each patch of a map to the most similar patch of the style.

    .. math:: \frac{1}{L} \sum_l \frac{\frac1N \sum_i \lVert p_i - q_{m(i)} \rVert^2}
              {\frac1M \sum_j \lVert q_j \rVert^2}, \quad m(i) = \arg\max_j \cos(p_i, q_j)

    Li and Wand (2016), a Markov random field: patches of `size` by `size` cells are matched by normalized
    cross-correlation and compared by squared distance. It transfers whole parts of the style, so it suits a content and
    a style that depict similar objects. Deviations: the mean, divided by the style's mean square; rotated or scaled
    copies of the style are used only with `angles` and `scales`.

    The loss is not additive, because it searches, so it cannot be used with tiles. With several styles, it is the
    weighted mean of the losses for each style. No gradient passes through the choice of the match.

    Args:
        layers: layers to compare; the patches of each layer are matched separately.
        size: side of a patch in cells; a smaller map is padded with zeros.
        stride: cells from one patch to the next.
        max_vectors: maximum number of style patches; of more, a fixed random subset is used. Time grows with it, memory
            hardly does. A style of more patches has a distance from itself slightly above 0.
        angles: degrees counterclockwise, of rotated copies of the style to search as well; `(0.0,)` for the style
            alone. Quarter turns are lossless; other angles keep the largest upright rectangle inside.
        scales: factors of scaled copies to search as well; each angle is combined with each scale.
        name: name of the term in reports.

    Raises:
        ValueError: `size`, `stride` or `max_vectors` is less than 1, or a scale is not positive.

    Example:
        An image has distance 0 from itself:

        >>> image = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Patches(("image",))
        >>> own = loss.statistic(image, Context())
        >>> round(float(loss.compare(own, own)), 4) + 0.0
        0.0
    """

    layers: tuple[str, ...] = ("block3_conv1", "block4_conv1")
    size: int = 3
    stride: int = 1
    max_vectors: int = 2048
    angles: tuple[float, ...] = (0.0,)
    scales: tuple[float, ...] = (1.0,)
    name: str = "patches"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", layer_names(self.layers))
        check_counts(self, "size", "stride", "max_vectors")
        convert_copies(self)

    @property
    def copies(self) -> tuple[Copy, ...]:
        """Every angle at every scale."""
        return all_copies(self.angles, self.scales)

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {layer: self._patches(features[layer]) for layer in self.layers}

    def distance(self, summary: Statistic, target: Statistic) -> tf.Tensor:
        patches, style = flat(summary), flat(target)
        energy = tf.reduce_mean(tf.reduce_sum(tf.square(style), axis=-1))
        keys = subsample(style, self.max_vectors)
        goal = tf.gather(keys, match(unit(patches, energy), unit(keys, energy)).forward)
        distance = tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(patches, goal), axis=-1))
        return distance / (energy + 1e-8)

    def _patches(self, maps: tf.Tensor) -> tf.Tensor:
        """(1, rows, columns, size * size * channels)."""
        missing = tf.maximum(0, self.size - tf.shape(maps)[1:3])
        zero = tf.constant(0)
        padded = tf.pad(maps, [[0, 0], [zero, missing[0]], [zero, missing[1]], [0, 0]])
        padded = tf.ensure_shape(padded, [1, None, None, maps.shape[-1]])
        steps = [1, self.stride, self.stride, 1]
        return tf.image.extract_patches(padded, [1, self.size, self.size, 1], steps, [1, 1, 1, 1], "VALID")
