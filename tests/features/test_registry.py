"""Extractors by name, and the default: VGG19 if it is available, else the bundled VGG16 with one warning."""

import keras
import numpy as np
import pytest

from neural_style import StyleTransfer, metrics
from neural_style.errors import WeightsUnavailableError
from neural_style.features import VGG16, default_extractor, named_extractor, registry
from neural_style.losses import Gram
from neural_style.scales import Relay


@pytest.fixture
def none_built(monkeypatch):
    """A process that has built no extractor yet."""
    monkeypatch.setattr(registry, "BUILT", {})


@pytest.mark.usefixtures("none_built")
def test_the_default_falls_back_with_exactly_one_warning():
    with pytest.warns(UserWarning, match="Extractor 'vgg16' hides this") as caught:
        first, second = default_extractor(), default_extractor()
    assert isinstance(first, VGG16)
    assert second is first
    assert first is named_extractor("vgg16")
    assert len(caught) == 1


@pytest.mark.usefixtures("none_built")
def test_a_network_asked_for_by_name_never_falls_back():
    for _ in range(2):
        with pytest.raises(WeightsUnavailableError, match="vgg19"):
            named_extractor("vgg19")


@pytest.mark.usefixtures("none_built")
def test_vgg19_is_the_default_where_it_can_be_had(monkeypatch):
    here = VGG16()
    monkeypatch.setitem(registry.EXTRACTORS, "vgg19", lambda: here)
    assert default_extractor() is here


def test_a_named_extractor_is_built_once(vgg16):
    assert named_extractor("vgg16") is vgg16


@pytest.mark.usefixtures("none_built")
def test_cleared_extractors_are_built_again():
    first = named_extractor("vgg16")
    registry.clear_extractors()
    assert named_extractor("vgg16") is not first


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no extractor is called 'resnet'; there are lite, vgg16, vgg19"):
        named_extractor("resnet")


class Lists:
    layers = ("shallow", "deep")

    def __call__(self, image, layers):
        return {}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            keras.Sequential([keras.Input((None, None, 3))]),
            r"a Keras model or layer \(Sequential\); wrap it: Keras",
        ),
        (
            keras.layers.Conv2D(3, 3),
            r"layer \(Conv2D\); wrap it: KerasExtractor\(model\), with preprocess=",
        ),
        (VGG16, r"not the class VGG16; write VGG16\(\)"),
        (keras.applications.VGG16, "extractor is an Extractor: it has layers and can be called; function does not"),
        (Lists(), r"extractor \(Lists\) has layers that are no mapping from names to ReceptiveField\(stride, radius\)"),
    ],
)
def test_what_is_no_extractor_is_refused_with_the_remedy_at_every_door(choice, message):
    image = np.zeros((16, 16, 3), np.uint8)
    doors = [
        lambda: registry.as_extractor(choice),
        lambda: StyleTransfer(Gram(), choice),
        lambda: StyleTransfer(Gram(), "lite", relay=Relay(choice)),
        lambda: metrics.style_distance(image, image, extractor=choice),
    ]
    for door in doors:
        with pytest.raises(TypeError, match=message):
            door()
