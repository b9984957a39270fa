"""Losses that compare how features are distributed, wherever in the picture they stand.

All of them read a map only through three sums over its positions: of the vectors, of their outer products,
and of ones. With guides, each style has sums of its own, weighted by its guide (Gatys et al., 2017).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from neural_style.losses.base import ByLayer, Context, Features, Statistic, layer_names

__all__ = ["Gram", "Moments", "PositionSums", "gram_matrix", "position_sums"]

STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
LEAST_SPREAD = 0.05  # of the mean's square; covariances of pictures have norms of 0.2 to 1.3 times that on VGG16


class PositionSums(NamedTuple):
    """Sums over the positions of a map, for each of R regions.

    Attributes:
        outer: sum of outer products, (R, channels, channels).
        total: sum of vectors, (R, channels).
        count: number (or weight) of positions, (R,).

    Example:
        >>> sums = position_sums(tf.constant([[[[1.0, 0.0]], [[0.0, 2.0]]]]))
        >>> sums.mean().numpy().tolist()
        [[0.5, 1.0]]
    """

    outer: tf.Tensor
    total: tf.Tensor
    count: tf.Tensor

    def mean(self) -> tf.Tensor:
        """(R, channels); 0 where a region is empty."""
        return tf.math.divide_no_nan(self.total, self.count[:, None])

    def gram(self) -> tf.Tensor:
        """Mean outer product, (R, channels, channels); 0 where a region is empty."""
        return tf.math.divide_no_nan(self.outer, self.count[:, None, None])

    def covariance(self) -> tf.Tensor:
        """Mean outer product about the mean, (R, channels, channels)."""
        mean = self.mean()
        return self.gram() - mean[:, :, None] * mean[:, None, :]


def position_sums(features: tf.Tensor, guide: tf.Tensor | None = None) -> PositionSums:
    """Sum a map over its positions.

    Args:
        features: float32 (1, rows, columns, channels).
        guide: weights in [0, 1], (1, rows, columns, R); None means one region, everywhere.

    Returns:
        Float32 sums for each of the R regions.

    Example:
        >>> sums = position_sums(tf.ones([1, 4, 5, 3]))
        >>> float(sums.count[0]), sums.outer.shape
        (20.0, TensorShape([1, 3, 3]))
    """
    if guide is None:
        outer, total = _sums(features)
        count = tf.cast(tf.size(features) // features.shape[-1], tf.float32)
        return PositionSums(outer[None], total[None], count[None])
    weights = tf.unstack(guide[..., None], axis=3)
    regions = [_sums(features * tf.sqrt(weight)) for weight in weights]
    vectors = tf.reshape(features, [-1, features.shape[-1]])
    by_region = tf.reshape(guide, [-1, guide.shape[-1]])
    return PositionSums(
        tf.stack([outer for outer, _ in regions]),
        tf.matmul(by_region, vectors, transpose_a=True),
        tf.reduce_sum(by_region, axis=0),
    )


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _sums(features: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[..., tf.Tensor]]:
    """(1, rows, columns, C) -> sums of outer products (C, C) and of vectors (C,).

    The gradient is one product with the sum added on the way out. Automatic differentiation would take two
    products and hold four arrays of the map's size. It is written as a convolution, to which TensorFlow adds the
    gradient that comes from deeper layers on the same way out.
    """
    vectors = tf.reshape(features, [-1, features.shape[-1]])

    def gradient(outer: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.nn.conv2d(features, (outer + tf.transpose(outer))[None, None], 1, "VALID"), total)

    # In two stages, down the columns and then along: one long float32 sum over a megapixel loses four digits.
    rows = tf.reshape(features, [tf.shape(features)[1], -1])
    columns = tf.matmul(tf.ones([1, tf.shape(rows)[0]]), rows)  # half the time of reduce_sum
    total = tf.reduce_sum(tf.reshape(columns, [-1, features.shape[-1]]), axis=0)
    return (tf.matmul(vectors, vectors, transpose_a=True), total), gradient


def gram_matrix(features: tf.Tensor) -> tf.Tensor:
    """Mean outer product of a map's vectors.

    Args:
        features: float32 (1, rows, columns, channels).

    Returns:
        (channels, channels), symmetric, positive semi-definite, blind to position.

    Example:
        >>> gram_matrix(tf.constant([[[[1.0, 2.0]]]])).numpy().tolist()
        [[1.0, 2.0], [2.0, 4.0]]
    """
    return position_sums(features).gram()[0]


def check_layer_weights(loss: Any) -> None:
    """Make tuples of a loss's `layers` and `layer_weights`, and refuse weights that do not fit the layers."""
    object.__setattr__(loss, "layers", layer_names(loss.layers))
    if loss.layer_weights is None:
        return
    object.__setattr__(loss, "layer_weights", tuple(loss.layer_weights))
    if len(loss.layer_weights) != len(loss.layers):
        raise ValueError(f"{len(loss.layers)} layers need as many weights, not {len(loss.layer_weights)}")
    if min(loss.layer_weights) < 0 or sum(loss.layer_weights) <= 0:
        raise ValueError(f"layer weights are at least 0 and not all 0, not {loss.layer_weights}")


