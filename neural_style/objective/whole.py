"""Evaluation of a loss and its gradient on a whole image, compiled.

The compiled functions are pure. Images and maps have unspecified rows and columns, and weights and targets are
arguments, so that all sizes, strengths, styles and runs of the same losses on the same extractor share one trace.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from neural_style.features.base import Extractor, LayerGradient, PullBack, check_layers, forward_with_vjp, in_float32
from neural_style.losses import StyleVectors
from neural_style.losses.base import Context, Features, Loss
from neural_style.objective.base import (
    Assignments,
    Targets,
    context_for,
    crop_guides,
    differentiable,
    measure_style,
    recompute_gradient,
    weighted_sum,
)
from neural_style.objective.tracing import OneTrace, cached
from neural_style.optimizers.base import Evaluation

__all__ = ["ContentFeatures", "EagerFunctions", "WholeObjective", "objective_for"]


class ContentFeatures(NamedTuple):
    """What a run reads of its content at one size.

    Attributes:
        maps: float32 feature maps of the layers that losses compare with the content.
        queries: for each loss that sets `refresh` what it matches, (1, rows, columns, channels); None for the others.
    """

    maps: dict[str, tf.Tensor]
    queries: tuple[tf.Tensor | None, ...]


class EagerFunctions(NamedTuple):
    """The functions of a `WholeObjective`, not compiled.

    Attributes:
        content: see `Objective.content`.
        target: see `Objective.target`.
        evaluate: see `Objective.evaluate`.
    """

    content: Callable[..., ContentFeatures]
    target: Callable[..., Targets]
    evaluate: Callable[..., Evaluation]


class WholeObjective:
    """An `Objective` that evaluates the image in one piece.

    Args:
        losses: losses in the order of weights, targets and reported terms.
        extractor: network that computes the layers the losses need.

    Raises:
        ValueError: a loss needs a layer that the extractor does not have.
    """

    tile: int | None = None

    def __init__(self, losses: Sequence[Loss], extractor: Extractor) -> None:
        self.losses = tuple(losses)
        self.extractor = extractor
        self.layers = _union(self.losses)
        self.content_layers = _union(loss for loss in self.losses if loss.uses_content)
        self.style_layers = _union(loss for loss in self.losses if loss.uses_style)
        check_layers([layer for layer in self.layers if layer != "image"], extractor.layers)
        self.matched_layers = _union(loss for loss in self.losses if loss.refresh)
        self.content, self.target, self.evaluate = map(OneTrace, self.eager())
        self._assign = OneTrace(self._assign_all)

    def eager(self) -> EagerFunctions:
        """The same functions, not compiled: for tests, debugging and tracing with fixed sizes."""
        return EagerFunctions(self._content, self._target, self._evaluate)

    @functools.cached_property
    def smallest_side(self) -> int:
        deep = [layer for layer in self.layers if layer != "image"]
        own: Any = getattr(self.extractor, "smallest_side", None)  # of a network whose maps lose more than strides say
        least = max([self.extractor.layers[layer].stride for layer in deep], default=1)
        return least if own is None else max(least, own(deep))

    def strides(self, layers: Sequence[str]) -> dict[str, int]:
        return {layer: 1 if layer == "image" else self.extractor.layers[layer].stride for layer in layers}

    def only(self, index: int) -> WholeObjective:
        return objective_for((self.losses[index],), self.extractor)

    def features(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        """The image's feature maps in float32; `"image"` is the image itself."""
        return _features(self.extractor, image, layers)

    def forward_with_vjp(self, image: tf.Tensor) -> tuple[dict[str, tf.Tensor], PullBack]:
        """The feature maps of all layers, as by `features`, and a function that back-propagates to the image."""
        deep = [layer for layer in self.layers if layer != "image"]
        maps, back = forward_with_vjp(self.extractor, image, deep) if deep else ({}, None)

        def pull_back(layer_gradient: LayerGradient) -> tf.Tensor:
            parts = [] if back is None else [back(layer_gradient)]
            if "image" in self.layers:
                parts.append(layer_gradient("image", image))
            return tf.add_n(parts)

        return {layer: image if layer == "image" else maps[layer] for layer in self.layers}, pull_back

    def _content(self, image: tf.Tensor) -> ContentFeatures:
        features = self.features(image, tuple(dict.fromkeys([*self.content_layers, *self.matched_layers])))
        return ContentFeatures({layer: features[layer] for layer in self.content_layers}, self._queries(features))

    def _queries(self, features: Features) -> tuple[tf.Tensor | None, ...]:
        context = Context(strides=self.strides(self.layers))
        return tuple(loss.query(features, context) if loss.refresh else None for loss in self.losses)  # type: ignore[attr-defined]

    def _target(self, image: tf.Tensor, guides: Features) -> Targets:
        features = self.features(image, self.style_layers)
        context = Context(guides=crop_guides(guides, features), strides=self.strides(self.layers))
        return tuple(measure_style(loss, features, context) for loss in self.losses)

    def match(
        self, canvas: tf.Tensor, content: ContentFeatures | None, styles: Sequence[tuple[StyleVectors, ...] | None]
    ) -> tuple[tf.Tensor | None, ...]:
        """See `Objective.match`. The canvas is read as a content is, so that the network needs no other trace."""
        ours = self.content(canvas).queries
        return self._assign(ours, content.queries if content else (None,) * len(ours), styles)

    def _assign_all(
        self,
        ours: Sequence[tf.Tensor | None],
        theirs: Sequence[tf.Tensor | None],
        styles: Sequence[tuple[StyleVectors, ...] | None],
    ) -> tuple[tf.Tensor | None, ...]:
        return tuple(
            None if vectors is None else _assign(loss, loss.mix(one, other), vectors)  # type: ignore[attr-defined]
            for loss, one, other, vectors in zip(self.losses, ours, theirs, styles, strict=True)
        )

    def _evaluate(
        self,
        canvas: tf.Tensor,
        content: ContentFeatures | None,
        targets: Targets,
        weights: tf.Tensor,
        guides: Features,
        previous: tf.Tensor | None = None,
        step: tf.Tensor | None = None,
        assignments: Assignments | None = None,
    ) -> Evaluation:
        # Gradient checkpointing: the intermediates of an additive statistic are as large as the maps, so they are
        # recomputed in the backward pass. Pixel statistics keep little and non-additive ones are costly, so those are
        # differentiated directly.
        maps, pull_back = self.forward_with_vjp(canvas)
        shared = Context(
            content.maps if content else {}, crop_guides(guides, maps), previous, step, self.strides(self.layers)
        )
        contexts = [context_for(shared, assignments, i) for i in range(len(self.losses))]
        recomputed = {i: loss for i, loss in enumerate(self.losses) if loss.additive and "image" not in loss.layers}
        sums = {i: loss.statistic(maps, contexts[i]) for i, loss in recomputed.items()}
        direct = [loss for i, loss in enumerate(self.losses) if i not in recomputed]
        sources = differentiable(sums), {layer: maps[layer] for loss in direct for layer in loss.layers}
        with tf.GradientTape() as tape:
            tape.watch(sources)
            statistics = [
                sums[i] if i in recomputed else loss.statistic(maps, contexts[i]) for i, loss in enumerate(self.losses)
            ]
            total, terms = weighted_sum(self.losses, statistics, targets, weights)
        upstream, known = tape.gradient(total, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)

        def layer_gradient(layer: str, value: tf.Tensor) -> tf.Tensor:
            readers = [i for i, loss in recomputed.items() if layer in loss.layers]
            features = maps | {layer: value}
            parts = [recompute_gradient(self.losses[i], layer, upstream[i], features, contexts[i]) for i in readers]
            return tf.add_n(parts + ([known[layer]] if layer in known else []))

        return Evaluation(total, terms, pull_back(layer_gradient))


def _features(extractor: Extractor, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
    deep = [layer for layer in layers if layer != "image"]
    maps = extractor(image, deep) if deep else {}
    named = {layer: image if layer == "image" else maps[layer] for layer in layers}
    return {layer: in_float32(value) for layer, value in named.items()}


@cached(maxsize=16)
def objective_for(losses: tuple[Loss, ...], extractor: Extractor) -> WholeObjective:
    """The objective of these losses on this extractor, with everything it has already compiled."""
    return WholeObjective(losses, extractor)


def _assign(loss: Any, query: tf.Tensor, styles: tuple[StyleVectors, ...]) -> tf.Tensor:
    """One loss's matches on a whole image, int32 (1, rows, columns, styles)."""
    sums = loss.query_sums(query)
    return tf.stack([loss.assign(query, sums, vectors) for vectors in styles], axis=-1)


def _union(losses: Iterable[Loss]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(layer for loss in losses for layer in loss.layers))
