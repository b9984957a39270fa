"""What the page's fields mean to `stylize`."""

import numpy as np
import pytest
from PIL import Image

from neural_style import samples
from neural_style.cli.app.form import BRUSH_OPACITY
from neural_style.cli.app.words import Problem
from tests.cli.app.forms import form

WAVE = str(samples.path("great_wave"))


def stroke(width=8, height=6):
    """An editor's value: a stroke over the left half."""
    layer = np.zeros((height, width, 4), np.uint8)
    layer[:, : width // 2, 3] = round(255 * BRUSH_OPACITY)
    return {"background": None, "layers": [Image.fromarray(layer)], "composite": None}


def test_a_style_without_weight_is_left_out():
    assert form(style_2=WAVE, weight_1=0.0, weight_2=0.5).styles == [(WAVE, 0.5)]


def test_options_are_those_of_stylize():
    from neural_style.api import Options, check_options

    options = form(steps=0, seed=None, where="brushed", brush=stroke()).options()
    check_options("stylize", options, Options)
    assert (options["steps"], options["seed"], options["background"]) == (None, 0, "content")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_brushed_region_is_shared_by_all_styles(number):
    styles = dict(list({"style_2": WAVE, "style_3": WAVE}.items())[: number - 1])
    masks = form(where="brushed", brush=stroke(), **styles).masks()
    assert len(masks) == number
    total = np.sum(masks, axis=0)
    assert total[:, :4].min() >= 254 and not total[:, 4:].any()


def test_the_first_style_goes_where_the_brush_did_not():
    outside, inside = form(where="second", brush=stroke(), style_2=WAVE).masks()
    assert (inside[:, :4] == 255).all() and not inside[:, 4:].any()
    np.testing.assert_array_equal(outside, 255 - inside)


@pytest.mark.parametrize("brush", [None, {"layers": []}, {"layers": [Image.new("RGBA", (4, 4))]}])
def test_a_region_needs_a_stroke(brush):
    with pytest.raises(Problem, match="Brush over a part"):
        form(where="brushed", brush=brush).check()
    form(brush=brush).check()


def test_a_preview_is_small_and_in_one_pass():
    preview = form(size=4000, recipe="gatys2016", steps=9, strength=0.9).preview()
    assert (preview.size, preview.quality, preview.recipe, preview.steps) == (512, "instant", "default", None)
    assert preview.strength == 0.9
    assert form(size=128).preview().size == 128
