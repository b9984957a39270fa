"""TensorFlow's decorators with types, which keep the signatures of what they decorate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import tensorflow as tf

__all__ = ["custom_gradient", "function"]

P = ParamSpec("P")
R = TypeVar("R")


def function(input_signature: Sequence[tf.TensorSpec]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function to compile it once for an input signature, without autograph; see `tf.function`."""
    return tf.function(input_signature=input_signature, autograph=False)


def custom_gradient(decorated: Callable[P, tuple[R, Callable[..., Any]]]) -> Callable[P, R]:
    """Decorate a function that returns its value and its gradient function; see `tf.custom_gradient`."""
    return tf.custom_gradient(decorated)
