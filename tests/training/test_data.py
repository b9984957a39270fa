"""Training images: found, held out, cropped and perturbed, and the same for the same generator."""

from pathlib import Path

import numpy as np
import pytest

from neural_style.training.data import Crops, hold_out, image_paths, perturb


def test_images_are_found_by_suffix_and_in_order(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", "c.jpeg"):
        (tmp_path / name).touch()
    assert [path.name for path in image_paths(tmp_path)] == ["a.png", "b.JPG", "c.jpeg"]


@pytest.mark.parametrize(("count", "expected"), [(0, ""), (1, "0"), (3, "036"), (9, "012345678")])
def test_held_out_images_lie_at_equal_distances(count, expected):
    paths = [Path(str(number)) for number in range(10)]
    seen, held_out = hold_out(paths, count)
    assert [path.name for path in held_out] == list(expected)
    assert sorted(seen + held_out) == paths


def test_crops_have_their_side_and_range_and_follow_the_generator(folder):
    crops = Crops(image_paths(folder), 48)
    first, same, other = (crops.batch(np.random.default_rng(seed), 6) for seed in (0, 0, 1))
    assert len(crops) == 8
    assert first.shape == (6, 48, 48, 3)
    assert first.dtype == np.float32
    assert 0.0 <= first.min() < first.max() <= 1.0
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.1


def test_perturbed_crops_keep_shape_and_range_and_some_stay_the_same():
    crops = np.random.default_rng(2).random((2, 32, 32, 3), np.float32)
    moved = []
    generator = np.random.default_rng(3)
    for _ in range(60):
        found = perturb(crops, generator)
        assert found.shape == crops.shape
        assert found.dtype == np.float32
        assert 0.0 <= found.min() < found.max() <= 1.0
        moved.append(float(np.abs(found - crops).mean()))
    assert 0.2 < np.mean([distance == 0.0 for distance in moved]) < 0.5
    assert max(moved) > 0.05
