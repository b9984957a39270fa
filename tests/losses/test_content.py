"""The content losses: distance in place, whatever the scale; outlines, whatever the shade."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.losses import Content, Context, Laplacian


def worth(features, content):
    loss = Content(tuple(features))
    return float(loss.compare(loss.statistic(features, Context(content)), None))


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    return [{"a": tf.constant(rng.normal(size=(1, 5, 4, 3)), tf.float32)} for _ in range(2)]


def test_a_picture_without_features_is_one_away(maps):
    assert worth({"a": tf.zeros([1, 5, 4, 3])}, maps[0]) == pytest.approx(1.0, rel=1e-5)


def test_it_does_not_depend_on_the_networks_scale(maps):
    large = [{"a": 1000.0 * x["a"]} for x in maps]
    assert worth(*large) == pytest.approx(worth(*maps), rel=1e-5)


def test_it_does_not_depend_on_the_pictures_size(maps):
    twice = [{"a": tf.concat([x["a"], x["a"]], axis=1)} for x in maps]
    assert worth(*twice) == pytest.approx(worth(*maps), rel=1e-5)


def test_it_sees_where_things_are(maps):
    moved = {"a": tf.roll(maps[0]["a"], 1, axis=1)}
    assert worth(moved, maps[0]) > 0.5


def outlines(image, content, pool=2):
    loss = Laplacian(pool=pool)
    ours, goal = ({"image": tf.constant(x, tf.float32)} for x in (image, content))
    return float(loss.compare(loss.statistic(ours, Context(goal)), None))


@pytest.fixture
def photo(content):
    return content[None] / 255.0


def test_outlines_do_not_depend_on_brightness_and_colour(photo):
    assert outlines(0.9 * photo + 0.1, photo) < 0.02
    assert outlines(photo[..., ::-1], photo) == pytest.approx(0.0, abs=1e-6)
    slope = np.linspace(0.0, 0.2, photo.shape[2])[:, None]
    assert outlines(photo + slope, photo) == pytest.approx(0.0, abs=1e-4)


def test_a_picture_without_outlines_is_one_away(photo):
    assert outlines(np.full_like(photo, 0.5), photo) == pytest.approx(1.0, rel=1e-3)


def test_outlines_moved_are_outlines_lost(photo):
    assert outlines(photo[:, :, ::-1], photo) > 1.0


def test_a_larger_pool_hears_less_of_fine_grain(photo):
    grain = photo + np.random.default_rng(0).normal(0.0, 0.05, photo.shape)
    assert outlines(grain, photo, pool=8) < 0.3 * outlines(grain, photo, pool=2)


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 2, 30, 3), (1, 30, 5, 3), (1, 12, 11, 3)])
def test_a_picture_smaller_than_its_means_has_no_outlines(shape):
    rng = np.random.default_rng(0)
    assert outlines(rng.random(shape), rng.random(shape), pool=4) == 0.0


def test_a_flat_content_asks_for_flatness_and_not_for_ever_more(photo):
    assert 0.1 < outlines(photo, np.full_like(photo, 0.5)) < 1000


def test_a_pool_of_nothing_is_refused():
    with pytest.raises(ValueError, match="pool is at least 1, not 0"):
        Laplacian(pool=0)
