"""Giving one picture the palette of another."""

import numpy as np
import pytest

from neural_style.color import match_color_moments


def palette(seed, mean, spread):
    """Correlated colours well inside [0, 1], so that clipping plays no part."""
    rng = np.random.default_rng(seed)
    mix = np.eye(3) + 0.5 * rng.random((3, 3))
    pixels = np.asarray(mean) + spread * np.clip(rng.normal(size=(1, 24, 18, 3)), -2, 2) @ mix
    assert pixels.min() > 0.0
    assert pixels.max() < 1.0
    return pixels.astype(np.float32)


@pytest.fixture
def calm():
    return palette(0, [0.6, 0.5, 0.4], 0.04)


@pytest.fixture
def wild():
    return palette(1, [0.45, 0.5, 0.55], 0.05)


def moments(pixels):
    flat = pixels.reshape(-1, 3).astype(np.float64)
    return flat.mean(axis=0), np.cov(flat, rowvar=False)


def test_mean_and_covariance_become_the_references(calm, wild):
    moved = match_color_moments(calm, wild)
    assert moved.shape == calm.shape
    assert moved.dtype == np.float32
    for value, goal in zip(moments(moved), moments(wild), strict=True):
        np.testing.assert_allclose(value, goal, atol=2e-4)


def test_a_pictures_own_palette_leaves_it_alone(calm):
    np.testing.assert_allclose(match_color_moments(calm, calm), calm, atol=1e-3)


def test_colours_are_moved_and_positions_are_not(calm, wild):
    shuffled = np.random.default_rng(2).permutation(calm.reshape(-1, 3)).reshape(calm.shape)
    order = np.random.default_rng(2).permutation(calm.shape[1] * calm.shape[2])
    expected = match_color_moments(calm, wild).reshape(-1, 3)[order].reshape(calm.shape)
    np.testing.assert_allclose(match_color_moments(shuffled, wild), expected, atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_flat_pictures_work_on_either_side(wild, level):
    flat = np.full((1, 6, 5, 3), level, np.float32)
    assert np.abs(match_color_moments(wild, flat) - level).max() < 1e-3
    np.testing.assert_allclose(match_color_moments(flat, wild).reshape(-1, 3).std(axis=0), 0.0, atol=1e-6)


def test_the_result_stays_between_zero_and_one(wild):
    stark = np.random.default_rng(3).integers(0, 2, (1, 20, 20, 3)).astype(np.float32)
    moved = match_color_moments(wild, stark)
    assert moved.min() == 0.0
    assert moved.max() == 1.0
