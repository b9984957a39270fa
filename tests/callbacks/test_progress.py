"""ProgressBar and TimeLeft: what is shown, and how good the estimate is."""

import io
import sys
import types

import pytest
import tqdm.notebook

from neural_style.callbacks import ProgressBar, TimeLeft
from neural_style.callbacks.progress import make_bar
from neural_style.transfer.result import Step
from tests.callbacks.steps import make_step


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run_bar(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    bar = ProgressBar()
    for number in range(1, 5):
        bar(make_step(number, steps=4))
    return stream.getvalue()


def test_the_bar_shows_step_size_and_loss_on_a_terminal(monkeypatch, capsys):
    written = run_bar(monkeypatch, Terminal())
    assert "painting: 100%" in written
    assert "step 4/4, 8x6, loss 1.0000" in written
    assert written.endswith("\n")
    assert capsys.readouterr().out == ""


def test_the_bar_is_silent_without_a_terminal(monkeypatch):
    assert run_bar(monkeypatch, io.StringIO()) == ""


@pytest.fixture
def in_notebook(monkeypatch):
    """This process as a kernel of Jupyter."""
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))


@pytest.mark.usefixtures("in_notebook")
def test_a_notebook_without_widgets_shows_the_bar_as_text_and_not_in_red(monkeypatch, capsys):
    """A notebook shows stderr, and the warning of tqdm.auto, on a red ground."""
    monkeypatch.setattr(tqdm.notebook, "IProgress", None)
    assert run_bar(monkeypatch, io.StringIO()) == ""
    assert "step 4/4, 8x6, loss 1.0000" in capsys.readouterr().out


@pytest.mark.usefixtures("in_notebook")
def test_a_notebook_shows_the_bar_of_its_widgets(monkeypatch, capsys):
    shown = set()

    class Widget(tqdm.tqdm):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options, gui=True)

        def close(self):
            shown.add(self.postfix)

    monkeypatch.setattr(tqdm.notebook, "IProgress", object)
    monkeypatch.setattr(tqdm.notebook, "tqdm", Widget)
    assert run_bar(monkeypatch, io.StringIO()) == ""
    assert shown == {"step 4/4, 8x6, loss 1.0000"}
    assert capsys.readouterr().out == ""


def test_a_bar_over_an_iterable_can_be_hidden(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(make_bar("abc", shown=False)) == ["a", "b", "c"]
    assert stream.getvalue() == ""
    assert list(make_bar("abc", unit="image")) == ["a", "b", "c"]
    assert "3/3" in stream.getvalue()


def test_a_bar_can_be_closed_before_the_end(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = ProgressBar()
    bar.close()
    bar(make_step(1, steps=4))
    bar.close()
    assert "25%" in stream.getvalue()


def test_the_bar_shows_the_remaining_time(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = ProgressBar()
    for number in range(1, 4):
        bar(make_step(number, steps=1000))  # a step in 0.1 s
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


def estimate_after_the_first_scale(steps, scales):
    """Remaining time after the first scale: estimated and true."""
    left = TimeLeft()
    estimates = [left(step) for step in steps]
    last = scales[0][1] - 1
    return estimates[last], steps[-1].seconds - steps[last].seconds


DEFAULT_256, DEFAULT_512 = [(128, 45), (256, 16)], [(128, 45), (256, 16), (512, 6)]


@pytest.mark.parametrize("scales", [DEFAULT_256, DEFAULT_512, [(64, 30), (90, 20), (128, 10)]])
def test_the_estimate_is_exact_if_time_is_proportional_to_pixels(scales):
    steps = list(run_of(scales, lambda side, index: 4e-6 * side**2))
    estimate, truth = estimate_after_the_first_scale(steps, scales)
    assert estimate == pytest.approx(truth)


@pytest.mark.parametrize("scales", [DEFAULT_256, DEFAULT_512])
def test_the_estimate_holds_for_measured_step_times(scales):
    """Measured on two cores: 20 ms per step, 3.4 s per megapixel, and a slow first step at each size."""

    def seconds_of(side, index):
        usual = 0.02 + 3.4e-6 * side**2
        first = 1.6 if side == 128 else 1.6 * usual
        slow = 0.5 * usual if index % 7 == 3 else 0.0  # another program is busy
        return usual + (first if index == 0 else slow)

    steps = list(run_of(scales, seconds_of))
    estimate, truth = estimate_after_the_first_scale(steps, scales)
    assert estimate == pytest.approx(truth, rel=0.2)


def test_there_is_no_estimate_after_one_step_and_a_new_run_starts_anew():
    left = TimeLeft()
    slow, fast = (list(run_of([(64, 4)], lambda side, index, pace=pace: pace)) for pace in (10.0, 1.0))
    assert [left(step) for step in slow] == [None, 20.0, 10.0, 0.0]
    assert [left(step) for step in fast] == [None, 2.0, 1.0, 0.0]
