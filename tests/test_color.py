"""Color: Oklab, color transfer, and soft proofs."""

import os

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
    """Correlated colors well inside [0, 1], so that none is clipped."""
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


def test_an_images_own_palette_does_not_change_it(calm):
    np.testing.assert_allclose(match_color_moments(calm, calm), calm, atol=1e-3)


def test_colors_change_independently_of_positions(calm, wild):
    shuffled = np.random.default_rng(2).permutation(calm.reshape(-1, 3)).reshape(calm.shape)
    order = np.random.default_rng(2).permutation(calm.shape[1] * calm.shape[2])
    expected = match_color_moments(calm, wild).reshape(-1, 3)[order].reshape(calm.shape)
    np.testing.assert_allclose(match_color_moments(shuffled, wild), expected, atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_constant_images_work_on_either_side(wild, level):
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
def test_conversion_to_oklab_and_back_is_the_identity(pixels):
    np.testing.assert_allclose(from_oklab(to_oklab(pixels)), pixels, atol=1e-5)


def test_oklab_has_the_published_values():
    """For D65 white, and for the primaries of sRGB as computed by Ottosson's own program."""
    pixels = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    expected = [[1, 0, 0], [0.628, 0.2249, 0.1258], [0.8664, -0.2339, 0.1795], [0.452, -0.0325, -0.3115]]
    np.testing.assert_allclose(to_oklab(pixels), expected, atol=1e-4)


@given(arrays(np.float32, (1, 3, 4, 3), elements=st.floats(-1, 2, width=32)))
def test_colors_outside_the_gamut_lose_chroma_and_keep_lightness_and_hue(lab):
    converted = from_oklab(lab)
    assert 0.0 <= converted.min() <= converted.max() <= 1.0
    back = to_oklab(converted)
    np.testing.assert_allclose(back[..., 0], np.clip(lab[..., 0], 0, 1), atol=5e-3)
    expected, found = (each[..., 1:].astype(float) for each in (lab, back))
    saturation = np.linalg.norm(found, axis=-1)
    assert (saturation <= np.linalg.norm(expected, axis=-1) + 5e-3).all()
    across = expected[..., 0] * found[..., 1] - expected[..., 1] * found[..., 0]
    assert (np.abs(across) <= 5e-3 * (1 + np.linalg.norm(expected, axis=-1))).all()


def test_keep_colors_takes_the_references_colors_and_the_images_lightness(calm, wild):
    kept = to_oklab(keep_colors(calm, wild))
    np.testing.assert_allclose(kept[..., 0], to_oklab(calm)[..., 0], atol=1e-4)
    np.testing.assert_allclose(kept[..., 1:], to_oklab(wild)[..., 1:], atol=1e-4)


def test_strength_interpolates_between_own_and_reference_colors(calm, wild):
    np.testing.assert_allclose(keep_colors(calm, wild, 0.0), calm, atol=1e-5)
    half, own, other = (to_oklab(each)[..., 1:] for each in (keep_colors(calm, wild, 0.5), calm, wild))
    np.testing.assert_allclose(half, (own + other) / 2, atol=1e-4)


# --- histograms --------------------------------------------------------------------------------------


def test_each_channel_gets_the_references_histogram(calm, wild):
    moved, goal = to_oklab(match_histograms(calm, wild)), to_oklab(wild)
    for channel in range(3):
        np.testing.assert_allclose(np.sort(moved[..., channel].ravel()), np.sort(goal[..., channel].ravel()), atol=2e-4)


def test_histogram_matching_is_monotonic_so_flat_patches_stay_flat(calm):
    steps = np.repeat(np.linspace(0.2, 0.8, 6), 12).reshape(1, 6, 12, 1) * np.ones(3)
    moved = match_histograms(steps, calm)
    assert np.ptp(moved, axis=2).max() < 1e-6
    assert (np.diff(to_oklab(moved)[0, :, 0, 0]) > 0).all()


def test_histograms_of_images_of_other_sizes_and_of_one_color(calm):
    flat = np.full((1, 5, 7, 3), 0.3, np.float32)
    np.testing.assert_allclose(match_histograms(calm, flat), 0.3, atol=1e-3)
    assert np.ptp(match_histograms(flat, calm).reshape(-1, 3), axis=0).max() < 1e-6


def test_a_palette_gives_the_same_result_as_its_image(calm, wild):
    np.testing.assert_array_equal(match_color_moments(calm, palette(wild)), match_color_moments(calm, wild))


def test_the_result_does_not_depend_on_bands(calm, wild, monkeypatch):
    whole = keep_colors(calm, wild)
    monkeypatch.setattr(color, "_BAND", 100)
    np.testing.assert_array_equal(keep_colors(calm, wild), whole)


# --- print -------------------------------------------------------------------------------------------


SCREEN = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def gray_printer():
    """A profile of a device with black ink only: the sRGB profile, relabeled as gray, with one curve for gray."""
    assert SCREEN[16:20] == b"RGB "
    return (SCREEN[:16] + b"GRAY" + SCREEN[20:]).replace(b"rTRC", b"kTRC", 1)


def test_a_printer_with_the_screens_gamut_changes_nothing(wild):
    proofed = soft_proof(wild, SCREEN)
    assert proofed.shape == wild.shape
    assert proofed.dtype == np.float32
    np.testing.assert_allclose(proofed, wild, atol=1.5 / 255)


def test_colors_outside_a_printers_gamut_are_lost_and_lightness_stays(wild, tmp_path):
    path = tmp_path / "printer.icc"
    path.write_bytes(gray_printer())
    proofed = soft_proof(wild, path)
    before, after = to_oklab(wild), to_oklab(proofed)
    assert np.abs(before[..., 1:]).mean() > 0.02
    assert np.abs(after[..., 1:]).max() < 0.005
    assert np.abs(after[..., 0] - before[..., 0]).mean() < 0.02
    np.testing.assert_allclose(soft_proof(proofed, path), proofed, atol=2 / 255)


@pytest.mark.parametrize("profile", [b"no profile", "nowhere.icc"])
def test_unusable_profiles_are_refused(profile, wild):
    with pytest.raises(ImageError, match="cannot be used"):
        soft_proof(wild, profile)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_profile_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "paper.icc")
    with pytest.raises(ImageError, match=r"paper\.icc cannot be used: .*it is a pipe"):
        soft_proof(np.ones((1, 2, 2, 3), np.float32), tmp_path / "paper.icc")


@pytest.mark.parametrize("match", [match_color_moments, match_histograms])
def test_pixels_of_no_weight_do_not_count(match):
    rng = np.random.default_rng(4)
    seen, hidden = 0.3 + 0.2 * rng.random((1, 6, 8, 3)), np.full((1, 6, 8, 3), 0.9)
    goal = 0.4 + 0.3 * rng.random((1, 5, 5, 3))
    weight = np.repeat([1.0, 0.0], 8)[None, None, :, None] * np.ones((1, 6, 1, 1))
    both = np.concatenate([seen, hidden], axis=2)
    np.testing.assert_allclose(match(both, goal, weight)[:, :, :8], match(seen, goal), atol=2e-3)
    np.testing.assert_allclose(palette(both, weight).mean, palette(seen).mean)
    np.testing.assert_allclose(palette(both, weight).covariance, palette(seen).covariance)
