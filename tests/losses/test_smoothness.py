"""Total variation: calm is free, speckle is dear, and no direction is favoured."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.losses import TotalVariation


def worth(image):
    loss = TotalVariation()
    return float(loss.compare(loss.statistic({"image": tf.constant(image, tf.float32)}, {}, {}), None))


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
    reach = loss.reach

    def statistic(rows):
        return [x.numpy() for x in loss.statistic({"image": tf.constant(picture[:, rows], tf.float32)}, {}, {})]

    whole, upper, lower, shared = map(
        statistic, (slice(None), slice(0, 4 + reach), slice(4, None), slice(4, 4 + reach))
    )
    for i, value in enumerate(whole):
        np.testing.assert_allclose(upper[i] + lower[i] - shared[i], value, rtol=1e-5)
