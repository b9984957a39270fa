"""Keras models as extractors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neural_style._fingerprint import fingerprint, reason_unidentified
from neural_style.features import Extractor, KerasExtractor, ReceptiveField


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


def test_a_model_without_maps_is_refused():
    numbers = keras.Input((8,))
    with pytest.raises(ValueError, match="no layer whose output is a map"):
        KerasExtractor(keras.Model(numbers, keras.layers.Dense(2)(numbers)))


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
