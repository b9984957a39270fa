"""Encoder and decoders: shapes, precisions, and weights files that are refused by name."""

import hashlib
import json
from importlib import resources

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_style.errors import WeightsUnavailableError
from neural_style.features.weights import BUNDLED_SHA256
from neural_style.feedforward import network
from neural_style.feedforward.network import LAYERS, LEVELS, MULTIPLE, WIDTHS, Network

PRETRAINED = resources.files("neural_style.features") / "pretrained"
DEEPEST = max(LEVELS)


@pytest.fixture(scope="module")
def bundled():
    return Network()


@pytest.fixture(scope="module")
def image(content):
    return tf.constant(content[None] / np.float32(255.0))


@pytest.fixture(scope="module")
def arrays():
    with np.load(PRETRAINED / "decoders.npz") as stored:
        return {name: stored[name] for name in stored.files}


# --- maps --------------------------------------------------------------------------------------------


def encoded(network, image, level):
    return tf.cast(network.encoder(image, [LAYERS[level]])[LAYERS[level]], tf.float32)


def test_each_level_has_half_the_resolution_of_the_one_before(bundled, image):
    for level in LEVELS:
        expected = (1, 48 // 2 ** (level - 1), 64 // 2 ** (level - 1), WIDTHS[level])
        assert encoded(bundled, image, level).shape == expected


@settings(max_examples=5)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(LEVELS))
def test_an_image_whose_sides_are_multiples_comes_back_in_its_size(bundled, rows, columns, level):
    image = tf.fill([1, MULTIPLE * rows, MULTIPLE * columns, 3], 0.4)
    decoded = bundled.decode(level, encoded(bundled, image, level))
    assert decoded.shape == image.shape
    assert decoded.dtype == tf.float32
    assert np.isfinite(decoded).all()


def test_images_are_decoded_stage_by_stage(bundled, image):
    features = encoded(bundled, image, DEEPEST)
    mean, deviation = bundled._moments[DEEPEST]
    x = (features - mean) / deviation
    for level in range(DEEPEST, 0, -1):
        factor = 2 if level > 1 else 1
        size = [factor * side for side in x.shape[1:3]]
        x = network.stage(bundled._arrays, level, x)
        assert x.shape == (1, *size, WIDTHS[level - 1] if level > 1 else 3)
    np.testing.assert_allclose(x, bundled.decode(DEEPEST, features), atol=1e-6)


def halved(image):
    return tf.nn.avg_pool2d(image, 2, 2, "VALID")


def test_a_decoded_image_keeps_the_smaller_canvas(bundled, image):
    """Its colors and its shapes, where the map alone gives others."""
    features, smaller = encoded(bundled, image, DEEPEST), halved(image)[..., ::-1]
    alone, beside = (bundled.decode(DEEPEST, features, other) for other in (None, smaller))
    assert beside.shape == alone.shape == image.shape
    apart = [float(tf.reduce_mean(tf.abs(halved(each) - smaller))) for each in (alone, beside)]
    assert apart[1] < 0.8 * apart[0]


def test_a_decoded_image_is_made_over_another(bundled, image):
    """Of which it sees the maps; a mean map is the same as none."""
    features = encoded(bundled, image, DEEPEST)
    own = {level: encoded(bundled, image[:, ::-1], level) for level in LEVELS[1:]}
    mean = {level: tf.zeros_like(own[level]) + bundled._moments[level][0] for level in own}
    over, plain, alone = (bundled.decode(DEEPEST, features, None, each) for each in (own, mean, None))
    np.testing.assert_allclose(plain, alone, atol=1e-5)
    assert over.shape == image.shape
    assert np.abs(over - alone).mean() > 0.01


def test_the_shallowest_level_needs_no_smaller_canvas(bundled, image):
    features = encoded(bundled, image, 1)
    np.testing.assert_array_equal(*(bundled.decode(1, features, other) for other in (None, halved(image))))


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.05), ("float16", 0.01)])
def test_other_precisions_agree(bundled, image, precision, tolerance):
    """Convolutions are rounded; what comes and goes is float32."""
    other = Network(precision=precision)
    for level in LEVELS:
        features = encoded(bundled, image, level)
        decoded = [each.decode(level, features) for each in (bundled, other)]
        assert decoded[1].dtype == tf.float32
        assert float(tf.reduce_mean(tf.abs(decoded[1] - decoded[0]))) < tolerance, level


# --- weights -----------------------------------------------------------------------------------------


def test_the_bundled_file_is_the_one_in_the_record():
    data = (PRETRAINED / "decoders.npz").read_bytes()
    record = json.loads((PRETRAINED / "decoders.json").read_text())
    assert len(data) < 2e6
    assert hashlib.sha256(data).hexdigest() == record["sha256"] == BUNDLED_SHA256["decoders"]
    assert record["steps"] > 0
    assert record["last"]["total"] < record["first"]["total"]


def test_the_bundled_file_holds_what_the_network_is_made_of(arrays):
    kernels = {name for name in network.shapes() if name.endswith("kernel")}
    scales = {f"{name.removesuffix('kernel')}scale" for name in kernels}
    assert set(arrays) == set(network.shapes()) | scales | {f"moments{level}" for level in LEVELS}
    assert {arrays[name].dtype for name in kernels} == {np.dtype(np.int8)}


def test_shapes_go_from_the_deepest_stage_to_the_image():
    shapes = list(network.shapes().items())
    assert shapes[0][0] == f"stage{DEEPEST}/conv1/kernel"
    assert shapes[0][1][:3] == (3, 3, 2 * WIDTHS[DEEPEST] + WIDTHS[DEEPEST - 1])
    assert shapes[-1][1] == (3,)


def test_a_copy_of_the_bundled_file_is_the_same_network(bundled, arrays, image, tmp_path):
    np.savez(tmp_path / "copy.npz", **arrays)
    copy = Network(tmp_path / "copy.npz")
    found = [each.decode(1, encoded(each, image, 1)) for each in (bundled, copy)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "name", ["stage1/conv1/kernel", "stage1/conv2/scale", f"stage{DEEPEST}/conv2/bias", f"moments{LEVELS[-1]}"]
)
@pytest.mark.parametrize("fault", ["lacks", "shape"])
def test_a_file_of_something_else_is_refused_by_the_array(arrays, tmp_path, name, fault):
    path = tmp_path / "other.npz"
    others = {key: value for key, value in arrays.items() if key != name}
    if fault == "lacks":
        np.savez(path, **others)
        expected = rf"other\.npz lacks {name}, so it is not a weights file of the decoders"
    else:
        np.savez(path, **others, **{name: arrays[name][..., :2]})
        expected = rf"other\.npz: {name} has shape \(.*2,?\) where \(.*\) was expected"
    with pytest.raises(WeightsUnavailableError, match=expected):
        Network(path)


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_a_damaged_file_is_refused_by_its_path(arrays, tmp_path, damage):
    path = tmp_path / "damaged.npz"
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:-100] if damage == "cut" else b"not a file of weights")
    with pytest.raises(WeightsUnavailableError, match=r"damaged\.npz could not be read as a weights file"):
        Network(path)


def test_a_missing_file_is_named():
    with pytest.raises(WeightsUnavailableError, match=r"no weights file at nowhere\.npz"):
        Network("nowhere.npz")
