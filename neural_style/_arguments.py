"""Checks of callers' arguments: each error names the argument, what is expected and what came."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any

__all__ = ["MAX_COUNT", "checked", "choice", "count", "flag", "real", "share", "whole"]

MAX_COUNT = 2**31 - 1
"""More steps, vectors or processes than there will be."""


def real(
    name: str,
    value: object,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
    finite: bool = True,
) -> float:
    """A number as a Python float; NumPy's scalars count, bools and text do not.

    Args:
        name: of the argument.
        value: what came.
        at_least: smallest allowed value.
        above: bound that itself is not allowed.
        at_most: largest allowed value.
        below: bound that itself is not allowed.
        finite: whether infinity is refused within these bounds; NaN always is.

    Raises:
        TypeError: it is no number.
        ValueError: it is out of range, or not finite.

    Example:
        >>> real("strength", float("nan"), at_least=0, at_most=1)
        Traceback (most recent call last):
            ...
        ValueError: strength must be between 0 and 1, not nan
        >>> real("strength", "0.5")
        Traceback (most recent call last):
            ...
        TypeError: strength must be a number, not '0.5' (str)
    """
    scalar = _scalar(value)
    if isinstance(scalar, bool) or not isinstance(scalar, Real):
        raise TypeError(f"{name} must be a number, not {_shown(value)}")
    number = _as_float(scalar)
    in_range = at_least <= number <= at_most and (above < number or above == -math.inf)
    if not (in_range and (number < below or below == math.inf)) or (finite and math.isinf(number)):
        limits = _range(at_least=at_least, above=above, at_most=at_most, below=below)
        limits += ["finite"] if finite and len(limits) < 2 else []
        raise ValueError(f"{name} must be {' and '.join(limits) or 'a number'}, not {value!r}")
    return number


def whole(name: str, value: object, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """A whole number as a Python int; NumPy's scalars count, bools, text and fractions do not.

    Args:
        name: of the argument.
        value: what came.
        at_least: smallest allowed value; None for any.
        at_most: largest allowed value; None for any.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is out of range.

    Example:
        >>> whole("size", "512")
        Traceback (most recent call last):
            ...
        TypeError: size must be a whole number, not '512' (str)
    """
    scalar = _scalar(value)
    is_whole = isinstance(scalar, float) and scalar.is_integer()
    if isinstance(scalar, bool) or not (is_whole or hasattr(scalar, "__index__")) or _is_array(scalar):
        raise TypeError(f"{name} must be a whole number, not {_shown(value)}")
    number = int(scalar) if isinstance(scalar, float) else operator.index(scalar)  # type: ignore[arg-type]
    if at_least is not None and number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, not {value!r}")
    if at_most is not None and number > at_most:
        raise ValueError(f"{name} must be at most {at_most:,}, not a number of {number.bit_length()} bits")
    return number


def count(name: str, value: object) -> int:
    """A whole number from 1 to `MAX_COUNT`; see `whole`."""
    return whole(name, value, at_least=1, at_most=MAX_COUNT)


def flag(name: str, value: object) -> bool:
    """True or False; NumPy's count, numbers and text do not: "no" would count as true.

    Raises:
        TypeError: it is neither.
    """
    scalar = _scalar(value)
    if not isinstance(scalar, bool):
        raise TypeError(f"{name} must be True or False, not {_shown(value)}")
    return scalar


def share(name: str, value: object) -> float:
    """A number between 0 and 1; see `real`."""
    return real(name, value, at_least=0, at_most=1)


def checked(owner: object, **checks: Callable[[str, object], object]) -> None:
    """Check fields of a frozen dataclass, and keep what the checks return.

    Args:
        owner: the dataclass.
        **checks: for each field a function of name and value, such as `real`, or a `functools.partial` of it.
    """
    for name, check in checks.items():
        object.__setattr__(owner, name, check(name, getattr(owner, name)))


def choice(name: str, value: object, choices: Iterable[str]) -> str:
    """One of several words.

    Raises:
        ValueError: it is none of them.

    Example:
        >>> choice("quality", "good", ["best", "fast"])
        Traceback (most recent call last):
            ...
        ValueError: quality must be one of 'best', 'fast', not 'good'
    """
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, not {value!r}")
    return value


def _range(at_least: float, above: float, at_most: float, below: float) -> list[str]:
    """The limits that there are, in words."""
    if at_least > -math.inf and at_most < math.inf:
        return [f"between {at_least:g}", f"{at_most:g}"]
    limits = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    return [f"{words} {limit:g}" for words, limit in limits.items() if math.isfinite(limit)]


def _as_float(scalar: Any) -> float:
    try:
        return float(scalar)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf if scalar > 0 else -math.inf


def _is_array(value: object) -> bool:
    return getattr(value, "shape", ()) != ()


def _scalar(value: object) -> object:
    """Convert a NumPy scalar or zero-dimensional array to a Python scalar; return anything else unchanged."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
