"""One small network and three images, enough to test any loss."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from tests.networks import Smooth


class Images(NamedTuple):
    """Float32 images, (1, height, width, 3)."""

    canvas: tf.Tensor
    content: tf.Tensor
    style: tf.Tensor


@pytest.fixture(scope="session")
def network():
    return Smooth()


@pytest.fixture(scope="session")
def images():
    shapes = {1: (8, 6), 2: (8, 6), 3: (6, 10)}
    return Images(*(_image(seed, *shape) for seed, shape in shapes.items()))


def _image(seed, height, width):
    return tf.constant(np.random.default_rng(seed).uniform(0.2, 0.8, (1, height, width, 3)), tf.float32)
