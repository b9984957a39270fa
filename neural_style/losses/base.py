"""What a loss is, and how losses are added, weighted and reported.

A loss is an immutable description. Almost every loss in this field depends on an image only through sums over
positions, so a loss is written in two steps::

    statistic(features, context)  ->  tensors that add up over disjoint parts of the image
    compare(statistic, target)    ->  a scalar >= 0

An untiled run computes the statistic of the whole image; a tiled run adds the statistics of its tiles. The target is
the statistic of the style, computed once and passed as an argument; the target of several styles is the weighted sum
of their statistics. A loss whose statistic does not add up sets `additive = False` and cannot be used
with tiles.
"""

from __future__ import annotations

import abc
import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import tensorflow as tf

from neural_style._arguments import real

__all__ = [
    "Assignment",
    "ByLayer",
    "Context",
    "Custom",
    "Features",
    "Loss",
    "Statistic",
    "Sum",
    "Term",
    "custom",
    "layer_names",
]

Features = Mapping[str, tf.Tensor]
"""Feature maps by layer, each (1, rows, columns, channels); the reserved layer `"image"` is the image itself."""

Statistic = Any
"""Tensors in any nest of dicts and tuples."""


class Assignment(NamedTuple):
    """The style vector that each position of an image is compared with, until the next matching.

    Attributes:
        index: which of a style's vectors, int32 (1, rows, columns, styles).
        weight: of each style at each position, float32 (1, rows, columns, styles).
        units: for each style and layer its vectors at unit length, float32 (1, 1, vectors, channels).
        energies: for each style and layer the mean square length of its vectors, a float32 scalar.

    Example:
        >>> Assignment(tf.zeros([1, 2, 3, 1], tf.int32), tf.ones([1, 2, 3, 1]), ({},), ({},)).index.shape
        TensorShape([1, 2, 3, 1])
    """

    index: tf.Tensor
    weight: tf.Tensor
    units: tuple[Mapping[str, tf.Tensor], ...]
    energies: tuple[Mapping[str, tf.Tensor], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """What a statistic may depend on in addition to the features.

    Attributes:
        content: float32 feature maps of the content, of the shapes of the features, for the layers of losses that set
            `uses_content`; empty without a content.
        guides: for each layer the weight of each cell in each region, (1, rows, columns, regions), in [0, 1]; empty for
            one region that is the whole image.
        previous: the previous frame of a video and its mask, float32 (1, height, width, 4); None without one.
        step: number of the optimizer's step, an int32 scalar; None if the run does not count steps.
        strides: pixels per cell along each axis, for each layer.
        assignment: the style vectors that positions are compared with, for a loss that sets `refresh`.

    Example:
        >>> Context(content={"image": tf.zeros([1, 2, 2, 3])}).guides
        {}
    """

    content: Features = dataclasses.field(default_factory=dict)
    guides: Features = dataclasses.field(default_factory=dict)
    previous: tf.Tensor | None = None
    step: tf.Tensor | None = None
    strides: Mapping[str, int] = dataclasses.field(default_factory=dict)
    assignment: Assignment | None = None


class _Composable(abc.ABC):
    """Arithmetic of losses and sums of losses: `2.0 * a + b`, `sum([a, b, c])`."""

    __array_ufunc__ = None  # NumPy's numbers leave the multiplication to this class

    @property
    @abc.abstractmethod
    def terms(self) -> tuple[Term, ...]:
        """The terms in order, each with its weight."""

    @property
    @abc.abstractmethod
    def layers(self) -> tuple[str, ...]:
        """The layers that are read, with `"image"` for the pixels."""

    def __add__(self, other: object) -> Sum:
        if not isinstance(other, _Composable):
            return NotImplemented
        return Sum(self.terms + other.terms)

    def __radd__(self, other: object) -> Sum:
        return Sum(self.terms) if other == 0 else NotImplemented  # sum() starts at 0

    def __mul__(self, factor: object) -> Sum:
        try:
            number = real("a loss's weight", factor, at_least=0)
        except TypeError:
            return NotImplemented
        return Sum(tuple(dataclasses.replace(term, weight=term.weight * number) for term in self.terms))

    __rmul__ = __mul__


class Loss(_Composable):
    """Base class of losses. A subclass is a frozen dataclass with the fields `layers` and `name`.

    A subclass sets the flags below as class attributes, or overrides them as properties.

    Attributes:
        layers: layers that the loss reads.
        name: name of the term in reports.
        additive: whether the statistics of disjoint parts of an image add up to that of their union.
        guided: whether a loss that is not additive uses guides; an additive loss always does.
        uses_content: whether `statistic` reads the content's features.
        uses_style: whether `compare` reads a target.
        uses_previous: whether `statistic` reads the previous frame.
        refresh: for a loss whose target follows the canvas: steps between two matchings, at least 1; it has the methods
            of `AssignedNeighbor`. 0 for all others.
        support: for an additive loss that reads only `"image"`: how many rows beyond its first a term of the sum spans,
            so that a tiled run can evaluate the loss in bands. None if unknown: the loss is then evaluated on the whole
            canvas at once.

    Raises:
        TypeError: a subclass defines `statistic` or `of_layer` with other parameters.

    Example:
        Squared difference of the mean brightness:

        >>> @dataclasses.dataclass(frozen=True)
        ... class Brightness(Loss):
        ...     layers: tuple[str, ...] = ("image",)
        ...     name: str = "brightness"
        ...     uses_style = True
        ...
        ...     def statistic(self, features, context):
        ...         image = features["image"]
        ...         return tf.reduce_sum(image), tf.cast(tf.size(image), tf.float32)
        ...
        ...     def compare(self, statistic, target):
        ...         return (statistic[0] / statistic[1] - target[0] / target[1]) ** 2
        >>> (2.0 * Brightness() + Brightness(name="again")).names
        ('brightness', 'again')
    """

    name: str

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _check_parameters(cls, "statistic", ("features", "context"))
        _check_parameters(cls, "of_layer", ("layer", "features", "context"))

    @property
    def additive(self) -> bool:
        return True

    @property
    def guided(self) -> bool:
        return False

    @property
    def uses_content(self) -> bool:
        return False

    @property
    def uses_style(self) -> bool:
        return False

    @property
    def uses_previous(self) -> bool:
        return False

    @property
    def refresh(self) -> int:
        return 0

    @property
    def support(self) -> int | None:
        return None

    @property
    def terms(self) -> tuple[Term, ...]:
        return (Term(1.0, self),)

    def without_content(self) -> Loss | None:
        """The loss for a run without content: this loss if it reads none, else None."""
        return None if self.uses_content else self

    @abc.abstractmethod
    def statistic(self, features: Features, context: Context) -> Statistic:
        """What the loss measures of an image, or of a part of it.

        Args:
            features: float32 feature maps of `self.layers`.
            context: content, guides, previous frame and step, cropped to the same part of the image.
        """

    @abc.abstractmethod
    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        """The loss: a scalar, at least 0, and of the order of 1 for an unrelated image.

        Args:
            statistic: statistic of the whole image.
            target: statistic of the style; None unless `uses_style`.
        """


def _check_parameters(cls: type, method: str, names: tuple[str, ...]) -> None:
    """Raise `TypeError` if a class defines a method that cannot be called with these parameters."""
    function = vars(cls).get(method)
    if not inspect.isfunction(function):
        return
    try:
        inspect.signature(function).bind(None, *names)
    except TypeError:
        raise TypeError(
            f"{cls.__name__}.{method} must take (self, {', '.join(names)}), not {inspect.signature(function)}; the "
            "content and the guides are context.content and context.guides"
        ) from None


class ByLayer(Loss):
    """A loss whose statistic is a dict with an entry for each layer, computed from the maps of that layer alone.

    The backward pass then recomputes only one layer's part of the statistic at a time. A loss that derives from `Loss`
    directly works as well, but takes a little longer to compile.
    """

    @abc.abstractmethod
    def of_layer(self, layer: str, features: Features, context: Context) -> Statistic:
        """One layer's entry in the statistic.

        Args:
            layer: one of `self.layers`.
            features: see `statistic`.
            context: see `statistic`.
        """

    def statistic(self, features: Features, context: Context) -> Statistic:
        return {layer: self.of_layer(layer, features, context) for layer in self.layers}


def layer_names(layers: Any) -> tuple[str, ...]:
    """One layer name or several as a tuple, since losses have to be hashable.

    Raises:
        TypeError: they are not a sequence of names. A dict contains weights, which only losses with `layer_weights`
            accept, and a set has no order.
        ValueError: there is no name, or a name occurs twice.
    """
    if isinstance(layers, Mapping):
        raise TypeError(f"layers must be names, not a dict: {layers!r}; only losses with layer_weights accept weights")
    if isinstance(layers, bytes) or not isinstance(layers, Iterable) or isinstance(layers, Set):
        raise TypeError(f"layers must be one name or a sequence of names, not {layers!r}")
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"layers must be one name or a sequence of names, not {layers!r}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"layers must be at least one name, each only once, not {layers!r}")
    return names


@dataclasses.dataclass(frozen=True)
class Term:
    """A loss with its weight in a sum.

    Args:
        weight: at least 0 and finite.
        loss: a loss.

    Raises:
        ValueError: the weight is negative or not finite.

    Example:
        >>> from neural_style.losses import Gram
        >>> [term.weight for term in 0.5 * (Gram() + 2.0 * Gram(("block1_conv1",)))]
        [0.5, 1.0]
    """

    weight: float
    loss: Loss

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", real("a loss's weight", self.weight, at_least=0))


class Sum(_Composable):
    """A weighted sum of losses, each of which stays accessible as a `Term`.

    Args:
        terms: terms of the sum; two of the same name are reported as `name` and `name_2`.

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
        """The name of each term in reports."""
        names: list[str] = []
        for term in self._terms:
            numbered = (f"{term.loss.name}_{count}" for count in itertools.count(2))
            names.append(next(name for name in itertools.chain([term.loss.name], numbered) if name not in names))
        return tuple(names)

    def restricted(self, *, content: bool, style: bool, previous: bool = False) -> Sum:
        """The terms that can be computed from the images there are.

        Args:
            content: whether there is a content image.
            style: whether there is a style.
            previous: whether there is a previous frame.

        Raises:
            ValueError: a term was dropped, and no remaining term reads a content or a style.

        Example:
            >>> from neural_style.losses import Content, Gram
            >>> (0.1 * Content() + Gram()).restricted(content=False, style=True).names
            ('style',)
        """
        terms = [term for term in self if previous or not term.loss.uses_previous]
        parts = [(term.weight, term.loss if content else term.loss.without_content()) for term in terms]
        kept = [Term(weight, part) for weight, part in parts if part is not None and (style or not part.uses_style)]
        if len(kept) < len(terms) and not any(term.loss.uses_content or term.loss.uses_style for term in kept):
            missing = " and ".join(name for name, given in (("content", content), ("style", style)) if not given)
            raise ValueError(f"without a {missing} no loss remains that reads an image: there is nothing to paint")
        return Sum(kept)


@dataclasses.dataclass(frozen=True)
class Custom(Loss):
    """A loss defined by a function; made by `custom`.

    Args:
        function: see `custom`.
        layers: see `custom`.
        name: name of the term in reports.

    Raises:
        TypeError: `function` is not a function, or `layers` are not names.
        ValueError: there are no layers, or a layer occurs twice.

    Example:
        >>> Custom(lambda features, content, style: tf.reduce_mean(features["image"]), ("image",), "darkness").layers
        ('image',)
    """

    function: Callable[[Features, Features, Features], tf.Tensor]
    layers: tuple[str, ...] = ()
    name: str = "custom"
    additive = False
    uses_content = True
    uses_style = True

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"a custom loss must be a function, not {type(self.function).__name__}")
        object.__setattr__(self, "layers", layer_names(self.layers))

    def __repr__(self) -> str:
        function = getattr(self.function, "__qualname__", repr(self.function))  # an address would differ each time
        return f"Custom({function}, {self.layers!r}, {self.name!r})"

    def statistic(self, features: Features, context: Context) -> Statistic:
        own = {layer: features[layer] for layer in self.layers}
        return own, {layer: context.content[layer] for layer in self.layers if layer in context.content}

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        features, content = statistic
        return tf.convert_to_tensor(self.function(features, content, target[0]))


def custom(
    function: Callable[[Features, Features, Features], tf.Tensor],
    layers: str | Sequence[str],
    *,
    name: str | None = None,
) -> Custom:
    """Make a loss from a function. The loss works untiled; for tiled runs subclass `Loss`.

    Args:
        function: `(features, content, style) -> scalar`; each argument is `{layer: map}` with maps of shape
            (1, rows, columns, channels), of the canvas, the content and the style (whose rows and columns differ).
            Define the function once, at module level: each new function object is traced again.
        layers: layers that the function reads; `"image"` for pixels.
        name: name of the term in reports; by default the function's name.

    Example:
        >>> def brightness(features, content, style):
        ...     return (tf.reduce_mean(features["image"]) - tf.reduce_mean(style["image"])) ** 2
        >>> custom(brightness, ["image"]).name
        'brightness'
    """
    return Custom(function, layer_names(layers), name or str(getattr(function, "__name__", "custom")))
