"""Runs without a content or without a style: textures and reconstructions, as ordinary calls."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from neural_style import StyleTransfer, recipes, stylize
from neural_style.losses import Content, Context, Moments, TotalVariation, custom
from neural_style.optimizers import LBFGS
from neural_style.scales import CoarseToFine, SingleScale
from neural_style.transfer import inputs
from tests import tiny

SHALLOW = ("block1_conv1", "block2_conv1", "block3_conv1")
TWO_SCALES = CoarseToFine(smallest=32, steps=8, decay=1.0, min_steps=6)


@pytest.fixture(scope="module")
def transfer(vgg16):
    loss = Content(("block2_conv1",)) + Moments(SHALLOW) + 0.05 * TotalVariation()
    return StyleTransfer(loss, vgg16, scales=TWO_SCALES, optimizer=LBFGS())


def distance(vgg16, loss, painted, goal):
    maps = [vgg16(tf.constant(each[None] / np.float32(1.0)), loss.layers) for each in (painted, goal)]
    if loss.uses_content:
        return float(loss.compare(loss.statistic(maps[0], Context(maps[1])), None))
    return float(loss.compare(*(loss.statistic(each, Context()) for each in maps)))


# --- textures ----------------------------------------------------------------------------------------


def test_a_texture_comes_near_its_style_from_noise(transfer, vgg16, style):
    start, painted = (transfer.run(None, style, size=56, steps=steps).pixels for steps in (0, 24))
    goal = style / np.float32(255.0)
    far, near = (distance(vgg16, Moments(SHALLOW), each, goal) for each in (start, painted))
    assert near < 0.05 * far
    assert np.abs(painted - goal).mean() > 0.1  # not a copy of it


def test_a_texture_reports_no_content(transfer, style):
    result = transfer.run(None, style, size=32, steps=2)
    assert set(result.history[0].terms) == {"style", "total_variation"}
    assert result.settings["init"] == "noise"
    assert "Content" not in result.settings["loss"]


@pytest.mark.parametrize(
    ("size", "expected"), [(48, (48, 36)), ((40, 64), (40, 64)), (None, (80, 60))], ids=["side", "both", "own"]
)
def test_a_texture_has_the_shape_of_its_style_or_the_one_asked_for(size, expected):
    assert tiny.transfer().run(None, tiny.picture(2, 60, 80), size=size, steps=1).image.size == expected


def test_a_texture_of_a_target_is_square():
    transfer = tiny.transfer()
    assert transfer.run(None, transfer.target(tiny.picture(2, 60, 80), size=32), size=32, steps=1).image.size == (
        32,
        32,
    )


def test_regions_and_blends_are_there_for_textures_too():
    left = np.zeros((8, 8))
    left[:, :4] = 1.0
    styles = [tiny.picture(2, 28, 28) // 2, 128 + tiny.picture(3, 28, 28) // 2]
    painted = tiny.transfer().run(None, styles, size=32, steps=20, masks=[left, 1.0 - left]).pixels
    assert painted[:, :14].mean() < painted[:, 18:].mean() - 0.2


def test_noise_is_the_seeds(transfer, style):
    one, same, other = (transfer.run(None, style, size=32, steps=1, seed=seed).pixels for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).mean() > 0.05


# --- reconstructions ---------------------------------------------------------------------------------


def test_a_reconstruction_comes_near_its_content_from_noise(transfer, vgg16, content):
    start, painted = (transfer.run(content, None, size=64, steps=steps).pixels for steps in (0, 24))
    goal = content / np.float32(255.0)
    far, near = (distance(vgg16, Content(("block2_conv1",)), each, goal) for each in (start, painted))
    assert near < 0.05 * far
    assert np.abs(painted - goal).mean() < 0.4 * np.abs(start - goal).mean()


# --- at the door -------------------------------------------------------------------------------------


def test_stylize_makes_both(content, style):
    options = {"size": 40, "steps": 2, "extractor": "vgg16"}
    assert stylize(None, style, **options).size == (40, 40)
    assert stylize(content, None, **options).size == (40, 30)


def gap(features, content, style):
    return tf.reduce_mean(features["image"]) - tf.reduce_mean(content["image"])


@pytest.mark.parametrize(
    ("loss", "content", "style", "message"),
    [
        (Moments(("shallow",)) + TotalVariation(), True, False, "without a style no loss remains"),
        (Content(("deep",)) + TotalVariation(), False, True, "without a content no loss remains"),
        (1.0 * custom(gap, ["image"]), False, True, "without a content no loss remains"),
        (Content(("deep",)) + Moments(("deep",)), False, False, "without a content and style no loss remains"),
    ],
)
def test_nothing_to_paint_is_told(loss, content, style, message):
    transfer = StyleTransfer(loss, tiny.TINY, scales=SingleScale(1))
    with pytest.raises(ValueError, match=message):
        transfer.run(tiny.CONTENT if content else None, tiny.STYLE if style else None, size=32)


@pytest.mark.parametrize(
    ("content", "style", "options", "message"),
    [
        (None, tiny.STYLE, {"init": "content"}, "init='content' needs a content; try 'noise'"),
        (None, tiny.STYLE, {"init": "recolored"}, "init='recolored' needs a content"),
        (tiny.CONTENT, None, {"init": "recolored"}, "init='recolored' needs a style"),
        (None, tiny.STYLE, {"masks": np.eye(3), "background": "content"}, "needs a content"),
        (None, tiny.STYLE, {"color": "content"}, "color='content' needs a content"),
        (tiny.CONTENT, None, {"masks": [np.ones((3, 3))]}, "0 styles need 0 masks, not 1"),
        (tiny.CONTENT, tiny.STYLE, {"size": (32, 24)}, "is for runs without content"),
        (None, tiny.STYLE, {"size": (0, 24)}, r"size is \(width, height\)"),
    ],
)
def test_what_needs_the_missing_picture_is_refused(content, style, options, message):
    with pytest.raises(ValueError, match=message):
        tiny.transfer().run(content, style, **{"size": 32, "steps": 1, **options})


# --- previews ----------------------------------------------------------------------------------------


def test_a_preview_is_the_same_run_at_256_pixels_with_half_the_steps():
    seen = []
    content, style = Image.fromarray(tiny.picture(1, 240, 320)), Image.fromarray(tiny.picture(2, 240, 240))
    stylize(content, style, size=320, extractor="vgg16", preview=True, callbacks=[first_only(seen)])
    (step,) = seen
    assert step.size == (256, 192)
    whole = sum(scale.steps for scale in recipes.DEFAULT.scales((256, 192), None))
    assert step.steps == (whole + 1) // 2


def first_only(seen):
    def watch(step):
        seen.append(step)
        raise StopIteration

    return watch


def test_a_preview_is_never_larger_than_the_picture(content, style):
    assert stylize(content, style, size=40, steps=2, extractor="vgg16", preview=True).size == (40, 30)
    assert stylize(None, style, size=(30, 20), steps=2, extractor="vgg16", preview=True).size == (30, 20)


def test_a_preview_ranks_strengths_as_the_final_picture_does(vgg16, content, style, monkeypatch):
    """In miniature: previews at 40 pixels of pictures at 80, measured in the content's and the style's losses."""
    monkeypatch.setattr("neural_style.api.PREVIEW_SIDE", 40)
    kept, liked = Content(("block3_conv1",)), Moments(SHALLOW)
    large = [np.asarray(Image.fromarray(each).resize((80, side))) for each, side in ((content, 60), (style, 80))]

    def distances(strength, preview):
        painted = np.asarray(
            stylize(*large, size=80, strength=strength, steps=12, extractor=vgg16, preview=preview), np.float32
        )
        goals = [np.asarray(Image.fromarray(each).resize(painted.shape[1::-1]), np.float32) / 255 for each in large]
        return [distance(vgg16, loss, painted / 255, goal) for loss, goal in zip((kept, liked), goals, strict=True)]

    (gentle, bold), (small_gentle, small_bold) = (
        [distances(strength, preview) for strength in (0.25, 0.75)] for preview in (False, True)
    )
    for ranked in ((gentle, bold), (small_gentle, small_bold)):
        assert ranked[0][0] < ranked[1][0]
        assert ranked[0][1] > ranked[1][1]


def test_a_number_starts_from_so_much_noise_in_the_content():
    def start(init):
        return tiny.transfer().run(tiny.CONTENT, tiny.STYLE, size=32, steps=0, init=init, seed=3)

    content, noise = start("content").pixels, start("noise").pixels
    np.testing.assert_array_equal(start(0).pixels, content)
    np.testing.assert_allclose(start(1.0).pixels, noise, atol=1e-6)
    np.testing.assert_allclose(start(0.25).pixels, 0.75 * content + 0.25 * noise, atol=3e-2)  # clipped at another size
    assert start(0.25).settings["init"] == 0.25
    assert start(0.25).settings["init"] != start(0.5).settings["init"]


@pytest.mark.parametrize(
    ("content", "init", "message"),
    [
        (tiny.CONTENT, 1.5, "init as a number is the share of noise and must be between 0 .content. and 1, not 1.5"),
        (tiny.CONTENT, float("nan"), "not nan"),
        (None, 0.5, "mixes noise with the content, but there is none"),
    ],
)
def test_a_share_of_noise_that_cannot_be_is_told(content, init, message):
    with pytest.raises(ValueError, match=message):
        tiny.transfer().run(content, tiny.STYLE, size=32, steps=0, init=init)


# --- the content's detail ----------------------------------------------------------------------------


def test_a_growing_canvas_is_given_the_contents_detail(content, style, vgg16):
    """With no step in between, all of it makes the content again, and half of it half of what was lost."""
    floats = content / np.float32(255.0)
    lost, half, none = (
        StyleTransfer(Content(("block2_conv1",)) + Moments(SHALLOW), vgg16, scales=TWO_SCALES, detail_strength=detail)
        .run(content, style, size=64, steps=0)
        .pixels
        - floats
        for detail in (0.0, 0.5, 1.0)
    )
    assert np.abs(lost).mean() > 0.004
    assert np.abs(none).max() < 1e-5
    assert np.abs(half).mean() == pytest.approx(0.5 * np.abs(lost).mean(), rel=0.1)


def test_a_canvas_that_began_as_something_else_gets_no_detail(content, style, vgg16):
    painter = StyleTransfer(
        Content(("block2_conv1",)) + Moments(SHALLOW), vgg16, scales=TWO_SCALES, detail_strength=1.0
    )
    assert painter.run(content, style, size=64, steps=0, init="noise").settings["detail_strength"] == 0.0
    assert painter.run(None, style, size=64, steps=0).settings["detail_strength"] == 0.0


def test_detail_is_the_default_recipes_with_its_loss_and_none_with_another(vgg16):
    assert StyleTransfer(extractor=vgg16).settings.detail_strength == recipes.DEFAULT.detail_strength == 0.4
    assert StyleTransfer(recipes.DEFAULT.loss(), vgg16).settings.detail_strength == 0.0


def test_detail_outside_its_range_is_refused(vgg16):
    with pytest.raises(ValueError, match="between 0 and 1"):
        StyleTransfer(extractor=vgg16, detail_strength=1.5)


def test_masks_that_do_not_fit_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr(inputs, "available_bytes", lambda: 10**7)
    options = {"size": 4000, "masks": np.ones((2, 2)), "steps": 1}
    with pytest.raises(MemoryError, match=r"masks and previous frames of 4000x3000 pixels .* Try size=\d+ or less"):
        tiny.transfer().run(tiny.CONTENT, tiny.STYLE, **options)
