"""Which extractor comes when none is named: VGG19 if it can be had, else the bundled VGG16 with one warning."""

import pytest

from neural_style.errors import WeightsUnavailableError
from neural_style.features import VGG16, default_extractor, named_extractor, registry


@pytest.fixture
def forgotten(monkeypatch):
    """As in a process that has asked for no extractor yet."""
    monkeypatch.setattr(registry, "_build", registry.functools.cache(registry._build.__wrapped__))
    monkeypatch.setattr(registry, "_default", registry.functools.cache(registry._default.__wrapped__))


@pytest.mark.usefixtures("forgotten")
def test_the_default_falls_back_with_exactly_one_warning():
    with pytest.warns(UserWarning, match="Pass extractor='vgg16'") as caught:
        first, second = default_extractor(), default_extractor()
    assert isinstance(first, VGG16)
    assert second is first
    assert first is named_extractor("vgg16")
    assert len(caught) == 1


@pytest.mark.usefixtures("forgotten")
def test_a_network_asked_for_by_name_never_falls_back():
    for _ in range(2):
        with pytest.raises(WeightsUnavailableError, match="vgg19"):
            named_extractor("vgg19")


@pytest.mark.usefixtures("forgotten")
def test_vgg19_is_the_default_where_it_can_be_had(monkeypatch):
    here = VGG16()
    monkeypatch.setitem(registry.EXTRACTORS, "vgg19", lambda: here)
    assert default_extractor() is here


def test_a_named_extractor_is_built_once(vgg16):
    assert named_extractor("vgg16") is vgg16


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no extractor is called 'resnet'; there are lite, vgg16, vgg19"):
        named_extractor("resnet")
