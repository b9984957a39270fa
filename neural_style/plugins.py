"""Extractors and recipes by name from other distributions, found through entry points.

A distribution offers them in its `pyproject.toml`::

    [project.entry-points."neural_style.extractors"]
    edges = "my_package:Edges"

    [project.entry-points."neural_style.recipes"]
    watercolor = "my_package:WATERCOLOR"

Where it is installed, `stylize(..., extractor="edges", recipe="watercolor")` finds them, and so does the command line.
An extractor's entry point is a class or function that takes no arguments and gives an `Extractor`; a recipe's is a
`Recipe`. Nothing of a plug-in is imported before it is asked for by its name, and the names of this package come first.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Literal, TypeVar

__all__ = ["load", "names"]

Group = Literal["extractors", "recipes"]
Kind = TypeVar("Kind")


def names(group: Group) -> list[str]:
    """What installed plug-ins offer, sorted; none of it is imported.

    Args:
        group: `"extractors"` or `"recipes"`.

    Example:
        >>> isinstance(names("recipes"), list)
        True
    """
    return sorted(_entries(group))


def load(group: Group, name: str, kind: type[Kind]) -> Kind:
    """What a plug-in offers by a name.

    Args:
        group: as for `names`.
        name: one of `names(group)`.
        kind: what it has to be.

    Raises:
        ValueError: importing the plug-in fails; the text names its distribution, and the error is the cause.
        TypeError: it is of another kind.
    """
    entry = _entries(group)[name]
    home = entry.dist.name if entry.dist is not None else "an unknown distribution"
    try:
        value = entry.load()
    except Exception as error:  # another's code: anything may go wrong there
        raise ValueError(f"the plug-in {name!r} of {home} does not load ({type(error).__name__}: {error})") from error
    if not isinstance(value, kind):
        raise TypeError(f"the plug-in {name!r} of {home} is of type {type(value).__name__}, not {kind.__name__}")
    return value


def _entries(group: Group) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"neural_style.{group}")}
