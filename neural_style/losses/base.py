"""What a loss is, and how losses add, scale and report.

A loss is an immutable description. It is written in two steps, because almost every loss of this field
depends on a picture only through sums over positions::

    statistic(features, content, guides)  ->  tensors that add over disjoint regions of the picture
    compare(statistic, target)            ->  a scalar >= 0

The whole picture is one region; a tiled run adds the statistics of many. The target is the statistic of the
style picture, computed once and passed in; several styles are one target, their weighted sum. A loss whose
statistic does not add says `additive = False`: it works untiled, and a tiled run refuses it.
"""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import tensorflow as tf

__all__ = ["PREVIOUS", "ByLayer", "Custom", "Features", "Loss", "Sum", "Term", "custom"]

Features = Mapping[str, tf.Tensor]
"""Maps by their layers, each (1, rows, columns, channels); the reserved layer `"image"` is the picture itself."""

Statistic = Any
"""Tensors in any nest of dicts and tuples."""

PREVIOUS = "previous"
"""The guide that is a picture to hold on to, its colours and how far they hold, (1, rows, columns, 4)."""


class _Composable(abc.ABC):
    """Arithmetic shared by a loss and a sum of losses: `2.0 * a + b`, `sum([a, b, c])`."""

    @property
    @abc.abstractmethod
    def terms(self) -> tuple[Term, ...]:
        """The parts in order, each with its weight and the name it is reported by."""

    @property
    @abc.abstractmethod
    def layers(self) -> tuple[str, ...]:
        """What is needed from the extractor, and `"image"` where the pixels themselves are."""

    def __add__(self, other: object) -> Sum:
        if not isinstance(other, _Composable):
            return NotImplemented
        return Sum(self.terms + other.terms)

    def __radd__(self, other: object) -> Sum:
        return Sum(self.terms) if other == 0 else NotImplemented  # sum() starts at 0

    def __mul__(self, factor: object) -> Sum:
        if not isinstance(factor, (int, float)) or isinstance(factor, bool):
            return NotImplemented
        return Sum(tuple(dataclasses.replace(term, weight=term.weight * factor) for term in self.terms))

    __rmul__ = __mul__


class Loss(_Composable):
    """One loss. Subclasses are frozen dataclasses with the fields `layers` and `name`.

    Attributes:
        layers: what it needs from the extractor.
        name: what its value is reported by.
        additive: whether statistics of disjoint regions add up to that of their union.
        guided: whether a loss that does not add heeds guides; one that adds is taken to.
        uses_content: whether `statistic` reads the content's features.
        uses_style: whether `compare` reads a target made from the style.
        uses_previous: whether `statistic` reads the guide `PREVIOUS`.
        reach: for a loss that reads only `"image"`: its statistic is a sum of terms, each of pixels inside the
            region and within so many rows of one another, so that a tiled run can take it band by band. None
            if that is not so: then it is taken of the whole canvas at once.

    Example:
        A loss that wants the mean brightness of the style:

        >>> @dataclasses.dataclass(frozen=True)
        ... class Brightness(Loss):
        ...     layers: tuple[str, ...] = ("image",)
        ...     name: str = "brightness"
        ...     uses_style = True
        ...
        ...     def statistic(self, features, content, guides):
        ...         image = features["image"]
        ...         return tf.reduce_sum(image), tf.cast(tf.size(image), tf.float32)
        ...
        ...     def compare(self, statistic, target):
        ...         return (statistic[0] / statistic[1] - target[0] / target[1]) ** 2
        >>> (2.0 * Brightness() + Brightness(name="again")).names
        ('brightness', 'again')
    """

    name: str
    additive: ClassVar[bool] = True
    guided: ClassVar[bool] = False
    uses_content: ClassVar[bool] = False
    uses_style: ClassVar[bool] = False
    uses_previous: ClassVar[bool] = False
    reach: ClassVar[int | None] = None

    @property
    def terms(self) -> tuple[Term, ...]:
        return (Term(1.0, self),)

    def without_content(self) -> Loss | None:
        """What is left of it where there is no content: itself, if it reads none; None for nothing."""
        return None if self.uses_content else self

    @abc.abstractmethod
    def statistic(self, features: Features, content: Features, guides: Features) -> Statistic:
        """What the loss needs to know of a region.

        Args:
            features: float32 maps of the region, for `self.layers`.
            content: the content picture's maps of the same region and shapes; empty unless `uses_content`.
            guides: for each layer the weight of each position in each style's region, (1, rows, columns,
                styles), in [0, 1]; none when there is one style and it rules everywhere. And `PREVIOUS`, where the
                run has been given one.
        """

    @abc.abstractmethod
    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        """The loss, a scalar of at least 0 and of the order of 1 for an unrelated picture.

        Args:
            statistic: of the whole picture.
            target: the same of the style, or None unless `uses_style`.
        """


