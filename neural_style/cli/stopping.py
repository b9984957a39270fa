"""Requests to stop a command: Ctrl-C, SIGTERM and SIGHUP all raise `KeyboardInterrupt`, which keeps the work so far."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

__all__ = ["stoppable", "undisturbed"]

SAME_REQUEST = 3.0
"""Seconds within which further signals repeat a request: a closed terminal sends several, and keys are hit twice."""

_USUAL = {
    "SIGINT": signal.default_int_handler,
    "SIGTERM": signal.SIG_DFL,
    "SIGHUP": signal.SIG_DFL,
    "SIGBREAK": signal.SIG_DFL,  # Ctrl-Break, and the end of a console, on Windows
}
"""The requests to stop, and what handles them in a program that did not choose otherwise."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `KeyboardInterrupt` for every request to stop, once for those that come together.

    A signal that is ignored, as under `nohup`, or that the host program handles stays as it is.
    """
    last = -math.inf

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > SAME_REQUEST:
            last = now
            raise KeyboardInterrupt

    with _handled_by(stop, lambda usual, present: present == usual):
        yield


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore requests to stop while a finished image is saved."""
    with _handled_by(signal.SIG_IGN, lambda usual, present: present is not None):
        yield


@contextlib.contextmanager
def _handled_by(handler: Any, wanted: Callable[[Any, Any], bool]) -> Iterator[None]:
    """Set a handler for the signals that this system has, where the usual and the present handler are as wanted."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other thread can set handlers
        for name, usual in _USUAL.items():
            number = getattr(signal, name, None)
            if number is not None and wanted(usual, signal.getsignal(number)):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
