"""Keras models as extractors."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from neural_style import StyleTransfer, objective
from neural_style._fingerprint import fingerprint, reason_unidentified
from neural_style.features import Extractor, KerasExtractor, ReceptiveField
from neural_style.losses import Gram
from neural_style.scales import CoarseToFine, SingleScale


@pytest.fixture(scope="module")
def model():
    """Two convolutions with a stride between them, and a head that is no map."""
    image_input = keras.Input((None, None, 3))
    shallow = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="shallow")(image_input)
    deep = keras.layers.Conv2D(5, 3, strides=2, padding="same", name="deep")(shallow)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(deep)
    return keras.Model(image_input, pooled)


@pytest.fixture
def image():
    return tf.constant(np.random.default_rng(0).random((1, 12, 10, 3), np.float32))


def test_every_map_of_a_keras_model_is_offered_with_its_stride(model):
    layers = KerasExtractor(model).layers
    assert {name: field.stride for name, field in layers.items()} == {"shallow": 1, "deep": 2}


def test_maps_are_those_of_the_model_in_the_order_asked_for(model, image):
    maps = KerasExtractor(model)(image, ["deep", "shallow"])
    assert list(maps) == ["deep", "shallow"]
    for name, value in maps.items():
        expected = keras.Model(model.inputs[0], model.get_layer(name).output)(image)
        np.testing.assert_array_equal(value, expected)


def test_a_single_layer_comes_out_as_a_map(model, image):
    assert KerasExtractor(model)(image, ["shallow"])["shallow"].shape == (1, 12, 10, 4)


def test_preprocess_is_applied_before_the_model(model, image):
    plain, doubled = KerasExtractor(model), KerasExtractor(model, lambda x: 2.0 * x)
    np.testing.assert_array_equal(doubled(image, ["deep"])["deep"], plain(2.0 * image, ["deep"])["deep"])


def test_the_submodel_stops_at_the_deepest_layer_asked_for(model, image):
    extractor = KerasExtractor(model)
    graph = tf.function(lambda x: extractor(x, ["shallow"])).get_concrete_function(image).graph
    kinds = [op.type for function in _functions(graph) for op in function.get_operations()]
    assert kinds.count("Conv2D") == 1


def _functions(graph):
    return [graph, *[inner.graph for inner in graph._functions.values() if hasattr(inner, "graph")]]


def test_given_fields_limit_what_is_offered(model, image):
    extractor = KerasExtractor(model, fields={"deep": ReceptiveField(2, 3)})
    assert dict(extractor.layers) == {"deep": ReceptiveField(2, 3)}
    with pytest.raises(ValueError, match="no layer 'shallow'; it has deep"):
        extractor(image, ["shallow"])


# --- models as they come -----------------------------------------------------------------------------


Conv2D = keras.layers.Conv2D


def sequential(*layers, size=(None, None)):
    return keras.Sequential([keras.Input((*size, 3)), *layers])


def strides(model):
    return {name: field.stride for name, field in KerasExtractor(model).layers.items()}


def test_a_sequential_model_offers_its_first_layer(image):
    model = sequential(Conv2D(4, 3, padding="same", name="first"), Conv2D(5, 3, strides=2, padding="same", name="next"))
    assert strides(model) == {"first": 1, "next": 2}
    maps = KerasExtractor(model)(image, ["first", "next"])
    np.testing.assert_array_equal(maps["first"], model.layers[0](image))
    np.testing.assert_array_equal(maps["next"], model(image))


def test_a_sequential_model_of_one_layer_is_a_model():
    assert strides(sequential(Conv2D(4, 3, name="only"))) == {"only": 1}


def test_a_model_built_later_is_run_layer_by_layer(image):
    model = keras.Sequential([Conv2D(4, 3, name="one"), Conv2D(4, 3, name="two")])
    with pytest.raises(
        ValueError, match=r"not built and has no weights yet; call model.build\(\(None, None, None, 3\)"
    ):
        KerasExtractor(model)
    model.build((None, None, None, 3))
    np.testing.assert_array_equal(KerasExtractor(model)(image, ["two"])["two"], model(image))


@pytest.fixture(scope="module")
def classifier():
    """For images of 16x16 pixels only."""
    layers = [Conv2D(4, 3, padding="same", name="conv"), keras.layers.MaxPooling2D(name="pool")]
    return sequential(*layers, keras.layers.Flatten(), keras.layers.Dense(7, name="classes"), size=(16, 16))


def test_a_classifier_of_fixed_size_gives_its_maps_at_any_size(classifier, image):
    assert strides(classifier) == {"conv": 1, "pool": 2}
    maps = KerasExtractor(classifier)(image, ["pool"])
    assert maps["pool"].shape == (1, 6, 5, 4)
    np.testing.assert_array_equal(maps["pool"], tf.nn.max_pool2d(classifier.layers[0](image), 2, 2, "VALID"))
    assert classifier.input_shape == (None, 16, 16, 3)


def test_an_application_with_its_classifier_on_top(image):
    model = keras.applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(96, 96, 3), classes=3)
    extractor = KerasExtractor(model)
    assert extractor.layers["block_3_depthwise"].stride == 8
    assert not {"predictions", "global_average_pooling2d"} & set(extractor.layers)
    assert extractor(image, ["block_1_expand_relu"])["block_1_expand_relu"].shape[:3] == (1, 6, 5)


def test_the_layers_of_inner_models_are_offered(classifier, image):
    base = sequential(Conv2D(4, 3, padding="same", name="deep"), Conv2D(4, 3, padding="same", name="again"))
    base.name = "base"
    outer = sequential(keras.layers.Rescaling(255.0, name="rescaling"), base, Conv2D(3, 1, name="again"))
    extractor = KerasExtractor(outer)
    assert list(extractor.layers) == ["rescaling", "deep", "base/again", "base", "again"]
    maps = extractor(image, ["deep", "base", "base/again", "again"])
    deep = base.layers[0](255.0 * image)
    np.testing.assert_array_equal(maps["deep"], deep)
    np.testing.assert_array_equal(maps["base/again"], base.layers[1](deep))
    np.testing.assert_array_equal(maps["base"], maps["base/again"])
    np.testing.assert_array_equal(maps["again"], outer(image))


def test_an_inner_functional_model_of_fixed_size_with_a_branch(image):
    entry = keras.Input((8, 8, 3))
    left, right = (Conv2D(4, 3, padding="same", name=name)(entry) for name in ("left", "right"))
    inner = keras.Model(entry, keras.layers.Add(name="sum")([left, right]), name="inner")
    whole = keras.Input((8, 8, 3))
    extractor = KerasExtractor(keras.Model(whole, inner(whole), name="outer"))
    assert set(extractor.layers) == {"left", "right", "sum", "inner"}
    maps = extractor(image, ["left", "sum", "right"])
    np.testing.assert_array_equal(maps["sum"], maps["left"] + maps["right"])


def test_layers_that_learn_or_draw_are_at_rest(image):
    norm, drop = keras.layers.BatchNormalization(name="norm"), keras.layers.Dropout(0.5, name="drop")
    model = sequential(keras.layers.RandomFlip(name="flip", seed=1), norm, drop)
    before = [weight.numpy() for weight in model.non_trainable_variables]
    maps = KerasExtractor(model)(image, ["flip", "drop"])
    np.testing.assert_array_equal(maps["flip"], image)
    np.testing.assert_array_equal(maps["drop"], model(image, training=False))
    for weight, value in zip(model.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_only_maps_that_grow_with_the_image_are_offered():
    entry = keras.Input((None, None, 3))
    x = Conv2D(4, 3, padding="same", name="conv")(entry)
    squeezed = keras.layers.GlobalAveragePooling2D(keepdims=True, name="squeezed")(x)
    excited = keras.layers.Multiply(name="excited")([x, squeezed])
    flat = keras.layers.MaxPooling2D((1, 2), name="flat")(excited)
    large = keras.layers.UpSampling2D(2, name="large")(excited)
    fixed = keras.layers.Resizing(32, 32, name="fixed")(large)
    outputs = [flat, Conv2D(2, 3, name="behind")(fixed)]
    assert strides(keras.Model(entry, outputs)) == {"conv": 1, "excited": 1}


def test_strides_are_exact_without_padding():
    """A third of the rows is missing at the border; what each further cell adds tells the stride."""
    layers = [Conv2D(2, 31, strides=2, name="first"), Conv2D(2, 41, strides=3, name="second")]
    assert strides(sequential(*layers)) == {"first": 2, "second": 6}


def test_the_smallest_side_counts_what_is_lost_without_padding():
    """At 8 pixels the second layer has a cell by its stride, and none by its arithmetic; TensorFlow may even crash."""
    layers = [Conv2D(2, 5, strides=2, name="first"), Conv2D(2, 7, strides=2, name="second")]
    extractor = KerasExtractor(sequential(*layers))
    assert [extractor.smallest_side([name]) for name in ("first", "second")] == [5, 17]
    transfer = StyleTransfer(Gram(("second",)), extractor, scales=CoarseToFine(smallest=8, min_side=4, steps=2))
    content, style = np.random.default_rng(1).integers(0, 255, (2, 40, 36, 3), dtype=np.uint8)
    result = transfer.run(content, style, size=40, steps=6)
    assert len(result.history) == 6 and min(min(step.scale) for step in result.history) >= 17
    with pytest.raises(ValueError, match="an image of 14x16 is too small: the layers used need 17 pixels a side"):
        transfer.run(content, style, size=16)


def test_a_branch_that_needs_one_size_hides_no_other():
    entry = keras.Input((16, 16, 3))
    fixed = keras.layers.Reshape((4, 4, 48))(entry)
    model = keras.Model(entry, [Conv2D(2, 1, name="inside")(fixed), Conv2D(2, 3, name="beside")(entry)])
    assert strides(model) == {"beside": 1}


def test_what_is_compiled_of_a_model_is_freed():
    """Also with the custom gradient of an activation of TensorFlow's own."""
    model = sequential(Conv2D(4, 3, activation="silu", name="conv"))
    loss = Gram(("conv",))
    transfer = StyleTransfer(loss, KerasExtractor(model), scales=SingleScale())
    content, style = np.random.default_rng(1).integers(0, 255, (2, 16, 16, 3), dtype=np.uint8)
    transfer.run(content, style, size=16, steps=1)
    evaluate = objective.objective_for((loss,), transfer.settings.extractor).evaluate
    (graph,) = [weakref.ref(compiled.graph) for compiled in evaluate._compiled.values()]
    del transfer, evaluate
    objective.clear_cache()
    gc.collect()
    assert graph() is None


