"""A line in which visitors wait for their turn: one painting at a time, because two would share the cores."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

__all__ = ["Line"]


class Line:
    """Who came first is served first.

    Example:
        >>> line = Line()
        >>> with line.place() as first, line.place() as second:
        ...     line.position(first), line.position(second)
        (0, 1)
    """

    def __init__(self) -> None:
        self._tickets: list[object] = []
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def place(self) -> Iterator[object]:
        """Take a place at the end, and give it up when the block ends."""
        ticket = object()
        with self._changed:
            self._tickets.append(ticket)
        try:
            yield ticket
        finally:
            with self._changed:
                self._tickets.remove(ticket)
                self._changed.notify_all()

    def position(self, ticket: object) -> int:
        """How many are before a ticket: 0 if it is its turn."""
        with self._changed:
            return self._tickets.index(ticket)

    def wait(self, seconds: float) -> None:
        """Wait until somebody leaves, but not longer."""
        with self._changed:
            self._changed.wait(seconds)
