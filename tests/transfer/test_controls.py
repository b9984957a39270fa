"""What an artist asks for, measured on the network that ships: regions, kept colors, blends and stroke size."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from neural_style import StyleTransfer, images, recipes, stylize
from neural_style.color import to_oklab
from neural_style.errors import CheckpointError
from neural_style.losses import Content, Context, Gram, Moments, RelaxedEMD, Sinkhorn, TotalVariation, custom
from neural_style.optimizers import LBFGS, Adam
from neural_style.scales import CoarseToFine, SingleScale
from neural_style.transfer.controls import Controls
from tests import tiny

SHALLOW = ("block1_conv1", "block2_conv1", "block3_conv1")
STYLE = Moments(SHALLOW)
TWO_SCALES = CoarseToFine(smallest=32, steps=8, decay=1.0, min_steps=6)


@pytest.fixture(scope="module")
def transfer(vgg16):
    """Style with a little content, over 32 and 64 pixels."""
    loss = 0.02 * Content(("block3_conv1",)) + STYLE + 0.2 * TotalVariation()
    return StyleTransfer(loss, vgg16, scales=TWO_SCALES, optimizer=LBFGS(), precision="float32")


@pytest.fixture(scope="module")
def floats(content):
    return content / np.float32(255.0)


@pytest.fixture(scope="module")
def tints(style):
    """The style in red, and upright in blue."""
    red, blue = (np.clip(0.5 * style + tint, 0, 255).astype(np.uint8) for tint in ((120, 40, 0), (0, 40, 120)))
    return [red, blue.transpose(1, 0, 2)]


def halves(height=48, width=64):
    left = np.zeros((height, width), bool)
    left[:, : width // 2] = True
    return left, ~left


def apart(vgg16, pixels, style, loss=STYLE):
    """How far the style statistics of two pictures are apart; floats or uint8."""

    def statistic(picture):
        floats = picture / 255.0 if picture.dtype == np.uint8 else picture
        return loss.statistic(vgg16(tf.constant(floats[None], tf.float32), SHALLOW), Context())

    return float(loss.compare(statistic(pixels), statistic(style)))


# --- masks -------------------------------------------------------------------------------------------


def test_each_region_takes_its_own_style_and_not_the_others(transfer, vgg16, content, tints, floats):
    painted = transfer.run(content, tints, size=64, steps=14, masks=list(halves())).pixels
    regions = painted[:, :28], painted[:, 36:]  # a little off the border, which sees both
    before = floats[:, :28], floats[:, 36:]
    for own, region, untouched in zip((0, 1), regions, before, strict=True):
        to_own, to_other = apart(vgg16, region, tints[own]), apart(vgg16, region, tints[1 - own])
        assert to_own < 0.4 * to_other
        assert to_own < 0.4 * apart(vgg16, untouched, tints[own])


def test_losses_that_search_paint_each_region_in_its_own_style_too(vgg16, content, tints):
    """By transport, which asks for all of a region's style and nothing of the other's."""
    loss = Sinkhorn(SHALLOW[:2], max_vectors=256) + 0.2 * RelaxedEMD(SHALLOW)
    transfer = StyleTransfer(loss, vgg16, scales=TWO_SCALES, optimizer=LBFGS(), precision="float32")
    painted = transfer.run(content, tints, size=48, steps=16, masks=list(halves())).pixels
    for own, region in enumerate((painted[:, :21], painted[:, 27:])):
        assert apart(vgg16, region, tints[own]) < 0.3 * apart(vgg16, region, tints[1 - own])


def test_a_kept_target_of_a_loss_that_searches_serves_no_masks():
    transfer = tiny.transfer(1.0 * RelaxedEMD(("deep",)))
    kept = transfer.target(tiny.STYLE, size=32)
    with pytest.raises(ValueError, match="cannot use a StyleTarget with masks: pass the style's image"):
        transfer.run(tiny.CONTENT, kept, size=32, masks=np.ones((2, 2)))


def test_regions_run_tiled_as_they_run_whole():
    """On a small network: the same but for the last digits, at an odd size and with soft masks of other sizes."""
    content, styles = tiny.picture(1, 60, 80), [tiny.picture(2, 52, 44), tiny.picture(3, 40, 64)]
    soft = np.tile(np.linspace(1.0, 0.0, 30, dtype=np.float32), (20, 1))
    options = {"size": 75, "steps": 6, "masks": [soft, 1.0 - soft], "style_masks": [None, soft]}
    loss = 0.1 * Content(("deep",)) + Gram(("shallow", "deep")) + 0.1 * TotalVariation()
    steady = Adam(epsilon=1e-5)  # with less, it makes much of a last digit where a gradient is next to nothing
    whole, tiled = (
        StyleTransfer(loss, tiny.TINY, scales=tiny.TWO_SCALES, optimizer=steady, tile=tile).run(
            content, styles, **options
        )
        for tile in (None, 16)
    )
    assert tiled.settings["tile"] == 16
    np.testing.assert_allclose([step.loss for step in tiled.history], [step.loss for step in whole.history], rtol=1e-4)
    assert np.abs(tiled.pixels - whole.pixels).max() < 1 / 255
    assert np.abs(whole.pixels - images.resize(content[None] / 255.0, (75, 56))[0]).max() > 20 / 255


def test_the_background_stays_the_content_exactly(transfer, vgg16, content, style, floats):
    disc = np.hypot(*np.mgrid[-24:24, -32:32]) < 14
    result = transfer.run(content, style, size=64, steps=8, masks=disc, background="content")
    np.testing.assert_array_equal(result.pixels[~disc], floats[~disc])
    assert np.abs(result.pixels[disc] - floats[disc]).mean() > 0.03
    assert result.settings["background"] == "content"
    assert result.settings["masks"] == 1


def test_what_is_painted_over_a_background_does_not_depend_on_what_it_starts_as(transfer, content, style, floats):
    """The background is no part of the canvas: noise there is neither seen by the losses nor shown."""
    left, _ = halves()
    result = transfer.run(content, style, size=64, steps=6, masks=left, background="content", init="noise")
    np.testing.assert_array_equal(result.pixels[~left], floats[~left])


def test_a_soft_mask_lets_the_content_through(transfer, content, style, floats):
    half = np.full((48, 64), 0.5)
    shown = transfer.run(content, style, size=64, steps=4, masks=half, background="content", init=np.ones((4, 4)))
    assert (shown.pixels >= 0.5 * floats - 1e-6).all()
    assert (shown.pixels <= 0.5 * floats + 0.5 + 1e-6).all()


def test_watchers_see_the_background_too(transfer, content, style, floats):
    left, _ = halves()
    seen = []

    def watch(step):
        seen.append(np.asarray(step.image()))

    transfer.run(content, style, size=64, steps=8, masks=left, background="content", callbacks=[watch])
    np.testing.assert_array_equal(seen[-1][:, 32:], content[:, 32:])


def test_a_style_mask_leaves_the_rest_of_the_style_out(transfer, vgg16, content, tints):
    both = np.concatenate([tints[0], tints[1]], axis=1)
    left, _ = halves(56, 112)
    painted = transfer.run(content, both, size=64, steps=12, style_masks=[left]).pixels
    assert apart(vgg16, painted, tints[0]) < 0.5 * apart(vgg16, painted, tints[1])


def strokes(seed=2):
    """A style, its alpha that leaves the right half out, and both as one image."""
    seen = np.zeros((28, 28), np.uint8)
    seen[:, :14] = 255
    colors = tiny.picture(seed, 28, 28)
    return colors, seen, np.dstack([colors, seen])


@pytest.mark.parametrize(
    "options", [{}, {"init": "recolored"}, {"color": "match"}, {"color": "histogram"}], ids=lambda each: str(each)
)
def test_what_is_transparent_in_a_style_counts_as_little_as_what_a_style_mask_leaves_out(options):
    colors, seen, both = strokes()
    filled = images.load(both)[0]  # with the mean visible color under transparency
    options = {"size": 28, "steps": 4} | options
    run = tiny.transfer().run
    by_alpha, by_mask, plain = (
        run(tiny.CONTENT, style, **options, **masks).pixels
        for style, masks in ((both, {}), (filled, {"style_masks": [seen]}), (colors, {}))
    )
    np.testing.assert_allclose(by_alpha, by_mask, atol=1e-6)
    assert np.abs(plain - by_mask).max() > 0.02


def test_a_style_mask_selects_among_what_is_visible():
    _, seen, both = strokes()
    top = np.zeros((28, 28), bool)
    top[:14] = True
    options = {"size": 28, "steps": 4}
    run = tiny.transfer().run
    found = run(tiny.CONTENT, both, style_masks=[top], **options).pixels
    expected = run(tiny.CONTENT, images.load(both), style_masks=[top & (seen > 0)], **options).pixels
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ValueError, match="style mask 1 covers only transparent parts of style 1"):
        run(tiny.CONTENT, both, style_masks=[seen == 0], **options)


def test_a_kept_target_leaves_out_what_is_transparent_too():
    both = strokes()[2]
    transfer, options = tiny.transfer(), {"size": 28, "steps": 2}
    kept = transfer.target(both, size=28)
    found, expected = (transfer.run(tiny.CONTENT, style, **options).pixels for style in (kept, both))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_style_of_which_nothing_is_visible_is_refused():
    both = strokes()[2]
    both[..., 3] = 0
    with pytest.raises(ValueError, match="style 2 is transparent everywhere"):
        tiny.transfer().run(tiny.CONTENT, [tiny.STYLE, both], size=28, steps=1)


def test_a_loss_that_takes_no_masks_refuses_a_transparent_style():
    with pytest.raises(ValueError, match="accepts no masks; the transparency of a style is one"):
        tiny.transfer(custom(first_mean, ["image"])).run(tiny.CONTENT, strokes()[2], size=28, steps=1)


def first_mean(features, content, style):
    return (features["image"][0, 0, 0, 0] - style["image"][0, 0, 0, 0]) ** 2


def test_style_masks_may_come_in_pairs_with_masks():
    left, right = halves()
    pairs, apart = (
        tiny.transfer().run(tiny.CONTENT, [tiny.STYLE, tiny.CONTENT], size=32, steps=4, **options).pixels
        for options in (
            {"masks": [(left, right), right]},
            {"masks": [left, right], "style_masks": [right, None]},
        )
    )
    np.testing.assert_array_equal(pairs, apart)
    assert np.abs(pairs - tiny.transfer().run(tiny.CONTENT, tiny.STYLE, size=32, steps=4).pixels).max() > 0.01


def test_a_style_weighs_more_in_a_region_it_shares(transfer, vgg16, content, tints):
    everywhere = np.ones((4, 4))

    def redness(weight):
        styles = [(tints[0], weight), (tints[1], 1.0)]
        pixels = transfer.run(content, styles, size=32, steps=8, masks=[everywhere, everywhere]).pixels
        return float(pixels[..., 0].mean() - pixels[..., 2].mean())

    assert redness(0.1) < redness(10.0) - 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": [np.ones((4, 4))]}, "2 styles need 2 masks, not 1"),
        ({"masks": [np.ones((4, 4))] * 3}, "2 styles need 2 masks, not 3"),
        ({"style_masks": [np.ones((4, 4))]}, "2 styles need 2 style_masks, not 1"),
        ({"masks": [np.ones((4, 4)), np.zeros((4, 4))]}, "mask 2 is 0 everywhere"),
        ({"masks": [np.ones((4, 4)), None]}, "if there are masks, every style needs one"),
        ({"masks": [np.eye(4), np.eye(4)]}, "% of the image uncovered"),
        ({"style_masks": [np.zeros((4, 4)), None]}, "style mask 1 is 0 everywhere"),
        ({"masks": [(np.ones((4, 4)), None)] * 2, "style_masks": [None, None]}, "not both"),
        ({"masks": [(np.ones((4, 4)),), np.ones((4, 4))]}, "a mask must be one mask, or a pair"),
        ({"background": "content"}, "needs masks"),
        ({"background": "black", "masks": [np.ones((4, 4))] * 2}, "background must be 'content' or None"),
        ({"color": "blue"}, "color must be one of 'style', 'content', 'match', 'histogram'"),
        ({"color_strength": 1.5}, "color_strength must be between 0 and 1"),
        ({"style_scale": 0.0}, "style_scale must be above 0"),
        ({"style_scale": float("nan")}, "style_scale must be above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(transfer, content, tints, options, message):
    with pytest.raises(ValueError, match=message):
        transfer.run(content, tints, size=32, **options)


def test_without_a_style_term_masks_change_nothing(vgg16, content, tints, floats):
    transfer = StyleTransfer(Content(("block3_conv1",)) + 0.0 * STYLE, vgg16, scales=TWO_SCALES)
    painted = transfer.run(content, tints, size=64, steps=2, masks=list(halves())).pixels
    np.testing.assert_allclose(painted, floats, atol=1e-6)


def mean_gap(features, content, style):
    return (tf.reduce_mean(features["image"]) - tf.reduce_mean(style["image"])) ** 2


def test_a_loss_that_is_no_sum_takes_no_masks(vgg16, content, style):
    transfer = StyleTransfer(custom(mean_gap, ["image"]), vgg16, scales=SingleScale(1))
    with pytest.raises(ValueError, match="'mean_gap' is no sum over positions, so it accepts no masks"):
        transfer.run(content, style, size=32, masks=np.ones((4, 4)))


def test_masks_are_inputs_of_a_checkpoint(tmp_path):
    def paint(**options):
        return tiny.transfer().run(
            tiny.CONTENT, tiny.STYLE, size=32, steps=4, background="content", checkpoint=tmp_path / "run.npz", **options
        )

    left, right = halves()
    first = paint(masks=left)
    np.testing.assert_array_equal(paint(masks=left).pixels, first.pixels)
    with pytest.raises(CheckpointError, match="masks differs"):
        paint(masks=right)
    with pytest.raises(CheckpointError, match="color was 'style' and is 'content' now"):
        paint(masks=left, color="content")


# --- color ------------------------------------------------------------------------------------------


def test_the_contents_colors_are_kept_within_what_an_eye_tells(transfer, content, style, floats):
    """Mean Oklab distance of the colors, a and b; where the painting's lightness allows no such color it is more."""
    kept, free = (transfer.run(content, style, size=64, color=color).pixels for color in ("content", "style"))
    colors, wanted = to_oklab(kept)[..., 1:], to_oklab(floats)[..., 1:]
    gaps = np.linalg.norm(colors - wanted, axis=-1)
    assert gaps.mean() < 0.02
    assert np.linalg.norm(to_oklab(free)[..., 1:] - wanted, axis=-1).mean() > 4 * gaps.mean()
    np.testing.assert_allclose(to_oklab(kept)[..., 0], to_oklab(free)[..., 0], atol=5e-3)