def test_of_many_layers_an_error_lists_the_most_similar():
    layers = [keras.layers.ReLU(name=f"layer_{number}") for number in range(40)]
    with pytest.raises(ValueError, match="no layer 'layer_50'; it has layer_5, .* and 16 others") as error:
        StyleTransfer(Gram(("layer_50",)), KerasExtractor(sequential(*layers)))
    assert len(str(error.value)) < 400


def test_a_layer_that_is_called_twice_gives_its_first_map(image):
    shared, entry = Conv2D(3, 3, padding="same", name="shared"), keras.Input((None, None, 3))
    model = keras.Model(entry, shared(shared(entry)))
    np.testing.assert_array_equal(KerasExtractor(model)(image, ["shared"])["shared"], shared(image))


def test_the_model_stays_as_it_was(classifier, image):
    def state():
        nodes = [len(layer._inbound_nodes) + len(layer._outbound_nodes) for layer in classifier.layers]
        return classifier.to_json(), nodes

    before = state()
    KerasExtractor(classifier)(image, ["pool"])
    assert state() == before


def two_inputs():
    entries = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    return keras.Model(entries, keras.layers.Add()(entries))


def of_shape(*shape, dtype=None):
    entry = keras.Input(shape, dtype=dtype)
    return keras.Model(entry, keras.layers.Identity()(entry), name="mine")


