"""Total variation and range: invariances, exponents, and bands that add up."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.losses import Context, Range, TotalVariation


def evaluate(image, loss=TotalVariation()):  # noqa: B008 (a loss is immutable)
    return float(loss.compare(loss.statistic({"image": tf.constant(image, tf.float32)}, Context()), None))


@pytest.fixture
def image():
    return np.random.default_rng(6).random((1, 9, 7, 3))


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_constant_image_has_no_total_variation(level):
    assert evaluate(np.full((1, 6, 5, 3), level)) == 0.0


def test_noise_costs_more_than_a_ramp(image):
    ramp = np.linspace(0.0, 1.0, 9)[None, :, None, None] * np.ones((1, 9, 7, 3))
    assert evaluate(image) > 5 * evaluate(ramp)


@pytest.mark.parametrize("change", [np.fliplr, np.flipud, np.rot90, np.transpose])
def test_it_is_invariant_to_rotation_and_reflection(image, change):
    moved = np.stack([change(image[0, :, :, channel]) for channel in range(3)], axis=-1)[None]
    assert evaluate(moved) == pytest.approx(evaluate(image), rel=1e-5)


def test_it_is_invariant_to_brightness_and_quadratic_in_contrast(image):
    assert evaluate(0.5 * image + 0.25) == pytest.approx(0.25 * evaluate(image), rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 1, 5, 3), (1, 5, 1, 3)])
def test_images_of_one_pixel_width_work(shape):
    assert evaluate(np.full(shape, 0.5)) == 0.0


def test_overlapping_bands_add_up_to_the_whole(image):
    """Bands that overlap by `support` rows contain every term; those in the overlap count twice."""
    loss = TotalVariation()
    support = loss.support

    def statistic(rows):
        return [x.numpy() for x in loss.statistic({"image": tf.constant(image[:, rows], tf.float32)}, Context())]

    whole, upper, lower, shared = map(
        statistic, (slice(None), slice(0, 4 + support), slice(4, None), slice(4, 4 + support))
    )
    for i, value in enumerate(whole):
        np.testing.assert_allclose(upper[i] + lower[i] - shared[i], value, rtol=1e-5)


@pytest.mark.parametrize("exponent", [1.0, 1.25, 2.0, 3.0])
def test_contrast_counts_to_the_power_of_the_exponent(image, exponent):
    loss = TotalVariation(exponent=exponent)
    assert evaluate(0.5 * image + 0.25, loss) == pytest.approx(0.5**exponent * evaluate(image, loss), rel=1e-4)


def test_with_exponent_one_a_step_costs_as_much_as_a_ramp_and_with_two_much_more():
    ramp = np.linspace(0.0, 1.0, 9)[None, None, :, None] * np.ones((1, 1, 9, 3))
    step = (ramp > 0.5).astype(float)
    assert evaluate(step, TotalVariation(exponent=1.0)) == pytest.approx(evaluate(ramp, TotalVariation(exponent=1.0)))
    assert evaluate(step) == pytest.approx(8 * evaluate(ramp), rel=1e-5)


@pytest.mark.parametrize("exponent", [0.5, -1.0, float("nan"), float("inf")])
def test_an_exponent_below_one_is_refused(exponent):
    with pytest.raises(ValueError, match="exponent must be at least 1"):
        TotalVariation(exponent=exponent)


def test_values_inside_the_range_cost_nothing(image):
    assert evaluate(image, Range()) == 0.0
    assert evaluate(image, Range(0.4, 0.6)) > 0.01


def test_outside_the_range_the_squared_distance_counts(image):
    assert evaluate(image - 2.0, Range(low=0.0)) == pytest.approx(np.mean((image - 2.0) ** 2), rel=1e-5)
    assert evaluate(image + 2.0, Range(high=1.0)) == pytest.approx(np.mean((image + 1.0) ** 2), rel=1e-5)


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (0.5, 0.5), (float("nan"), 1.0)])
def test_an_empty_range_is_refused(low, high):
    with pytest.raises(ValueError, match="low must be below high|low must be a number, not nan"):
        Range(low, high)