def test_color_strength_is_how_far_it_goes(transfer, content, style):
    def paint(color, strength):
        return transfer.run(content, style, size=32, steps=4, color=color, color_strength=strength).pixels

    plain = paint("style", 1.0)
    for color in ("content", "match", "histogram"):
        np.testing.assert_allclose(paint(color, 0.0), plain, atol=2e-3)
    half, whole = (np.abs(paint("content", strength) - plain).mean() for strength in (0.5, 1.0))
    assert 0 < half < whole


@pytest.mark.parametrize("color", ["match", "histogram"])
def test_a_style_in_the_contents_palette_paints_in_it(transfer, content, style, floats, color):
    def gap(pixels):
        return np.abs(to_oklab(pixels).mean(axis=(0, 1)) - to_oklab(floats).mean(axis=(0, 1))).sum()

    free, matched = (transfer.run(content, style, size=64, color=each).pixels for each in ("style", color))
    assert gap(matched) < 0.5 * gap(free)
    assert np.abs(matched - floats).mean() > 0.02


def test_a_palette_needs_a_content_to_come_from(transfer, style):
    with pytest.raises(ValueError, match="color='match' needs a content"):
        transfer.run(None, style, size=32, color="match")


def test_a_recolored_start_has_each_regions_palette(transfer, content, tints):
    start = transfer.run(content, tints, size=64, steps=0, init="recolored", masks=list(halves())).pixels
    for region, tint in ((start[:, :30], tints[0]), (start[:, 34:], tints[1])):
        np.testing.assert_allclose(region.mean(axis=(0, 1)), tint.mean(axis=(0, 1)) / 255.0, atol=0.12)


