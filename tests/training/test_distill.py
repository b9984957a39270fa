"""Teaching a small network: the first fit is a good one, learning makes it better, and a killed run goes on."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from neural_style.features import Lite
from neural_style.training import distill
from neural_style.training.data import Crops, Teacher, moments, recipe_loss

SMALL = [
    "--rounds",
    "2",
    "--runs",
    "2",
    "--epochs",
    "3",
    "--batch",
    "2",
    "--side",
    "48",
    "--first",
    "8",
    "--held-out",
    "2",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight pictures of blots, waves and grain, 64 pixels and more a side."""
    place = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(11)
    for number in range(8):
        rows, columns = np.mgrid[0:64, 0 : 64 + 4 * number]
        wave = np.sin((columns * rng.normal() + rows * rng.normal()) / rng.uniform(1.0, 6.0))[..., None]
        blots = np.kron(rng.random((8, 8 + number, 3)), np.ones((8, 8, 1)))[:, : 64 + 4 * number]
        picture = 0.6 * blots + 0.2 * wave * rng.random(3) + 0.2 + rng.normal(0.0, 0.03, (*rows.shape, 3))
        Image.fromarray((255 * np.clip(picture, 0, 1)).astype(np.uint8)).save(place / f"{number}.png")
    return place


def taught(folder, place, *more):
    weights = place / "weights.npz"
    distill.main([str(folder), "--weights", str(weights), "--checkpoint", str(place / "run.npz"), *SMALL, *more])
    return weights, json.loads(weights.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """A run of two rounds: weights, record, and the checkpoint as it was after the first."""
    place, copies = tmp_path_factory.mktemp("whole"), []

    def saved(path, *arguments):
        save(path, *arguments)
        copies.append(path.read_bytes())

    save = distill._save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distill, "_save", saved)
        weights, record = taught(folder, place)
    assert len(copies) == 3  # after the fit, and after each round
    return weights, record, copies[1]


def test_learning_brings_it_nearer_to_its_teacher(whole):
    record = whole[1]
    assert record["last"]["total"] < record["first"]["total"]
    assert record["steps"] == 2 * 2 * 3 * 3
    assert record["pictures"] == 6


def test_what_it_writes_is_an_extractor(whole):
    network = Lite(whole[0])
    maps = network(tf.zeros([1, 32, 32, 3]), list(network.layers))
    assert all(np.isfinite(value).all() for value in maps.values())


def test_a_run_that_ended_early_goes_on_to_the_same_weights(folder, tmp_path, whole):
    expected, record, after_one_round = whole
    (tmp_path / "run.npz").write_bytes(after_one_round)
    weights, again = taught(folder, tmp_path)
    assert again["totals"] == record["totals"]
    assert again["sha256"] == record["sha256"]
    assert weights.read_bytes() == expected.read_bytes()


def test_too_few_pictures_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="has 0 pictures; there must be more than 24"):
        distill.main([str(tmp_path)])


def test_the_teachers_directions_keep_its_distances(vgg16, folder):
    """Along as many directions as there are channels nothing is lost; along a quarter, little."""
    crops = Crops(sorted(folder.iterdir()), 48)
    pictures = crops.batch(np.random.default_rng(1), 4)
    for width, least in ((64, 0.999), (16, 0.9)):
        maps = Teacher.of(vgg16, pictures, {"block1_conv2": width}).maps(tf.constant(pictures))["block1_conv2"]
        own = vgg16(tf.constant(pictures), ["block1_conv2"])["block1_conv2"]
        kept, all_of_it = (tf.reduce_sum(tf.square(value)) for value in (maps, own))
        unit = float(tf.reduce_sum(tf.square(maps)) / tf.cast(tf.size(maps), tf.float32))
        scale = float(all_of_it) / float(kept)
        ours = tf.reduce_sum(tf.math.squared_difference(maps[0], maps[1])) * scale
        theirs = tf.reduce_sum(tf.math.squared_difference(own[0], own[1]))
        assert least < float(ours / theirs) < 1.1
        assert 0.8 < unit < 1.01


def test_moments_of_several_pictures_are_those_of_each():
    maps = np.random.default_rng(2).normal(size=(3, 4, 5, 2)).astype(np.float32)
    mean, covariance = moments(tf.constant(maps))
    for number, each in enumerate(maps):
        vectors = each.reshape(-1, 2)
        np.testing.assert_allclose(mean[number], vectors.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(covariance[number], np.cov(vectors.T, bias=True), atol=1e-6)


def test_the_lessons_loss_is_the_recipes(vgg16, content, style):
    """But for total variation, and for a single-precision hair."""
    from neural_style import recipes
    from neural_style.objective import objective_for

    pair = [tf.constant(each[None, :48, :48] / np.float32(255.0)) for each in (content, style)]
    canvas = tf.constant(np.random.default_rng(3).random((1, 48, 48, 3), np.float32))
    terms = [term for term in recipes.DEFAULT.loss().terms if term.loss.name != "total_variation"]
    objective = objective_for(tuple(term.loss for term in terms), vgg16)
    weights = tf.constant([term.weight for term in terms], tf.float32)
    expected = objective.evaluate(canvas, objective.content(pair[0]), objective.target(pair[1], {}), weights, {}).loss
    names = list(vgg16.layers)
    start, found = (vgg16(tf.concat(each, axis=0), names) for each in (pair, [canvas, canvas]))
    assert float(recipe_loss(found, start)[0]) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.slow
def test_two_minutes_of_teaching_lower_the_loss(tmp_path):
    """On the manual's own pictures, judged by others of them; blots teach nothing that holds elsewhere."""
    pictures = Path(__file__).parents[1] / "docs" / "gallery" / "losses"
    more = ["--batch", "4", "--side", "96", "--first", "32", "--held-out", "4"]
    _, record = taught(pictures, tmp_path, "--rounds", "3", "--runs", "8", "--epochs", "6", *more)
    assert record["last"]["total"] < 0.9 * record["first"]["total"]
    assert record["last"]["gradient"] < record["first"]["gradient"]
