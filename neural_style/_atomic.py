"""Files that are written whole or not at all: to a temporary beside them, flushed to the disk, then renamed."""

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
    """Put a new file in a file's place.

    Args:
        target: the file; its folder exists.
        write: fills an open binary file.
        prefix: how the temporary's name begins; it ends in `.part`.
        backup: where the file that was there goes; None to replace it.

    Raises:
        OSError: it cannot be written; what was there still is. Whatever `write` raises passes through likewise.
    """
    put(*create_beside(target, prefix), target, write, backup)


def create_beside(target: str | os.PathLike[str], prefix: str = ".neural_style-") -> tuple[str, IO[bytes]]:
    """A temporary in the same folder, since a rename is atomic only within one file system, and open for writing."""
    temporary = os.path.join(os.path.dirname(target), f"{prefix}{secrets.token_hex(8)}.part")
    # Not tempfile: its files are private to the user, and the rename would carry that over to the result.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return temporary, os.fdopen(os.open(temporary, flags, 0o666), "w+b")


def sweep(target: str | os.PathLike[str], prefix: str, seconds: float) -> None:
    """Remove what killed processes left of writing here: temporaries nobody has written to for so long."""
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
    """Fill a temporary and give it the target's name; whatever goes wrong, it does not stay."""
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
    """Make the rename survive a power cut; where folders cannot be synced, that is nothing to fail for."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
