"""VGG16 and VGG19: equal to Keras's models, whatever the host's settings, and no deeper than requested."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from neural_style._fingerprint import fingerprint
from neural_style.features import VGG16, VGG19, ReceptiveField, vgg
from neural_style.features import convolutions as kernels
from neural_style.features.vgg import MEAN_BGR

NETWORKS = {
    "vgg16": (VGG16, keras.applications.VGG16, keras.applications.vgg16.preprocess_input),
    "vgg19": (VGG19, keras.applications.VGG19, keras.applications.vgg19.preprocess_input),
}
FORMATS = ("weights.h5", "h5", "npz")
PARTS = ("kernel", "bias")


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(3).random((1, 35, 50, 3), np.float32)


@pytest.fixture(scope="module", params=NETWORKS)
def reference(request, image, tmp_path_factory):
    """A Keras model with random weights, saved in every format, and its maps of the image."""
    ours, theirs, preprocess = NETWORKS[request.param]
    keras.utils.set_random_seed(5)
    model = theirs(weights=None, include_top=False)
    layers = [layer for layer in model.layers if "conv" in layer.name]
    rng = np.random.default_rng(8)
    for layer in layers:
        layer.bias.assign(rng.normal(0.0, 0.1, layer.bias.shape))
    maps = keras.Model(model.inputs[0], {layer.name: layer.output for layer in layers})(preprocess(image * 255.0))
    folder = tmp_path_factory.mktemp(request.param)
    paths = {kind: folder / f"saved.{kind}" for kind in FORMATS}
    model.save_weights(paths["weights.h5"])
    model.save(paths["h5"])
    arrays = {f"{layer.name}/{part}": layer.weights[i].numpy() for layer in layers for i, part in enumerate(PARTS)}
    np.savez(paths["npz"], **arrays)
    yield ours, paths, {layer.name: maps[layer.name].numpy() for layer in layers}
    for path in paths.values():
        path.unlink()


@contextlib.contextmanager
def plain_host():
    yield


@contextlib.contextmanager
def odd_host():
    """A program with other Keras settings."""
    policy, layout = keras.mixed_precision.global_policy(), keras.config.image_data_format()
    keras.mixed_precision.set_global_policy("mixed_float16")
    keras.config.set_image_data_format("channels_first")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(policy)
        keras.config.set_image_data_format(layout)


@pytest.mark.parametrize(("kind", "host"), [*[(kind, plain_host) for kind in FORMATS], ("npz", odd_host)])
def test_every_layer_equals_keras(reference, image, kind, host):
    network, paths, expected = reference
    with host():
        maps = network(paths[kind])(tf.constant(image), list(expected))
    assert list(maps) == list(expected)
    for name, value in maps.items():
        scale = np.abs(expected[name]).max()
        assert scale > 0
        assert np.abs(value.numpy() - expected[name]).max() <= 1e-4 * scale, name


def test_bundled_weights_reach_the_first_convolution_of_the_fifth_block(vgg16):
    assert next(iter(vgg16.layers)) == "block1_conv1"
    assert list(vgg16.layers)[-1] == "block5_conv1"
    assert len(vgg16.layers) == 11


def test_bundled_maps_have_the_right_shapes_and_are_alive(vgg16, content):
    image = tf.constant(content[None] / np.float32(255.0))
    maps = vgg16(image, list(vgg16.layers))
    for name, value in maps.items():
        stride = vgg16.layers[name].stride
        assert value.shape == (1, 48 // stride, 64 // stride, 64 * 2 ** min(int(name[5]) - 1, 3))
        assert value.numpy().min() == 0.0
        assert value.numpy().max() > 0.0


def test_an_image_of_the_mean_color_is_zero_to_the_network(vgg16):
    mean = np.ones((1, 4, 4, 3), np.float32) * np.float32(MEAN_BGR[::-1]) / 255
    first = vgg16(tf.constant(mean), ["block1_conv1"])["block1_conv1"]
    bias = vgg16.arrays["block1_conv1"].bias
    np.testing.assert_allclose(first[0, 1, 1], np.maximum(bias, 0.0), atol=1e-3)


@pytest.mark.parametrize(
    ("layers", "convolutions", "poolings"),
    [(["block1_conv1"], 1, 0), (["block2_conv2", "block1_conv1"], 4, 1), (["block5_conv1"], 11, 4), ([], 0, 0)],
)
def test_nothing_deeper_than_requested_is_computed_or_converted(layers, convolutions, poolings, monkeypatch):
    made = []
    monkeypatch.setattr(vgg, "mirrored", lambda kernel: made.append(kernel) or kernels.mirrored(kernel))
    vgg16 = VGG16()
    traced = tf.function(lambda x: vgg16(x, layers)).get_concrete_function(tf.TensorSpec([1, None, None, 3]))
    kinds = [op.type for op in traced.graph.get_operations()]
    assert kinds.count("Conv2D") + kinds.count("PartitionedCall") == convolutions  # by pairs of rows: a call each
    assert kinds.count("MaxPool") == poolings
    assert len(made) == convolutions


@pytest.mark.parametrize(("precision", "rounding"), [("bfloat16", 0.0), ("float32", 1e-6)])
def test_a_cell_depends_on_its_receptive_field_and_no_pixel_beyond(vgg16, precision, rounding):
    """Change one pixel: only cells whose receptive field contains it change, but for the rounding of pairs of rows."""
    network = vgg16.with_precision(precision)
    base = np.full((1, 64, 64, 3), 0.5, np.float32)
    moved = base.copy()
    moved[0, 29, 29] = 1.0
    layers = ["block1_conv2", "block2_conv1", "block3_conv1"]
    before, after = (network(tf.constant(x), layers) for x in (base, moved))
    for name in layers:
        stride, radius = vgg16.layers[name]
        least = rounding * np.abs(before[name]).max()
        changed = np.flatnonzero(np.abs(before[name] - after[name]).max(axis=(0, 2, 3)) > least)
        sees = [i for i in range(64 // stride) if i * stride - radius <= 29 <= i * stride + stride - 1 + radius]
        assert changed.size
        assert set(changed) <= set(sees), name


def test_receptive_fields_add_up():
    assert VGG16().layers["block1_conv1"] == ReceptiveField(1, 1)
    assert VGG16().layers["block1_conv2"] == ReceptiveField(1, 2)
    assert VGG16().layers["block2_conv1"] == ReceptiveField(2, 4)
    assert VGG16().layers["block5_conv1"] == ReceptiveField(16, 2 + 4 + 12 + 24 + 16)


def test_average_pooling_averages(vgg16, content):
    image = tf.constant(content[None] / np.float32(255.0))
    layers = ["block1_conv2", "block2_conv1"]
    maps = VGG16(pooling="average")(image, layers)
    stored = vgg16.arrays["block2_conv1"]
    pooled = maps["block1_conv2"].numpy().reshape(1, 24, 2, 32, 2, 64).mean(axis=(2, 4))
    expected = tf.nn.relu(tf.nn.conv2d(pooled, stored.kernel32, 1, "SAME") + stored.bias)
    np.testing.assert_allclose(maps["block2_conv1"], expected, rtol=1e-4, atol=1e-2)


def test_l2_pooling_takes_the_root_of_the_mean_square_with_a_finite_gradient_at_zero(content):
    network = VGG16(pooling="l2")
    image = tf.constant(content[None] / np.float32(255.0))
    stored = network.arrays["block2_conv1"]
    maps = network(image, ["block1_conv2", "block2_conv1"])
    squares = np.square(maps["block1_conv2"].numpy()).reshape(1, 24, 2, 32, 2, 64).mean(axis=(2, 4))
    expected = tf.nn.relu(tf.nn.conv2d(np.sqrt(squares), stored.kernel32, 1, "SAME") + stored.bias)
    np.testing.assert_allclose(maps["block2_conv1"], expected, rtol=1e-4, atol=1e-2)
    dark = tf.zeros([1, 32, 32, 3])
    with tf.GradientTape() as tape:
        tape.watch(dark)
        total = tf.reduce_sum(network(dark, ["block5_conv1"])["block5_conv1"])
    assert np.isfinite(tape.gradient(total, dark)).all()


LAYERS = ["block1_conv1", "block1_conv2", "block3_conv2", "block4_conv1"]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_the_backward_pass_gives_the_gradient_of_automatic_differentiation(vgg16, content, pooling, precision):
    extractor = (vgg16 if pooling == "max" else VGG16(pooling=pooling)).with_precision(precision)
    image = tf.constant(content[None] / np.float32(255.0))
    with tf.GradientTape() as tape:
        tape.watch(image)
        maps = extractor(image, LAYERS)
        total = tf.add_n([tf.math.log(tf.reduce_sum(tf.square(value))) for value in maps.values()])
    expected = tape.gradient(total, image)
    seen, pull_back = extractor.forward_with_vjp(image, LAYERS)
    for name in LAYERS:
        np.testing.assert_array_equal(seen[name], maps[name])
    found = pull_back(lambda _, value: 2.0 * value / tf.reduce_sum(tf.square(value)))
    error = float(tf.norm(found - expected) / tf.norm(expected))
    assert error < {"float32": 1e-5, "bfloat16": 0.02, "float16": 0.01}[precision]


def test_the_backward_pass_asks_for_the_deepest_layer_first_and_each_when_it_arrives_there(vgg16, content):
    asked = []

    def step(image):
        def layer_gradient(name, value):
            asked.append((name, value.op.inputs[0].op))  # value is a cast of the map, made for this gradient
            return value

        maps, pull_back = vgg16.with_precision("bfloat16").forward_with_vjp(image, LAYERS)
        return pull_back(layer_gradient), maps

    tf.function(step).get_concrete_function(tf.TensorSpec([1, None, None, 3]))
    assert [name for name, _ in asked] == LAYERS[::-1]
    waits = [len(_predecessors(op, "Conv2D")) for _, op in asked]
    assert waits == sorted(set(waits))  # each waits for more of the network's convolutions


def _predecessors(op, kind):
    """Operations of a kind that must run before one runs."""
    found, left = set(), [op]
    while left:
        each = left.pop()
        for before in [*(value.op for value in each.inputs), *each.control_inputs]:
            if before.name not in found:
                found.add(before.name)
                left.append(before)
    return {name for name in found if op.graph.get_operation_by_name(name).type == kind}


def test_the_representation_shows_the_settings():
    network = VGG16(pooling="average")
    assert repr(network) == "VGG16('bundled', pooling='average', precision='float32')"
    assert str(network) == "VGG16('bundled', pooling='average')"
    assert str(VGG16(precision="bfloat16")) == "VGG16('bundled')"


class Sharpened(VGG16):
    def __init__(self, gain):
        super().__init__()
        self.gain = gain


def test_its_fingerprint_is_that_of_class_pooling_and_weights_but_not_of_the_precision(vgg16, tmp_path):
    arrays = {
        f"{name}/{part}": value
        for name, stored in vgg16.arrays.items()
        for part, value in (("kernel", stored.kernel32), ("bias", stored.bias))
    }
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez(tmp_path / "b.npz", **arrays)
    np.savez(tmp_path / "c.npz", **arrays | {"block1_conv1/bias": arrays["block1_conv1/bias"] + 1.0})
    assert VGG16().fingerprint() == vgg16.fingerprint() == vgg16.with_precision("bfloat16").fingerprint()
    vgg16(tf.zeros([1, 16, 16, 3]), ["block1_conv1"])
    assert fingerprint(vgg16) == fingerprint(VGG16())
    assert VGG16(tmp_path / "a.npz").fingerprint() == VGG16(tmp_path / "b.npz").fingerprint()
    different = [
        vgg16,
        VGG16(pooling="average"),
        VGG16(tmp_path / "a.npz"),
        VGG16(tmp_path / "c.npz"),
        Sharpened(1.0),
        Sharpened(2.0),
    ]
    assert len({network.fingerprint() for network in different}) == len(different)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"pooling": "median"}, "'max', 'average' or 'l2', not 'median'"), ({"precision": "int8"}, "not 'int8'")],
)
def test_wrong_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        VGG16(**arguments)


def test_layers_beyond_the_weights_are_refused_by_name(vgg16):
    with pytest.raises(ValueError, match="no layer 'block5_conv2'; it has block1_conv1"):
        vgg16(tf.zeros([1, 32, 32, 3]), ["block5_conv2"])
