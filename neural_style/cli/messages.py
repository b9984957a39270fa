"""Messages of the commands: one line each, on streams that may be closed, full, gone or unable to spell a name.

No message ends a run. One that nobody can read is dropped.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TextIO

__all__ = ["discard", "flush", "say", "warnings_shown"]


def say(text: str, stream: TextIO | None) -> str | None:
    """Write a line, above the progress bar if there is one; letters that the stream cannot encode become escapes.

    Returns:
        Why the line could not be written; None if it was.
    """
    if stream is None:
        return "closed"
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        with _bars_cleared(stream):
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    except (OSError, ValueError) as error:
        return discard(stream, error)
    return flush(stream)


def flush(stream: TextIO | None) -> str | None:
    """Flush a stream, if it is there; returns why that failed."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError) as error:  # ValueError: closed
        return discard(stream, error)
    return None


def discard(stream: TextIO | None, error: BaseException) -> str:
    """Point a stream that failed at the null device, and return the reason of the failure.

    What is left in its buffer would fail again as the process ends, which changes the exit code.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, stream.fileno())  # type: ignore[union-attr]
        finally:
            os.close(null)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


@contextlib.contextmanager
def warnings_shown() -> Iterator[None]:
    """Write each warning, and what the library logs as one, to stderr: once, and on one line."""
    shown: set[str] = set()

    def show(message: object) -> None:
        line = " ".join(str(message).split())
        if line not in shown:
            shown.add(line)
            say(f"warning: {line}", sys.stderr)

    logger, handler = logging.getLogger("neural_style"), _Handler(show)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: show(message)
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record.getMessage())


def _bars_cleared(stream: TextIO) -> contextlib.AbstractContextManager[object]:
    """Clear tqdm's bars while something is written, if there may be any."""
    loaded = sys.modules.get("tqdm")
    return contextlib.nullcontext() if loaded is None else loaded.tqdm.external_write_mode(file=stream)
