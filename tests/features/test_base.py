"""The extractor protocol, and Keras models as extractors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neural_style.features import Extractor, Field, KerasExtractor
from neural_style.features.base import check_layers


@pytest.fixture(scope="module")
def model():
    """Two convolutions with a stride between them, and a head that is no map."""
    picture = keras.Input((None, None, 3))
    shallow = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="shallow")(picture)
    deep = keras.layers.Conv2D(5, 3, strides=2, padding="same", name="deep")(shallow)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(deep)
    return keras.Model(picture, pooled)


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
    extractor = KerasExtractor(model, fields={"deep": Field(2, 3)})
    assert dict(extractor.layers) == {"deep": Field(2, 3)}
    with pytest.raises(ValueError, match="no layer 'shallow'; it has deep"):
        extractor(image, ["shallow"])


def test_a_model_without_maps_is_refused():
    numbers = keras.Input((8,))
    with pytest.raises(ValueError, match="no layer whose output is a map"):
        KerasExtractor(keras.Model(numbers, keras.layers.Dense(2)(numbers)))


def test_unknown_layers_are_named_with_the_known_ones():
    with pytest.raises(ValueError, match="no layer 'c'; it has a, b"):
        check_layers(["a", "c"], {"a": Field(1, 1), "b": Field(1, 2)})


def test_anything_with_layers_and_a_call_is_an_extractor(vgg16, model):
    assert isinstance(vgg16, Extractor)
    assert isinstance(KerasExtractor(model), Extractor)
    assert not isinstance(len, Extractor)
