"""Entropic optimal transport: between the relaxed transport of STROTSS, which is fast, and exact transport."""

from __future__ import annotations

import dataclasses
import functools

import tensorflow as tf

from neural_style._arguments import checked, real
from neural_style.losses.base import Context, Features, Statistic, layer_names
from neural_style.losses.point_sets import PointSetLoss
from neural_style.losses.sampling import check_counts, flat, hypercolumns

__all__ = ["Sinkhorn"]


@dataclasses.dataclass(frozen=True)
class Sinkhorn(PointSetLoss):
    r"""Sinkhorn divergence between the feature vectors of the image and of the style.

    .. math:: \frac{1}{L} \sum_l \left( T_\varepsilon(F^l, S^l) - \tfrac12 T_\varepsilon(F^l, F^l)
              - \tfrac12 T_\varepsilon(S^l, S^l) \right)

    with the entropic cost of transport (Cuturi, 2013)

    .. math:: T_\varepsilon(F, S) = \min_\pi \sum_{ij} \pi_{ij} c(f_i, s_j)
              + \varepsilon \operatorname{KL}(\pi, \tfrac{1}{NM}), \quad
              c(f, s) = \frac{\lVert f - s \rVert^2}{2 \overline{\lVert s \rVert^2}}

    over all transport plans :math:`\pi` with uniform marginals. The two subtracted terms make the divergence 0 for
    equal point sets, and keep the image's vectors from contracting toward the blurred plan (Feydy et al., 2019). In
    contrast to `RelaxedEMD`, each vector of the style counts as often as it occurs, and in contrast to
    `SlicedWasserstein`, which compares projections, the joint distribution is compared.

    Deviations: the vectors lie on a regular grid; the cost is divided by the style's mean square, so that all layers
    have equal influence. The potentials come from a fixed number of averaged updates while :math:`\varepsilon`
    decreases to its value, as in Feydy et al.; the gradient assumes that they have converged.

    The loss is not additive, because it compares all pairs, so it cannot be used with tiles. With several styles, it is
    the weighted mean of the losses for each style.

    Args:
        layers: layers to compare; the vectors of each layer are transported separately.
        blur: root of :math:`\varepsilon`, in units of the root mean square of the style's vectors. Small values
            approach a matching, large ones a comparison of means.
        steps: number of updates of the potentials.
        max_vectors: approximate maximum number of vectors of a point set; time and memory grow with its square.
        name: name of the term in reports.

    Raises:
        ValueError: `blur` is not positive, or `steps` or `max_vectors` is less than 1.

    Example:
        A point set shifted by (1, 0), where the mean square is 2:

        >>> style = tf.constant([[[[1.0, -1.0], [-1.0, 1.0]]]])
        >>> loss = Sinkhorn(("a",))
        >>> shifted, goal = (loss.statistic({"a": maps}, Context()) for maps in (style + [1.0, 0.0], style))
        >>> round(float(loss.compare(shifted, goal)), 3)
        0.25
    """

    layers: tuple[str, ...] = ("block2_conv1", "block3_conv1", "block4_conv1")
    blur: float = 0.2
    steps: int = 16
    max_vectors: int = 1024
    name: str = "sinkhorn"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", layer_names(self.layers))
        check_counts(self, "steps", "max_vectors")
        checked(self, blur=functools.partial(real, above=0))

    def feature_maps(self, features: Features, context: Context) -> dict[str, tf.Tensor]:
        return {layer: hypercolumns(features, [layer], 1, self.max_vectors) for layer in self.layers}

    def summarize(self, points: Statistic) -> Statistic:
        """The vectors, and their cost of transport to themselves, which is used for a style only."""
        vectors = flat(points)
        return points, self._cost(vectors, vectors, _mean_square(vectors))

    def distance(self, summary: Statistic, target: Statistic) -> tf.Tensor:
        vectors, goal = flat(summary[0]), flat(target[0])
        energy = _mean_square(goal)
        own = self._cost(vectors, vectors, energy)
        return tf.nn.relu(self._cost(vectors, goal, energy) - 0.5 * (own + target[1]))

    def _cost(self, vectors: tf.Tensor, goal: tf.Tensor, energy: tf.Tensor) -> tf.Tensor:
        """The entropic cost of transport from (N, channels) to (M, channels)."""
        costs = _half_squares(vectors, goal) / (energy + 1e-8)
        fixed, final = tf.stop_gradient(costs), self.blur**2
        source, sink = (tf.zeros(tf.shape(fixed)[axis : axis + 1]) for axis in (0, 1))
        # From 1, the order of magnitude of the costs, to its value after half of the steps.
        blurs = [max(final, final ** min(1.0, 2.0 * step / self.steps)) for step in range(self.steps)]

        def renew(step: tf.Tensor, source: tf.Tensor, sink: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            epsilon = tf.gather(tf.constant(blurs), step)
            return (
                step + 1,
                0.5 * (source + _softmin(fixed - sink, epsilon, axis=1)),
                0.5 * (sink + _softmin(fixed - source[:, None], epsilon, axis=0)),
            )

        # A loop in the graph, since one written out takes seconds to compile.
        _, _, sink = tf.while_loop(lambda step, *_: step < self.steps, renew, (0, source, sink))
        # As a function of one potential the cost is exact for the other, and its derivative there is 0.
        return tf.reduce_mean(_softmin(costs - sink, final, axis=1)) + tf.reduce_mean(sink)


def _mean_square(vectors: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.reduce_sum(tf.square(vectors), axis=-1))


def _half_squares(vectors: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
    """Half the squared distances of all pairs, (N, M)."""
    halves = [0.5 * tf.reduce_sum(tf.square(each), axis=-1) for each in (vectors, goal)]
    return tf.nn.relu(halves[0][:, None] + halves[1] - tf.matmul(vectors, goal, transpose_b=True))


def _softmin(costs: tf.Tensor, epsilon: float | tf.Tensor, axis: int) -> tf.Tensor:
    """Smooth minimum of the costs along an axis; the minimum of equal costs is that cost."""
    count = tf.cast(tf.maximum(1, tf.shape(costs)[axis]), tf.float32)
    return -epsilon * (tf.reduce_logsumexp(-costs / epsilon, axis=axis) - tf.math.log(count))