class Own(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: of_shape(8), ValueError, r"'mine' takes \(None, 8\) in place of one image"),
        (two_inputs, ValueError, r"takes \(None, None, None, 3\), \(None, None, None, 3\) in place of one image"),
        (lambda: of_shape(3, None, None), ValueError, "'mine' takes channels first"),
        (lambda: of_shape(None, None, 1), ValueError, "'mine' takes images of 1 channels; give a preprocess"),
        (lambda: of_shape(None, None, 3, dtype="uint8"), ValueError, "'mine' takes uint8, which has no gradient"),
        (lambda: sequential(keras.layers.GlobalMaxPooling2D()), ValueError, "no layer whose output is a map"),
        (
            lambda: sequential(keras.layers.Resizing(8, 8, name="small")),
            ValueError,
            r"'small' has the shape \(1, 8, 8",
        ),
        (lambda: keras.Sequential([Conv2D(2, 3)]), ValueError, "is not built and has no weights yet"),
        (Own, TypeError, "Own is a model class of its own, whose layers Keras does not know; make a functional"),
        (lambda: Conv2D(2, 3), TypeError, "model must be a Keras 3 model, .* not a keras Conv2D"),
        (lambda: keras.applications.VGG16, TypeError, r"not VGG16 itself; call it: VGG16\(\.\.\.\)"),
        (lambda: "model.keras", TypeError, "model must be a Keras 3 model, .* not a builtins str"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(make, error, message):
    with pytest.raises(error, match=message):
        KerasExtractor(make())


def test_other_channels_work_with_a_preprocess(image):
    extractor = KerasExtractor(of_shape(None, None, 1), lambda x: tf.reduce_mean(x, axis=-1, keepdims=True))
    (name,) = extractor.layers
    np.testing.assert_allclose(extractor(image, [name])[name], np.mean(image, axis=-1, keepdims=True), rtol=1e-6)


def test_fields_of_layers_that_the_model_lacks_are_refused(model):
    with pytest.raises(ValueError, match="no layer 'depe'; it has .*shallow, deep"):
        KerasExtractor(model, fields={"depe": ReceptiveField(2, 3)})
    assert KerasExtractor(model, fields={"deep": (2, 3)}).layers["deep"].stride == 2


def test_a_preprocess_is_a_function(model):
    with pytest.raises(TypeError, match="preprocess must be a function of an image, or None, not 'rescale'"):
        KerasExtractor(model, "rescale")


def test_another_backend_of_keras_is_named(model, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="Keras runs on jax in this process"):
        KerasExtractor(model)


@pytest.mark.parametrize("layer", ["pad", "padded", "unpadded", "deep"])
def test_masks_lie_on_the_middle_of_maps_of_other_sizes(layer):
    """A full mask beside an empty one changes nothing: every cell of the map counts, also those of the padding."""
    layers = [
        keras.layers.ZeroPadding2D(3, name="pad"),
        Conv2D(4, 3, strides=2, name="padded"),
        Conv2D(4, 7, name="unpadded"),
        Conv2D(4, 3, strides=2, padding="same", name="deep"),
    ]
    transfer = StyleTransfer(Gram((layer,)), KerasExtractor(sequential(*layers)), scales=SingleScale())
    content, style = np.random.default_rng(1).integers(0, 255, (2, 33, 37, 3), dtype=np.uint8)
    full = np.ones((33, 37), np.float32)
    masked = transfer.run(content, style, size=None, steps=1, masks=[full], style_masks=[full])
    plain = transfer.run(content, style, size=None, steps=1)
    assert masked.history[0].loss == pytest.approx(plain.history[0].loss, rel=1e-5)


def test_it_is_an_extractor(model):
    assert isinstance(KerasExtractor(model), Extractor)


def copy_of(model):
    copied = keras.models.model_from_json(model.to_json())
    copied.set_weights(model.get_weights())
    return copied


def test_its_fingerprint_is_that_of_model_preprocessing_and_fields(model):
    first, same = KerasExtractor(model), KerasExtractor(copy_of(model))
    other = KerasExtractor(keras.models.model_from_json(model.to_json()))  # new random weights
    assert first.fingerprint() == same.fingerprint()
    changed = [
        other,
        KerasExtractor(model, lambda x: 2.0 * x),
        KerasExtractor(model, lambda x: 3.0 * x),
        KerasExtractor(model, fields={"deep": ReceptiveField(2, 3)}),
        KerasExtractor(model, fields={"deep": ReceptiveField(2, 4)}),
    ]
    assert len({each.fingerprint() for each in [first, *changed]}) == 6


def test_its_fingerprint_follows_training_and_ignores_what_was_called(model, image):
    extractor = KerasExtractor(copy_of(model))
    before = extractor.fingerprint()
    extractor(image, ["shallow"])
    assert extractor.fingerprint() == before
    kernel = extractor.model.get_layer("deep").kernel
    kernel.assign(2.0 * kernel)
    assert extractor.fingerprint() != before


def test_preprocessing_that_cannot_be_identified_is_named(model):
    extractor = KerasExtractor(model, iter([lambda x: x]).__next__)
    assert extractor.fingerprint() != extractor.fingerprint()
    for each in (extractor.fingerprint(), fingerprint({"extractor": extractor})):
        assert "method-wrapper has no fields to compare" in reason_unidentified(each)
