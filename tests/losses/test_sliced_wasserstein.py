"""Losses that sort: quantiles, directions, and what they detect that moments miss."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neural_style.losses import Context, Histogram, Moments, SlicedWasserstein
from neural_style.losses.sliced_wasserstein import quantiles

rows = hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=st.floats(-5, 5, width=32))
LOSSES = [SlicedWasserstein(("a",)), Histogram(("a",))]


def evaluate(loss, features, style):
    statistics = (loss.statistic({"a": tf.constant(maps, tf.float32)}, Context()) for maps in (features, style))
    return float(loss.compare(*statistics))


@pytest.fixture
def features():
    return np.random.default_rng(5).normal(1.0, 2.0, (1, 6, 5, 4)).astype(np.float32)


@given(values=rows)
def test_as_many_quantiles_as_values_are_the_values(values):
    ordered = np.sort(values)
    np.testing.assert_allclose(quantiles(tf.constant(ordered), ordered.shape[1]), ordered, rtol=0, atol=1e-37)


@given(values=rows, count=st.integers(1, 12))
def test_quantiles_ascend_within_the_range_of_the_values(values, count):
    ordered = np.sort(values)
    found = quantiles(tf.constant(ordered), count).numpy()
    assert found.shape == (len(ordered), count)
    assert (np.diff(found) >= -1e-5).all()
    assert (found >= ordered[:, :1] - 1e-5).all() and (found <= ordered[:, -1:] + 1e-5).all()


@pytest.mark.parametrize(("channels", "count"), [(4, 4), (4, 2), (4, 11), (1, 3)])
def test_directions_are_unit_vectors_in_orthonormal_sets(channels, count):
    directions = SlicedWasserstein(directions=count).directions_of(channels)
    assert directions.shape == (channels, count)
    products = directions.T @ directions
    np.testing.assert_allclose(np.diag(products), 1.0, rtol=1e-5)
    first = products[:channels, :channels]
    np.testing.assert_allclose(first, np.eye(len(first)), atol=1e-5)


def test_the_seed_decides_the_directions():
    one, again, other = (SlicedWasserstein(seed=seed).directions_of(6) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


def test_no_directions_are_refused():
    with pytest.raises(ValueError, match="directions must be at least 1, not 0"):
        SlicedWasserstein(directions=0)


@pytest.mark.parametrize("loss", LOSSES)
def test_they_are_invariant_to_position(loss, features):
    assert evaluate(loss, features[:, ::-1], features) == pytest.approx(0.0, abs=1e-10)
    shuffled = np.random.default_rng(0).permutation(features.reshape(-1, 4)).reshape(features.shape)
    assert evaluate(loss, shuffled, features) == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_distribution_in_another_size_is_close(loss, features):
    assert (
        evaluate(loss, np.concatenate([features, features], axis=1), features)
        < 0.01
        < evaluate(loss, features + 1, features)
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_a_common_shift_costs_its_square(loss, features):
    """A difference of the means, equal along all orthonormal directions."""
    expected = 4 * 0.5**2 / np.mean(np.sum(features**2, axis=-1))
    assert evaluate(loss, features + 0.5, features) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_they_detect_what_moments_miss(loss):
    rng = np.random.default_rng(1)
    levels = 5 + rng.choice([-1.0, 1.0], (1, 40, 40, 1))
    normal = rng.normal(size=(1, 40, 40, 1))
    normal = 5 + (normal - normal.mean()) / normal.std() * levels.std() + (levels.mean() - 5)
    assert evaluate(Moments(("a",)), levels, normal) < 1e-6
    assert evaluate(loss, levels, normal) > 0.005


@pytest.mark.parametrize("loss", [SlicedWasserstein(), Histogram()])
def test_a_constant_or_tiny_style_gives_a_finite_gradient(loss, vgg16, content):
    image = tf.constant(content[None, :32, :32] / 255.0, tf.float32)
    for style in (tf.fill([1, 16, 16, 3], 0.5), tf.zeros([1, 40, 16, 3])):
        target = loss.statistic(vgg16(style, loss.layers), Context())
        with tf.GradientTape() as tape:
            tape.watch(image)
            value = loss.compare(loss.statistic(vgg16(image, loss.layers), Context()), target)
        assert 0 < float(value) < 1000
        assert np.isfinite(tape.gradient(value, image)).all()
