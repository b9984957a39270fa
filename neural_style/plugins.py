"""Plug-ins: extractors and recipes of other distributions, found by name through entry points.

A distribution declares them in its `pyproject.toml`::

    [project.entry-points."neural_style.extractors"]
    edges = "my_package:Edges"

    [project.entry-points."neural_style.recipes"]
    watercolor = "my_package:WATERCOLOR"

Once it is installed, `stylize(..., extractor="edges", recipe="watercolor")` finds them, and so does the command line.
The entry point of an extractor is a class or function that takes no arguments and returns an `Extractor`; that of a
recipe is a `Recipe`. A plug-in is imported only when it is requested by name, and the names of this package take
precedence.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Literal, TypeVar

__all__ = ["load", "names"]

Group = Literal["extractors", "recipes"]
Kind = TypeVar("Kind")


def names(group: Group) -> list[str]:
    """List the names that installed plug-ins provide, sorted, without importing the plug-ins.

    Args:
        group: `"extractors"` or `"recipes"`.

    Example:
        >>> isinstance(names("recipes"), list)
        True
    """
    return sorted(_entries(group))


def load(group: Group, name: str, kind: type[Kind]) -> Kind:
    """Import the object that a plug-in provides under a name.

    Args:
        group: `"extractors"` or `"recipes"`.
        name: one of `names(group)`.
        kind: required type of the object.

    Raises:
        ValueError: importing the plug-in fails; the message names its distribution, and the error is the cause.
        TypeError: the object is not of type `kind`.
    """
    entry = _entries(group)[name]
    home = entry.dist.name if entry.dist is not None else "an unknown distribution"
    try:
        value = entry.load()
    except Exception as error:  # third-party code may raise anything
        raise ValueError(f"the plug-in {name!r} of {home} does not load ({type(error).__name__}: {error})") from error
    if not isinstance(value, kind):
        raise TypeError(f"the plug-in {name!r} of {home} is of type {type(value).__name__}, not {kind.__name__}")
    return value


def _entries(group: Group) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"neural_style.{group}")}
