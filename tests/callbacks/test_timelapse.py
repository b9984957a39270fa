"""A run as a film: which canvases are kept, and what is written of them."""

import sys

import numpy as np
import pytest
from PIL import Image

from neural_style.callbacks.timelapse import Timelapse
from neural_style.errors import ImageError
from neural_style.images import video_file
from neural_style.transfer.result import Step
from tests import tiny


def step(number, steps=12, scale=(16, 12)):
    pixels = np.full((1, scale[1], scale[0], 3), number / steps, np.float32)
    return Step(number, steps, scale, (16, 12), number / steps, 1.0, {}, 0.1 * number, lambda: pixels)


def watched(numbers, **options):
    film = Timelapse(**options)
    for number in numbers:
        film(step(number))
    return film


def kept(film):
    return [frame.step.step for frame in film.frames]


def test_canvases_are_kept_evenly_and_the_last_always():
    assert kept(watched(range(1, 13), count=4)) == [3, 6, 9, 12]
    assert kept(watched(range(1, 13), count=100)) == list(range(1, 13))
    assert kept(watched(range(1, 12), count=4)) == [3, 6, 9, 11]  # ended early
    assert kept(watched([])) == []


def test_it_serves_run_after_run():
    film = watched([1, 2, 3, 1, 2], count=100)
    assert kept(film) == [1, 2]


def test_pictures_are_those_of_their_steps_and_no_larger_than_asked():
    frames = watched([3, 12], count=12, longest=8).frames
    assert [frame.image.size for frame in frames] == [(8, 6), (8, 6)]
    assert frames[0].image.getpixel((0, 0)) == (64, 64, 64)
    with pytest.raises(RuntimeError, match="holds no picture"):
        frames[0].step.image()


def test_a_run_is_filmed(tmp_path):
    film = Timelapse(count=3)
    result = tiny.transfer().run(tiny.CONTENT, tiny.STYLE, size=32, steps=6, callbacks=[film])
    assert kept(film) == [2, 4, 6]
    assert film.frames[0].image.size == (16, 16)
    film.save(tmp_path / "film.gif", seconds=0.9)
    with Image.open(tmp_path / "film.gif") as written:
        assert (written.n_frames, written.size, written.info["loop"]) == (3, result.image.size, 0)
        durations = []
        for index in range(3):
            written.seek(index)
            durations.append(written.info["duration"])
        last = np.asarray(written.convert("RGB"), float)
    assert durations == [300, 300, 2300]
    final = np.asarray(film.frames[-1].image, float)
    assert np.abs(last - final).mean() < 8  # 256 colours


def test_webp_is_animated(tmp_path):
    watched(range(1, 13), count=4).save(tmp_path / "film.webp")
    with Image.open(tmp_path / "film.webp") as written:
        assert (written.n_frames, written.size) == (4, (16, 12))


def test_mp4_is_a_film_of_even_sides(tmp_path):
    film = Timelapse(count=4)
    for number in range(1, 13):
        film(step(number, scale=(17, 13)))
    film.save(tmp_path / "film.mp4", seconds=2.0)
    frames = list(video_file.frames(tmp_path / "film.mp4"))
    assert [frame.shape for frame in frames] == [(12, 16, 3)] * 4
    assert np.allclose([frame.mean() for frame in frames], [64, 128, 191, 255], atol=4)


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"tf-neural-style\[video\]"):
        watched([1]).save(tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_saved_is_told(tmp_path):
    film = watched([1])
    with pytest.raises(ValueError, match="'.*film.avi' ends in none of .mp4"):
        film.save(tmp_path / "film.avi")
    with pytest.raises(ValueError, match="longer than 0 seconds"):
        film.save(tmp_path / "film.gif", seconds=0)
    with pytest.raises(ValueError, match="no pictures yet"):
        Timelapse().save(tmp_path / "film.gif")
    with pytest.raises(ImageError, match="could not be written"):
        film.save(tmp_path / "nowhere" / "film.gif")
    with pytest.raises(ValueError, match="at least 1"):
        Timelapse(count=0)
