"""Checks of callers' arguments: each error names the argument, what is expected and what came."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from numbers import Real

__all__ = ["choice", "real", "whole"]


def real(name: str, value: object) -> float:
    """A number as a Python float; NumPy's scalars count, bools and text do not.

    Raises:
        TypeError: it is no number.

    Example:
        >>> real("strength", "0.5")
        Traceback (most recent call last):
            ...
        TypeError: strength is a number, not '0.5' (str)
    """
    scalar = _scalar(value)
    if isinstance(scalar, bool) or not isinstance(scalar, Real):
        raise TypeError(f"{name} is a number, not {_shown(value)}")
    return float(scalar)


def whole(name: str, value: object) -> int:
    """A whole number as a Python int; NumPy's scalars count, bools, text and fractions do not.

    Raises:
        TypeError: it is no whole number.

    Example:
        >>> whole("size", "512")
        Traceback (most recent call last):
            ...
        TypeError: size is a whole number, not '512' (str)
    """
    scalar = _scalar(value)
    if isinstance(scalar, float) and scalar.is_integer():
        return int(scalar)
    if isinstance(scalar, bool) or not hasattr(scalar, "__index__"):
        raise TypeError(f"{name} is a whole number, not {_shown(value)}")
    return operator.index(scalar)


def choice(name: str, value: object, choices: Iterable[str]) -> str:
    """One of several words.

    Raises:
        ValueError: it is none of them.

    Example:
        >>> choice("quality", "good", ["best", "fast"])
        Traceback (most recent call last):
            ...
        ValueError: quality is one of 'best', 'fast', not 'good'
    """
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} is one of {', '.join(map(repr, known))}, not {value!r}")
    return value


def _scalar(value: object) -> object:
    """Convert a NumPy scalar or zero-dimensional array to a Python scalar; return anything else unchanged."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
