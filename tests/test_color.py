"""Oklab, kept colours, and giving one picture the palette of another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import ImageCms

from neural_style import color
from neural_style.color import (
    from_oklab,
    keep_colors,
    match_color_moments,
    match_histograms,
    palette,
    soft_proof,
    to_oklab,
)
from neural_style.errors import ImageError


def blots(seed, mean, spread):
    """Correlated colours well inside [0, 1], so that clipping plays no part."""
    rng = np.random.default_rng(seed)
    mix = np.eye(3) + 0.5 * rng.random((3, 3))
    pixels = np.asarray(mean) + spread * np.clip(rng.normal(size=(1, 24, 18, 3)), -2, 2) @ mix
    assert pixels.min() > 0.0
    assert pixels.max() < 1.0
    return pixels.astype(np.float32)


@pytest.fixture
def calm():
    return blots(0, [0.6, 0.5, 0.4], 0.04)


@pytest.fixture
def wild():
    return blots(1, [0.45, 0.5, 0.55], 0.05)


def moments(pixels):
    flat = pixels.reshape(-1, 3).astype(np.float64)
    return flat.mean(axis=0), np.cov(flat, rowvar=False)


def test_mean_and_covariance_become_the_references(calm, wild):
    moved = match_color_moments(calm, wild)
    assert moved.shape == calm.shape
    assert moved.dtype == np.float32
    for value, goal in zip(moments(moved), moments(wild), strict=True):
        np.testing.assert_allclose(value, goal, atol=2e-4)


def test_a_pictures_own_palette_leaves_it_alone(calm):
    np.testing.assert_allclose(match_color_moments(calm, calm), calm, atol=1e-3)


def test_colours_are_moved_and_positions_are_not(calm, wild):
    shuffled = np.random.default_rng(2).permutation(calm.reshape(-1, 3)).reshape(calm.shape)
    order = np.random.default_rng(2).permutation(calm.shape[1] * calm.shape[2])
    expected = match_color_moments(calm, wild).reshape(-1, 3)[order].reshape(calm.shape)
    np.testing.assert_allclose(match_color_moments(shuffled, wild), expected, atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_flat_pictures_work_on_either_side(wild, level):
    flat = np.full((1, 6, 5, 3), level, np.float32)
    assert np.abs(match_color_moments(wild, flat) - level).max() < 1e-3
    np.testing.assert_allclose(match_color_moments(flat, wild).reshape(-1, 3).std(axis=0), 0.0, atol=1e-6)


def test_the_result_stays_between_zero_and_one(wild):
    stark = np.random.default_rng(3).integers(0, 2, (1, 20, 20, 3)).astype(np.float32)
    moved = match_color_moments(wild, stark)
    assert moved.min() == 0.0
    assert moved.max() == 1.0


# --- Oklab -------------------------------------------------------------------------------------------

colors = arrays(np.float32, (1, 3, 4, 3), elements=st.floats(0, 1, width=32))


@given(colors)
def test_oklab_and_back_is_the_same(pixels):
    np.testing.assert_allclose(from_oklab(to_oklab(pixels)), pixels, atol=1e-5)


def test_oklab_has_the_published_values():
    """Of D65 white, and of the primaries of sRGB as computed by Ottosson's own program."""
    pixels = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    expected = [[1, 0, 0], [0.628, 0.2249, 0.1258], [0.8664, -0.2339, 0.1795], [0.452, -0.0325, -0.3115]]
    np.testing.assert_allclose(to_oklab(pixels), expected, atol=1e-4)


@given(arrays(np.float32, (1, 3, 4, 3), elements=st.floats(-1, 2, width=32)))
def test_whatever_cannot_be_shown_is_made_paler_and_keeps_lightness_and_hue(lab):
    shown = from_oklab(lab)
    assert 0.0 <= shown.min() <= shown.max() <= 1.0
    back = to_oklab(shown)
    np.testing.assert_allclose(back[..., 0], np.clip(lab[..., 0], 0, 1), atol=5e-3)
    wanted, found = (each[..., 1:].astype(float) for each in (lab, back))
    saturation = np.linalg.norm(found, axis=-1)
    assert (saturation <= np.linalg.norm(wanted, axis=-1) + 5e-3).all()
    across = wanted[..., 0] * found[..., 1] - wanted[..., 1] * found[..., 0]
    assert (np.abs(across) <= 5e-3 * (1 + np.linalg.norm(wanted, axis=-1))).all()


