"""Entropic optimal transport: between the relaxed transport of STROTSS, which is cheap, and the exact one."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from neural_style.losses.base import Context, Features, Statistic, layer_names
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import check_counts, flat, hypercolumns

__all__ = ["Sinkhorn"]


@dataclasses.dataclass(frozen=True)
class Sinkhorn(PointSetLoss):
    r"""Sinkhorn divergence between the picture's feature vectors and the style's.

    .. math:: \frac{1}{L} \sum_l \left( T_\varepsilon(F^l, S^l) - \tfrac12 T_\varepsilon(F^l, F^l)
              - \tfrac12 T_\varepsilon(S^l, S^l) \right)

    with the entropic cost of transport (Cuturi, 2013)

    .. math:: T_\varepsilon(F, S) = \min_\pi \sum_{ij} \pi_{ij} c(f_i, s_j)
              + \varepsilon \operatorname{KL}(\pi, \tfrac{1}{NM}), \quad
              c(f, s) = \frac{\lVert f - s \rVert^2}{2 \overline{\lVert s \rVert^2}}

    over all plans :math:`\pi` that give each vector its equal share. The two terms that are taken off make it 0 for
    equal clouds, and keep the picture from shrinking to what its plan blurs (Feydy et al., 2019). Every vector of the
    style is asked for as often as it is there, where `RelaxedEMD` asks for it once, and the vectors' joint
    distribution counts, where `SlicedWasserstein` sees it in projections.

    Deviations: vectors of a regular grid; the cost is over the style's mean square, so that every layer counts alike.
    The potentials come from a fixed number of averaged updates while :math:`\varepsilon` falls to its value, as in
    Feydy et al.; the gradient takes them for exact.

    Not additive, since it compares all pairs: a tiled run refuses it; with several styles each counts by its weight.

    Args:
        layers: where to compare; each layer's vectors are transported on their own.
        blur: root of :math:`\varepsilon`, in units of the style's root mean square vector. With less the plan is
            nearer to a matching, with more nearer to a comparison of means.
        steps: updates of the potentials.
        max_vectors: a cloud has at most about so many vectors; time and memory grow with the square.
        name: what it is reported by.

    Raises:
        ValueError: `blur` is not above 0, or `steps` or `max_vectors` is less than 1.

    Example:
        A cloud moved by (1, 0), where the mean square is 2:

        >>> style = tf.constant([[[[1.0, -1.0], [-1.0, 1.0]]]])
        >>> loss = Sinkhorn(("a",))
        >>> moved, goal = (loss.statistic({"a": maps}, Context()) for maps in (style + [1.0, 0.0], style))
        >>> round(float(loss.compare(moved, goal)), 3)
        0.25
    """

    layers: tuple[str, ...] = ("block2_conv1", "block3_conv1", "block4_conv1")
    blur: float = 0.2
    steps: int = 16
    max_vectors: int = 1024
    name: str = "sinkhorn"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", layer_names(self.layers))
        check_counts(steps=self.steps, max_vectors=self.max_vectors)
        if not 0.0 < self.blur < float("inf"):
            raise ValueError(f"blur is above 0 and finite, not {self.blur!r}")

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {layer: hypercolumns(features, [layer], 1, self.max_vectors) for layer in self.layers}

    def summarize(self, cloud: Statistic) -> Statistic:
        """The vectors and, of use for a style only, what it costs to move them to themselves."""
        vectors = flat(cloud)
        return cloud, self._cost(vectors, vectors, _mean_square(vectors))

    def distance(self, ours: Statistic, style: Statistic) -> tf.Tensor:
        vectors, goal = flat(ours[0]), flat(style[0])
        energy = _mean_square(goal)
        own = self._cost(vectors, vectors, energy)
        return tf.nn.relu(self._cost(vectors, goal, energy) - 0.5 * (own + style[1]))

    def _cost(self, ours: tf.Tensor, style: tf.Tensor, energy: tf.Tensor) -> tf.Tensor:
        """The entropic cost of transport from (N, channels) to (M, channels)."""
        costs = _half_squares(ours, style) / (energy + 1e-8)
        fixed, least = tf.stop_gradient(costs), self.blur**2
        here, there = (tf.zeros(tf.shape(fixed)[axis : axis + 1]) for axis in (0, 1))
        for step in range(self.steps):
            # From 1, of the order of the costs, to its value after half of the steps.
            epsilon = max(least, least ** min(1.0, 2.0 * step / self.steps))
            here, there = (
                0.5 * (here + _softmin(fixed - there, epsilon, axis=1)),
                0.5 * (there + _softmin(fixed - here[:, None], epsilon, axis=0)),
            )
        # As a function of one potential the cost is exact for the other, and its slope there is 0.
        return tf.reduce_mean(_softmin(costs - there, least, axis=1)) + tf.reduce_mean(there)


def _mean_square(vectors: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.reduce_sum(tf.square(vectors), axis=-1))


def _half_squares(ours: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
    """Half the squared distances of all pairs, (N, M)."""
    halves = [0.5 * tf.reduce_sum(tf.square(vectors), axis=-1) for vectors in (ours, style)]
    return tf.nn.relu(halves[0][:, None] + halves[1] - tf.matmul(ours, style, transpose_b=True))


def _softmin(costs: tf.Tensor, epsilon: float, axis: int) -> tf.Tensor:
    """The least of the costs along an axis, smoothed; of equal costs it is that cost."""
    count = tf.cast(tf.maximum(1, tf.shape(costs)[axis]), tf.float32)
    return -epsilon * (tf.reduce_logsumexp(-costs / epsilon, axis=axis) - tf.math.log(count))