def over_layers(loss: Any, distances: Sequence[tf.Tensor]) -> tf.Tensor:
    """The mean of what the layers give, weighted by a loss's `layer_weights`."""
    weights = loss.layer_weights or (1.0,) * len(distances)
    weighted = [weight * distance for weight, distance in zip(weights, distances, strict=True)]
    return tf.add_n(weighted) / sum(weights)


@dataclasses.dataclass(frozen=True)
class _Distribution(ByLayer):
    """What `Gram` and `Moments` share: the statistic, and a weighted mean over layers and regions."""

    layers: tuple[str, ...] = STYLE_LAYERS
    layer_weights: tuple[float, ...] | None = None
    name: str = "style"
    uses_style = True

    def __post_init__(self) -> None:
        check_layer_weights(self)

    def of_layer(self, layer: str, features: Features, context: Context) -> Statistic:
        return position_sums(features[layer], context.guides.get(layer))

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        distances = [
            _over_regions(statistic[layer].count, self.distance(statistic[layer], target[layer]))
            for layer in self.layers
        ]
        return over_layers(self, distances)

    def distance(self, sums: PositionSums, target: PositionSums) -> tf.Tensor:
        """How far two distributions are apart, (R,)."""
        raise NotImplementedError


def _over_regions(count: tf.Tensor, distances: tf.Tensor) -> tf.Tensor:
    """Each region counts by its share of the picture."""
    return tf.reduce_sum(count * distances) / tf.reduce_sum(count)


@dataclasses.dataclass(frozen=True)
class Gram(_Distribution):
    r"""Squared distance of Gram matrices.

    .. math:: \sum_l w_l \frac{\lVert G^l - A^l \rVert^2}{\lVert A^l \rVert^2} \Big/ \sum_l w_l

    Gatys et al. (2016), with G the mean (not the sum) of outer products and the target's
    own norm in place of :math:`4 N^2 M^2`, so that every layer counts alike at every size.

    With a `shift` of s the matrices are those of :math:`F + s` (Novak and Nikulin, 2016, section 4, "activation
    shift", with s = -1): behind a ReLU most values are 0, and an entry says little about whether two channels
    are silent together; shifted, it does. For the matrix about the mean see `Moments`.

    Args:
        layers: where to compare.
        layer_weights: one for each layer; None weights them alike.
        name: what it is reported by.
        shift: added to every feature, in the network's own units; features of VGG run to hundreds.

    Raises:
        ValueError: layer weights that do not fit the layers.

    Example:
        Its distance from itself:

        >>> picture = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Gram(("image",))
        >>> own = loss.statistic(picture, Context())
        >>> round(float(loss.compare(own, own)), 4) + 0.0
        0.0
    """

    shift: float = 0.0

    def distance(self, sums: PositionSums, target: PositionSums) -> tf.Tensor:
        return _relative_square(_shifted_gram(sums, self.shift), _shifted_gram(target, self.shift))


def _shifted_gram(sums: PositionSums, shift: float) -> tf.Tensor:
    """Mean outer product of the vectors with `shift` added to each of their numbers, (R, channels, channels)."""
    if shift == 0.0:
        return sums.gram()
    mean = sums.mean()
    return sums.gram() + shift * (mean[:, :, None] + mean[:, None, :]) + shift**2


