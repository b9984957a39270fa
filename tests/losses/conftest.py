"""One small network of two convolutions, and three pictures: enough to judge any loss by."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.features import ReceptiveField


class TwoConvolutions:
    """Maps `shallow` (4 channels) and `deep` (5 channels, half the size) with fixed random kernels."""

    def __init__(self):
        self.layers = {"shallow": ReceptiveField(1, 1), "deep": ReceptiveField(2, 3)}
        rng = np.random.default_rng(11)
        self.shallow = tf.constant(rng.normal(0.0, 0.5, (3, 3, 3, 4)), tf.float32)
        self.deep = tf.constant(rng.normal(0.0, 0.4, (3, 3, 4, 5)), tf.float32)

    def __call__(self, image, layers):
        shallow = tf.nn.softplus(tf.nn.conv2d(image - 0.5, self.shallow, 1, "SAME"))
        maps = {"shallow": shallow, "deep": tf.nn.conv2d(shallow, self.deep, 2, "SAME")}
        return {name: maps[name] for name in layers}


@pytest.fixture(scope="session")
def network():
    return TwoConvolutions()


def _picture(seed, height, width):
    return tf.constant(np.random.default_rng(seed).uniform(0.2, 0.8, (1, height, width, 3)), tf.float32)


@pytest.fixture(scope="session")
def painted():
    return _picture(1, 8, 6)


@pytest.fixture(scope="session")
def kept():
    return _picture(2, 8, 6)


@pytest.fixture(scope="session")
def wanted():
    return _picture(3, 6, 10)
