"""One run: a content and a style, read, posed as a problem and solved."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__all__ = ["StyleTransfer"]

if TYPE_CHECKING:
    from neural_style.transfer.style_transfer import StyleTransfer


def __getattr__(name: str) -> object:
    if name in __all__:  # loaded when first used: the command line reads this room's names without TensorFlow
        return getattr(importlib.import_module("neural_style.transfer.style_transfer"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
