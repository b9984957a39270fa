"""The typed decorators: a custom gradient that is used wherever TensorFlow's own is, and freed with its graph."""

import gc
import types
import weakref

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from neural_style._tracing import custom_gradient, hold_gradients


@custom_gradient
def tripled(x):
    """The square of x, with a gradient that no automatic differentiation would give."""
    return tf.square(x), lambda upstream: 3.0 * upstream


@custom_gradient
def pair(x, y):
    return (x + y, x * y), lambda one, other: (5.0 * one, 7.0 * other)


def gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(tripled(x))
    return tape.gradient(value, x)


X = tf.constant([1.0, 4.0])


def over_a_compiled_function(x):
    function = tf.function(lambda x: tf.reduce_sum(tripled(x)), autograph=False)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x)


def in_a_function_within_a_function(x):
    inner = tf.function(lambda x: tripled(x), autograph=False)

    def outer(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(inner(x))
        return tape.gradient(value, x)

    return tf.function(outer, autograph=False)(x)


def in_a_loop(x):
    def outer(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.while_loop(lambda i, _: i < 1, lambda i, value: (i + 1, tripled(value)), (0, x))[1]
        return tape.gradient(value, x)

    return tf.function(outer, autograph=False)(x)


WAYS = [gradient, tf.function(gradient, autograph=False), over_a_compiled_function, in_a_function_within_a_function]


@pytest.mark.parametrize("way", [*WAYS, in_a_loop], ids=["eager", "compiled", "outside", "nested", "loop"])
def test_its_gradient_is_used(way):
    assert way(X).numpy().tolist() == [3.0, 3.0]


def test_several_results_have_a_gradient_each():
    @tf.function(autograph=False)
    def both(x, y):
        with tf.GradientTape() as tape:
            tape.watch((x, y))
            one, other = pair(x, y)
        return one, other, tape.gradient((one, other), (x, y))

    one, other, gradients = both(tf.constant(2.0), tf.constant(3.0))
    assert (float(one), float(other), [float(each) for each in gradients]) == (5.0, 6.0, [5.0, 7.0])


def test_a_graph_is_freed_with_its_gradients():
    gc.collect()
    before = len(ops.gradient_registry.list())
    graphs = []
    for _ in range(3):
        concrete = tf.function(gradient, autograph=False).get_concrete_function(X)
        graphs.append(weakref.ref(concrete.graph))
    assert len(ops.gradient_registry.list()) == before + 3
    del concrete
    gc.collect()
    assert [graph() for graph in graphs] == [None] * 3
    assert len(ops.gradient_registry.list()) == before


def test_custom_gradients_of_others_are_freed_as_well():
    def with_silu(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.nn.silu(x) + tripled(x)
        return tape.gradient(value, x)

    before = len(ops.gradient_registry.list())
    concrete = tf.function(with_silu, autograph=False).get_concrete_function(X)
    for _ in range(2):  # once is enough, and twice does no harm
        hold_gradients(concrete.graph)
    with tf.GradientTape() as tape:
        tape.watch(X)
        value = concrete(X)
    np.testing.assert_allclose(value, with_silu(X), rtol=1e-6)
    assert tape.gradient(value, X) is not None
    graph = weakref.ref(concrete.graph)
    del concrete, tape, value
    gc.collect()
    assert graph() is None
    assert len(ops.gradient_registry.list()) == before


def test_another_registry_of_tensorflow_frees_nothing_and_breaks_nothing(monkeypatch):
    own = ops.gradient_registry
    monkeypatch.setattr(ops, "gradient_registry", types.SimpleNamespace(lookup=own.lookup, register=own.register))
    assert tf.function(gradient, autograph=False)(X).numpy().tolist() == [3.0, 3.0]
