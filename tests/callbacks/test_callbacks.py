"""Watchers: the bar, pictures on the way, and stopping when nothing improves."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from neural_style.callbacks import EarlyStopping, ProgressBar, SaveEvery, TimeLeft
from neural_style.errors import ImageError
from neural_style.transfer.result import Step


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


def test_the_bar_tells_the_time_left(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = ProgressBar()
    for number in range(1, 4):
        bar(step(number, steps=1000))  # a step in 0.1 s
        bar._bar.refresh()
    bar.close()
    assert "<?," in stream.getvalue()
    assert "<01:39," in stream.getvalue()


def run_of(scales, seconds_of):
    """Steps of a run whose scales are `(side, steps)` and whose steps take `seconds_of(side, number in the scale)`."""
    work = sum(side**2 * steps for side, steps in scales)
    number, done, now = 0, 0, 0.0
    for side, steps in scales:
        for index in range(steps):
            number, done, now = number + 1, done + side**2, now + seconds_of(side, index)
            total = sum(steps for _, steps in scales)
            yield Step(number, total, (side, side), (scales[-1][0],) * 2, done / work, 1.0, {}, now)


def told_after_the_first_scale(steps, scales):
    """What was left after the first scale: as it was told, and as it came."""
    left = TimeLeft()
    told = [left(step) for step in steps]
    last = scales[0][1] - 1
    return told[last], steps[-1].seconds - steps[last].seconds


DEFAULT_256, DEFAULT_512 = [(128, 45), (256, 16)], [(128, 45), (256, 16), (512, 6)]


@pytest.mark.parametrize("scales", [DEFAULT_256, DEFAULT_512, [(64, 30), (90, 20), (128, 10)]])
def test_where_time_goes_with_pixels_the_time_left_is_exact(scales):
    steps = list(run_of(scales, lambda side, index: 4e-6 * side**2))
    told, truth = told_after_the_first_scale(steps, scales)
    assert told == pytest.approx(truth)


@pytest.mark.parametrize("scales", [DEFAULT_256, DEFAULT_512])
def test_the_time_left_holds_for_steps_as_they_are(scales):
    """Measured on two cores: 20 ms a step whatever its size, 3.4 s a megapixel, and each size's first step is dear."""

    def seconds_of(side, index):
        usual = 0.02 + 3.4e-6 * side**2
        first = 1.6 if side == 128 else 1.6 * usual
        slow = 0.5 * usual if index % 7 == 3 else 0.0  # somebody else's work
        return usual + (first if index == 0 else slow)

    steps = list(run_of(scales, seconds_of))
    told, truth = told_after_the_first_scale(steps, scales)
    assert told == pytest.approx(truth, rel=0.2)


def test_nothing_is_told_of_what_nothing_is_known_and_a_new_run_is_new():
    left = TimeLeft()
    slow, fast = (list(run_of([(64, 4)], lambda side, index, pace=pace: pace)) for pace in (10.0, 1.0))
    assert [left(step) for step in slow] == [None, 20.0, 10.0, 0.0]
    assert [left(step) for step in fast] == [None, 2.0, 1.0, 0.0]
