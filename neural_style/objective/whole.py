"""Losses and an extractor, compiled: from a canvas to its loss and gradient.

Every function here is pure and traced once: rows and columns are unspecified in the signatures, and weights
and targets are arguments, so any size, strength, style and run of the same losses on the same extractor use
one trace. That matters because TensorFlow never frees a trace.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from neural_style.features.base import Extractor, LayerGradient, PullBack, check_layers, forward_with_vjp, in_float32
from neural_style.losses.base import PREVIOUS, ByLayer, Features, Loss, Statistic
from neural_style.optimizers.base import Evaluation

__all__ = ["Objective", "OneTrace", "Several", "fitted", "objective_for"]


class Several(NamedTuple):
    """The targets of a loss whose statistics do not add: it is compared with one style after the other.

    Attributes:
        targets: one for each style.
        weights: float32 (styles,).
    """

    targets: tuple[Statistic, ...]
    weights: tf.Tensor


class Objective:
    """What is minimised, up to weights and targets.

    Args:
        losses: in the order in which weights, targets and reports come.
        extractor: gives the layers the losses need.

    Raises:
        ValueError: a loss needs a layer that the extractor does not have.
    """

    tile: None = None

    def __init__(self, losses: Sequence[Loss], extractor: Extractor) -> None:
        self.losses = tuple(losses)
        self.extractor = extractor
        self.layers = _union(self.losses)
        self.content_layers = _union(loss for loss in self.losses if loss.uses_content)
        self.style_layers = _union(loss for loss in self.losses if loss.uses_style)
        check_layers([layer for layer in self.layers if layer != "image"], extractor.layers)
        self.content = OneTrace(self._content)
        self.target = OneTrace(self._target)
        self.evaluate = OneTrace(self._evaluate)

    @property
    def smallest_side(self) -> int:
        """The fewest pixels a side may have for the deepest map to have a cell."""
        return max([self.extractor.layers[layer].stride for layer in self.layers if layer != "image"], default=1)

    def strides(self, layers: Sequence[str]) -> dict[str, int]:
        """How many pixels a side a cell of each layer's map has."""
        return {layer: 1 if layer == "image" else self.extractor.layers[layer].stride for layer in layers}

    def slope(
        self, index: int, canvas: tf.Tensor, content: Features, targets: tuple[Statistic | None, ...], guides: Features
    ) -> tf.Tensor:
        """The gradient of one loss alone, unweighted and not compiled, (1, height, width, 3)."""
        loss = self.losses[index]
        with tf.GradientTape() as tape:
            tape.watch(canvas)
            features = self.features(canvas, loss.layers)
            value = compared(loss, loss.statistic(features, content, fitted(guides, features)), targets[index])
        return tape.gradient(value, canvas, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def features(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        """The image's maps in float32, with `"image"` itself where asked for."""
        deep = [layer for layer in layers if layer != "image"]
        maps = self.extractor(image, deep) if deep else {}
        named = {layer: image if layer == "image" else maps[layer] for layer in layers}
        return {layer: in_float32(value) for layer, value in named.items()}

    def _content(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """The content picture's maps, as far as a loss reads them."""
        return self.features(image, self.content_layers)

    def _target(self, image: tf.Tensor, guides: Features) -> tuple[Statistic | None, ...]:
        """Each loss's statistic of a style picture, None for losses that read none."""
        features = self.features(image, self.style_layers)
        guides = fitted(guides, features)
        return tuple(loss.statistic(features, {}, guides) if loss.uses_style else None for loss in self.losses)

    def _evaluate(
        self,
        canvas: tf.Tensor,
        content: Features,
        targets: tuple[Statistic | None, ...],
        weights: tf.Tensor,
        guides: Features,
    ) -> Evaluation:
        # What a statistic that adds keeps for its gradient is as large as the maps: it is taken anew on the way back.
        # One of the pixels keeps little, and one that does not add may cost much: they are differentiated as they are.
        maps, pull_back = self.forward_with_vjp(canvas)
        guides = fitted(guides, maps)
        again = {i: loss for i, loss in enumerate(self.losses) if loss.additive and "image" not in loss.layers}
        sums = {i: loss.statistic(maps, content, guides) for i, loss in again.items()}
        rest = {layer: maps[layer] for i, loss in enumerate(self.losses) if i not in again for layer in loss.layers}
        sources = differentiable(sums), rest
        with tf.GradientTape() as tape:
            tape.watch(sources)
            statistics = [
                sums[i] if i in again else loss.statistic(maps, content, guides) for i, loss in enumerate(self.losses)
            ]
            total, terms = weighed(self.losses, statistics, targets, weights)
        slopes, known = tape.gradient(total, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)

        def slope(layer: str, value: tf.Tensor) -> tf.Tensor:
            readers = [(loss, slopes[i]) for i, loss in again.items() if layer in loss.layers]
            seen = maps | {layer: value}
            parts = [slope_again(loss, layer, told, seen, content, guides) for loss, told in readers]
            return tf.add_n(parts + ([known[layer]] if layer in known else []))

        return Evaluation(total, terms, pull_back(slope))

    def forward_with_vjp(self, image: tf.Tensor) -> tuple[dict[str, tf.Tensor], PullBack]:
        """The image's maps, as `features` gives them for all layers, and the way back to the image."""
        deep = [layer for layer in self.layers if layer != "image"]
        maps, back = forward_with_vjp(self.extractor, image, deep) if deep else ({}, None)

        def pull_back(slope: LayerGradient) -> tf.Tensor:
            parts = [] if back is None else [back(slope)]
            if "image" in self.layers:
                parts.append(slope("image", image))
            return tf.add_n(parts)

        return {layer: image if layer == "image" else maps[layer] for layer in self.layers}, pull_back


def slope_again(
    loss: Loss, layer: str, slopes: Statistic, features: Features, content: Features, guides: Features
) -> tf.Tensor:
    """The gradient with respect to one layer's map, from that with respect to a statistic, which is taken anew."""
    value = features[layer]
    with tf.GradientTape() as tape:
        tape.watch(value)
        if isinstance(loss, ByLayer):
            statistic, slopes = loss.of_layer(layer, features, content, guides), slopes[layer]
        else:
            statistic = loss.statistic(features, content, guides)
    found, along = tf.nest.flatten(differentiable(statistic)), tf.nest.flatten(slopes)
    return tape.gradient(found, value, along, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def differentiable(statistics: Any) -> Any:
    """The same nest with a constant for all that has no gradient: whole numbers, what is no tensor, None."""
    return tf.nest.map_structure(
        lambda value: value if tf.is_tensor(value) and value.dtype.is_floating else tf.zeros([]), statistics
    )


def fitted(guides: Features, features: Features) -> dict[str, tf.Tensor]:
    """Guides cut to the maps: most networks leave out the cells that the picture's end cuts off."""
    sizes = {layer: tf.shape(features[layer]) for layer in guides if layer in features}
    cut = {layer: guides[layer][:, : size[1], : size[2]] for layer, size in sizes.items()}
    return cut | {PREVIOUS: guides[PREVIOUS]} if PREVIOUS in guides else cut


def weighed(
    losses: Sequence[Loss], statistics: Sequence[Statistic], targets: Sequence[Any], weights: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The weighted sum, a scalar, and its terms, (terms,)."""
    triples = zip(losses, statistics, targets, strict=True)
    terms = weights * tf.stack([compared(loss, statistic, target) for loss, statistic, target in triples])
    return tf.reduce_sum(terms), terms


def compared(loss: Loss, statistic: Statistic, target: Statistic | Several) -> tf.Tensor:
    """The loss against its target, or the weighted sum of it against several."""
    if not isinstance(target, Several):
        return loss.compare(statistic, target)
    weights = tf.unstack(target.weights, len(target.targets))
    return tf.add_n([w * loss.compare(statistic, one) for w, one in zip(weights, target.targets, strict=True)])


_lock = threading.RLock()


def objective_for(losses: tuple[Loss, ...], extractor: Extractor) -> Objective:
    """The objective of these losses on this extractor, with whatever it has already compiled."""
    with _lock:
        return _cached_objective(losses, extractor)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=32)
def _cached_objective(losses: tuple[Loss, ...], extractor: Extractor) -> Objective:
    return Objective(losses, extractor)


class OneTrace:
    """A function compiled once for each structure of its arguments, whatever their rows and columns."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = tf.function(function, autograph=False)
        self._compiled: dict[Any, Callable[..., Any]] = {}

    @property
    def traces(self) -> int:
        """How often it was traced."""
        return len(self._compiled)

    def __call__(self, *arguments: Any) -> Any:
        return self._for(arguments)(*arguments)

    def outputs(self, *arguments: Any) -> Any:
        """What it would give for these tensors or `tf.TensorSpec`s: the nest, with a spec for each tensor."""
        return self._for(arguments).structured_outputs

    def _for(self, arguments: tuple[Any, ...]) -> Any:
        specs = tf.nest.map_structure(_any_size, arguments)
        key = (str(tf.nest.map_structure(lambda _: 0, arguments)), tuple(tf.nest.flatten(specs)))
        if key not in self._compiled:
            with _lock:
                if key not in self._compiled:
                    self._compiled[key] = _in_own_thread(self._function.get_concrete_function, specs)
        return self._compiled[key]


def _in_own_thread(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call where nothing of the caller's context holds.

    A device scope, gradient tape or name scope of the first caller would become part of a trace that later
    callers share; TensorFlow keeps all of these by thread.
    """
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.extend((function(*arguments), None))
        except BaseException as error:
            outcome.extend((None, error))

    thread = threading.Thread(target=call, name="neural_style-trace")
    thread.start()
    thread.join()
    value, error = outcome
    if error is not None:
        raise error
    return value


def _any_size(value: Any) -> Any:
    """The signature of a tensor; a picture's or map's rows and columns are left open."""
    if not tf.is_tensor(value) and not isinstance(value, tf.TensorSpec):
        return value
    shape = [1, None, None, value.shape[-1]] if value.shape.rank == 4 else value.shape
    return tf.TensorSpec(shape, value.dtype)


def _union(losses: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(layer for loss in losses for layer in loss.layers))
