"""Resizing: constants, range, aliasing and precision."""

import numpy as np
import pytest

from neural_style import images


def test_resize_keeps_constants_and_range():
    rng = np.random.default_rng(0)
    for size in ((3, 40), (40, 3), (17, 17), (9, 11)):
        flat = images.resize(np.full((1, 11, 9, 5), 0.25, np.float32), size)
        assert flat.shape == (1, size[1], size[0], 5) and flat.dtype == np.float32
        assert np.allclose(flat, 0.25, atol=1e-6)
        edges = images.resize(np.float32(rng.integers(0, 2, (1, 11, 9, 3))), size)
        assert edges.min() >= 0 and edges.max() <= 1


def test_resize_does_not_alias():
    stripes = np.zeros((1, 64, 64, 1), np.float32)
    stripes[:, :, ::2] = 1
    small = images.resize(stripes, (16, 16))
    assert np.abs(small[:, :, 2:-2] - 0.5).max() < 0.03


def test_resize_halves_a_ramp_precisely():
    slope = np.linspace(0.2, 0.8, 100, dtype=np.float32)[None, None, :, None].repeat(10, axis=1)
    small = images.resize(slope, (50, 5))
    assert np.allclose(small[0, 2, 5:-5, 0], slope[0, 0].reshape(50, 2).mean(axis=1)[5:-5], atol=1e-5)


def test_resize_same_size_is_the_same_object():
    pixels = np.zeros((1, 4, 6, 2), np.float32)
    assert images.resize(pixels, (6, 4)) is pixels


def test_resize_refuses_clearly():
    with pytest.raises(ValueError, match=r"\(1, height, width, channels\), got \(4, 6, 3\)"):
        images.resize(np.zeros((4, 6, 3), np.float32), (2, 2))
    with pytest.raises(ValueError, match=r"at least \(1, 1\), got \(0, 4\)"):
        images.resize(np.zeros((1, 4, 6, 3), np.float32), (0, 4))
