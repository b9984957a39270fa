"""Losses that look for each piece of the picture's nearest piece of the style."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from neural_style.images.augmentation import Copy, all_copies
from neural_style.losses.base import Context, Features, Loss, Statistic, layer_names
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import check_counts, flat, hypercolumns, match, subsample, unit

__all__ = ["NearestNeighbor", "Patches"]


@dataclasses.dataclass(frozen=True)
class NearestNeighbor(PointSetLoss):
    r"""Mean cosine distance of each feature vector to the style's vector nearest to it.

    .. math:: \frac{1}{N} \sum_i \left(1 - \cos(x_i, s_{m(i)})\right), \quad
              m(i) = \arg\max_j \cos(q_i - \bar q, s_j - \bar s), \quad q = (1 - a) x + a c

    Kolkin et al. (2022): vectors are hypercolumns, those of several layers at one place stacked. They
    are centred to be matched and as they are to be compared. What is matched is the picture, or the content c, or
    something between: with an `anchor` a of 1 each place gets what in the style is most like the content there; with 0
    the picture may drift until it is the style. Deviations: a mixes the features, in the paper the pictures; matches
    are made anew at every step, in the paper once a scale before its last pass; copies of the style
    only where `angles` asks for them (the paper's are 0, 90, 180 and 270).

    Not additive, since it searches: a tiled run refuses it; with several styles each counts by its
    weight. No gradient passes through the choice of the match.

    Args:
        layers: whose maps are stacked; one alone compares that layer's own vectors.
        stride: a vector for so many cells of the largest map along each axis; see `hypercolumns`.
        max_vectors: of more style vectors than this, so many are drawn once and for all. Time grows with it, memory
            hardly does. A style of more vectors than this is not quite at distance 0 from itself.
        anchor: how much of the content there is in what is matched, in [0, 1].
        angles: degrees counterclockwise, of copies of the style that are searched, too; `(0.0,)` for the style alone.
            Quarter turns lose nothing; of others the largest upright middle is left.
        scales: of copies, likewise; each angle goes with each scale.
        name: what it is reported by.

    Raises:
        ValueError: `stride` or `max_vectors` is less than 1, `anchor` not in [0, 1], or a scale not above 0.

    Example:
        Its distance from itself:

        >>> picture = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = NearestNeighbor(("image",), stride=1)
        >>> own = loss.statistic(picture, Context())
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
        check_counts(stride=self.stride, max_vectors=self.max_vectors)
        check_copies(self)
        if not 0.0 <= self.anchor <= 1.0:
            raise ValueError(f"anchor is between 0 (match the picture) and 1 (match the content), not {self.anchor}")

    @property
    def copies(self) -> tuple[Copy, ...]:
        """Every angle at every scale."""
        return all_copies(self.angles, self.scales)

    @property
    def uses_content(self) -> bool:
        """Whether the content is read, which it is where there is an anchor."""
        return self.anchor > 0.0

    def without_content(self) -> Loss:
        """The same, matching the picture itself."""
        return dataclasses.replace(self, anchor=0.0)

    def feature_maps(self, features: Features, context: Context) -> dict[str, Statistic]:
        """The hypercolumns and, where there are an anchor and a content, what they are matched by in their place."""
        ours = hypercolumns(features, self.layers, self.stride)
        if not self.uses_content or not context.content:
            return {self.layers[0]: (ours,)}
        kept = hypercolumns(context.content, self.layers, self.stride)
        return {self.layers[0]: (ours, (1.0 - self.anchor) * ours + self.anchor * kept)}

    def distance(self, ours: Statistic, style: Statistic) -> tf.Tensor:
        ours, asked, style = flat(ours[0]), flat(ours[-1]), flat(style[0])
        energy = tf.reduce_mean(tf.reduce_sum(tf.square(style), axis=-1))
        kept = subsample(style, self.max_vectors)
        found = match(
            unit(asked - tf.reduce_mean(asked, axis=0), energy), unit(kept - tf.reduce_mean(style, axis=0), energy)
        )
        goal = tf.gather(kept, found.forward)
        return tf.nn.relu(1.0 - tf.reduce_mean(tf.reduce_sum(unit(ours, energy) * unit(goal, energy), axis=-1)))


def check_copies(loss: Any) -> None:
    """Make tuples of a loss's `angles` and `scales`, and refuse what makes no copy."""
    for name in ("angles", "scales"):
        object.__setattr__(loss, name, tuple(float(each) for each in getattr(loss, name)))
    all_copies(loss.angles, loss.scales)


@dataclasses.dataclass(frozen=True)
class Patches(PointSetLoss):
    r"""Mean squared distance of each patch of a map to the style's patch most like it.

    .. math:: \frac{1}{L} \sum_l \frac{\frac1N \sum_i \lVert p_i - q_{m(i)} \rVert^2}
              {\frac1M \sum_j \lVert q_j \rVert^2}, \quad m(i) = \arg\max_j \cos(p_i, q_j)

    Li and Wand (2016), a Markov random field: patches of `size` by `size` cells are matched by
    normalised cross-correlation and compared by their squares. It carries over whole pieces of the style, so it
    suits pictures of like things. Deviations: the mean, over the style's own mean square; rotated or
    scaled copies of the style only where `angles` and `scales` ask for them.

    Not additive, since it searches: a tiled run refuses it; with several styles each counts by its
    weight. No gradient passes through the choice of the match.

    Args:
        layers: where to compare; patches of each layer are matched on their own.
        size: side of a patch in cells. A map with a shorter side is filled up with zeros.
        stride: cells from one patch to the next.
        max_vectors: of more style patches than this, so many are drawn once and for all. Time grows with it, memory
            hardly does. A style of more patches than this is not quite at distance 0 from itself.
        angles: degrees counterclockwise, of copies of the style that are searched, too; `(0.0,)` for the style alone.
            Quarter turns lose nothing; of others the largest upright middle is left.
        scales: of copies, likewise; each angle goes with each scale.
        name: what it is reported by.

    Raises:
        ValueError: `size`, `stride` or `max_vectors` is less than 1, or a scale is not above 0.

    Example:
        Its distance from itself:

        >>> picture = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Patches(("image",))
        >>> own = loss.statistic(picture, Context())
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
        check_counts(size=self.size, stride=self.stride, max_vectors=self.max_vectors)
        check_copies(self)

    @property
    def copies(self) -> tuple[Copy, ...]:
        """Every angle at every scale."""
        return all_copies(self.angles, self.scales)

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {layer: self._patches(features[layer]) for layer in self.layers}

    def distance(self, ours: Statistic, style: Statistic) -> tf.Tensor:
        patches, style = flat(ours), flat(style)
        energy = tf.reduce_mean(tf.reduce_sum(tf.square(style), axis=-1))
        kept = subsample(style, self.max_vectors)
        goal = tf.gather(kept, match(unit(patches, energy), unit(kept, energy)).forward)
        apart = tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(patches, goal), axis=-1))
        return apart / (energy + 1e-8)

    def _patches(self, maps: tf.Tensor) -> tf.Tensor:
        """(1, rows, columns, size * size * channels)."""
        missing = tf.maximum(0, self.size - tf.shape(maps)[1:3])
        zero = tf.constant(0)
        filled = tf.pad(maps, [[0, 0], [zero, missing[0]], [zero, missing[1]], [0, 0]])
        filled = tf.ensure_shape(filled, [1, None, None, maps.shape[-1]])
        steps = [1, self.stride, self.stride, 1]
        return tf.image.extract_patches(filled, [1, self.size, self.size, 1], steps, [1, 1, 1, 1], "VALID")
