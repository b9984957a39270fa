"""Which extractor a caller gets who names none, or names one by a word."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable

from neural_style.errors import WeightsUnavailableError
from neural_style.features.base import Extractor
from neural_style.features.vgg import VGG16, VGG19

__all__ = ["EXTRACTORS", "default_extractor", "named_extractor"]

EXTRACTORS: dict[str, Callable[[], Extractor]] = {"vgg16": VGG16, "vgg19": VGG19}

_lock = threading.RLock()


def named_extractor(name: str) -> Extractor:
    """The extractor of that name, built once a process.

    Args:
        name: `"vgg19"` (ImageNet weights from Keras's cache or downloaded once) or `"vgg16"` (the weights
            that ship with this package).

    Raises:
        ValueError: no extractor has that name.
        WeightsUnavailableError: its weights are neither here nor reachable. There is no falling back.
    """
    if name not in EXTRACTORS:
        raise ValueError(f"no extractor is called {name!r}; there are {', '.join(sorted(EXTRACTORS))}")
    with _lock:
        return _build(name)


def default_extractor() -> Extractor:
    """VGG19 where its ImageNet weights are cached or can be downloaded, else the bundled VGG16.

    Warns:
        UserWarning: once a process, when it had to be VGG16, with how to choose.
    """
    with _lock:
        return _default()


@functools.cache
def _build(name: str) -> Extractor:
    return EXTRACTORS[name]()


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
