"""Runs of `stylize` for the page."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from neural_style.cli.app import painting
from neural_style.transfer.result import Result
from tests.cli.app.forms import form


@pytest.fixture
def endless(monkeypatch):
    """Runs whose steps end only when a callback stops them; set once a step is done."""
    begun = threading.Event()

    def stylize_result(content, styles, callbacks, **options):
        step = SimpleNamespace(step=1, steps=9, seconds=0.0, progress=0.1, scale=(8, 8), without_image=lambda: step)
        with pytest.raises(StopIteration):
            while True:
                callbacks[0](step)
                begun.set()
        return Result(np.zeros((8, 8, 3), np.float32), [], {"seconds": 1.0}, stopped_by="callback")

    monkeypatch.setattr("neural_style.api.stylize_result", stylize_result)
    return begun


def test_a_run_ends_with_the_image_so_far_once_it_is_stopped(endless):
    stopped = threading.Event()
    stopped.set()
    (update,) = painting.run(form(), stopped)
    assert (update.share, update.text) == (1.0, "Stopped: 8 x 8, 0 steps, 1.0 s")


def test_closing_ends_all_runs_and_waits_for_them(endless):
    updates = []
    waiting = threading.Thread(target=lambda: updates.extend(painting.run(form(), threading.Event())))
    waiting.start()
    assert endless.wait(60.0)
    painting.close()
    assert not any(thread.is_alive() for thread in painting._threads)
    waiting.join(60.0)
    assert updates[-1].text.startswith("Stopped: ")
    assert not painting._closing.is_set(), "another page may be opened in this process"
