"""What a user makes can be pickled, to be sent to another process, and copied."""

import copy
import dataclasses
import functools
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from neural_style import Checkpoint, KerasExtractor, StyleTransfer, callbacks, losses, optimizers, recipes, scales
from neural_style.features import VGG16, Lite, ReceptiveField
from neural_style.losses import Gram, custom
from tests.tiny import CONTENT, STYLE, TINY, transfer

WAYS = {"pickle": lambda value: pickle.loads(pickle.dumps(value)), "deepcopy": copy.deepcopy}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def again(request):
    return request.param


def mean_square(features, content, style):
    return tf.reduce_mean(tf.square(features["image"] - content["image"]))


def doubled(image):
    return 2.0 * image


NEEDS_NO_ARGUMENT = [
    made()
    for room in (losses, optimizers, scales)
    for name in room.__all__
    if dataclasses.is_dataclass(made := getattr(room, name)) and name not in ("Context", "Custom", "Term")
]
VALUES = [
    *NEEDS_NO_ARGUMENT,
    0.3 * losses.Content() + Gram(),
    custom(mean_square, ["image"]),
    *recipes.RECIPES.values(),
    ReceptiveField(2, 3),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_description_comes_back_equal(value, again):
    assert again(value) == value


@pytest.mark.parametrize(
    "value",
    [callbacks.EarlyStopping(), callbacks.TimeLeft(), callbacks.SaveEvery("a.png", 5), Checkpoint("run.npz")],
    ids=lambda value: type(value).__name__,
)
def test_callbacks_and_checkpoints_come_back(value, again):
    assert vars(again(value)).keys() == vars(value).keys()


# --- transfers and networks --------------------------------------------------------------------------


def test_a_transfer_paints_the_same_bits(again):
    made = transfer()
    made.run(CONTENT, STYLE, size=32, steps=2)  # compiled functions are not part of it
    pixels = again(made).run(CONTENT, STYLE, size=32, steps=4).pixels
    np.testing.assert_array_equal(pixels, made.run(CONTENT, STYLE, size=32, steps=4).pixels)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("make", [Lite, functools.partial(VGG16, pooling="average")], ids=["lite", "vgg16"])
def test_a_network_computes_the_same_maps(make, precision, again):
    network = make(precision=precision)
    image, layers = tf.constant(CONTENT[None] / np.float32(255)), ["block1_conv1", "block2_conv1"]
    maps, found = network(image, layers), again(network)(image, layers)
    for layer in layers:
        np.testing.assert_array_equal(found[layer], maps[layer])
    assert repr(again(network)) == repr(network)
    assert again(network).fingerprint() == network.fingerprint()
    assert dict(again(network).layers) == dict(network.layers)


def test_equal_networks_that_are_unpickled_share_what_they_compile():
    sent = pickle.dumps(Lite()), pickle.dumps(Lite(precision="bfloat16")), pickle.dumps(VGG16())
    first, other, deeper = map(pickle.loads, sent)
    assert pickle.loads(sent[0]) is first
    assert other is first.with_precision("bfloat16") and other.with_precision("float32") is first
    assert deeper is not first
    assert copy.deepcopy(first) is first


class Louder(Lite):
    gain = 1.0

    def __call__(self, image, layers):
        return {layer: self.gain * value for layer, value in super().__call__(image, layers).items()}


def test_a_subclass_of_ones_own_comes_back_as_a_copy(again):
    made = Louder()
    made.gain = 2.0
    found = again(made)
    found.gain = 3.0
    image = tf.constant(CONTENT[None] / np.float32(255))
    two, three = (each(image, ["block1_conv1"])["block1_conv1"] for each in (made, found))
    np.testing.assert_allclose(three, 1.5 * two, rtol=1e-6)
    assert type(found) is Louder and again(made) is not made


def test_a_keras_extractor_comes_back_with_its_model(again):
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    made = KerasExtractor(model, doubled)
    image = tf.constant(CONTENT[None] / np.float32(255))
    expected = made(image, ["conv"])["conv"]
    found = again(made)
    assert found.fingerprint() == made.fingerprint()
    model.layers[0].kernel.assign(tf.zeros_like(model.layers[0].kernel))  # its model is its own
    np.testing.assert_array_equal(found(image, ["conv"])["conv"], expected)
    StyleTransfer(Gram(("conv",)), found, scales=scales.SingleScale()).run(CONTENT, STYLE, size=32, steps=1)


@pytest.mark.parametrize(
    "value",
    [
        custom(lambda features, content, style: tf.zeros([]), "image"),
        StyleTransfer(custom(lambda *_: 0.0, "image"), TINY),
    ],
    ids=["loss", "transfer"],
)
def test_a_function_without_a_name_is_named_as_what_is_in_the_way(value):
    with pytest.raises((pickle.PicklingError, AttributeError), match="<lambda>"):
        pickle.dumps(value)
    assert type(copy.deepcopy(value)) is type(value)


# --- what a run gives --------------------------------------------------------------------------------


def test_results_steps_and_targets_come_back(again):
    steps = []
    made = transfer()
    result = made.run(CONTENT, STYLE, size=32, steps=4, callbacks=[steps.append])
    found = again(result)
    np.testing.assert_array_equal(found.pixels, result.pixels)
    assert (found.history, found.settings, found.stopped_by) == (result.history, result.settings, result.stopped_by)
    assert again(steps[-1]) == steps[-1]
    np.testing.assert_array_equal(again(steps[-1]).image(), steps[-1].image())
    with pytest.raises(RuntimeError, match="has no image"):
        again(result.history[0]).image()
    target = made.target(STYLE, size=32)
    painted = [made.run(CONTENT, each, size=32, steps=2).pixels for each in (target, again(target))]
    np.testing.assert_array_equal(*painted)
