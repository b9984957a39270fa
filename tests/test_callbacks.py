"""Watchers: the bar, pictures on the way, and stopping when nothing improves."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from neural_style.callbacks import EarlyStopping, ProgressBar, SaveEvery
from neural_style.errors import ImageError
from neural_style.result import Step


def step(number, *, steps=100, loss=1.0, scale=(8, 6), size=(8, 6)):
    pixels = np.full((1, scale[1], scale[0], 3), number / steps, np.float32)
    return Step(number, steps, scale, size, number / steps, loss, {"style": loss}, 0.1 * number, lambda: pixels)


def test_pictures_are_saved_every_so_many_steps_at_the_canvas_size(tmp_path):
    save = SaveEvery(tmp_path / "out.png", 20)
    for number in range(1, 101):
        save(step(number))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["out-0020.png", "out-0040.png", "out-0060.png", "out-0080.png", "out-0100.png"]
    with Image.open(tmp_path / "out-0040.png") as saved:
        assert saved.size == (8, 6)
        assert saved.getpixel((0, 0)) == (102, 102, 102)


def test_numbers_are_wide_enough_for_the_longest_run(tmp_path):
    SaveEvery(str(tmp_path / "out.jpg"), 5)(step(5, steps=123_456))
    assert [path.name for path in tmp_path.iterdir()] == ["out-000005.jpg"]


@pytest.mark.parametrize("name", ["nowhere/out.png", "out.xyz"])
def test_a_place_that_cannot_be_written_to_is_refused_at_once(tmp_path, name):
    with pytest.raises(ImageError):
        SaveEvery(tmp_path / name, 5)


def test_saving_more_than_every_step_is_refused(tmp_path):
    with pytest.raises(ValueError, match="every is at least 1, not 0"):
        SaveEvery(tmp_path / "out.png", 0)


def steps_until_stop(stopping, losses, **options):
    for number, loss in enumerate(losses, 1):
        try:
            stopping(step(number, loss=loss, **options))
        except StopIteration:
            return number
    return None


def test_a_loss_that_stands_still_ends_the_run():
    assert steps_until_stop(EarlyStopping(patience=5), [3.0, 2.0, 1.0] + [1.0] * 20) == 8


def test_a_loss_that_falls_goes_on():
    assert steps_until_stop(EarlyStopping(patience=3), [0.9**i for i in range(50)]) is None


def test_improvements_too_small_to_count_do_not_count():
    slow = [1.0 - 1e-4 * i for i in range(50)]
    assert steps_until_stop(EarlyStopping(patience=5, min_improvement=0.01), slow) == 6
    assert steps_until_stop(EarlyStopping(patience=5, min_improvement=0.0), slow) is None


def test_only_the_final_size_is_judged():
    stopping = EarlyStopping(patience=5)
    assert steps_until_stop(stopping, [1.0] * 50, scale=(4, 3)) is None
    assert steps_until_stop(stopping, [2.0] * 50) == 6


def test_one_watcher_serves_run_after_run():
    stopping = EarlyStopping(patience=5)
    assert steps_until_stop(stopping, [1.0] * 50) == 6
    assert steps_until_stop(stopping, [2.0] * 50) == 6


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run_bar(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    bar = ProgressBar()
    for number in range(1, 5):
        bar(step(number, steps=4))
    return stream.getvalue()


def test_the_bar_shows_step_size_and_loss_on_a_terminal(monkeypatch, capsys):
    written = run_bar(monkeypatch, Terminal())
    assert "painting: 100%" in written
    assert "step 4/4, 8x6, loss 1.0000" in written
    assert written.endswith("\n")
    assert capsys.readouterr().out == ""


def test_the_bar_is_silent_where_there_is_no_terminal(monkeypatch):
    assert run_bar(monkeypatch, io.StringIO()) == ""


def test_a_bar_can_be_left_before_the_end(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = ProgressBar()
    bar.close()
    bar(step(1, steps=4))
    bar.close()
    assert "25%" in stream.getvalue()
