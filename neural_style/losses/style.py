"""Losses that compare the distributions of features, regardless of position: Gram matrices and moments.

All of them read a map only through three sums over its positions: of the vectors, of their outer products, and of ones.
With guides, each region has its own sums, weighted by its guide (Gatys et al., 2017).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from neural_style._arguments import checked, real
from neural_style._tracing import custom_gradient
from neural_style.losses.base import ByLayer, Context, Features, Statistic, layer_names

__all__ = [
    "STYLE_LAYERS",
    "Gram",
    "Moments",
    "PositionSums",
    "average_over_layers",
    "check_layer_weights",
    "covariance_distance",
    "gram_matrix",
    "position_sums",
    "relative_square",
]

STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
"""The style layers of Gatys et al. (2016)."""

MIN_SPREAD = 0.05  # share of the squared mean; covariances of photographs have norms of 0.2 to 1.3 times that on VGG16


class PositionSums(NamedTuple):
    """Sums over the positions of a map, for each of R regions.

    Attributes:
        outer: sum of outer products, (R, channels, channels).
        total: sum of vectors, (R, channels).
        count: number of positions, or sum of their weights, (R,).

    Example:
        >>> sums = position_sums(tf.constant([[[[1.0, 0.0]], [[0.0, 2.0]]]]))
        >>> sums.mean().numpy().tolist()
        [[0.5, 1.0]]
    """

    outer: tf.Tensor
    total: tf.Tensor
    count: tf.Tensor

    def mean(self) -> tf.Tensor:
        """Mean vector, (R, channels); 0 for an empty region."""
        return self.total * tf.expand_dims(self.share(), -1)

    def gram(self) -> tf.Tensor:
        """Mean outer product, (R, channels, channels); 0 for an empty region."""
        return self.outer * tf.reshape(self.share(), [-1, 1, 1])

    def covariance(self) -> tf.Tensor:
        """Covariance, (R, channels, channels); 0 for an empty region."""
        return self.moments()[1]

    def moments(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The mean vector and the covariance, together."""
        mean = self.mean()
        return mean, self.gram() - tf.expand_dims(mean, 2) * tf.expand_dims(mean, 1)

    def share(self) -> tf.Tensor:
        """The weight of a position in the mean, (R,); 0 for an empty region."""
        return tf.math.reciprocal_no_nan(self.count)


