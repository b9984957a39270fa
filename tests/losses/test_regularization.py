"""Total variation and range: calm is free, speckle is dear, no direction is favoured, and a range has two ends."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.losses import Context, Range, TotalVariation


def worth(image, loss=TotalVariation()):  # noqa: B008 (a loss is immutable)
    return float(loss.compare(loss.statistic({"image": tf.constant(image, tf.float32)}, Context()), None))


@pytest.fixture
def picture():
    return np.random.default_rng(6).random((1, 9, 7, 3))


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_flat_picture_is_calm(level):
    assert worth(np.full((1, 6, 5, 3), level)) == 0.0


def test_noise_costs_more_than_a_slope(picture):
    slope = np.linspace(0.0, 1.0, 9)[None, :, None, None] * np.ones((1, 9, 7, 3))
    assert worth(picture) > 5 * worth(slope)


@pytest.mark.parametrize("change", [np.fliplr, np.flipud, np.rot90, np.transpose])
def test_turning_and_mirroring_change_nothing(picture, change):
    turned = np.stack([change(picture[0, :, :, channel]) for channel in range(3)], axis=-1)[None]
    assert worth(turned) == pytest.approx(worth(picture), rel=1e-5)


def test_brightness_changes_nothing_and_contrast_counts_squared(picture):
    assert worth(0.5 * picture + 0.25) == pytest.approx(0.25 * worth(picture), rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 1, 5, 3), (1, 5, 1, 3)])
def test_the_thinnest_pictures_work(shape):
    assert worth(np.full(shape, 0.5)) == 0.0


def test_bands_that_share_a_border_row_make_up_the_whole(picture):
    """The terms reach `reach` rows: two bands that overlap by so many hold every term once, the overlap's twice."""
    loss = TotalVariation()
    reach = loss.support

    def statistic(rows):
        return [x.numpy() for x in loss.statistic({"image": tf.constant(picture[:, rows], tf.float32)}, Context())]

    whole, upper, lower, shared = map(
        statistic, (slice(None), slice(0, 4 + reach), slice(4, None), slice(4, 4 + reach))
    )
    for i, value in enumerate(whole):
        np.testing.assert_allclose(upper[i] + lower[i] - shared[i], value, rtol=1e-5)


@pytest.mark.parametrize("exponent", [1.0, 1.25, 2.0, 3.0])
def test_contrast_counts_by_the_exponent(picture, exponent):
    loss = TotalVariation(exponent=exponent)
    assert worth(0.5 * picture + 0.25, loss) == pytest.approx(0.5**exponent * worth(picture, loss), rel=1e-4)


def test_with_exponent_one_a_step_costs_what_a_slope_does_and_with_two_much_more():
    slope = np.linspace(0.0, 1.0, 9)[None, None, :, None] * np.ones((1, 1, 9, 3))
    step = (slope > 0.5).astype(float)
    assert worth(step, TotalVariation(exponent=1.0)) == pytest.approx(worth(slope, TotalVariation(exponent=1.0)))
    assert worth(step) == pytest.approx(8 * worth(slope), rel=1e-5)


@pytest.mark.parametrize("exponent", [0.5, -1.0, float("nan"), float("inf")])
def test_an_exponent_below_one_is_refused(exponent):
    with pytest.raises(ValueError, match="exponent is at least 1"):
        TotalVariation(exponent=exponent)


def test_inside_its_range_a_picture_costs_nothing(picture):
    assert worth(picture, Range()) == 0.0
    assert worth(picture, Range(0.4, 0.6)) > 0.01


def test_outside_it_the_distance_counts_squared(picture):
    assert worth(picture - 2.0, Range(low=0.0)) == pytest.approx(np.mean((picture - 2.0) ** 2), rel=1e-5)
    assert worth(picture + 2.0, Range(high=1.0)) == pytest.approx(np.mean((picture + 1.0) ** 2), rel=1e-5)


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (0.5, 0.5), (float("nan"), 1.0)])
def test_a_range_without_room_is_refused(low, high):
    with pytest.raises(ValueError, match="low is below high"):
        Range(low, high)
