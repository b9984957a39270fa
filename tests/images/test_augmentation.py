"""Rotated and scaled copies of a style: their pixels, and the losses that search them."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from neural_style.images.augmentation import all_copies, make_copy
from neural_style.losses import NearestNeighbor, Patches
from neural_style.objective import WholeObjective
from neural_style.transfer.styles.image_style import ImageStyle
from tests import tiny

QUARTERS = (0.0, 90.0, 180.0, 270.0)


@given(angle=st.floats(-400, 400), scale=st.floats(0.3, 2.0), height=st.integers(8, 40), width=st.integers(8, 40))
def test_a_copy_contains_nothing_from_outside_the_image(angle, scale, height, width):
    """Every copy of a constant image is constant: no corner shows what lies outside."""
    made = make_copy(np.full((1, height, width, 3), 0.7, np.float32), (angle, scale))
    assert made.dtype == np.float32
    assert made.size > 0
    np.testing.assert_allclose(made, 0.7, atol=2e-3)


@pytest.mark.parametrize(("angle", "turns"), [(90.0, 1), (-90.0, 3), (180.0, 2), (450.0, 1), (0.0, 0)])
def test_rotations_by_90_degrees_are_exact(angle, turns):
    image = np.random.default_rng(0).random((1, 6, 9, 3)).astype(np.float32)
    np.testing.assert_array_equal(make_copy(image, (angle, 1.0))[0], np.rot90(image[0], turns))


def test_the_angle_is_counterclockwise():
    """Stripes rotated by 30 degrees: their brightness changes along that direction, and not across."""
    stripes = np.tile(0.5 + 0.4 * np.sin(np.arange(64, dtype=np.float32) / 3.0), (64, 1))
    made = make_copy(stripes[None, ..., None], (30.0, 1.0))[0, 2:-2, 2:-2, 0]
    down, right = np.gradient(made)
    tensor = np.array([[np.sum(right**2), -np.sum(right * down)], [-np.sum(right * down), np.sum(down**2)]])
    along = np.linalg.eigh(tensor)[1][:, -1]
    assert np.degrees(np.arctan2(along[1], along[0])) % 180 == pytest.approx(30, abs=1)


def test_sides_are_scaled_but_not_below_the_minimum():
    image = np.zeros((1, 20, 30, 3), np.float32)
    assert make_copy(image, (0.0, 0.5)).shape == (1, 10, 15, 3)
    assert make_copy(image, (90.0, 2.0)).shape == (1, 60, 40, 3)
    assert make_copy(image, (0.0, 0.1), min_side=8).shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    ("angles", "scales"), [((), (1.0,)), ((0.0,), ()), ((float("nan"),), (1.0,)), ((0.0,), (0.0,))]
)
def test_unusable_angles_and_scales_are_refused(angles, scales):
    for make in (all_copies, lambda angles, scales: Patches(angles=angles, scales=scales)):
        with pytest.raises(ValueError, match="angles are finite and scales above 0|angles must be finite"):
            make(angles, scales)


@pytest.mark.parametrize("kind", [NearestNeighbor, Patches])
@pytest.mark.parametrize("masked", [False, True])
def test_a_rotated_style_is_at_distance_zero_if_rotations_are_searched(kind, masked):
    style = np.random.default_rng(3).random((1, 12, 18, 3)).astype(np.float32)
    mask = np.ones((1, 12, 18, 1), np.float32) if masked else None
    options = {"size": 3} if kind is Patches else {"stride": 1}
    for angles, zero in ((QUARTERS, True), ((0.0,), kind is NearestNeighbor)):
        objective = WholeObjective([kind(("image",), angles=angles, **options)], tiny.TINY)
        target = ImageStyle(style, mask=mask).measure(objective, 18, 0).statistic
        canvas = tf.constant(np.rot90(style, axes=(1, 2)).copy())
        value = float(objective.evaluate(canvas, objective.content(canvas), target, tf.ones([1]), {}).loss)
        assert value == pytest.approx(0.0, abs=1e-5) if zero else value > 0.01


def test_copies_are_saved_in_a_style_target(tmp_path):
    from neural_style import StyleTarget

    made = tiny.transfer(1.0 * Patches(("deep",), angles=QUARTERS, scales=(1.0, 0.5)))
    made.target(tiny.STYLE, size=32).save(tmp_path / "style.npz")
    kept = StyleTarget.load(tmp_path / "style.npz")
    expected, found = (made.run(tiny.CONTENT, style, size=32, steps=2).pixels for style in (tiny.STYLE, kept))
    np.testing.assert_array_equal(found, expected)
    plain = tiny.transfer(1.0 * Patches(("deep",))).run(tiny.CONTENT, tiny.STYLE, size=32, steps=2).pixels
    assert np.abs(plain - expected).max() > 1e-3
