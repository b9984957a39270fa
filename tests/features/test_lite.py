"""Lite: VGG16's layer names on a few channels, and maps that tell what VGG16's own would."""

import hashlib
import json
from importlib import resources

import numpy as np
import pytest
import tensorflow as tf

from neural_style.errors import WeightsUnavailableError
from neural_style.features import VGG16, Lite, named_extractor
from neural_style.features.weights import BUNDLED_SHA256
from neural_style.losses import Content, Moments, TotalVariation
from neural_style.objective.tiled import TiledObjective
from neural_style.objective.whole import objective_for
from neural_style.recipes import RECIPES

WEIGHTS = resources.files("neural_style.features") / "pretrained"


@pytest.fixture(scope="module")
def lite():
    return named_extractor("lite")


@pytest.fixture(scope="module")
def pictures(content, style):
    """Two pictures, (1, 48, 64, 3) and (1, 56, 56, 3), in [0, 1]."""
    return [tf.constant(each[None] / np.float32(255.0)) for each in (content, style)]


def test_its_layers_are_those_of_the_bundled_vgg16_with_the_same_fields(lite, vgg16):
    assert dict(lite.layers) == dict(vgg16.layers)


def test_its_maps_lie_where_those_of_vgg16_do_and_have_fewer_channels(lite, vgg16, pictures):
    names = list(lite.layers)
    ours, theirs = lite(pictures[0], names), vgg16(pictures[0], names)
    for name in names:
        assert ours[name].shape[:3] == theirs[name].shape[:3]
        assert ours[name].shape[-1] <= theirs[name].shape[-1] / 2
        assert ours[name].dtype == tf.float32


@pytest.mark.parametrize("name", ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block4_conv2"])
def test_distances_between_pictures_are_about_those_vgg16_sees(lite, vgg16, pictures, name):
    """Positions compared, and all pairs of positions, as the losses do."""
    cut = [picture[:, :48, :48] for picture in pictures]
    found = []
    for network in (lite, vgg16):
        one, two = (
            tf.reshape(network(each, [name])[name], [-1, network(each, [name])[name].shape[-1]]) for each in cut
        )
        apart = tf.reduce_sum(tf.math.squared_difference(one, two), axis=-1)
        inner = tf.reshape(tf.matmul(one, two, transpose_b=True), [-1])
        found.append((apart.numpy(), inner.numpy()))
    for ours, theirs in zip(*found, strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.8
        assert 0.5 < ours.sum() / theirs.sum() < 1.6


def test_its_statistics_are_near_vgg16s(lite, vgg16, pictures):
    """The loss of one picture against the other is about what VGG16 says."""
    loss = Moments(layer_weights=(3.0, 2.0, 1.0, 1.0, 0.5))
    values = []
    for network in (lite, vgg16):
        sums = [loss.statistic(network(each, loss.layers), {}, {}) for each in pictures]
        values.append(float(loss.compare(*sums)))
    assert 0.6 < values[0] / values[1] < 1.4


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_other_precisions_agree(lite, pictures, precision):
    names = ["block1_conv1", "block3_conv1", "block5_conv1"]
    exact, rounded = lite(pictures[0], names), lite.with_precision(precision)(pictures[0], names)
    for name in names:
        error = tf.norm(rounded[name] - exact[name]) / tf.norm(exact[name])
        assert float(error) < (0.03 if precision == "bfloat16" else 0.004), name


def test_nothing_deeper_than_asked_for_is_computed(lite):
    traced = tf.function(lambda x: lite(x, ["block2_conv1"])).get_concrete_function(tf.TensorSpec([1, None, None, 3]))
    kinds = [op.type for op in traced.graph.get_operations()]
    assert kinds.count("Conv2D") == 4  # three of the network, one that reads the layer out
    assert kinds.count("MaxPool") == 1


def test_tiles_give_what_the_whole_picture_does(lite):
    losses = (Content(), Moments(), TotalVariation())
    weights = tf.constant([0.4, 1.0, 0.5])
    rng = np.random.default_rng(4)
    canvas, content, style = (tf.constant(rng.random((1, 96, 80, 3), np.float32)) for _ in range(3))
    found = []
    for objective in (objective_for(losses, lite), TiledObjective(losses, lite, 48)):
        maps, targets = objective.content(content), objective.target(style, {})
        found.append(objective.evaluate(canvas, maps, targets, weights, {}))
    assert float(found[1].loss) == pytest.approx(float(found[0].loss), rel=1e-4)
    scale = float(tf.reduce_max(tf.abs(found[0].gradient)))
    assert float(tf.reduce_max(tf.abs(found[1].gradient - found[0].gradient))) < 1e-3 * scale


@pytest.mark.parametrize("name", RECIPES)
def test_it_has_the_layers_of_every_recipe(lite, name):
    assert set(RECIPES[name].loss().layers) - {"image"} <= set(lite.layers)


def test_what_ships_is_what_the_record_tells_of():
    data = (WEIGHTS / "lite.npz").read_bytes()
    record = json.loads((WEIGHTS / "lite.json").read_text())
    assert len(data) < 2e6
    assert hashlib.sha256(data).hexdigest() == record["sha256"] == BUNDLED_SHA256["lite"]
    assert record["steps"] > 0
    assert record["last"]["total"] < record["first"]["total"]


def harmed(kind, arrays):
    arrays = dict(arrays)
    if kind == "lacks":
        del arrays["block3_conv1/readout"]
    else:
        arrays["block2_conv1/kernel"] = arrays["block2_conv1/kernel"][:, :, :5]
    return arrays


@pytest.mark.parametrize("kind", ["lacks", "shape", "no archive"])
def test_a_file_of_something_else_is_refused(tmp_path, kind):
    path = tmp_path / "weights.npz"
    with np.load(WEIGHTS / "lite.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(path, **arrays)
    assert list(Lite(path).layers) == list(VGG16().layers)
    if kind == "no archive":
        path.write_bytes(b"not a file of weights")
    else:
        np.savez(path, **harmed(kind, arrays))
    with pytest.raises(WeightsUnavailableError, match=r"lacks block3_conv1/readout|block2_conv1/kernel has|be read"):
        Lite(path)


def test_a_missing_file_is_told():
    with pytest.raises(WeightsUnavailableError, match=r"nowhere\.npz"):
        Lite("nowhere.npz")


def test_the_representation_tells_the_settings():
    assert repr(Lite().with_precision("bfloat16")) == "Lite('bundled', precision='bfloat16')"
