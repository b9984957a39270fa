"""TensorFlow's decorators with types, which keep the signatures of what they decorate; and where it may run."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import tensorflow as tf
from tensorflow.python.framework import ops  # the registry of gradients has no public name

__all__ = ["check_process", "custom_gradient", "function", "hold_gradients"]

P = ParamSpec("P")
R = TypeVar("R")

_HELD = "_neural_style_gradients"  # attribute of graphs


_first: list[int] = []  # the id of the process in which this package first used TensorFlow


def check_process() -> None:
    """Raise in a process forked from one that has used TensorFlow: its threads are missing here, so it would hang.

    Raises:
        RuntimeError: this is such a process.
    """
    if not _first:
        _first.append(os.getpid())
    if _first[0] != os.getpid():
        raise RuntimeError(
            "this process was forked from one in which neural_style had used TensorFlow, which would hang here; start "
            "processes with multiprocessing.get_context('spawn'), or with neural_style.batch.executors.processes"
        )


def function(input_signature: Sequence[tf.TensorSpec]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function to compile it once for an input signature, without autograph; see `tf.function`."""
    return tf.function(input_signature=input_signature, autograph=False)


def custom_gradient(decorated: Callable[P, tuple[R, Callable[..., Any]]]) -> Callable[P, R]:
    """Decorate a function that returns its value and its gradient function; see `tf.custom_gradient`.

    In a graph, its gradient functions are freed with the graph; see `hold_gradients`.
    """
    with_gradient = tf.custom_gradient(decorated)

    @functools.wraps(decorated)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        result: R = with_gradient(*args, **kwargs)
        if not tf.executing_eagerly():
            _hold(tf.nest.flatten(result)[0].op)
        return result

    return call


def hold_gradients(graph: tf.Graph) -> None:
    """Let a graph itself hold the gradient functions of its custom gradients, for as long as it exists.

    TensorFlow registers each of them for the life of the process. They refer to tensors of the graph, so that no graph
    with a custom gradient would ever be freed: 15 MB for each trace of a step on VGG16. Some of TensorFlow's own
    functions have one, such as `tf.nn.silu`, and those of users may.
    """
    for op in graph.get_operations():
        if op.type == "IdentityN" and "_gradient_op_type" in op.node_def.attr:
            _hold(op)


class _Held(dict[str, Callable[..., Any]]):
    """The gradient functions of a graph by their registered names; registered for as long as this exists."""

    def __del__(self) -> None:
        for name in self:
            _registered().pop(name, None)


def _registered() -> dict[str, Any]:
    """What TensorFlow's registry of gradients holds; empty if another version keeps it elsewhere."""
    found: dict[str, Any] = getattr(ops.gradient_registry, "_registry", {})
    return found


def _hold(op: tf.Operation) -> None:
    """Move the gradient function of an operation from TensorFlow's registry into the operation's graph."""
    name = op.get_attr("_gradient_op_type").decode()
    entry = _registered().get(name, {})
    if "type" not in entry:
        return  # another version of TensorFlow: nothing is freed, and nothing breaks
    if not hasattr(op.graph, _HELD):
        setattr(op.graph, _HELD, _Held())
    held = getattr(op.graph, _HELD)
    if name in held:
        return
    held[name] = entry["type"]
    entry["type"] = lambda op, *upstream: getattr(op.graph, _HELD)[name](op, *upstream)