# --- blends ------------------------------------------------------------------------------------------


def test_a_blend_lies_between_its_styles_and_nearer_to_the_heavier(vgg16, content, tints):
    """In Gram matrices, of which the blend's target is the weighted mean."""
    transfer = StyleTransfer(Moments(SHALLOW), vgg16, scales=TWO_SCALES, optimizer=LBFGS())

    def distances(style):
        pixels = transfer.run(content, style, size=64, steps=24).pixels
        return [apart(vgg16, pixels, tint, Gram(SHALLOW)) for tint in tints]

    red, mixed, blue = (distances(each) for each in (tints[0], [(tints[0], 0.3), (tints[1], 0.7)], tints[1]))
    assert red[0] < mixed[0] < blue[0]
    assert blue[1] < mixed[1] < red[1]
    assert mixed[1] < mixed[0]


# --- stroke size -------------------------------------------------------------------------------------


def spectral_mean(pixels):
    """Mean frequency of the brightness, in cycles a pixel, weighted by its power."""
    gray = pixels.mean(axis=-1)
    gray = gray - gray.mean()
    power = np.abs(np.fft.rfft2(gray * np.outer(*(np.hanning(side) for side in gray.shape)))) ** 2
    frequency = np.hypot(np.fft.fftfreq(gray.shape[0])[:, None], np.fft.rfftfreq(gray.shape[1])[None])
    return float((power * frequency).sum() / power.sum())


