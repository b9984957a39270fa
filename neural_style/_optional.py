"""Optional dependencies: imported where they are used, with one error that says what to install."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["require"]


def require(module: str, *, extra: str) -> Any:
    """Import a module that an extra of this package brings.

    Args:
        module: its dotted name, such as `"av"`.
        extra: the extra to install, such as `"video"`.

    Raises:
        ImportError: it is not installed; the text says how to install it.

    Example:
        >>> require("no_such_module", extra="video")
        Traceback (most recent call last):
            ...
        ImportError: no_such_module is not installed (...); run: pip install 'tf-neural-style[video]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} is not installed ({error}); run: pip install 'tf-neural-style[{extra}]'"
        ) from error
