"""Styles at a scale: how large they are taken, what is measured of large ones, and how several become one target."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.losses import Context, Gram, TotalVariation, custom
from neural_style.objective import Several, TiledObjective, memory, objective_for
from neural_style.transfer.styles.blending import blend_targets, with_weights
from neural_style.transfer.styles.image_style import ImageStyle
from tests import tiny
from tests.tiny import TINY

BOTH = ("shallow", "deep")
OBJECTIVE = objective_for((Gram(BOTH), TotalVariation()), TINY)


def style(seed=1, height=40, width=60, **options):
    return ImageStyle(tiny.picture(seed, height, width)[None] / np.float32(255.0), **options)


def first(pixels):
    return tf.constant(pixels, tf.float32)


def assert_same(found, expected, rtol=1e-5):
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        if one is None and other is None:
            continue  # a loss that reads no style
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-6)


# --- size --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "canvas", "expected"),
    [
        (1.0, 30, (30, 20)),
        (1.0, 60, (60, 40)),
        (1.0, 300, (60, 40)),  # never enlarged
        (0.5, 30, (15, 10)),
        (0.5, 300, (30, 20)),
        (2.0, 30, (60, 40)),
        (2.0, 60, (120, 80)),
        (2.0, 300, (120, 80)),
        (4.0, 15, (60, 40)),
        (4.0, 60, (120, 80)),  # at most twofold
    ],
)
def test_a_style_goes_with_the_canvas_and_is_enlarged_at_most_twofold(scale, canvas, expected):
    assert style(scale=scale).size_at(canvas) == expected


def test_no_side_is_smaller_than_the_deepest_layer_needs():
    assert style(height=4, width=400).size_at(100, 16) == (100, 16)


def test_a_style_too_small_for_the_strokes_asked_for_is_told_once_a_run():
    with pytest.warns(
        UserWarning, match=r"60x40 can be enlarged to 120 pixels, and style_scale=2 asks for 400"
    ) as told:
        tiny.transfer().run(tiny.picture(1, 160, 200), tiny.picture(2, 40, 60), size=200, steps=1, style_scale=2.0)
    assert len(told) == 1
    style(scale=2.0).warn_if_small(60)
    style(scale=1.0).warn_if_small(600)


# --- large ones --------------------------------------------------------------------------------------


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(memory, "MAX_STYLE_PIXELS", 1000)
    monkeypatch.setattr(memory, "STYLE_TILE", 16)


@pytest.mark.usefixtures("small_limit")
def test_large_styles_are_measured_in_tiles_to_the_same_sums(monkeypatch):
    large = style(height=80, width=120, scale=4.0)
    calls = []
    real = TiledObjective.target
    monkeypatch.setattr(TiledObjective, "target", lambda *a: calls.append(1) or real(*a))
    measured = large.measure(OBJECTIVE, 30, 0)
    assert calls == [1]
    assert measured.area == 120 * 80
    assert_same(measured.statistic[0], OBJECTIVE.target(first(large.pixels), {})[0])
    assert measured.statistic[1] is None


def mean_gap(features, content, style):
    return (tf.reduce_mean(features["shallow"]) - tf.reduce_mean(style["shallow"])) ** 2


@pytest.mark.usefixtures("small_limit")
def test_for_a_loss_that_cannot_be_tiled_the_middle_of_a_large_style_counts():
    objective = objective_for((custom(mean_gap, ["shallow"]),), TINY)
    large = style(height=80, width=120, scale=4.0)
    measured = large.measure(objective, 30, 0)
    rows, columns = measured.statistic[0][0]["shallow"].shape[1:3]
    assert (rows, columns) == (25, 38)  # a thousand pixels in the shape of the style
    middle = large.pixels[:, 27 : 27 + 25, 41 : 41 + 38]
    assert_same(measured.statistic, objective.target(first(middle), {}))


# --- targets -----------------------------------------------------------------------------------------


def test_one_style_is_its_own_statistic():
    assert_same(blend_targets([style()], OBJECTIVE, 60), OBJECTIVE.target(first(style().pixels), {}))


def test_grams_of_a_blend_are_the_weighted_mean_of_the_styles():
    blend = blend_targets([style(1, weight=0.3), style(2, 20, 20, weight=0.7)], OBJECTIVE, 60)[0]
    alone = [OBJECTIVE.target(first(each.pixels), {})[0] for each in (style(1), style(2, 20, 20))]
    for layer in BOTH:
        expected = 0.3 * alone[0][layer].gram() + 0.7 * alone[1][layer].gram()
        np.testing.assert_allclose(blend[layer].gram(), expected, rtol=1e-4)


def test_each_region_has_the_statistics_of_its_own_style():
    found = blend_targets([style(1, region=0), style(2, 30, 44, region=1)], OBJECTIVE, 60, 2)[0]
    for region, each in enumerate((style(1), style(2, 30, 44))):
        alone = OBJECTIVE.target(first(each.pixels), {})[0]
        for layer in BOTH:
            np.testing.assert_allclose(found[layer].gram()[region], alone[layer].gram()[0], rtol=1e-4)


def test_two_styles_may_share_a_region():
    pair = [style(1, region=1, weight=0.5), style(2, 30, 44, region=1, weight=0.5)]
    found = blend_targets([style(3, region=0), *pair], OBJECTIVE, 60, 2)[0]
    blend = blend_targets([style(1, weight=0.5), style(2, 30, 44, weight=0.5)], OBJECTIVE, 60)[0]
    np.testing.assert_allclose(found["deep"].gram()[1], blend["deep"].gram()[0], rtol=1e-4)


def test_a_masked_part_counts_as_if_it_were_all_there_is():
    whole = style(1)
    mask = np.zeros((1, 40, 60, 1), np.float32)
    mask[:, :, :30] = 1.0
    found = style(1, mask=mask).measure(OBJECTIVE, 60, 0)
    assert found.area == 40 * 30
    maps = OBJECTIVE.features(first(whole.pixels), ("shallow",))["shallow"][:, :, :30]
    expected = Gram(("shallow",)).statistic({"shallow": maps}, Context())["shallow"]
    np.testing.assert_allclose(found.statistic[0]["shallow"].gram(), expected.gram(), rtol=1e-4)


def test_a_loss_that_does_not_add_gets_one_target_after_the_other():
    objective = objective_for((custom(mean_gap, ["shallow"]), TotalVariation()), TINY)
    several, none = blend_targets([style(1, weight=0.3), style(2, weight=0.7)], objective, 60)
    assert isinstance(several, Several)
    np.testing.assert_allclose(several.weights, [0.3, 0.7])
    assert len(several.targets) == 2
    assert none is None


def test_weights_are_made_to_add_up_to_one_and_keep_their_order():
    assert with_weights("a") == [("a", 1.0)]
    assert with_weights(["a", ("b", 3)]) == [("a", 0.25), ("b", 0.75)]
    assert with_weights([("a", 0), ("b", 3)]) == [("a", 0.0), ("b", 1.0)]
