"""Timelapse: which canvases are kept, and the files written from them."""

import sys

import numpy as np
import pytest
from PIL import Image

from neural_style.callbacks.timelapse import Timelapse
from neural_style.errors import ImageError
from neural_style.images import video_file
from tests import tiny
from tests.callbacks.steps import make_step


def step(number, scale=(16, 12)):
    return make_step(number, steps=12, scale=scale, size=(16, 12))


def watched(numbers, **options):
    timelapse = Timelapse(**options)
    for number in numbers:
        timelapse(step(number))
    return timelapse


def kept(timelapse):
    return [frame.step.step for frame in timelapse.frames]


def test_canvases_are_kept_at_regular_intervals_and_the_last_always():
    assert kept(watched(range(1, 13), count=4)) == [3, 6, 9, 12]
    assert kept(watched(range(1, 13), count=100)) == list(range(1, 13))
    assert kept(watched(range(1, 12), count=4)) == [3, 6, 9, 11]  # ended early
    assert kept(watched([])) == []


def test_it_can_be_reused():
    timelapse = watched([1, 2, 3, 1, 2], count=100)
    assert kept(timelapse) == [1, 2]


def test_images_belong_to_their_steps_and_are_no_larger_than_requested():
    frames = watched([3, 12], count=12, longest=8).frames
    assert [frame.image.size for frame in frames] == [(8, 6), (8, 6)]
    assert frames[0].image.getpixel((0, 0)) == (64, 64, 64)
    with pytest.raises(RuntimeError, match="in a history has no image"):
        frames[0].step.image()


def test_a_run_is_recorded(tmp_path):
    timelapse = Timelapse(count=3)
    result = tiny.transfer().run(tiny.CONTENT, tiny.STYLE, size=32, steps=6, callbacks=[timelapse])
    assert kept(timelapse) == [2, 4, 6]
    assert timelapse.frames[0].image.size == (16, 16)
    timelapse.save(tmp_path / "run.gif", seconds=0.9)
    with Image.open(tmp_path / "run.gif") as written:
        assert (written.n_frames, written.size, written.info["loop"]) == (3, result.image.size, 0)
        durations = []
        for index in range(3):
            written.seek(index)
            durations.append(written.info["duration"])
        last = np.asarray(written.convert("RGB"), float)
    assert durations == [300, 300, 2300]
    final = np.asarray(timelapse.frames[-1].image, float)
    assert np.abs(last - final).mean() < 8  # 256 colors


def test_webp_is_animated(tmp_path):
    watched(range(1, 13), count=4).save(tmp_path / "run.webp")
    with Image.open(tmp_path / "run.webp") as written:
        assert (written.n_frames, written.size) == (4, (16, 12))


def test_mp4_has_even_sides(tmp_path):
    timelapse = Timelapse(count=4)
    for number in range(1, 13):
        timelapse(step(number, scale=(17, 13)))
    timelapse.save(tmp_path / "run.mp4", seconds=2.0)
    frames = list(video_file.frames(tmp_path / "run.mp4"))
    assert [frame.shape for frame in frames] == [(12, 16, 3)] * 4
    assert np.allclose([frame.mean() for frame in frames], [64, 128, 191, 255], atol=4)


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match="run: pip install 'av>="):
        watched([1]).save(tmp_path / "run.mp4")
    assert list(tmp_path.iterdir()) == []


def test_errors_name_what_is_wrong(tmp_path):
    timelapse = watched([1])
    with pytest.raises(ValueError, match="'.*run.avi' ends in none of .mp4"):
        timelapse.save(tmp_path / "run.avi")
    with pytest.raises(ValueError, match="seconds must be above 0 and finite, not 0"):
        timelapse.save(tmp_path / "run.gif", seconds=0)
    for suffix in (".gif", ".webp", ".mp4"):
        for seconds in (1e-6, 1e6, 1e300):
            with pytest.raises(ValueError, match="seconds gives each of 1 images from"):
                timelapse.save(tmp_path / f"run{suffix}", seconds=seconds)
    with pytest.raises(ValueError, match="no images yet"):
        Timelapse().save(tmp_path / "run.gif")
    for suffix in (".gif", ".webp", ".mp4"):
        with pytest.raises(ImageError, match="nowhere' does not exist; create it first"):
            timelapse.save(tmp_path / "nowhere" / f"run{suffix}")
        (tmp_path / f"run{suffix}").mkdir()
        with pytest.raises(ImageError, match="a folder of that name exists"):
            timelapse.save(tmp_path / f"run{suffix}")
    with pytest.raises(ValueError, match="at least 1"):
        Timelapse(count=0)