def position_sums(features: tf.Tensor, guide: tf.Tensor | None = None) -> PositionSums:
    """Sum a map over its positions.

    Args:
        features: float32 (1, rows, columns, channels).
        guide: weights in [0, 1], (1, rows, columns, R); None for one region that is the whole map.

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
        return PositionSums(*(tf.expand_dims(each, 0) for each in (outer, total, count)))
    weights = tf.unstack(guide[..., None], axis=3)
    regions = [_sums(features * tf.sqrt(weight)) for weight in weights]
    vectors = tf.reshape(features, [-1, features.shape[-1]])
    by_region = tf.reshape(guide, [-1, guide.shape[-1]])
    return PositionSums(
        tf.stack([outer for outer, _ in regions]),
        tf.matmul(by_region, vectors, transpose_a=True),
        tf.reduce_sum(by_region, axis=0),
    )


@custom_gradient
def _sums(features: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[..., tf.Tensor]]:
    """(1, rows, columns, C) -> sums of outer products (C, C) and of vectors (C,).

    The gradient is a single product, with the gradient of the sum added as a bias; automatic differentiation would take
    two products and keep four arrays of the size of the map. It is written as a convolution because TensorFlow fuses
    that with the addition of the gradient from deeper layers.
    """
    vectors = tf.reshape(features, [-1, features.shape[-1]])

    def gradient(outer: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        kernel = tf.reshape(outer + tf.transpose(outer), [1, 1, *outer.shape])
        return tf.nn.bias_add(tf.nn.conv2d(features, kernel, 1, "VALID"), total)

    # In two stages, along the columns and then along the rows: one float32 sum over a megapixel loses four digits.
    rows = tf.reshape(features, [tf.shape(features)[1], -1])
    columns = tf.matmul(tf.ones_like(rows[:, :1]), rows, transpose_a=True)  # half the time of reduce_sum
    total = tf.reduce_sum(tf.reshape(columns, [-1, features.shape[-1]]), axis=0)
    return (tf.matmul(vectors, vectors, transpose_a=True), total), gradient


def gram_matrix(features: tf.Tensor) -> tf.Tensor:
    """Mean outer product of a map's vectors.

    Args:
        features: float32 (1, rows, columns, channels).

    Returns:
        (channels, channels), symmetric, positive semi-definite, and invariant to permutations of the positions.

    Example:
        >>> gram_matrix(tf.constant([[[[1.0, 2.0]]]])).numpy().tolist()
        [[1.0, 2.0], [2.0, 4.0]]
    """
    return position_sums(features).gram()[0]


def check_layer_weights(loss: Any) -> None:
    """Convert a loss's `layers` and `layer_weights` to tuples; `layers` may also be a dict of weights.

    Raises:
        ValueError: the weights do not fit the layers, or come twice.
        TypeError: a layer is no name, or a weight no number.
    """
    if isinstance(loss.layers, Mapping):
        if loss.layer_weights != type(loss).__dataclass_fields__["layer_weights"].default:
            raise ValueError(f"pass the weights as the dict {loss.layers!r} or as layer_weights, not both")
        object.__setattr__(loss, "layer_weights", tuple(loss.layers.values()))
        object.__setattr__(loss, "layers", tuple(loss.layers))
    object.__setattr__(loss, "layers", layer_names(loss.layers))
    if loss.layer_weights is None:
        return
    if isinstance(loss.layer_weights, str | Mapping) or not isinstance(loss.layer_weights, Iterable):
        raise TypeError(f"layer_weights must be one number for each layer, in their order, not {loss.layer_weights!r}")
    weights = tuple(real("a layer's weight", weight, at_least=0) for weight in loss.layer_weights)
    object.__setattr__(loss, "layer_weights", weights)
    if len(weights) != len(loss.layers):
        raise ValueError(f"{len(loss.layers)} layers need one weight each, not {len(weights)}")
    if not sum(weights) > 0:
        raise ValueError(f"layer weights must be at least 0, and not all 0, not {weights}")


def average_over_layers(loss: Any, distances: Sequence[tf.Tensor]) -> tf.Tensor:
    """The mean of one distance per layer, weighted by a loss's `layer_weights`."""
    weights = loss.layer_weights or (1.0,) * len(distances)
    weighted = [weight * distance for weight, distance in zip(weights, distances, strict=True)]
    return tf.add_n(weighted) / sum(weights)


@dataclasses.dataclass(frozen=True)
class _Distribution(ByLayer):
    """The statistic of `Gram` and `Moments`, and a weighted mean over layers and regions."""

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
            _average_over_regions(statistic[layer].count, self.distance(statistic[layer], target[layer]))
            for layer in self.layers
        ]
        return average_over_layers(self, distances)

    def distance(self, sums: PositionSums, target: PositionSums) -> tf.Tensor:
        """Distance between two distributions in each region, (R,)."""
        raise NotImplementedError


def _average_over_regions(count: tf.Tensor, distances: tf.Tensor) -> tf.Tensor:
    """The mean over regions, each weighted by its share of the image."""
    count = tf.stop_gradient(count)
    return tf.reduce_sum(count * distances) / tf.reduce_sum(count)


@dataclasses.dataclass(frozen=True)
class Gram(_Distribution):
    r"""Squared distance between Gram matrices.

    .. math:: \sum_l w_l \frac{\lVert G^l - A^l \rVert^2}{\lVert A^l \rVert^2} \Big/ \sum_l w_l

    Gatys et al. (2016), with G the mean (not the sum) of outer products, and the squared norm of the target in place of
    :math:`4 N^2 M^2`, so that all layers and image sizes have equal influence.

    With a `shift` of s, the matrices are those of :math:`F + s` (Novak and Nikulin, 2016, section 4, "activation
    shift", with s = -1). After a ReLU most values are 0, so an entry of the matrix does not show whether two channels
    are inactive together; with a shift it does. For the matrix of the centered features see `Moments`.

    Args:
        layers: layers to compare, or a dict of their weights.
        layer_weights: one weight for each layer; None for equal weights.
        name: name of the term in reports.
        shift: number added to every feature, in the network's units; features of VGG reach hundreds.

    Raises:
        ValueError: the layer weights do not fit the layers.

    Example:
        An image has distance 0 from itself:

        >>> image = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Gram(("image",))
        >>> own = loss.statistic(image, Context())
        >>> round(float(loss.compare(own, own)), 4) + 0.0
        0.0
    """

    shift: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checked(self, shift=real)

    def distance(self, sums: PositionSums, target: PositionSums) -> tf.Tensor:
        return relative_square(_shifted_gram(sums, self.shift), _shifted_gram(target, self.shift))


