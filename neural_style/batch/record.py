"""Outcomes of a batch, and the file that keeps them for the next call."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import threading
import time
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import IO, Literal

from neural_style._files import open_regular, resolve

__all__ = ["Outcome", "Record"]

MAX_LINE = 2**20  # bytes; a line holds a path, a hash and a message
MAX_BYTES = 2**30  # some two million outcomes


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        number: index of the job, from 0.
        output: path of the image.
        status: `"done"`, `"skipped"` (the output existed and was up to date) or `"failed"`.
        seconds: duration of the job.
        error: reason of a failure, on one line; None otherwise.
        identity: hash of content, style, options and version; `"unidentified: ..."` with the reason where one of them
            cannot be compared, so that the job is never skipped; None where the job was not started.

    Example:
        >>> Outcome(0, "painted.png", "failed", 0.1, "no such file").status
        'failed'
    """

    number: int
    output: str
    status: Literal["done", "skipped", "failed"]
    seconds: float
    error: str | None = None
    identity: str | None = None


class Record:
    """Outcomes in a file of JSON lines; the last line about an output counts.

    Args:
        path: the file, a regular one; it and its folder are created. None for no record.

    Raises:
        OSError: it cannot be read or written, is not a regular file, or a link that is not followed.
        ValueError: it is not a record, or longer than `MAX_BYTES`; nothing is added to it.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = None if path is None else Path(resolve(path))
        self._identities: dict[str, str] = {}
        self._added: set[int] = set()
        self._lock = threading.Lock()
        if self._path is None:
            return
        with self._opened() as handle:
            self._check(handle)
            self._read(handle)

    def identity(self, output: str | os.PathLike[str]) -> str | None:
        """What an output was made from; None if the record does not mention it."""
        return self._identities.get(str(Path(output)))

    def add(self, outcome: Outcome) -> None:
        """Append an outcome, unless it is there already or the job was skipped."""
        if self._path is None or outcome.status == "skipped":
            return
        line = json.dumps(dataclasses.asdict(outcome) | {"ended": time.strftime("%Y-%m-%dT%H:%M:%S%z")})
        with self._lock:
            if outcome.number not in self._added:
                with self._opened() as handle:
                    handle.write(line.encode() + b"\n")
                self._added.add(outcome.number)

    def add_ended(self, future: Future[Outcome]) -> None:
        """Append the outcome of a task that ended on an executor; an error is left to `add`, which the caller sees."""
        with contextlib.suppress(OSError, CancelledError):
            if future.exception() is None:
                self.add(future.result())

    def _opened(self) -> IO[bytes]:
        if self._path is None:
            raise OSError(errno.EINVAL, "there is no record")
        self._path.parent.mkdir(parents=True, exist_ok=True)  # each time: somebody may delete it during a long batch
        return open_regular(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND)

    def _check(self, handle: IO[bytes]) -> None:
        """Refuse a file that is something else, an image for instance, before a line is appended to it."""
        if (length := os.fstat(handle.fileno()).st_size) > MAX_BYTES:
            raise ValueError(f"{str(self._path)!r} is {length:,} bytes, too long for a record; choose another file")
        if handle.read(1) not in (b"", b"{"):
            raise ValueError(f"{str(self._path)!r} is not a record of earlier outcomes; choose another file")
        handle.seek(0)

    def _read(self, handle: IO[bytes]) -> None:
        line = b"\n"
        while part := handle.readline(MAX_LINE):
            line = part
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                if entry["status"] == "done":
                    self._identities[entry["output"]] = entry["identity"]
        if not line.endswith(b"\n"):
            handle.write(b"\n")  # ends a line that a kill cut short
