"""Which extractor a caller gets who names none, or names one by a word."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any

from neural_style import plugins
from neural_style.errors import WeightsUnavailableError
from neural_style.features.base import Extractor
from neural_style.features.lite import Lite
from neural_style.features.vgg import VGG16, VGG19

__all__ = ["EXTRACTORS", "default_extractor", "named_extractor"]

EXTRACTORS: dict[str, Callable[[], Extractor]] = {"vgg16": VGG16, "vgg19": VGG19, "lite": Lite}

_lock = threading.RLock()


def named_extractor(name: str) -> Extractor:
    """The extractor of that name, built once a process.

    Args:
        name: `"vgg19"` (ImageNet weights from Keras's cache or downloaded once), `"vgg16"` or `"lite"`
            (whose weights ship with this package), or that of a plug-in's; see `neural_style.plugins`.

    Raises:
        ValueError: no extractor has that name, or the plug-in that has it does not load.
        WeightsUnavailableError: its weights are neither here nor reachable. There is no falling back.

    Example:
        >>> list(named_extractor("vgg16").layers)[:3]
        ['block1_conv1', 'block1_conv2', 'block2_conv1']
    """
    if name not in EXTRACTORS and name not in plugins.names("extractors"):
        there = ", ".join(sorted({*EXTRACTORS, *plugins.names("extractors")}))
        raise ValueError(f"no extractor is called {name!r}; there are {there}")
    with _lock:
        return _build(name)


def default_extractor() -> Extractor:
    """VGG19 where its ImageNet weights are cached or can be downloaded, else the bundled VGG16.

    Warns:
        UserWarning: once a process, when it had to be VGG16, with how to choose.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # VGG19's weights may not be there
        ...     "block1_conv1" in default_extractor().layers
        True
    """
    with _lock:
        return _default()


@functools.cache
def _build(name: str) -> Extractor:
    if name in EXTRACTORS:
        return EXTRACTORS[name]()
    factory: Any = plugins.load("extractors", name, object)
    made = factory()
    if not isinstance(made, Extractor):
        raise TypeError(f"the plug-in {name!r} gives what is of type {type(made).__name__}, which is no extractor")
    return made


@functools.cache
def _default() -> Extractor:
    try:
        return _build("vgg19")
    except WeightsUnavailableError as error:
        warnings.warn(
            "VGG19's ImageNet weights are not available, so the VGG16 that ships with neural_style is used. "
            f"Pass extractor='vgg16' to choose it without this warning. ({error})",
            UserWarning,
            stacklevel=4,
        )
        return _build("vgg16")
