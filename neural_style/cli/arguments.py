"""Arguments of `stylize` from the options of a command."""

from __future__ import annotations

import argparse
import inspect
import os
from typing import Any

__all__ = ["STYLE_TARGET_SUFFIX", "path_or_none", "split_weight", "stylize_arguments"]

STYLE_TARGET_SUFFIX = ".npz"


def stylize_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `stylize`, from the options of the same names; `style` from `styles`."""
    from neural_style.api import stylize

    given = {name: getattr(options, name) for name in inspect.signature(stylize).parameters if name in options}
    given["style"] = [(_style(path), weight) for path, weight in map(split_weight, options.styles)]
    given["style_masks"] = None if options.style_masks is None else list(map(path_or_none, options.style_masks))
    return given


def path_or_none(text: str) -> str | None:
    """A path, or None for the word `none`."""
    return None if text == "none" else text


def split_weight(text: str) -> tuple[str, float]:
    """Split `PATH:WEIGHT`; the weight is 1 if there is none. A colon may also be part of the path."""
    path, _, weight = text.rpartition(":")
    try:
        return (path, float(weight)) if path and not os.path.exists(text) else (text, 1.0)
    except ValueError:
        return text, 1.0


def _style(path: str) -> Any:
    """The path of an image, or the style target in a file."""
    if not path.endswith(STYLE_TARGET_SUFFIX):
        return path
    from neural_style.transfer.styles.style_target import StyleTarget

    try:
        return StyleTarget.load(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