def test_kept_colours_are_the_references_and_lightness_is_the_pictures(calm, wild):
    kept = to_oklab(keep_colors(calm, wild))
    np.testing.assert_allclose(kept[..., 0], to_oklab(calm)[..., 0], atol=1e-4)
    np.testing.assert_allclose(kept[..., 1:], to_oklab(wild)[..., 1:], atol=1e-4)


def test_strength_goes_from_the_own_to_the_kept_colours(calm, wild):
    np.testing.assert_allclose(keep_colors(calm, wild, 0.0), calm, atol=1e-5)
    half, own, other = (to_oklab(each)[..., 1:] for each in (keep_colors(calm, wild, 0.5), calm, wild))
    np.testing.assert_allclose(half, (own + other) / 2, atol=1e-4)


# --- histograms --------------------------------------------------------------------------------------


def test_each_channel_gets_the_references_histogram(calm, wild):
    moved, goal = to_oklab(match_histograms(calm, wild)), to_oklab(wild)
    for channel in range(3):
        np.testing.assert_allclose(np.sort(moved[..., channel].ravel()), np.sort(goal[..., channel].ravel()), atol=2e-4)


def test_order_is_kept_so_flat_patches_stay_flat(calm):
    steps = np.repeat(np.linspace(0.2, 0.8, 6), 12).reshape(1, 6, 12, 1) * np.ones(3)
    moved = match_histograms(steps, calm)
    assert np.ptp(moved, axis=2).max() < 1e-6
    assert (np.diff(to_oklab(moved)[0, :, 0, 0]) > 0).all()


def test_histograms_of_pictures_of_other_sizes_and_of_one_colour(calm):
    flat = np.full((1, 5, 7, 3), 0.3, np.float32)
    np.testing.assert_allclose(match_histograms(calm, flat), 0.3, atol=1e-3)
    assert np.ptp(match_histograms(flat, calm).reshape(-1, 3), axis=0).max() < 1e-6


def test_a_palette_serves_as_well_as_its_picture(calm, wild):
    np.testing.assert_array_equal(match_color_moments(calm, palette(wild)), match_color_moments(calm, wild))


def test_bands_make_no_difference(calm, wild, monkeypatch):
    whole = keep_colors(calm, wild)
    monkeypatch.setattr(color, "_BAND", 100)
    np.testing.assert_array_equal(keep_colors(calm, wild), whole)


# --- print -------------------------------------------------------------------------------------------


SCREEN = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def gray_printer():
    """A profile of a device with black alone: sRGB's, said to be gray and with one curve called the gray one."""
    assert SCREEN[16:20] == b"RGB "
    return (SCREEN[:16] + b"GRAY" + SCREEN[20:]).replace(b"rTRC", b"kTRC", 1)


def test_a_printer_with_a_screens_colors_changes_nothing(wild):
    proofed = soft_proof(wild, SCREEN)
    assert proofed.shape == wild.shape
    assert proofed.dtype == np.float32
    np.testing.assert_allclose(proofed, wild, atol=1.5 / 255)


def test_colors_a_printer_has_not_are_lost_and_lightness_stays(wild, tmp_path):
    path = tmp_path / "printer.icc"
    path.write_bytes(gray_printer())
    proofed = soft_proof(wild, path)
    before, after = to_oklab(wild), to_oklab(proofed)
    assert np.abs(before[..., 1:]).mean() > 0.02
    assert np.abs(after[..., 1:]).max() < 0.005
    assert np.abs(after[..., 0] - before[..., 0]).mean() < 0.02
    np.testing.assert_allclose(soft_proof(proofed, path), proofed, atol=2 / 255)


@pytest.mark.parametrize("profile", [b"no profile", "nowhere.icc"])
def test_what_is_no_profile_is_told(profile, wild):
    with pytest.raises(ImageError, match="cannot be used"):
        soft_proof(wild, profile)
