"""Extractors by name, and the default: VGG19 if it is available, else the bundled VGG16 with one warning."""

import pytest

from neural_style.errors import WeightsUnavailableError
from neural_style.features import VGG16, default_extractor, named_extractor, registry


@pytest.fixture
def none_built(monkeypatch):
    """A process that has built no extractor yet."""
    monkeypatch.setattr(registry, "BUILT", {})


@pytest.mark.usefixtures("none_built")
def test_the_default_falls_back_with_exactly_one_warning():
    with pytest.warns(UserWarning, match="Pass extractor='vgg16'") as caught:
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
