"""A style loss whose target follows the canvas: each position has a style vector assigned to it for several steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from neural_style._arguments import checked, share
from neural_style._tracing import custom_gradient
from neural_style.features.precision import fastest_precision
from neural_style.images.augmentation import Copy, all_copies
from neural_style.losses.base import Assignment, ByLayer, Context, Features, Statistic
from neural_style.losses.matching import convert_copies
from neural_style.losses.sampling import check_counts, flat, subsample, unit, unit_epsilon
from neural_style.losses.style import average_over_layers, check_layer_weights

__all__ = ["AssignedNeighbor", "QuerySums", "StyleVectors"]

STRIP = 2**24  # inner products held at a time: 32 MiB in bfloat16

StyleVectors = Mapping[str, tf.Tensor]
"""For each layer the style's vectors, float32 (1, 1, vectors, channels); vector i of all layers is of one position."""


class QuerySums(NamedTuple):
    """Sums over the positions that are matched; they add over disjoint parts of an image.

    Attributes:
        total: sum of the vectors, float32 (channels,).
        square: sum of their squares, float32 (channels,).
        count: number of the vectors, a float32 scalar.

    Example:
        >>> sums = AssignedNeighbor().query_sums(tf.constant([[1.0, 2.0], [3.0, 4.0]]))
        >>> sums.total.numpy().tolist(), float(sums.count)
        ([4.0, 6.0], 2.0)
    """

    total: tf.Tensor
    square: tf.Tensor
    count: tf.Tensor


