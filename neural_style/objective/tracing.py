"""Compile functions once for all image sizes, and cache what was compiled.

A trace takes a second and some 5 MB on VGG, so a function is traced once for each structure of its arguments, with the
rows and columns of images and maps unspecified. Python frees a trace with the last object that refers to it; see
`hold_gradients` for the reference that would never end.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import tensorflow as tf

from neural_style._tracing import check_process, hold_gradients

__all__ = ["OneTrace", "cached", "clear_cache"]

P = ParamSpec("P")
R = TypeVar("R")

_caches: list[Any] = []
_lock = threading.RLock()


def cached(maxsize: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function to cache its last `maxsize` results; concurrent calls compute a result once.

    The compiled functions of some losses on VGG take 16 MB, so the caches of these are short.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        lock = threading.RLock()
        remember: Any = functools.lru_cache(maxsize)(function)
        _caches.append(remember)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with lock:
                return remember(*args, **kwargs)

        return call

    return decorate


def clear_cache() -> None:
    """Empty the caches of all functions decorated with `cached`."""
    for each in _caches:
        each.cache_clear()


class OneTrace:
    """A function compiled once for each structure of its arguments, for all numbers of rows and columns."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._signature = inspect.signature(function)
        self._function = tf.function(function, autograph=False)
        self._compiled: dict[Any, Callable[..., Any]] = {}

    @property
    def traces(self) -> int:
        """How many times the function was traced."""
        return len(self._compiled)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        check_process()
        arguments = self._complete(arguments, options)
        return self._for(arguments)(*arguments)

    def outputs(self, *arguments: Any, **options: Any) -> Any:
        """The result for these tensors or `tf.TensorSpec`s, with a spec in place of each tensor; computes nothing."""
        return self._for(self._complete(arguments, options)).structured_outputs

    def _complete(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments in order, with defaults: a call that leaves out a default needs no trace of its own."""
        bound = self._signature.bind(*arguments, **options)
        bound.apply_defaults()
        return bound.args

    def _for(self, arguments: tuple[Any, ...]) -> Any:
        specs = tf.nest.map_structure(_any_size, arguments)
        key = (str(tf.nest.map_structure(lambda _: 0, arguments)), tuple(tf.nest.flatten(specs)))
        if key not in self._compiled:
            with _lock:
                if key not in self._compiled:
                    made = _in_own_thread(self._function.get_concrete_function, specs)
                    hold_gradients(made.graph)
                    self._compiled[key] = made
        return self._compiled[key]


def _in_own_thread(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a function in a new thread, outside the caller's TensorFlow context.

    A device scope, gradient tape or name scope of the first caller would otherwise become part of a trace that later
    callers share; TensorFlow stores all of these per thread.
    """
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.extend((function(*arguments), None))
        except BaseException as error:
            outcome.extend((None, error))

    thread = threading.Thread(target=call, name="neural_style-trace")
    thread.start()
    thread.join()
    value, error = outcome
    if error is not None:
        raise error
    return value


def _any_size(value: Any) -> Any:
    """The spec of a tensor, with the rows and columns of an image or map unspecified."""
    if not tf.is_tensor(value) and not isinstance(value, tf.TensorSpec):
        return value
    shape = [1, None, None, value.shape[-1]] if value.shape.rank == 4 else value.shape
    return tf.TensorSpec(shape, value.dtype)
