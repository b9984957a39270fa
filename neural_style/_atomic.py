"""Atomic writes: fill a temporary file in the same folder, flush it to disk, then rename it."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

__all__ = ["create_beside", "put", "sweep", "write_whole"]


def write_whole(
    target: str | os.PathLike[str],
    write: Callable[[IO[bytes]], object],
    *,
    prefix: str = ".neural_style-",
    backup: str | os.PathLike[str] | None = None,
) -> None:
    """Write a file atomically, replacing an existing one.

    Args:
        target: file to write; its folder exists.
        write: function that writes the content to an open binary file.
        prefix: beginning of the temporary file's name, which ends in `.part`.
        backup: path to which an existing file is moved; None to replace it.

    Raises:
        OSError: the file cannot be written; an existing file is unchanged. Errors raised by `write` propagate likewise.
    """
    put(*create_beside(target, prefix), target, write, backup)


def create_beside(target: str | os.PathLike[str], prefix: str = ".neural_style-") -> tuple[str, IO[bytes]]:
    """Create a temporary file in the same folder, since a rename is atomic only within one file system, and open it."""
    temporary = os.path.join(os.path.dirname(target), f"{prefix}{secrets.token_hex(8)}.part")
    # Not by tempfile: its files are private to the user, and the renamed file would be as well.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return temporary, os.fdopen(os.open(temporary, flags, 0o666), "w+b")


def sweep(target: str | os.PathLike[str], prefix: str, seconds: float) -> None:
    """Delete temporary files older than `seconds`, left behind by killed processes."""
    with suppress(OSError):
        for entry in os.scandir(os.path.dirname(target) or os.curdir):
            if entry.name.startswith(prefix) and entry.name.endswith(".part"):
                with suppress(OSError):
                    if time.time() - entry.stat().st_mtime > seconds:
                        os.unlink(entry.path)


def put(
    temporary: str,
    handle: IO[bytes],
    target: str | os.PathLike[str],
    write: Callable[[IO[bytes]], object],
    backup: str | os.PathLike[str] | None = None,
) -> None:
    """Fill a temporary file and rename it to the target; on any error, delete it."""
    try:
        with handle:
            write(handle)
            handle.flush()
            os.fsync(handle.fileno())
        if backup is not None and os.path.exists(target):
            os.replace(target, backup)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.remove(temporary)
        raise
    _sync_folder(os.path.dirname(target) or os.curdir)


def _sync_folder(folder: str) -> None:
    """Sync the folder so that the rename survives a power failure; ignore systems on which that is not possible."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
