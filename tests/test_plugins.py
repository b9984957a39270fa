"""Plug-ins: an installed distribution, the names it provides, and a broken one."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest

from neural_style import plugins, recipes, stylize
from neural_style.features import named_extractor
from neural_style.losses import Content, Gram

PACKAGE = """
from tests.tiny import LOSS, TWO_SCALES, Tiny
from neural_style.losses import Content, Gram
from neural_style.optimizers import Adam
from neural_style.recipes import Recipe

QUICK = Recipe("quick", "nobody's", 0.1 * Content(("deep",)), 1.0 * Gram(("shallow",)), TWO_SCALES, Adam())
NUMBER = 3


def no_extractor():
    return NUMBER
"""

ENTRY_POINTS = """
[neural_style.extractors]
tiny = neural_style_tiny:Tiny
odd = neural_style_tiny:no_extractor
vgg16 = neural_style_tiny:no_extractor
broken = neural_style_broken:Extractor

[neural_style.recipes]
quick = neural_style_tiny:QUICK
number = neural_style_tiny:NUMBER
broken = neural_style_broken:RECIPE
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder in which pip has installed the distribution `neural-style-tiny`."""
    place = tmp_path_factory.mktemp("plugin")
    wheel = place / "neural_style_tiny-1.0-py3-none-any.whl"
    info = "neural_style_tiny-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("neural_style_tiny.py", PACKAGE)
        archive.writestr("neural_style_broken.py", "raise OSError('a library is missing')")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: neural-style-tiny\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", ENTRY_POINTS)
        archive.writestr(f"{info}/RECORD", "")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*pip, str(place / "site"), str(wheel)], check=True, capture_output=True, timeout=120)
    return place / "site"


@pytest.fixture
def found(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    yield
    for module in ("neural_style_tiny", "neural_style_broken"):
        sys.modules.pop(module, None)


def test_without_plugins_there_are_only_the_names_of_this_package():
    assert plugins.names("extractors") == plugins.names("recipes") == []
    with pytest.raises(ValueError, match="no recipe is called 'quick'; there are default, moments, gatys2016"):
        recipes.get("quick")


@pytest.mark.usefixtures("found")
def test_plugins_are_listed_and_not_imported():
    assert plugins.names("extractors") == ["broken", "odd", "tiny", "vgg16"]
    assert plugins.names("recipes") == ["broken", "number", "quick"]
    with pytest.raises(ValueError, match=r"no extractor is called 'smal'; there are broken, .*tiny, vgg16, vgg19"):
        named_extractor("smal")
    assert not {"neural_style_tiny", "neural_style_broken"} & set(sys.modules)


@pytest.mark.usefixtures("found")
def test_a_plugins_extractor_and_recipe_are_used():
    image = np.random.default_rng(0).random((24, 32, 3), np.float32)
    painted = stylize(image, image[::-1], size=32, steps=2, extractor="tiny", recipe="quick")
    assert painted.size == (32, 24)
    assert recipes.get("quick").loss().names == ("content", "style")
    assert recipes.get("quick").content == 0.1 * Content(("deep",))
    assert recipes.get("quick").style == 1.0 * Gram(("shallow",))


@pytest.mark.usefixtures("found")
def test_a_broken_plugin_fails_only_when_it_is_requested(vgg16):
    message = r"the plug-in 'broken' of neural-style-tiny does not load \(OSError: a library is missing\)"
    with pytest.raises(ValueError, match=message) as error:
        named_extractor("broken")
    assert isinstance(error.value.__cause__, OSError)
    with pytest.raises(ValueError, match=message):
        stylize("a.png", "b.png", recipe="broken")
    assert recipes.get("default") is recipes.DEFAULT


@pytest.mark.usefixtures("found")
def test_objects_of_another_type_are_refused():
    with pytest.raises(TypeError, match="the plug-in 'number' of neural-style-tiny is of type int, not Recipe"):
        recipes.get("number")
    with pytest.raises(TypeError, match="what the plug-in 'odd' returns is an Extractor: .* int does not"):
        named_extractor("odd")


@pytest.mark.usefixtures("found")
def test_the_names_of_this_package_take_precedence(vgg16):
    assert named_extractor("vgg16") is vgg16
