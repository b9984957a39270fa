"""The interface of objectives, and what the evaluation of whole images and of tiles share."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from neural_style.features.base import Extractor
from neural_style.losses import StyleVectors
from neural_style.losses.base import Assignment, ByLayer, Context, Features, Loss, Statistic
from neural_style.optimizers.base import Evaluation

__all__ = [
    "Assignments",
    "Objective",
    "Several",
    "Targets",
    "context_for",
    "crop_guides",
    "differentiable",
    "measure_style",
    "recompute_gradient",
    "weighted_sum",
]


class Several(NamedTuple):
    """The targets of a loss that is not additive: it is compared with each style in turn.

    Attributes:
        targets: one for each style.
        weights: float32 (styles,).
    """

    targets: tuple[Statistic, ...]
    weights: tf.Tensor


Targets = tuple[Statistic | Several | None, ...]
"""The target of each loss in order; None for a loss that reads no style."""


Assignments = tuple[Assignment | None, ...]
"""The matches of each loss in order; None for a loss whose target stays the same."""


class Objective(Protocol):
    """What a run minimizes, as a function of the canvas, the content, the targets and the weights.

    Attributes:
        losses: losses in the order of weights, targets and reported terms.
        extractor: network that computes the layers the losses need.
        tile: side of a tile in pixels; None if the image is evaluated in one piece.
        style_layers: layers that are read from a style.
        smallest_side: fewest pixels per side for which the deepest map has a cell.
    """

    @property
    def losses(self) -> tuple[Loss, ...]: ...

    @property
    def extractor(self) -> Extractor: ...

    @property
    def tile(self) -> int | None: ...

    @property
    def style_layers(self) -> tuple[str, ...]: ...

    @property
    def smallest_side(self) -> int: ...

    def strides(self, layers: Sequence[str]) -> dict[str, int]:
        """Pixels per cell along each axis, for each layer."""
        ...

    def content(self, image: tf.Tensor) -> Any:
        """What is read of the content, in the form that `evaluate` and `match` expect.

        Args:
            image: float32 (1, height, width, 3), of the size of the canvas.
        """
        ...

    def target(self, image: tf.Tensor, guides: Features) -> Targets:
        """The statistic of a style for each loss; None for a loss that reads no style.

        Args:
            image: float32 (1, height, width, 3).
            guides: for each layer the weight of each cell in each region, (1, rows, columns, regions); empty for one
                region that is the whole image.
        """
        ...

    def evaluate(
        self,
        canvas: tf.Tensor,
        content: Any,
        targets: Targets,
        weights: tf.Tensor,
        guides: Features,
        previous: tf.Tensor | None = None,
        step: tf.Tensor | None = None,
        assignments: Assignments | None = None,
    ) -> Evaluation:
        """Loss, terms and gradient at a canvas.

        Args:
            canvas: float32 (1, height, width, 3).
            content: the result of `content` for an image of the size of the canvas; None without a content.
            targets: the target of each loss.
            weights: the weight of each loss, float32 (losses,).
            guides: for each layer the weight of each cell in each region of the canvas; see `target`.
            previous: the image and mask of `Context.previous`, float32 (1, height, width, 4).
            step: the number of the step, an int32 scalar.
            assignments: the matches of each loss that sets `refresh`, None for the others; None if there are none.
        """
        ...

    def match(
        self, canvas: tf.Tensor, content: Any, styles: Sequence[tuple[StyleVectors, ...] | None]
    ) -> tuple[tf.Tensor | None, ...]:
        """For each loss that sets `refresh` the style vectors nearest to each position; None for the others.

        Args:
            canvas: float32 (1, height, width, 3).
            content: see `evaluate`.
            styles: the vectors of each style, for each of these losses.

        Returns:
            Indices into the vectors, int32 (1, rows, columns, styles).
        """
        ...

    def only(self, index: int) -> Objective:
        """An objective with one of the losses, evaluated in the same way.

        Call its own `content` for the content's maps.
        """
        ...


def crop_guides(guides: Features, features: Features) -> dict[str, tf.Tensor]:
    """Fit guides to the cells of the maps.

    Most networks drop an incomplete cell at the right and bottom border of the image. Where a map lacks more cells, as
    after convolutions without padding, or has more, as after a padding layer, its middle lies on that of the image;
    cells beyond the image count as those at its border.
    """
    sizes = {layer: tf.shape(features[layer]) for layer in guides if layer in features}
    return {layer: _fit(_fit(guides[layer], size[1], axis=1), size[2], axis=2) for layer, size in sizes.items()}


def _fit(guide: tf.Tensor, count: tf.Tensor, axis: int) -> tf.Tensor:
    """The values of a guide at this many cells along an axis."""
    own = tf.shape(guide)[axis]
    start = tf.truncatediv(own - count, 2)  # an odd cell is dropped, or added, at the end
    return tf.gather(guide, tf.clip_by_value(tf.range(count) + start, 0, own - 1), axis=axis)


def context_for(context: Context, assignments: Assignments | None, index: int) -> Context:
    """The context of one loss: everybody's, with its own matches."""
    if assignments is None or assignments[index] is None:
        return context
    return dataclasses.replace(context, assignment=assignments[index])


def measure_style(loss: Loss, features: Features, context: Context) -> Statistic | None:
    """What a loss compares with: the style's statistic, or its vectors where the target follows the canvas."""
    if not loss.uses_style:
        return None
    return loss.style_vectors(features, context) if loss.refresh else loss.statistic(features, context)  # type: ignore[attr-defined]


def weighted_sum(
    losses: Sequence[Loss], statistics: Sequence[Statistic], targets: Targets, weights: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The weighted sum of the losses, a scalar, and its terms, (losses,)."""
    triples = zip(losses, statistics, targets, strict=True)
    terms = weights * tf.stack([_compare(loss, statistic, target) for loss, statistic, target in triples])
    return tf.reduce_sum(terms), terms


def _compare(loss: Loss, statistic: Statistic, target: Statistic | Several | None) -> tf.Tensor:
    """The loss with respect to its target, or its weighted sum over several targets."""
    if not isinstance(target, Several):
        return loss.compare(statistic, target)
    weights = tf.unstack(target.weights, len(target.targets))
    return tf.add_n([w * loss.compare(statistic, one) for w, one in zip(weights, target.targets, strict=True)])


def recompute_gradient(loss: Loss, layer: str, upstream: Statistic, features: Features, context: Context) -> tf.Tensor:
    """The gradient with respect to one layer's map, with the statistic recomputed from the maps.

    Args:
        loss: whose statistic to recompute.
        layer: layer of the map.
        upstream: gradient with respect to the statistic, a nest of the statistic's structure.
        features: maps of the loss's layers.
        context: see `Loss.statistic`.
    """
    value = features[layer]
    with tf.GradientTape() as tape:
        tape.watch(value)
        if isinstance(loss, ByLayer):
            statistic, upstream = loss.of_layer(layer, features, context), upstream[layer]
        else:
            statistic = loss.statistic(features, context)
    outputs, gradients = tf.nest.flatten(differentiable(statistic)), tf.nest.flatten(upstream)
    return tape.gradient(outputs, value, gradients, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def differentiable(statistics: Any) -> Any:
    """The same nest with zeros for leaves that have no gradient: integer tensors, numbers and None."""
    return tf.nest.map_structure(
        lambda value: value if tf.is_tensor(value) and value.dtype.is_floating else tf.zeros([]), statistics
    )
