"""The extractor protocol, and gradients of extractors with and without a backward pass of their own."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.features import Extractor, Field, ReceptiveField
from neural_style.features.base import DifferentiableExtractor, check_layers, forward_with_vjp


def test_unknown_layers_are_named_with_the_known_ones():
    with pytest.raises(ValueError, match="no layer 'c'; it has a, b"):
        check_layers(["a", "c"], {"a": ReceptiveField(1, 1), "b": ReceptiveField(1, 2)})


def test_anything_with_layers_and_a_call_is_an_extractor(vgg16):
    assert isinstance(vgg16, Extractor)
    assert not isinstance(len, Extractor)


def test_the_former_name_of_a_receptive_field_still_works():
    assert Field is ReceptiveField


class Squares:
    layers = {"squares": ReceptiveField(1, 0), "half": ReceptiveField(1, 0), "flat": ReceptiveField(1, 0)}  # noqa: RUF012

    def __call__(self, image, layers):
        maps = {"squares": image**2, "half": tf.cast(image, tf.float16), "flat": tf.ones_like(image)}
        return {name: maps[name] for name in layers}


def test_an_extractor_without_a_backward_pass_is_differentiated_automatically():
    extractor = Squares()
    image = tf.constant(np.random.default_rng(0).random((1, 4, 5, 3), np.float32))
    maps, pull_back = forward_with_vjp(extractor, image, ["squares", "half", "flat"])
    assert not isinstance(extractor, DifferentiableExtractor)
    assert {value.dtype for value in maps.values()} == {tf.float32}
    found = pull_back(lambda layer, value: {"squares": value, "half": tf.ones_like(value)}.get(layer, value))
    np.testing.assert_allclose(found, 2.0 * image**3 + 1.0, rtol=1e-5)


def test_an_extractor_with_a_backward_pass_is_asked_for_it(vgg16):
    assert isinstance(vgg16, DifferentiableExtractor)
    image = tf.fill([1, 16, 16, 3], 0.4)
    ours, theirs = (
        pull_back(lambda _, value: value)
        for _, pull_back in (
            forward_with_vjp(vgg16, image, ["block1_conv1"]),
            vgg16.forward_with_vjp(image, ["block1_conv1"]),
        )
    )
    np.testing.assert_array_equal(ours, theirs)