class ByLayer(Loss):
    """A loss whose statistic is a dict with an entry for each layer, made of that layer's maps alone.

    A step takes such a statistic anew at each layer on the way back, and that layer's part only. Others work as well;
    they take a little longer to compile.
    """

    @abc.abstractmethod
    def of_layer(self, layer: str, features: Features, content: Features, guides: Features) -> Statistic:
        """One layer's entry in the statistic; the arguments are those of `statistic`."""

    def statistic(self, features: Features, content: Features, guides: Features) -> Statistic:
        return {layer: self.of_layer(layer, features, content, guides) for layer in self.layers}


def layer_names(layers: str | Sequence[str]) -> tuple[str, ...]:
    """Names as a tuple, whatever they came in: a loss has to be hashable."""
    return (layers,) if isinstance(layers, str) else tuple(layers)


@dataclasses.dataclass(frozen=True)
class Term:
    """A loss with its weight in a sum.

    Args:
        weight: at least 0 and finite.
        loss: the loss.

    Raises:
        ValueError: the weight is out of range.

    Example:
        >>> from neural_style.losses import Gram
        >>> [term.weight for term in 0.5 * (Gram() + 2.0 * Gram(("block1_conv1",)))]
        [0.5, 1.0]
    """

    weight: float
    loss: Loss

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"a loss's weight is at least 0 and finite, not {self.weight}")


class Sum(_Composable):
    """A weighted sum of losses; each stays visible as a `Term`.

    Args:
        terms: the parts; two of one name become `name` and `name_2`.

    Example:
        >>> from neural_style.losses import Content, Gram, TotalVariation
        >>> loss = 0.1 * Content() + Gram() + 0.5 * TotalVariation()
        >>> loss.names, [term.weight for term in loss]
        (('content', 'style', 'total_variation'), [0.1, 1.0, 0.5])
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        self._terms = tuple(terms)

    def __repr__(self) -> str:
        return " + ".join(f"{term.weight!r} * {term.loss!r}" for term in self._terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and self._terms == other._terms

    def __hash__(self) -> int:
        return hash(self._terms)

    def __iter__(self) -> Iterator[Term]:
        return iter(self._terms)

    @property
    def terms(self) -> tuple[Term, ...]:
        return self._terms

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for term in self._terms for layer in term.loss.layers))

    @property
    def names(self) -> tuple[str, ...]:
        """What each term is reported by."""
        names: list[str] = []
        for term in self._terms:
            numbered = (f"{term.loss.name}_{count}" for count in itertools.count(2))
            names.append(next(name for name in itertools.chain([term.loss.name], numbered) if name not in names))
        return tuple(names)


@dataclasses.dataclass(frozen=True)
class Custom(Loss):
    """A loss made of one plain function; see `custom`.

    Args:
        function: see `custom`.
        layers: see `custom`.
        name: what it is reported by.

    Example:
        >>> Custom(lambda features, content, style: tf.reduce_mean(features["image"]), ("image",), "darkness").layers
        ('image',)
    """

    function: Callable[[Features, Features, Features], tf.Tensor]
    layers: tuple[str, ...] = ()
    name: str = "custom"
    additive: ClassVar[bool] = False
    uses_content: ClassVar[bool] = True
    uses_style: ClassVar[bool] = True

    def statistic(self, features: Features, content: Features, guides: Features) -> Statistic:
        wanted = {layer: features[layer] for layer in self.layers}
        return wanted, {layer: content[layer] for layer in self.layers if layer in content}

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        features, content = statistic
        return tf.convert_to_tensor(self.function(features, content, target[0]))


def custom(
    function: Callable[[Features, Features, Features], tf.Tensor],
    layers: Sequence[str],
    *,
    name: str | None = None,
) -> Custom:
    """Make a loss of one plain function. It works untiled; for tiled runs subclass `Loss`.

    Args:
        function: `(features, content, style) -> scalar`; each argument is `{layer: map}` with maps of shape
            (1, rows, columns, channels), of the picture being painted, the content and the style (whose rows
            and columns differ). Define it once, at module level: a new function object is a new trace.
        layers: the layers it reads, `"image"` for pixels.
        name: what it is reported by; the function's own name by default.

    Example:
        >>> def brightness(features, content, style):
        ...     return (tf.reduce_mean(features["image"]) - tf.reduce_mean(style["image"])) ** 2
        >>> custom(brightness, ["image"]).name
        'brightness'
    """
    return Custom(function, tuple(layers), name or str(getattr(function, "__name__", "custom")))
