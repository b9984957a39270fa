"""Content losses: invariance to scale, size, brightness and color."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.losses import Content, Context, Laplacian


def evaluate(features, content):
    loss = Content(tuple(features))
    return float(loss.compare(loss.statistic(features, Context(content)), None))


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    return [{"a": tf.constant(rng.normal(size=(1, 5, 4, 3)), tf.float32)} for _ in range(2)]


def test_an_image_without_features_has_distance_one(maps):
    assert evaluate({"a": tf.zeros([1, 5, 4, 3])}, maps[0]) == pytest.approx(1.0, rel=1e-5)


def test_it_is_invariant_to_the_scale_of_the_features(maps):
    large = [{"a": 1000.0 * x["a"]} for x in maps]
    assert evaluate(*large) == pytest.approx(evaluate(*maps), rel=1e-5)


def test_it_is_invariant_to_the_size_of_the_image(maps):
    twice = [{"a": tf.concat([x["a"], x["a"]], axis=1)} for x in maps]
    assert evaluate(*twice) == pytest.approx(evaluate(*maps), rel=1e-5)


def test_it_depends_on_position(maps):
    moved = {"a": tf.roll(maps[0]["a"], 1, axis=1)}
    assert evaluate(moved, maps[0]) > 0.5


def laplacian_loss(image, content, pool=2):
    loss = Laplacian(pool=pool)
    ours, goal = ({"image": tf.constant(x, tf.float32)} for x in (image, content))
    return float(loss.compare(loss.statistic(ours, Context(goal)), None))


@pytest.fixture
def photo(content):
    return content[None] / 255.0


def test_the_laplacian_loss_is_invariant_to_brightness_and_color(photo):
    assert laplacian_loss(0.9 * photo + 0.1, photo) < 0.02
    assert laplacian_loss(photo[..., ::-1], photo) == pytest.approx(0.0, abs=1e-6)
    ramp = np.linspace(0.0, 0.2, photo.shape[2])[:, None]
    assert laplacian_loss(photo + ramp, photo) == pytest.approx(0.0, abs=1e-4)


def test_an_image_without_edges_has_laplacian_loss_one(photo):
    assert laplacian_loss(np.full_like(photo, 0.5), photo) == pytest.approx(1.0, rel=1e-3)


def test_moved_edges_increase_the_laplacian_loss(photo):
    assert laplacian_loss(photo[:, :, ::-1], photo) > 1.0


def test_a_larger_pool_is_less_sensitive_to_grain(photo):
    grain = photo + np.random.default_rng(0).normal(0.0, 0.05, photo.shape)
    assert laplacian_loss(grain, photo, pool=8) < 0.3 * laplacian_loss(grain, photo, pool=2)


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 2, 30, 3), (1, 30, 5, 3), (1, 12, 11, 3)])
def test_an_image_smaller_than_the_pool_has_laplacian_loss_zero(shape):
    rng = np.random.default_rng(0)
    assert laplacian_loss(rng.random(shape), rng.random(shape), pool=4) == 0.0


def test_a_constant_content_gives_a_finite_laplacian_loss(photo):
    assert 0.1 < laplacian_loss(photo, np.full_like(photo, 0.5)) < 1000


def test_a_pool_below_one_is_refused():
    with pytest.raises(ValueError, match="pool must be at least 1, not 0"):
        Laplacian(pool=0)
