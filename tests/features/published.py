"""A small weights file in the layout that Keras publishes."""

import h5py
import numpy as np

NAMES = ("block1_conv1", "block1_conv2", "block2_conv1")


def small_arrays(seed=0):
    """Random weights of the first two convolutions."""
    rng = np.random.default_rng(seed)
    shapes = {"block1_conv1": (3, 3, 3, 64), "block1_conv2": (3, 3, 64, 64)}
    return {
        name: (rng.normal(size=shape).astype(np.float32), rng.normal(size=64).astype(np.float32))
        for name, shape in shapes.items()
    }


def write_as_published(path, arrays):
    """The layout of the files Keras publishes."""
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in arrays.items():
            file[f"{name}/{name}_W_1:0"] = kernel
            file[f"{name}/{name}_b_1:0"] = bias
    return path


def assert_same(arrays, expected):
    assert list(arrays) == list(expected)
    for name, pair in expected.items():
        for value, goal in zip((arrays[name].kernel32, arrays[name].bias), pair, strict=True):
            np.testing.assert_array_equal(value, goal)
