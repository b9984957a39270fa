"""What a run reports and hands back."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

from neural_style.errors import ImageError
from neural_style.transfer.result import Result, Step


@pytest.fixture
def pixels():
    return np.random.default_rng(0).random((6, 8, 3), np.float32)


@pytest.fixture
def step(pixels):
    return Step(1, 2, (8, 6), (16, 12), 0.5, 1.25, {"style": 1.25}, 0.1, lambda: pixels[None])


@pytest.fixture
def result(pixels, step):
    return Result(pixels, [step.without_image()], {"seed": 0})


def test_a_step_shows_its_canvas(step, pixels):
    np.testing.assert_array_equal(np.asarray(step.image()), np.round(pixels * 255))


def test_a_step_in_a_history_holds_no_picture(step):
    kept = step.without_image()
    assert kept == step
    with pytest.raises(RuntimeError, match="available in callbacks only"):
        kept.image()


@pytest.mark.parametrize("name", ["step", "result"])
def test_records_cannot_be_changed(request, name):
    record = request.getfixturevalue(name)
    field = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, field, None)


def test_the_image_is_the_pixels_rounded(result, pixels):
    assert result.image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(result.image), np.round(pixels * 255))
    assert result.image is result.image


def test_alpha_makes_it_rgba(pixels):
    alpha = np.linspace(0.0, 1.0, 48, dtype=np.float32).reshape(6, 8, 1)
    image = Result(pixels, [], {}, alpha=alpha).image
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image)[..., 3:], np.round(alpha * 255))


def test_saving_and_loading_give_the_image_back(result, tmp_path):
    result.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.asarray(result.image))


def test_a_folder_that_is_missing_is_told(result, tmp_path):
    with pytest.raises(ImageError):
        result.save(tmp_path / "nowhere" / "out.png")


def test_notebooks_see_a_png(result):
    with Image.open(io.BytesIO(result._repr_png_())) as shown:
        assert shown.format == "PNG"
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(result.image))


def test_the_representation_is_short(result):
    assert repr(result) == "<Result 8x6, 1 steps, loss 1.25>"
    assert repr(dataclasses.replace(result, history=[])) == "<Result 8x6, 0 steps>"
    instant = dataclasses.replace(result, history=[], settings={"quality": "instant", "seconds": 0.5})
    assert repr(instant) == "<Result 8x6, one pass>"
    assert instant._repr_html_().endswith("<small>8×6 · one pass · 0.5 s</small>")


def test_notebooks_that_can_show_more_see_what_came_about(result):
    shown = dataclasses.replace(result, settings={"seconds": 2.5}, stopped_by="time")._repr_html_()
    assert shown.endswith("<small>8×6 · 1 steps · 2.5 s · ended by time · loss 1.25 (style 1.25)</small>")
    picture = re.search(r'<img src="data:image/png;base64,([^"]+)">', shown).group(1)
    assert base64.b64decode(picture) == result._repr_png_()
    named = dataclasses.replace(result.history[0], terms={"<b>": 1.0})
    assert "<b>" not in dataclasses.replace(result, history=[named])._repr_html_()
