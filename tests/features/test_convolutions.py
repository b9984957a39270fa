"""Convolutions with less work: equal to TensorFlow's, forward and backward, at every size."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_style.features import convolutions
from neural_style.features.convolutions import ByPairs, Direct, Fourfold, convolution, mirrored


def kernel_of(channels, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (3, 3, *channels)).astype(np.float32)


def maps_of(*shape, seed=1):
    return tf.constant(np.maximum(np.random.default_rng(seed).normal(size=shape), 0), tf.float32)


def exact(x, kernel, bias=None):
    found = tf.nn.conv2d(tf.cast(x, tf.float64), tf.cast(kernel, tf.float64), 1, "SAME").numpy()
    return found if bias is None else found + bias.numpy()


def error(found, wanted):
    return np.linalg.norm(tf.cast(found, tf.float64).numpy() - wanted) / np.linalg.norm(wanted)


@pytest.mark.parametrize(
    ("precision", "channels", "kind"),
    [
        ("float32", (128, 128), ByPairs),
        ("bfloat16", (256, 512), Direct),
        ("float32", (64, 128), Direct),
        ("float32", (3, 64), Direct),
        ("bfloat16", (64, 3), Fourfold),
    ],
)
def test_the_fastest_kind_is_chosen(precision, channels, kind):
    assert type(convolution(kernel_of(channels), precision)) is kind


def test_a_gpu_uses_its_own_library(monkeypatch):
    monkeypatch.setattr(convolutions.tf.config, "list_logical_devices", lambda kind: [kind])
    assert type(convolution(kernel_of((128, 128)), "float32")) is Direct


@settings(max_examples=30)
@given(images=st.integers(1, 3), rows=st.integers(1, 9), columns=st.integers(1, 9), traced=st.booleans())
def test_pairs_of_rows_are_those_of_a_plain_convolution(images, rows, columns, traced):
    kernel, bias = kernel_of((6, 5)), tf.linspace(-1.0, 1.0, 5)
    by_pairs = ByPairs(kernel, bias)
    if traced:
        by_pairs = tf.function(by_pairs, autograph=False, input_signature=[tf.TensorSpec([None, None, None, 6])])
    x = maps_of(images, rows, columns, 6)
    found = by_pairs(x)
    assert found.shape == (images, rows, columns, 5)
    np.testing.assert_allclose(found, exact(x, kernel, bias), atol=1e-5)


def test_pairs_round_no_worse_than_a_plain_convolution():
    kernel, x = kernel_of((256, 256)), maps_of(1, 24, 24, 256)
    direct, by_pairs = (error(find(x), exact(x, kernel)) for find in (Direct(kernel, "float32"), ByPairs(kernel)))
    assert 0 < by_pairs <= 1.1 * direct


@pytest.mark.parametrize("channels", [(128, 128), (64, 128), (3, 64)])
@pytest.mark.parametrize("size", [(12, 10), (13, 7)])
def test_the_mirrored_kernel_gives_the_gradient(channels, size):
    kernel = kernel_of(channels)
    x, upstream = maps_of(1, *size, channels[0]), maps_of(1, *size, channels[1], seed=2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
    wanted = tape.gradient(y, x, output_gradients=upstream)
    found = convolution(mirrored(kernel), "float32")(upstream)
    assert error(found, tf.cast(wanted, tf.float64).numpy()) < 1e-6


def test_all_wide_layers_share_one_trace():
    layers = [ByPairs(kernel_of(channels)) for channels in ((128, 128), (128, 256))]
    for layer in layers:
        tf.function(layer, autograph=False, input_signature=[tf.TensorSpec([1, None, None, 128])])(
            maps_of(1, 6, 5, 128)
        )
    assert convolutions._traced().experimental_get_tracing_count() == 1
