"""Extractors by name, and the default extractor. Each is built once in a process."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from neural_style import plugins
from neural_style.errors import WeightsUnavailableError
from neural_style.features.base import Extractor
from neural_style.features.keras import is_keras
from neural_style.features.lite import Lite
from neural_style.features.vgg import VGG16, VGG19

__all__ = ["BUILT", "EXTRACTORS", "as_extractor", "clear_extractors", "default_extractor", "named_extractor"]

EXTRACTORS: dict[str, Callable[[], Extractor]] = {"vgg16": VGG16, "vgg19": VGG19, "lite": Lite}
"""What builds the extractor of each name; plug-ins come on top."""

BUILT: dict[str | None, Extractor] = {}
"""The extractors built so far, by name; None stands for the default."""

_lock = threading.RLock()


def named_extractor(name: str) -> Extractor:
    """The extractor of that name, built once in a process.

    Args:
        name: `"vgg19"` (ImageNet weights from Keras's cache, or downloaded once), `"vgg16"` or `"lite"` (whose weights
            ship with this package), or the name of a plug-in; see `neural_style.plugins`.

    Raises:
        ValueError: no extractor has that name, or the plug-in of that name does not load.
        WeightsUnavailableError: its weights are neither on this machine nor reachable. No other extractor is used in
            its place.

    Example:
        >>> list(named_extractor("vgg16").layers)[:3]
        ['block1_conv1', 'block1_conv2', 'block2_conv1']
    """
    if name not in EXTRACTORS and name not in plugins.names("extractors"):
        known = ", ".join(sorted({*EXTRACTORS, *plugins.names("extractors")}))
        raise ValueError(f"no extractor is called {name!r}; there are {known}")
    with _lock:
        if name not in BUILT:
            BUILT[name] = _build(name)
        return BUILT[name]


def as_extractor(choice: Any) -> Extractor:
    """The extractor that somebody chose.

    Args:
        choice: an `Extractor`, which is returned as it is; a name, see `named_extractor`; None for
            `default_extractor()`.

    Raises:
        TypeError: it is none of these. A Keras model is refused, since only its user knows what its input looks like.
        ValueError: see `named_extractor`.
        WeightsUnavailableError: see `named_extractor`.

    Example:
        >>> as_extractor("lite") is named_extractor("lite")
        True
    """
    if choice is None:
        return default_extractor()
    return named_extractor(choice) if isinstance(choice, str) else _checked(choice, "extractor")


def default_extractor() -> Extractor:
    """VGG19 if its ImageNet weights are cached or can be downloaded, else the bundled VGG16.

    Warns:
        UserWarning: once in a process, when VGG16 is used; the text says how to choose.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # VGG19's weights may be missing
        ...     "block1_conv1" in default_extractor().layers
        True
    """
    with _lock:
        if None not in BUILT:
            BUILT[None] = _default()
        return BUILT[None]


def clear_extractors() -> None:
    """Drop the extractors built so far; the next call of `named_extractor` or `default_extractor` builds a new one."""
    with _lock:
        BUILT.clear()


def _build(name: str) -> Extractor:
    if name in EXTRACTORS:
        return EXTRACTORS[name]()
    factory: Any = plugins.load("extractors", name, object)
    return _checked(factory(), f"what the plug-in {name!r} returns")


def _checked(made: Any, what: str) -> Extractor:
    """The same object; `TypeError` unless it is an extractor."""
    kind = type(made).__name__
    if isinstance(made, type):
        raise TypeError(f"{what} is an Extractor or a name, not the class {made.__name__}; write {made.__name__}()")
    if is_keras(made):
        raise TypeError(
            f"{what} is an Extractor or a name, not a Keras model or layer ({kind}); wrap it: "
            "KerasExtractor(model), with preprocess= unless its input is RGB in [0, 1]"
        )
    if not isinstance(made, Extractor):
        raise TypeError(f"{what} is an Extractor: it has layers and can be called; {kind} does not")
    layers: Any = made.layers
    if not isinstance(layers, Mapping) or not all(hasattr(field, "stride") for field in layers.values()):
        raise TypeError(f"{what} ({kind}) has layers that are no mapping from names to ReceptiveField(stride, radius)")
    return made


def _default() -> Extractor:
    try:
        return named_extractor("vgg19")
    except WeightsUnavailableError:
        warnings.warn(
            "VGG19's ImageNet weights are not available; using VGG16. "
            "Extractor 'vgg16' hides this; 'vgg19' gives the error",
            UserWarning,
            stacklevel=4,
        )
        return named_extractor("vgg16")
