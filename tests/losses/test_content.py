"""The content loss: distance in place, whatever the scale."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.losses import Content


def worth(features, content):
    loss = Content(tuple(features))
    return float(loss.compare(loss.statistic(features, content, {}), None))


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
