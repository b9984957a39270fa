"""Two networks as one extractor: each layer's map and gradient are those of its own network."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.features import VGG16, Lite
from neural_style.features.base import DifferentiableExtractor, forward_with_vjp
from neural_style.feedforward.encoders import Encoders
from tests.networks import Tiny

PLAIN, OTHER = "block1_conv2", "block2_conv1"


@pytest.fixture(scope="module")
def image(content):
    return tf.constant(content[None] / np.float32(255.0))


@pytest.fixture(scope="module")
def networks():
    return VGG16(), Lite()


@pytest.fixture(scope="module")
def encoders(networks):
    return Encoders(*networks, "lite/")


def test_it_has_the_layers_of_both_in_order(encoders, networks):
    assert list(encoders.layers) == [*networks[0].layers, *(f"lite/{name}" for name in networks[1].layers)]
    assert encoders.layers[f"lite/{OTHER}"] == networks[1].layers[OTHER]
    assert str(encoders) == "VGG16('bundled') and Lite('bundled')"


def test_each_map_is_of_its_own_network(encoders, networks, image):
    found = encoders(image, [f"lite/{OTHER}", PLAIN])
    np.testing.assert_array_equal(found[PLAIN], networks[0](image, [PLAIN])[PLAIN])
    np.testing.assert_array_equal(found[f"lite/{OTHER}"], networks[1](image, [OTHER])[OTHER])


@pytest.mark.parametrize("layers", [[PLAIN], [f"lite/{OTHER}"], [PLAIN, f"lite/{OTHER}", "lite/block1_conv1"]])
def test_gradients_add_up(encoders, networks, image, layers):
    assert isinstance(encoders, DifferentiableExtractor)
    maps, pull_back = encoders.forward_with_vjp(image, layers)
    asked = []
    found = pull_back(lambda name, value: asked.append(name) or 2.0 * value)
    assert set(maps) == set(asked) == set(layers)
    expected = tf.zeros_like(image)
    for network, prefix in zip(networks, ("", "lite/"), strict=True):
        names = [name.removeprefix(prefix) for name in layers if name.startswith("lite/") == bool(prefix)]
        if names:
            expected += forward_with_vjp(network, image, names)[1](lambda name, value: 2.0 * value)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * float(tf.reduce_max(tf.abs(expected))))


def test_a_network_that_is_not_asked_does_not_run(image):
    class Unused(Tiny):
        def __call__(self, image, layers):
            raise AssertionError("it ran")

    name = next(iter(Tiny().layers))
    assert set(Encoders(Tiny(), Unused(), "other/")(image, [name])) == {name}
