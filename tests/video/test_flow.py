"""Optical flow: accurate to a fraction of a pixel, and distrusted where something came into view."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_style import samples
from neural_style.video.flow import flicker, motion, warp
from tests import moving

PHOTOGRAPH = samples.path("astronaut")


def clip(count=6, size=(128, 96), **options):
    return list(moving.scenes(PHOTOGRAPH, size, count, **options))


def test_a_pan_is_found_to_a_tenth_of_a_pixel():
    before, after = clip()[2:4]
    moved = motion(before, after)
    assert moved.seen.mean() > 0.85
    still = moved.flow[moved.seen & (np.abs(moved.flow + moving.PAN).max(axis=-1) < 0.5)]
    assert len(still) > 0.7 * moved.seen.size
    np.testing.assert_allclose(still.mean(axis=0), -np.array(moving.PAN), atol=0.1)


def test_what_comes_into_view_is_not_seen_before():
    """A box that moves right by 12 pixels uncovers a strip of 12 on its left."""
    rng = np.random.default_rng(0)
    behind, box = (rng.integers(0, 256, (96, 128, 3), np.uint8) // 2 + 64 * i for i in (0, 1))
    frames = []
    for left in (30, 42):
        frames.append(behind.copy())
        frames[-1][30:70, left : left + 40] = box[:40, :40]
    moved = motion(*frames)
    uncovered, ball = moved.seen[35:65, 31:41], moved.seen[40:60, 52:72]
    assert uncovered.mean() < 0.1
    assert ball.mean() > 0.9
    assert moved.seen[75:, :].mean() > 0.9


def test_hardly_a_pixel_is_seen_across_a_cut():
    frames = clip(cuts=(3,))
    assert motion(frames[2], frames[3]).seen.mean() < 0.2
    assert motion(frames[3], frames[4]).seen.mean() > 0.8


def test_a_warped_frame_is_the_next_where_both_show_the_same():
    before, after = clip()[2:4]
    moved = motion(before, after)
    assert flicker(before, after, moved) < 0.02
    assert flicker(before, after, moved) < 0.25 * flicker(before, after, moved._replace(flow=0 * moved.flow))


@settings(max_examples=10)
@given(right=st.integers(-5, 5), down=st.integers(-5, 5))
def test_whole_pixels_are_moved_exactly(right, down):
    image = np.random.default_rng(1).random((20, 30, 3)).astype(np.float32)
    flow = np.full((20, 30, 2), (right, down), np.float32)
    inner = (slice(None), slice(5, -5), slice(5, -5))
    expected = np.roll(image, (-down, -right), axis=(0, 1))[None]
    np.testing.assert_allclose(warp(image, flow)[inner], expected[inner], atol=1e-5)


def test_an_image_stays_sharp_when_warped_repeatedly():
    """Twenty half pixels to and fro; linear interpolation keeps a fifth of the grain, this kernel most of it."""
    image = clip(1)[0] / np.float32(255)
    moved = image
    for turn in range(20):
        moved = warp(moved, np.full((*image.shape[:2], 2), 0.5 - turn % 2, np.float32))[0]

    def grain(pixels):
        return np.abs(np.diff(pixels[8:-8, 8:-8], axis=1)).mean()

    assert grain(moved) > 0.8 * grain(image)


def test_flicker_is_the_root_mean_square_over_what_is_seen():
    before = np.full((4, 5, 3), 0.5, np.float32)
    after = before.copy()
    after[:2] += 0.1
    after[3] += 0.4
    seen = np.array([True, True, True, False])[:, None].repeat(5, axis=1)
    moved = motion(np.zeros((16, 16, 3)), np.zeros((16, 16, 3)))._replace(
        flow=np.zeros((4, 5, 2), np.float32), seen=seen
    )
    assert flicker(before, after, moved) == pytest.approx(0.1 * np.sqrt(2 / 3), abs=1e-6)
    assert flicker(before, after, moved._replace(seen=0 * seen > 1)) == 0.0


def test_frames_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="must have the same size"):
        motion(np.zeros((16, 20, 3)), np.zeros((20, 16, 3)))


def test_a_missing_opencv_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match="run: pip install 'av>="):
        warp(np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.float32))
