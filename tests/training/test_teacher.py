"""The teacher: projected maps, and the recipe `moments`'s loss for several images at once."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style import recipes
from neural_style.losses import Content, Gram, Sum
from neural_style.objective import objective_for
from neural_style.training import teacher
from neural_style.training.data import Crops
from neural_style.training.teacher import CONTENT, STYLE, Teacher, make_batches, moments, recipe_loss


def test_the_teachers_directions_keep_its_distances(vgg16, folder):
    """Along as many directions as there are channels nothing is lost; along a quarter, little."""
    crops = Crops(sorted(folder.iterdir()), 48)
    images = crops.batch(np.random.default_rng(1), 4)
    for width, least in ((64, 0.999), (16, 0.9)):
        maps = Teacher.of(vgg16, images, {"block1_conv2": width}).maps(tf.constant(images))["block1_conv2"]
        own = vgg16(tf.constant(images), ["block1_conv2"])["block1_conv2"]
        kept, all_of_it = (tf.reduce_sum(tf.square(value)) for value in (maps, own))
        unit = float(tf.reduce_sum(tf.square(maps)) / tf.cast(tf.size(maps), tf.float32))
        scale = float(all_of_it) / float(kept)
        ours = tf.reduce_sum(tf.math.squared_difference(maps[0], maps[1])) * scale
        theirs = tf.reduce_sum(tf.math.squared_difference(own[0], own[1]))
        assert least < float(ours / theirs) < 1.1
        assert 0.8 < unit < 1.01


def test_moments_of_several_images_are_those_of_each():
    maps = np.random.default_rng(2).normal(size=(3, 4, 5, 2)).astype(np.float32)
    mean, covariance = moments(tf.constant(maps))
    for number, each in enumerate(maps):
        vectors = each.reshape(-1, 2)
        np.testing.assert_allclose(mean[number], vectors.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(covariance[number], np.cov(vectors.T, bias=True), atol=1e-6)


def test_the_loss_is_that_of_the_recipe_moments(vgg16, content, style):
    """Except for total variation, and up to rounding."""
    pair = [tf.constant(each[None, :48, :48] / np.float32(255.0)) for each in (content, style)]
    canvas = tf.constant(np.random.default_rng(3).random((1, 48, 48, 3), np.float32))
    terms = [term for term in recipes.MOMENTS.loss().terms if term.loss.name != "total_variation"]
    objective = objective_for(tuple(term.loss for term in terms), vgg16)
    weights = tf.constant([term.weight for term in terms], tf.float32)
    expected = objective.evaluate(canvas, objective.content(pair[0]), objective.target(pair[1], {}), weights, {}).loss
    names = list(vgg16.layers)
    start, found = (vgg16(tf.concat(each, axis=0), names) for each in (pair, [canvas, canvas]))
    assert float(recipe_loss(found, start)[0]) == pytest.approx(float(expected), rel=1e-3)


def test_the_order_of_the_recipes_terms_does_not_matter():
    loss = recipes.MOMENTS.loss()
    for order in (loss.terms, loss.terms[::-1]):
        assert teacher._terms_of(Sum(order)) == (STYLE, CONTENT)


@pytest.mark.parametrize("change", [Gram(), Content(("block1_conv1", "block2_conv1")), STYLE, 2.0 * STYLE])
def test_a_recipe_that_the_student_would_not_learn_is_refused(change):
    with pytest.raises(TypeError, match="a student is (not )?taught"):
        teacher._terms_of(recipes.MOMENTS.loss() + change)


def test_batches_come_in_threes_from_runs_that_go_on(vgg16, folder):
    crops, generator = Crops(sorted(folder.iterdir()), 32), np.random.default_rng(4)
    taught = Teacher.of(vgg16, crops.batch(generator, 4), dict.fromkeys([*STYLE.layers, *CONTENT], 4))
    batches = list(make_batches(taught, lambda start: tf.ones_like, crops, generator, runs=2, images=2))
    assert len(batches) == 6
    for batch in batches:
        assert batch.start.shape == batch.canvas.shape == batch.gradient.shape == (2, 32, 32, 3)
        assert batch.start.dtype == batch.gradient.dtype == np.float16
        np.testing.assert_allclose(np.square(batch.gradient, dtype=np.float32).mean(axis=(1, 2, 3)), 1.0, atol=0.01)
    np.testing.assert_array_equal(batches[0].start, batches[2].start)
    assert np.abs(batches[0].start - batches[3].start).max() > 0.1
    assert all(np.abs(batches[i].canvas - batches[i + 1].canvas).max() > 0.01 for i in (0, 1, 3, 4))
