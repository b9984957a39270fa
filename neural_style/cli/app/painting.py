"""Runs of `stylize` for the page, with updates while an image is painted."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from neural_style import samples
from neural_style.cli.app.form import Form

if TYPE_CHECKING:
    from neural_style.transfer.result import Step

__all__ = ["Update", "close", "run", "warm_up"]

SECONDS_BETWEEN_UPDATES = 0.7
SECONDS_TO_CLOSE = 20.0

_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_closing = threading.Event()


class Update(NamedTuple):
    """The image so far, the share of the work that is done, and a line of text."""

    image: Any
    share: float
    text: str


def run(form: Form, stopped: threading.Event) -> Iterator[Update]:
    """Run `stylize` in a thread of its own, so that showing the image never delays a step.

    Args:
        form: what to paint.
        stopped: ends the run with the image so far once it is set.

    Yields:
        Updates now and then, and last the finished image, with a share of 1.
    """
    from neural_style.api import stylize_result

    updates: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def paint() -> None:
        try:
            watcher = _Watcher(updates.put, stopped)
            result = stylize_result(form.photo, form.styles, progress=False, callbacks=[watcher], **form.options())
            updates.put(result)
        except BaseException as error:
            updates.put(error)

    _start(paint)
    while isinstance(result := updates.get(), Update):
        yield result
    if isinstance(result, BaseException):
        raise result
    width, height = result.image.size
    end = "Done" if result.stopped_by == "steps" else "Stopped"
    seconds = result.settings["seconds"]
    took = f"{seconds:.1f} s" if seconds < 10.0 else f"{seconds:.0f} s"
    yield Update(result.image, 1.0, f"{end}: {width} x {height}, {result.work}, {took}")


@functools.cache
def warm_up() -> None:
    """Load TensorFlow and the network of one pass, in a thread and once, while the first visitor still chooses."""
    _start(_paint_tiny)


def close() -> None:
    """End all runs, and wait for their threads: TensorFlow aborts a process that ends while they are in it."""
    _closing.set()
    for thread in list(_threads):
        thread.join(SECONDS_TO_CLOSE)
    _closing.clear()


def _start(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function, name="neural_style-app", daemon=True)
    _threads.add(thread)
    thread.start()


def _paint_tiny() -> None:
    from neural_style.api import stylize

    with contextlib.suppress(Exception):  # a visitor's own run will report it
        stylize(samples.path("cat"), samples.path("harvest"), size=64, quality="instant", progress=False)


class _Watcher:
    """Callback of a run: sends an update now and then, and ends the run once `stopped` is set."""

    def __init__(self, send: Callable[[Update], object], stopped: threading.Event) -> None:
        from neural_style.callbacks import TimeLeft

        self._send, self._stopped = send, stopped
        self._time_left, self._sent_at = TimeLeft(), 0.0

    def __call__(self, step: Step) -> None:
        seconds = self._time_left(step)
        if step.seconds - self._sent_at > SECONDS_BETWEEN_UPDATES and step.progress < 1.0:
            self._sent_at = step.seconds
            width, height = step.scale
            text = f"Step {step.step} of {step.steps}, {width} x {height}"
            text = text if seconds is None else f"{text}, {seconds:.0f} s left"
            self._send(Update(step.image(), step.progress, text))
        if self._stopped.is_set() or _closing.is_set():
            raise StopIteration
