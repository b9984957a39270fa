"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from neural_style.optimizers.adam import Adam
from neural_style.optimizers.base import Optimizer
from neural_style.optimizers.lbfgs import LBFGS

__all__ = ["OPTIMIZERS", "named_optimizer"]

OPTIMIZERS: Mapping[str, Callable[[], Optimizer]] = MappingProxyType({"adam": Adam, "lbfgs": LBFGS})
"""The optimizer that each name stands for."""

METHODS = ("start", "step", "with_rate", "renew", "state_bytes")


def named_optimizer(choice: Optimizer | str) -> Optimizer:
    """Look up an optimizer by name, or check one and return it unchanged.

    Args:
        choice: `"adam"` or `"lbfgs"`, which come with their defaults, or an optimizer.

    Raises:
        ValueError: no optimizer has that name.
        TypeError: the object lacks a method of `Optimizer`.

    Example:
        >>> named_optimizer("lbfgs").memory
        10
    """
    if isinstance(choice, str):
        if choice not in OPTIMIZERS:
            raise ValueError(f"no optimizer is called {choice!r}; there are {', '.join(OPTIMIZERS)}")
        return OPTIMIZERS[choice]()
    missing = [name for name in METHODS if not callable(getattr(choice, name, None))]
    if isinstance(choice, type) or missing:
        what = f"the class {choice.__name__}" if isinstance(choice, type) else f"a {type(choice).__name__!r} object"
        lacks = f", which lacks {', '.join(missing)}" if missing else ""
        names = ", ".join(map(repr, OPTIMIZERS))
        raise TypeError(f"an optimizer must be {names} or an object with {', '.join(METHODS)}, not {what}{lacks}")
    return choice
