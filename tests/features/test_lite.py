"""Lite: VGG16's layer names with fewer channels, and outputs that approximate VGG16's maps."""

import hashlib
import json
from importlib import resources

import numpy as np
import pytest
import tensorflow as tf

from neural_style.errors import WeightsUnavailableError
from neural_style.features import VGG16, Lite, named_extractor
from neural_style.features.weights import BUNDLED_SHA256
from neural_style.losses import Content, Context, Moments, TotalVariation
from neural_style.objective import TiledObjective, objective_for
from neural_style.recipes import RECIPES

WEIGHTS = resources.files("neural_style.features") / "pretrained"


@pytest.fixture(scope="module")
def lite():
    return named_extractor("lite")


@pytest.fixture(scope="module")
def images(content, style):
    """Two images, (1, 48, 64, 3) and (1, 56, 56, 3), in [0, 1]."""
    return [tf.constant(each[None] / np.float32(255.0)) for each in (content, style)]


def test_its_layers_and_receptive_fields_are_those_of_the_bundled_vgg16(lite, vgg16):
    assert dict(lite.layers) == dict(vgg16.layers)


def test_its_maps_have_the_size_of_vgg16s_and_fewer_channels(lite, vgg16, images):
    names = list(lite.layers)
    ours, theirs = lite(images[0], names), vgg16(images[0], names)
    for name in names:
        assert ours[name].shape[:3] == theirs[name].shape[:3]
        assert ours[name].shape[-1] <= theirs[name].shape[-1] / 2
        assert ours[name].dtype == tf.float32


@pytest.mark.parametrize("name", ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block4_conv2"])
def test_distances_between_images_are_about_those_of_vgg16(lite, vgg16, images, name):
    """Distances at each position, and inner products of all pairs of positions."""
    cut = [image[:, :48, :48] for image in images]
    found = []
    for network in (lite, vgg16):
        one, two = (
            tf.reshape(network(each, [name])[name], [-1, network(each, [name])[name].shape[-1]]) for each in cut
        )
        distances = tf.reduce_sum(tf.math.squared_difference(one, two), axis=-1)
        inner = tf.reshape(tf.matmul(one, two, transpose_b=True), [-1])
        found.append((distances.numpy(), inner.numpy()))
    for ours, theirs in zip(*found, strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.8
        assert 0.5 < ours.sum() / theirs.sum() < 1.6


def test_its_statistics_are_near_vgg16s(lite, vgg16, images):
    """The loss of one image against the other is about that on VGG16."""
    loss = Moments(layer_weights=(3.0, 2.0, 1.0, 1.0, 0.5))
    values = []
    for network in (lite, vgg16):
        sums = [loss.statistic(network(each, loss.layers), Context()) for each in images]
        values.append(float(loss.compare(*sums)))
    assert 0.6 < values[0] / values[1] < 1.4


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_other_precisions_agree(lite, images, precision):
    names = ["block1_conv1", "block3_conv1", "block5_conv1"]
    exact, rounded = lite(images[0], names), lite.with_precision(precision)(images[0], names)
    for name in names:
        error = tf.norm(rounded[name] - exact[name]) / tf.norm(exact[name])
        assert float(error) < (0.03 if precision == "bfloat16" else 0.004), name


def test_nothing_deeper_than_requested_is_computed(lite):
    traced = tf.function(lambda x: lite(x, ["block2_conv1"])).get_concrete_function(tf.TensorSpec([1, None, None, 3]))
    kinds = [op.type for op in traced.graph.get_operations()]
    assert kinds.count("Conv2D") == 4  # three of the network, and the readout
    assert kinds.count("MaxPool") == 1


def test_tiles_give_the_loss_and_gradient_of_the_whole_image(lite):
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


def test_the_bundled_file_is_the_one_in_the_record():
    data = (WEIGHTS / "lite.npz").read_bytes()
    record = json.loads((WEIGHTS / "lite.json").read_text())
    assert len(data) < 2e6
    assert hashlib.sha256(data).hexdigest() == record["sha256"] == BUNDLED_SHA256["lite"]
    assert record["steps"] > 0
    assert record["last"]["total"] < record["first"]["total"]


def damaged(kind, arrays):
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
        np.savez(path, **damaged(kind, arrays))
    with pytest.raises(WeightsUnavailableError, match=r"lacks block3_conv1/readout|block2_conv1/kernel has|be read"):
        Lite(path)


def test_its_fingerprint_covers_the_readouts(lite, tmp_path):
    with np.load(WEIGHTS / "lite.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    paths = [tmp_path / name for name in ("same.npz", "other.npz")]
    np.savez(paths[0], **arrays)
    np.savez(paths[1], **arrays | {"block1_conv1/readout": 2 * arrays["block1_conv1/readout"]})
    same, other = map(Lite, paths)
    same.with_precision("bfloat16")(tf.zeros([1, 16, 16, 3]), ["block1_conv1"])
    assert same.with_precision("bfloat16").fingerprint() == same.fingerprint() == lite.fingerprint()
    assert other.fingerprint() != lite.fingerprint()


def test_a_missing_file_is_named():
    with pytest.raises(WeightsUnavailableError, match=r"nowhere\.npz"):
        Lite("nowhere.npz")


def test_the_representation_shows_the_settings():
    assert str(Lite(precision="bfloat16")) == "Lite('bundled')"
    assert repr(Lite().with_precision("bfloat16")) == "Lite('bundled', precision='bfloat16')"