@dataclasses.dataclass(frozen=True)
class Moments(_Distribution):
    r"""Squared distance of means and of centred second moments.

    With `spread="covariance"`:

    .. math:: \frac{\lVert \mu - \hat\mu \rVert^2}{\lVert \hat\mu \rVert^2}
              + \frac{\lVert \Sigma - \hat\Sigma \rVert^2}{\lVert \hat\Sigma \rVert^2}

    A Gram matrix is :math:`\Sigma + \mu\mu^T`, in which the mean drowns the rest; apart, each is heard.
    With `spread="wasserstein"` the distance of the two Gaussians with these moments (Dowson and Landau,
    1982), over the target's mean square so that layers count alike:

    .. math:: \frac{\lVert \mu - \hat\mu \rVert^2 + \operatorname{tr}(\Sigma + \hat\Sigma
              - 2 (\hat\Sigma^{1/2} \Sigma \hat\Sigma^{1/2})^{1/2})}
              {\lVert \hat\mu \rVert^2 + \operatorname{tr} \hat\Sigma}

    With `spread="deviation"` only each channel's standard deviation (Huang and Belongie, 2017).
    Deviation of ours: in the covariance's and the deviation's denominators a spread of less than 0.05 of the mean's
    square counts as that much, or a style that is flat or a single cell on some layer would drown all else.

    Args:
        layers: where to compare.
        layer_weights: one for each layer; None weights them alike.
        spread: `"covariance"`, `"wasserstein"` or `"deviation"`.
        name: what it is reported by.

    Raises:
        ValueError: layer weights that do not fit the layers, or an unknown `spread`.

    Example:
        Its distance from itself:

        >>> picture = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Moments(("image",), spread="wasserstein")
        >>> own = loss.statistic(picture, Context())
        >>> round(float(loss.compare(own, own)), 4) + 0.0
        0.0
    """

    spread: str = "covariance"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.spread not in _SPREADS:
            raise ValueError(f"spread is one of {', '.join(map(repr, _SPREADS))}, not {self.spread!r}")

    def distance(self, sums: PositionSums, target: PositionSums) -> tf.Tensor:
        return _SPREADS[self.spread](sums, target)


def _covariance_distance(sums: PositionSums, target: PositionSums) -> tf.Tensor:
    means = _relative_square(sums.mean(), target.mean())
    return means + _relative_square(sums.covariance(), target.covariance(), tf.square(_least_spread(target)))


def _deviation_distance(sums: PositionSums, target: PositionSums) -> tf.Tensor:
    means = _relative_square(sums.mean(), target.mean())
    return means + _relative_square(_deviation(sums), _deviation(target), _least_spread(target))


def _least_spread(target: PositionSums) -> tf.Tensor:
    """What a target's spread counts as at least, (R,): a flat style divides by this and not by nothing."""
    return LEAST_SPREAD * tf.reduce_sum(tf.square(target.mean()), axis=-1)


def _deviation(sums: PositionSums) -> tf.Tensor:
    return tf.sqrt(tf.nn.relu(tf.linalg.diag_part(sums.covariance())) + 1e-8)


def _wasserstein_distance(sums: PositionSums, target: PositionSums) -> tf.Tensor:
    covariance, goal = sums.covariance(), target.covariance()
    # The spreads are a small difference of large traces; in float32 three digits of it would be left.
    exact = tf.cast(covariance, tf.float64), tf.cast(goal, tf.float64)
    root = _square_root(exact[1])
    cross = _trace_of_root(root @ exact[0] @ root)
    spreads = tf.cast(tf.linalg.trace(exact[0]) + tf.linalg.trace(exact[1]) - 2.0 * cross, tf.float32)
    means = tf.reduce_sum(tf.math.squared_difference(sums.mean(), target.mean()), axis=-1)
    energy = tf.reduce_sum(tf.square(target.mean()), axis=-1) + tf.linalg.trace(goal)
    return (means + tf.nn.relu(spreads)) / (energy + 1e-8)


_SPREADS: Mapping[str, Callable[[PositionSums, PositionSums], tf.Tensor]] = {
    "covariance": _covariance_distance,
    "wasserstein": _wasserstein_distance,
    "deviation": _deviation_distance,
}


def _relative_square(value: tf.Tensor, goal: tf.Tensor, least: tf.Tensor | float = 0.0) -> tf.Tensor:
    """Squared distance over the goal's squared norm, or `least` if that is more, for each region (the first axis)."""
    axes = list(range(1, len(value.shape)))
    distance = tf.reduce_sum(tf.math.squared_difference(value, goal), axis=axes)
    return distance / (tf.maximum(tf.reduce_sum(tf.square(goal), axis=axes), least) + 1e-8)


def _square_root(matrix: tf.Tensor) -> tf.Tensor:
    values, vectors = tf.linalg.eigh(matrix)
    return tf.matmul(vectors * tf.sqrt(tf.nn.relu(values))[:, None, :], vectors, transpose_b=True)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _trace_of_root(matrix: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Trace of the square root of a symmetric positive semi-definite matrix, (R, C, C) -> (R,).

    The gradient of a trace of a root is half the inverse root; eigenvectors need no gradient of their own,
    which saves the division by differences of eigenvalues that makes the general formula blow up.
    """
    values, vectors = tf.linalg.eigh(matrix)
    floor = 1e-6 * tf.reduce_max(values, axis=-1, keepdims=True) + 1e-12
    roots = tf.sqrt(tf.maximum(values, floor))

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        inverse = tf.matmul(vectors / roots[:, None, :], vectors, transpose_b=True)
        return 0.5 * upstream[:, None, None] * inverse

    return tf.reduce_sum(tf.sqrt(tf.nn.relu(values)), axis=-1), gradient
