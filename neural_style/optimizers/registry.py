"""Optimizers by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from neural_style.optimizers.adam import Adam
from neural_style.optimizers.base import Optimizer
from neural_style.optimizers.lbfgs import LBFGS

__all__ = ["OPTIMIZERS", "named_optimizer"]

OPTIMIZERS: Mapping[str, Callable[[], Optimizer]] = MappingProxyType({"adam": Adam, "lbfgs": LBFGS})


def named_optimizer(choice: Optimizer | str) -> Optimizer:
    """An optimiser by its name, `"adam"` or `"lbfgs"`, with its defaults; an optimiser is handed back as it is.

    Raises:
        ValueError: no optimiser has that name.

    Args:
        choice: the name, or an optimiser.

    Example:
        >>> named_optimizer("lbfgs").memory
        10
    """
    if not isinstance(choice, str):
        return choice
    if choice not in OPTIMIZERS:
        raise ValueError(f"no optimizer is called {choice!r}; there are {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[choice]()