@dataclasses.dataclass(frozen=True)
class AssignedNeighbor(ByLayer):
    r"""Mean cosine distance of each feature vector to the style vector assigned to its position.

    .. math:: \sum_l w_l \frac{1}{N} \sum_i \left(1 - \cos(x^l_i, s^l_{m(i)})\right) \Big/ \sum_l w_l

    Nearest-neighbor feature matching (Li and Wand, 2016; Kolkin et al., 2022), in which the matches m are kept for
    several steps. Between two matchings the loss is a content loss whose target consists of the style's own vectors: a
    sum over positions, which works with tiles, masks and the line search of L-BFGS. The matches are

    .. math:: m(i) = \arg\max_j \cos(q_i - \bar q, s_j - \bar s), \quad q = (1 - a) x + a c

    with the features x of the canvas and c of the content stacked over the layers (hypercolumns, Hariharan et al.,
    2015). In each channel, q is transformed to the style's mean and standard deviation, so that a style with other
    colors and contrast is still matched by structure.

    Deviations from Kolkin et al.: matches are kept for `refresh` steps; a mixes features, not images; no layer of
    blocks 1 and 4, which have 3 and 4 % of the stacked vector's square and take time; layers are compared one by one,
    by weights that are about each layer's share of that square, in place of the stacked vector; q is standardized, with
    a gain of at most 3; copies of the style are used only with `angles`.

    Args:
        layers: layers to compare; the positions are the cells of `grid`.
        layer_weights: one weight for each layer; None for equal weights.
        grid: layer whose cells are matched; each other layer is averaged or compared over these cells.
        anchor: a, the share of the content in the query, in [0, 1].
        refresh: number of steps for which matches are kept.
        max_vectors: maximum number of style vectors; a style with more positions is subsampled once.
        angles: degrees counterclockwise, of rotated copies of the style to search as well; `(0.0,)` for the style
            alone.
        scales: factors of scaled copies to search as well; each angle is combined with each scale.
        name: name of the term in reports.

    Raises:
        ValueError: `grid` is not one of the layers, the layer weights do not fit, `refresh` or `max_vectors` is less
            than 1, `anchor` is not in [0, 1], or a scale is not above 0.

    Example:
        >>> AssignedNeighbor(refresh=4).refresh
        4
    """

    layers: tuple[str, ...] = ("block2_conv2", "block3_conv3")
    layer_weights: tuple[float, ...] | None = (0.26, 0.74)
    grid: str = "block3_conv3"
    anchor: float = 0.4
    refresh: int = 8
    max_vectors: int = 4096
    angles: tuple[float, ...] = (0.0,)
    scales: tuple[float, ...] = (1.0,)
    name: str = "nearest"
    uses_style = True

    def __post_init__(self) -> None:
        check_layer_weights(self)
        check_counts(self, "refresh", "max_vectors")
        convert_copies(self)
        if self.grid not in self.layers:
            raise ValueError(f"grid must be one of the layers {', '.join(self.layers)}, not {self.grid!r}")
        checked(self, anchor=share)

    @property
    def copies(self) -> tuple[Copy, ...]:
        """Every angle at every scale."""
        return all_copies(self.angles, self.scales)

    def style_map(self, features: Features, context: Context) -> StyleVectors:
        """Each layer's map at the cells of `grid`, (1, rows, columns, channels)."""
        return {layer: self._on_grid(layer, features, context) for layer in self.layers}

    def style_vectors(self, features: Features, context: Context) -> StyleVectors:
        """The style's vectors, at most about `max_vectors`, from a regular grid of cells.

        Args:
            features: maps of the style.
            context: strides; and guides, of which cells below half of the largest are left out.
        """
        maps, guide = self.style_map(features, context), context.guides.get(self.grid)
        rows, columns = tf.unstack(tf.shape(maps[self.grid])[1:3])
        step = self.spacing(rows, columns)
        thinned = {
            layer: tf.ensure_shape(value[:, ::step, ::step], [1, None, None, value.shape[-1]])
            for layer, value in maps.items()
        }
        if guide is not None:
            guide = tf.ensure_shape(guide[:, ::step, ::step], [1, None, None, guide.shape[-1]])
        return self.inside(thinned, guide)

    def spacing(self, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
        """Cells from one vector that is kept of a style to the next, for a map of this size; an int32 scalar."""
        ratio = tf.cast(rows * columns, tf.float32) / float(self.max_vectors)
        return tf.maximum(1, tf.cast(tf.math.ceil(tf.sqrt(ratio) - 1e-4), tf.int32))

    def inside(self, maps: StyleVectors, guide: tf.Tensor | None) -> StyleVectors:
        """The vectors of maps where the guide is at least half of its largest value; all without a guide."""
        if guide is None:
            return {layer: flat(value)[None, None] for layer, value in maps.items()}
        share = tf.reduce_max(flat(guide), axis=-1)
        kept = share >= 0.5 * tf.reduce_max(share)
        return {layer: tf.boolean_mask(flat(value), kept)[None, None] for layer, value in maps.items()}

    def concatenate(self, statistics: Sequence[StyleVectors]) -> StyleVectors:
        """The vectors of a style and its copies as one set."""
        stacked = tf.concat([self._stacked(each) for each in statistics], axis=0)
        sizes = [statistics[0][layer].shape[-1] for layer in self.layers]
        kept = tf.split(subsample(stacked, self.max_vectors), sizes, axis=-1)
        return {layer: value[None, None] for layer, value in zip(self.layers, kept, strict=True)}

    def query(self, features: Features, context: Context) -> tf.Tensor:
        """An image's hypercolumns at the cells of `grid`, (1, rows, columns, channels), in the fastest precision."""
        stacked = tf.concat([self._on_grid(layer, features, context) for layer in self.layers], axis=-1)
        return tf.cast(stacked, fastest_precision())

    def mix(self, canvas: tf.Tensor, content: tf.Tensor | None) -> tf.Tensor:
        """What is matched, float32: the hypercolumns of the canvas, mixed with those of the content if there is one."""
        ours = tf.cast(canvas, tf.float32)
        return ours if content is None else (1.0 - self.anchor) * ours + self.anchor * tf.cast(content, tf.float32)

    def query_sums(self, query: tf.Tensor) -> QuerySums:
        """The sums that standardize a query, (1, rows, columns, channels)."""
        vectors = flat(query)
        count = tf.cast(tf.shape(vectors)[0], tf.float32)
        return QuerySums(tf.reduce_sum(vectors, axis=0), tf.reduce_sum(tf.square(vectors), axis=0), count)

    def assign(self, query: tf.Tensor, sums: QuerySums, style: StyleVectors) -> tf.Tensor:
        """For each position of a query the index of its style vector, int32 (1, rows, columns).

        Args:
            query: float32 (1, rows, columns, channels).
            sums: of the query over the whole image.
            style: the style's vectors.
        """
        vectors = self._stacked(style)
        mean = tf.reduce_mean(vectors, axis=0)
        deviation = tf.math.reduce_std(vectors, axis=0)
        own_mean = sums.total / sums.count
        own_deviation = tf.sqrt(tf.maximum(sums.square / sums.count - tf.square(own_mean), 0.0))
        gain = (deviation + 1e-3) / (own_deviation + 0.1 * tf.reduce_mean(own_deviation) + 1e-3)
        standardized = (flat(query) - own_mean) * tf.minimum(gain, 3.0)
        precision = fastest_precision()
        ours, theirs = (tf.math.l2_normalize(each, axis=-1) for each in (standardized, vectors - mean))
        return tf.reshape(_nearest(tf.cast(ours, precision), tf.cast(theirs, precision)), tf.shape(query)[:3])

    def assignment(self, index: tf.Tensor, weight: tf.Tensor, styles: Sequence[StyleVectors]) -> Assignment:
        """What positions are compared with until the next matching.

        Args:
            index: which vector of each style, int32 (1, rows, columns, styles).
            weight: of each style at each position, float32 of the same shape.
            styles: the vectors of each style.
        """
        energies = [
            {layer: tf.reduce_mean(tf.reduce_sum(tf.square(value), axis=-1)) for layer, value in style.items()}
            for style in styles
        ]
        units = [
            {layer: unit(value, energy[layer]) for layer, value in style.items()}
            for style, energy in zip(styles, energies, strict=True)
        ]
        return Assignment(index, weight, tuple(units), tuple(energies))

    def of_layer(self, layer: str, features: Features, context: Context) -> Statistic:
        """(weighted sum of cosine distances, sum of weights) over the cells of a layer."""
        assignment = context.assignment
        if assignment is None:
            raise ValueError(f"the loss {self.name!r} has no matches yet; an Objective's match() makes them")
        factor = self._coarseness(layer, context)
        x = features[layer] if factor > 1 else self._on_grid(layer, features, context)
        total, count = tf.constant(0.0), tf.constant(0.0)
        for number, (units, energies) in enumerate(zip(assignment.units, assignment.energies, strict=True)):
            energy, weight = energies[layer], assignment.weight[..., number : number + 1]
            goal = weight * tf.gather(flat(units[layer]), assignment.index[..., number])
            if factor > 1:  # the cells of the grid within one of this layer's: their goals' sum has the same gradient
                goal, weight = (factor**2 * _mean_cells(each, factor) for each in (goal, weight))
            common = _corner(tf.minimum(tf.shape(goal), tf.shape(x)))
            ours, goal, weight = (_cropped(each, common) for each in (x, goal, weight))
            weights = tf.reduce_sum(weight)
            total, count = total + weights - _sum_of_cosines(ours, goal, energy), count + weights
        return total, count

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        distances = [total / (tf.stop_gradient(count) + 1e-8) for total, count in map(statistic.get, self.layers)]
        return tf.nn.relu(average_over_layers(self, distances))

    def _stacked(self, style: StyleVectors) -> tf.Tensor:
        return tf.concat([flat(style[layer]) for layer in self.layers], axis=-1)

    def _coarseness(self, layer: str, context: Context) -> int:
        """How many cells of the grid one of the layer's cells spans along each axis, at least 1."""
        return max(1, context.strides.get(layer, 1) // context.strides.get(self.grid, 1))

    def _on_grid(self, layer: str, features: Features, context: Context) -> tf.Tensor:
        """A layer's map at the cells of the grid, each from pixels of that cell only: tiles see what the whole sees."""
        x, factor = features[layer], self._coarseness(layer, context)
        if layer == self.grid:
            return x
        size = tf.shape(features[self.grid])
        if factor > 1:
            for axis in (1, 2):
                x = tf.gather(x, tf.minimum(tf.range(size[axis]) // factor, tf.shape(x)[axis] - 1), axis=axis)
            return x
        finer = max(1, context.strides.get(self.grid, 1) // context.strides.get(layer, 1))
        middle = _middle(x, finer)
        return _cropped(middle, _corner(tf.minimum(size, tf.shape(middle))))


def _sum_of_cosines(x: tf.Tensor, goal: tf.Tensor, energy: tf.Tensor) -> tf.Tensor:
    """The sum of the inner products of `goal` and `unit(x, energy)`, a scalar; no gradient passes to `goal`.

    The gradient in closed form takes a third of the operations of automatic differentiation.
    """

    @custom_gradient
    def inner(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        square, least = tf.reduce_sum(tf.square(x), axis=-1, keepdims=True), unit_epsilon(energy)
        inverse = tf.math.rsqrt(tf.maximum(square, least))
        product = tf.reduce_sum(x * goal, axis=-1, keepdims=True)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            along = tf.where(square > least, product * tf.square(inverse), 0.0)
            return (upstream * inverse) * (goal - along * x)

        return tf.reduce_sum(product * inverse), gradient

    return inner(x)


def _corner(size: tf.Tensor) -> tf.Tensor:
    """The size of a slice with the rows and columns of a size, (4,), and all channels."""
    return tf.where([False, True, True, False], size, -1)


def _cropped(x: tf.Tensor, corner: tf.Tensor) -> tf.Tensor:
    """A map without the rows and columns beyond those of a corner; see `_corner`.

    The gradient of `tf.slice` takes a tenth of the time of that of indexing.
    """
    cropped = tf.slice(x, [0, 0, 0, 0], corner)
    cropped.set_shape([1, None, None, x.shape[-1]])
    return cropped


def _middle(x: tf.Tensor, factor: int) -> tf.Tensor:
    """The mean of the middle of each `factor` x `factor` cells: as bilinear interpolation without antialiasing."""
    if factor == 1:
        return x
    if factor == 2 or factor % 2:
        return tf.nn.avg_pool2d(x, factor, factor, "VALID")
    return _mean_of_middle(x, factor)


def _mean_of_middle(x: tf.Tensor, factor: int) -> tf.Tensor:
    """The mean of the middle 2 x 2 of each `factor` x `factor` cells, of which there is an even number, above 2."""
    channels, edge = x.shape[-1], factor // 2 - 1
    kernel = np.pad(np.full([2, 2], 0.25, np.float32), edge)

    @custom_gradient
    def middle(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        size = tf.shape(x)
        rows, columns = size[1] // factor, size[2] // factor

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            cells = tf.reshape(0.25 * upstream, [rows, 1, columns, 1, channels])
            cells = tf.broadcast_to(cells, [rows, 2, columns, 2, channels])
            cells = tf.pad(cells, [[0, 0], [edge, edge], [0, 0], [edge, edge], [0, 0]])
            rest = size - [0, rows * factor, columns * factor, 0]
            whole = tf.reshape(cells, [1, rows * factor, columns * factor, channels])
            return tf.pad(whole, [[0, 0], [0, rest[1]], [0, rest[2]], [0, 0]])

        each = tf.tile(kernel[:, :, None, None], [1, 1, channels, 1])
        return tf.nn.depthwise_conv2d(x, each, [1, factor, factor, 1], "VALID"), gradient

    return middle(x)


def _mean_cells(x: tf.Tensor, factor: int) -> tf.Tensor:
    return tf.nn.avg_pool2d(x, factor, factor, "VALID")


def _nearest(ours: tf.Tensor, theirs: tf.Tensor) -> tf.Tensor:
    """For each row the index of the row of the other set with the largest inner product, strip by strip."""
    count, strip = tf.shape(ours)[0], tf.maximum(1, STRIP // tf.shape(theirs)[0])
    strips = (count + strip - 1) // strip

    def one(number: tf.Tensor, found: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        products = tf.matmul(ours[number * strip : (number + 1) * strip], theirs, transpose_b=True)
        return number + 1, found.write(number, tf.argmax(products, axis=1, output_type=tf.int32))

    _, found = tf.while_loop(
        lambda number, _: number < strips,
        one,
        (tf.constant(0), tf.TensorArray(tf.int32, size=strips, infer_shape=False, element_shape=[None])),
        parallel_iterations=1,
    )
    return found.concat()
