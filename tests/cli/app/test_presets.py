"""What a visitor can begin with."""

import re

import pytest

from neural_style import samples
from neural_style.cli.app.events import PRESET_FIELDS
from neural_style.cli.app.presets import PAIRS, PRESETS, paintings_strip, pairs_strip
from tests.cli.app.forms import form


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_preset_is_a_look_that_can_be_painted(preset):
    from neural_style.api import QUALITIES
    from neural_style.transfer.controls import COLOR_MODES

    assert tuple(preset) == ("strength", "style_scale", "color", "quality", "size")
    assert set(preset) == set(PRESET_FIELDS)
    assert preset["quality"] in QUALITIES and preset["color"] in COLOR_MODES
    assert (preset["size"] - 128) % 32 == 0, "a position of the slider"
    form(**preset).check()


@pytest.mark.parametrize(("photo", "painting"), PAIRS)
def test_an_example_is_a_photograph_and_a_painting(photo, painting):
    assert (samples.get(photo).kind, samples.get(painting).kind) == ("photograph", "painting")


@pytest.mark.parametrize(("strip", "number"), [(pairs_strip, len(PAIRS)), (paintings_strip, 5)])
def test_every_button_shows_and_names_what_it_stands_for(strip, number):
    html = strip()
    assert re.findall(r'data-index="(\d+)"', html) == [str(index) for index in range(number)]
    assert len(set(re.findall(r'aria-label="([^"]+)"', html))) == number
    assert html.count("data:image/jpeg;base64,") == number
    assert "http" not in html