def _shifted_gram(sums: PositionSums, shift: float) -> tf.Tensor:
    """Mean outer product of the vectors plus `shift`, (R, channels, channels)."""
    if shift == 0.0:
        return sums.gram()
    mean = sums.mean()
    return sums.gram() + shift * (mean[:, :, None] + mean[:, None, :]) + shift**2


@dataclasses.dataclass(frozen=True)
class Moments(_Distribution):
    r"""Squared distances between means and between centered second moments.

    With `spread="covariance"`:

    .. math:: \frac{\lVert \mu - \hat\mu \rVert^2}{\lVert \hat\mu \rVert^2}
              + \frac{\lVert \Sigma - \hat\Sigma \rVert^2}{\lVert \hat\Sigma \rVert^2}

    A Gram matrix is :math:`\Sigma + \mu\mu^T`, dominated by the mean; comparing the two parts separately gives both
    influence. With `spread="wasserstein"`, the Wasserstein distance between the Gaussians with these moments (Dowson
    and Landau, 1982), divided by the mean square of the target so that all layers have equal influence:

    .. math:: \frac{\lVert \mu - \hat\mu \rVert^2 + \operatorname{tr}(\Sigma + \hat\Sigma
              - 2 (\hat\Sigma^{1/2} \Sigma \hat\Sigma^{1/2})^{1/2})}
              {\lVert \hat\mu \rVert^2 + \operatorname{tr} \hat\Sigma}

    With `spread="deviation"`, only the standard deviation of each channel (Huang and Belongie, 2017).
    Deviation from the papers: the denominators of the covariance and of the standard deviation are at least 0.05 of the
    squared mean, so that a style that is constant or a single cell on some layer does not dominate all other terms.

    Args:
        layers: layers to compare, or a dict of their weights.
        layer_weights: one weight for each layer; None for equal weights.
        spread: `"covariance"`, `"wasserstein"` or `"deviation"`.
        name: name of the term in reports.

    Raises:
        ValueError: the layer weights do not fit the layers, or `spread` is unknown.

    Example:
        An image has distance 0 from itself:

        >>> image = {"image": tf.random.stateless_uniform([1, 8, 8, 3], seed=[1, 2])}
        >>> loss = Moments(("image",), spread="wasserstein")
        >>> own = loss.statistic(image, Context())
        >>> round(float(loss.compare(own, own)), 4) + 0.0
        0.0
    """

    spread: str = "covariance"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.spread not in _SPREADS:
            raise ValueError(f"spread must be one of {', '.join(map(repr, _SPREADS))}, not {self.spread!r}")

    def distance(self, sums: PositionSums, target: PositionSums) -> tf.Tensor:
        return _SPREADS[self.spread](sums, target)


def covariance_distance(
    mean: tf.Tensor, covariance: tf.Tensor, target_mean: tf.Tensor, target_covariance: tf.Tensor
) -> tf.Tensor:
    """The distance of `Moments(spread="covariance")` for each of N regions or images.

    Args:
        mean: (N, channels).
        covariance: (N, channels, channels).
        target_mean: (N, channels).
        target_covariance: (N, channels, channels).

    Returns:
        (N,)

    Example:
        >>> mean, covariance = tf.ones([1, 2]), tf.eye(2)[None]
        >>> covariance_distance(2.0 * mean, covariance, mean, covariance).numpy().tolist()
        [1.0]
    """
    means = relative_square(mean, target_mean)
    return means + relative_square(covariance, target_covariance, tf.square(_min_spread(target_mean)))