def test_larger_strokes_have_lower_frequencies(vgg16, content):
    rows, columns = np.mgrid[0:112, 0:112]
    waves = 128 + 80 * np.sin(columns / 5.0 + 3 * np.sin(rows / 9.0))
    style = np.repeat(waves[..., None], 3, axis=-1).astype(np.uint8)
    loss = Moments(SHALLOW) + 0.5 * TotalVariation()
    transfer = StyleTransfer(loss, vgg16, scales=TWO_SCALES, optimizer=LBFGS())
    fine, plain, coarse = (
        spectral_mean(transfer.run(content, style, size=56, steps=16, style_scale=scale).pixels)
        for scale in (0.5, 1.0, 2.0)
    )
    assert plain < 0.7 * fine
    assert coarse < 0.7 * plain


# --- all together ------------------------------------------------------------------------------------


def test_stylize_hands_every_control_on(content, tints, vgg16):
    left, right = halves()
    options = {"masks": [left, right], "style_masks": [None, np.eye(9)], "color": "content", "style_scale": 0.8}
    shallow = dataclasses.replace(recipes.DEFAULT, content=1.0 * Content(SHALLOW[:1]), style=1.0 * Moments(SHALLOW[:2]))
    options |= {"color_strength": 0.5, "size": 32, "steps": 2, "recipe": shallow}
    seen = []
    picture = stylize(content, tints, extractor=vgg16, callbacks=[lambda step: seen.append(step.image())], **options)
    np.testing.assert_array_equal(np.asarray(picture).shape, (24, 32, 3))
    plain = stylize(content, tints, extractor=vgg16, size=32, steps=2, recipe=shallow)
    assert np.abs(np.asarray(picture, int) - np.asarray(plain, int)).mean() > 1


def test_settings_with_controls_are_plain(transfer, content, style):
    result = transfer.run(content, style, size=32, steps=0, masks=np.ones((2, 2)), style_scale=0.5, color="match")
    settings = json.loads(json.dumps(result.settings))
    assert {name: settings[name] for name in ("masks", "background", "color", "color_strength", "style_scale")} == {
        "masks": 1,
        "background": None,
        "color": "match",
        "color_strength": 1.0,
        "style_scale": 0.5,
    }
    assert Controls().record()["masks"] == 0
