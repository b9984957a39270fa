"""Optional dependencies: imported where they are used, with one error that says what to install."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from typing import Any

__all__ = ["require"]

DISTRIBUTION = "tf-neural-style"


def require(module: str, *, extra: str) -> Any:
    """Import a module that an extra of this package brings.

    Args:
        module: its dotted name, such as `"av"`.
        extra: the extra to install, such as `"video"`.

    Raises:
        ImportError: the module is not installed; the text says how to install it.

    Example:
        >>> require("no_such_module", extra="heif")
        Traceback (most recent call last):
            ...
        ImportError: no_such_module is not installed (...); run: pip install 'pillow-heif>=0.22'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        wanted = " ".join(f"'{each}'" for each in requirements(extra)) or f"'.[{extra}]'"
        raise ImportError(f"{module} is not installed ({error}); run: pip install {wanted}") from error


def requirements(extra: str) -> list[str]:
    """What an extra installs, by names that every package index knows; nothing if this package is not installed.

    Args:
        extra: its name, such as `"video"`.

    Example:
        >>> requirements("heif")
        ['pillow-heif>=0.22']
    """
    try:
        stated = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = (re.fullmatch(r"([^;]+?)\s*;\s*extra\s*==\s*[\"']([\w-]+)[\"']", each) for each in stated)
    return [match[1] for match in found if match and match[2] == extra]