def _covariance_distance(sums: PositionSums, target: PositionSums) -> tf.Tensor:
    """`covariance_distance` of sums, (R,); no gradient passes to the count, nor to the target.

    The gradient in closed form takes a quarter of the operations of automatic differentiation.
    """
    goal_mean, goal = target.moments()
    of_mean, of_covariance = _denominator(goal_mean), _denominator(goal, tf.square(_min_spread(goal_mean)))

    @custom_gradient
    def distance(outer: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tuple[tf.Tensor, tf.Tensor]]]:
        mean, covariance = PositionSums(outer, total, sums.count).moments()
        mean_difference, difference = mean - goal_mean, covariance - goal

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            twice = (upstream + upstream) * sums.share()
            by_outer = tf.reshape(twice / of_covariance, [-1, 1, 1]) * difference
            along = tf.linalg.matvec(by_outer, mean)
            return by_outer, tf.expand_dims(twice / of_mean, -1) * mean_difference - (along + along)

        means = _squares(mean_difference) / of_mean
        return means + _squares(difference) / of_covariance, gradient

    return distance(sums.outer, sums.total)


def _deviation_distance(sums: PositionSums, target: PositionSums) -> tf.Tensor:
    means = relative_square(sums.mean(), target.mean())
    return means + relative_square(_deviation(sums), _deviation(target), _min_spread(target.mean()))


def _min_spread(target_mean: tf.Tensor) -> tf.Tensor:
    """Lower bound of the spread in denominators, (N,): a constant style would divide by 0."""
    return MIN_SPREAD * _squares(target_mean)


def _deviation(sums: PositionSums) -> tf.Tensor:
    return tf.sqrt(tf.nn.relu(tf.linalg.diag_part(sums.covariance())) + 1e-8)


def _wasserstein_distance(sums: PositionSums, target: PositionSums) -> tf.Tensor:
    covariance, goal = sums.covariance(), target.covariance()
    # The spread is a small difference of large traces, of which float32 would leave three digits.
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


def relative_square(value: tf.Tensor, target: tf.Tensor, minimum: tf.Tensor | float = 0.0) -> tf.Tensor:
    """Squared distance divided by the squared norm of the target, for each index of the first axis.

    Args:
        value: (N, ...).
        target: (N, ...).
        minimum: lower bound of the denominator, a number or (N,).

    Returns:
        (N,)

    Example:
        >>> relative_square(tf.constant([[3.0, 4.0]]), tf.constant([[0.0, 4.0]])).numpy().tolist()
        [0.5625]
    """
    return _squares(value - target) / _denominator(target, minimum)


def _denominator(target: tf.Tensor, minimum: tf.Tensor | float = 0.0) -> tf.Tensor:
    return tf.maximum(_squares(target), minimum) + 1e-8


def _squares(value: tf.Tensor) -> tf.Tensor:
    """The sum of squares for each index of the first axis."""
    return tf.reduce_sum(tf.square(value), axis=list(range(1, len(value.shape))))


def _square_root(matrix: tf.Tensor) -> tf.Tensor:
    values, vectors = tf.linalg.eigh(matrix)
    return tf.matmul(vectors * tf.sqrt(tf.nn.relu(values))[:, None, :], vectors, transpose_b=True)


@custom_gradient
def _trace_of_root(matrix: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Trace of the square root of a symmetric positive semi-definite matrix, (R, C, C) -> (R,).

    The gradient of the trace of a root is half the inverse root. It needs no gradient of the eigenvectors, and so
    avoids the division by differences of eigenvalues that makes the general formula unstable.
    """
    values, vectors = tf.linalg.eigh(matrix)
    floor = 1e-6 * tf.reduce_max(values, axis=-1, keepdims=True) + 1e-12
    roots = tf.sqrt(tf.maximum(values, floor))

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        inverse = tf.matmul(vectors / roots[:, None, :], vectors, transpose_b=True)
        return 0.5 * upstream[:, None, None] * inverse

    return tf.reduce_sum(tf.sqrt(tf.nn.relu(values)), axis=-1), gradient
