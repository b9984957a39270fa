"""Atomic writes: fill a temporary file in the same folder, flush it to disk, then rename it."""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from neural_style._files import check_regular, check_replaceable

__all__ = ["check_place", "create_beside", "put", "put_aside", "sweep", "write_whole"]

PREFIX = ".neural_style-"


def write_whole(
    target: str | os.PathLike[str],
    write: Callable[[IO[bytes]], object],
    *,
    prefix: str = PREFIX,
    backup: str | os.PathLike[str] | None = None,
    mode: int | None = None,
) -> None:
    """Write a file atomically, replacing an existing one.

    Args:
        target: file to write; its folder exists. A link is replaced: see `_files.resolve`.
        write: function that writes the content to an open binary file.
        prefix: beginning of the temporary file's name, which ends in `.part`.
        backup: path to which an existing file is moved; None to replace it.
        mode: permissions of the file and of the backup, less those of the umask. None for those of the existing file,
            whose owner and group are kept where the system allows it, or of any new file.

    Raises:
        OSError: the file cannot be written, or something is there that is not a regular, writable file; it is
            unchanged. Errors raised by `write` propagate likewise.
    """
    put(*create_beside(target, prefix, mode), target, write, backup, mode)


def check_place(target: str | os.PathLike[str], prefix: str = PREFIX) -> None:
    """Raise the `OSError` that `write_whole` would raise later, as far as that can be known; nothing is changed."""
    check_replaceable(target)
    temporary, handle = create_beside(target, prefix)
    try:
        with handle:
            handle.write(b"neural_style")
    finally:
        os.remove(temporary)


def create_beside(
    target: str | os.PathLike[str], prefix: str = PREFIX, mode: int | None = None
) -> tuple[str, IO[bytes]]:
    """Create a temporary file in the same folder, since a rename is atomic only within one file system, and open it."""
    temporary = os.path.join(os.path.dirname(target), f"{prefix}{secrets.token_hex(8)}.part")
    # Not by tempfile: its files are private to the user, and the renamed file would be as well.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    if mode is None:
        mode = 0o600 if os.path.lexists(target) else 0o666  # the existing file may be private: see `_inherit`
    return temporary, os.fdopen(os.open(temporary, flags, mode), "w+b")


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
    mode: int | None = None,
) -> None:
    """Fill a temporary file and rename it to the target; on any error, delete it."""
    try:
        with handle:
            write(handle)
            handle.flush()
            if mode is None:
                _inherit(handle.fileno(), target)
            os.fsync(handle.fileno())
        check_regular(target, to_replace=True)
        if backup is not None and os.path.exists(target):
            _back_up(target, backup, mode)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.remove(temporary)
        raise
    _sync_folder(os.path.dirname(target) or os.curdir)


def put_aside(path: str | os.PathLike[str]) -> str:
    """Rename a file to a new name beside it, so that nothing replaces it; returns that name.

    Raises:
        OSError: it cannot be renamed.
    """
    names = (f"{os.fspath(path)}.aside{number}" for number in ("", *(f"-{count}" for count in range(2, 10_000))))
    name = next(name for name in names if not os.path.lexists(name))
    os.rename(path, name)
    return name


def _inherit(descriptor: int, target: str | os.PathLike[str]) -> None:
    """Give a new file the permissions, group and owner of the one it replaces, as far as the system allows it."""
    if not hasattr(os, "fchown") or not os.path.exists(target):
        return
    former, mode = os.stat(target), stat.S_IMODE(os.stat(target).st_mode) & 0o777
    for owner in (former.st_uid, -1):
        with suppress(OSError):
            os.fchown(descriptor, owner, former.st_gid)
            break
    else:
        mode &= 0o707  # what one group may do is not for another
    with suppress(OSError):  # some file systems have no permissions
        os.fchmod(descriptor, mode)


def _back_up(target: str | os.PathLike[str], backup: str | os.PathLike[str], mode: int | None) -> None:
    check_regular(backup)
    if mode is not None:
        with suppress(OSError):
            os.chmod(target, mode)
    os.replace(target, backup)


def _sync_folder(folder: str) -> None:
    """Sync the folder so that the rename survives a power failure; ignore systems on which that is not possible."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
