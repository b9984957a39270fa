"""Requests to stop: three signals mean the same, repeated ones are one request, and a host's handlers stay."""

import signal
import threading

import pytest

from neural_style.cli import stopping
from neural_style.cli.stopping import stoppable, undisturbed

NAMES = [name for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def usual():
    """The handlers of a program that chose none; a test run in a script's background ignores SIGINT."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in NAMES}
    for name in NAMES:
        signal.signal(getattr(signal, name), signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


def handlers():
    return [signal.getsignal(getattr(signal, name)) for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_each_signal_interrupts(name):
    before = handlers()
    with pytest.raises(KeyboardInterrupt), stoppable():
        signal.raise_signal(getattr(signal, name))
    assert handlers() == before


@pytest.mark.parametrize("name", NAMES)
def test_signals_that_come_together_are_one_request(name, monkeypatch):
    """A second one would interrupt what the first one left to do, such as saving the image."""
    now = 100.0
    monkeypatch.setattr(stopping.time, "monotonic", lambda: now)
    with stoppable():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(getattr(signal, name))
        now += 1.0
        for other in NAMES:
            signal.raise_signal(getattr(signal, other))
        now += stopping.SAME_REQUEST
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *_: None])
def test_a_signal_that_is_ignored_or_handled_stays_so(handler):
    """`nohup` ignores SIGHUP, and a script's background SIGINT."""
    for name in NAMES:
        signal.signal(getattr(signal, name), handler)
    with stoppable():
        for name in NAMES:
            signal.raise_signal(getattr(signal, name))
        assert set(handlers()) == {handler}


def test_a_finished_image_is_saved_undisturbed():
    with stoppable():
        before = handlers()
        with undisturbed():
            for name in NAMES:
                signal.raise_signal(getattr(signal, name))
        assert handlers() == before


def test_other_threads_leave_signals_alone():
    failed = []

    def run():
        try:
            with stoppable(), undisturbed():
                assert handlers() == before
        except BaseException as error:
            failed.append(error)

    before = handlers()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failed == []
