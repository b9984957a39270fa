"""Files by what they are: regular or special, the same or another, links that may be followed and those that may not.

Only regular files are read whole or replaced. A device, a pipe or a socket may block for ever, have no end, or be lost
to every program of the machine once a file takes its name.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

__all__ = ["FileSet", "check_regular", "check_replaceable", "open_regular", "resolve"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> IO[bytes]:
    """Open a regular file in binary mode, without blocking on anything else.

    Args:
        path: the file; links are followed.
        flags: as for `os.open`.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
    """
    check_regular(path)  # before it is opened: opening a device may have effects
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        _check_kind(os.fstat(descriptor), path)
        return os.fdopen(descriptor, "rb" if flags & (os.O_WRONLY | os.O_RDWR) == 0 else "r+b")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: str | os.PathLike[str], *, to_replace: bool = False) -> None:
    """Raise `OSError` if something is there that is not a regular file, or a link to one.

    Args:
        path: a file or a new name.
        to_replace: whether the file must also be writable: a rename would replace a read-only file.

    Raises:
        OSError: it is a folder, a pipe, a device, or cannot be looked up.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return
    _check_kind(found, path)
    if to_replace and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "it is a read-only file", os.fspath(path))


def check_replaceable(target: str | os.PathLike[str]) -> None:
    """Raise `OSError` if a file may not take this name, as far as that can be seen without doing it.

    Args:
        target: a path without links, see `resolve`; its folder exists.

    Raises:
        OSError: the name is too long, it belongs to something that is not a regular file, to a read-only file, to
            another user's file in a sticky folder (such as `/tmp`), or to a file that is mounted there.
    """
    try:
        found = os.lstat(target)
    except FileNotFoundError:
        return
    check_regular(target, to_replace=True)
    folder = os.stat(os.path.dirname(target) or os.curdir)
    if folder.st_mode & stat.S_ISVTX and _user() not in (0, found.st_uid, folder.st_uid):
        raise PermissionError(errno.EPERM, "it is another user's file in a sticky folder", os.fspath(target))
    if os.fsencode(os.path.realpath(target)) in _mount_points():
        raise OSError(errno.EBUSY, "it is a mount point, which cannot be replaced", os.fspath(target))


def resolve(path: str | os.PathLike[str]) -> str:
    """The file that a path leads to, so that it is replaced rather than the link.

    Args:
        path: file to write. A link is followed if it leads to a file, or to a new name, of the same suffix, and not if
            another user put it into a folder that everybody can write to (the rule of Linux's `protected_symlinks`).

    Raises:
        OSError: a link that is not followed.
        ValueError: a null byte in the name.
    """
    name = os.fsdecode(path)
    target = os.path.realpath(name)
    if os.path.islink(target):
        raise OSError(errno.ELOOP, "it is a link that leads in a circle", name)
    absolute = Path(os.path.abspath(name))
    for link in (absolute, *absolute.parents):
        if link.is_symlink() and _is_planted(link):
            raise PermissionError(
                errno.EPERM, f"{os.fspath(link)!r} is another user's link in a folder that everybody can write to", name
            )
    if os.path.islink(name) and _suffix(name) != _suffix(target):
        raise OSError(errno.EINVAL, f"it is a link to a file with another suffix, {target!r}", name)
    return target


class FileSet:
    """Files, also such that do not exist yet, recognized under any of their names.

    A file is the same by its path without links, by its name in the same folder (which may be mounted twice), and by
    its number (hard links).
    """

    def __init__(self) -> None:
        self._labels: dict[Hashable, str] = {}
        self._by_place: dict[tuple[int, int], tuple[str | int, str]] = {}

    def add(self, value: Any, label: str) -> None:
        """Add the files that a value names.

        Args:
            value: a path, an open file, an image that PIL opened from a file, or a nest of them; anything else names no
                file.
            label: what `find` returns for them, unless they are there already.
        """
        for source in _sources(value):
            for name in _names(source):
                self._labels.setdefault(name, label)
            with suppress(OSError, ValueError):
                self._by_place.setdefault(_place(source), (source, label))

    def find(self, value: Any) -> str | None:
        """The label of the first file that a value names and that is in the set; None if there is none."""
        return next(filter(None, map(self._label, _sources(value))), None)

    def _label(self, source: str | int) -> str | None:
        for name in _names(source):
            if name in self._labels:
                return self._labels[name]
        with suppress(OSError, ValueError):
            place = _place(source)
            known, label = self._by_place.get(place, (None, None))
            if known is not None and _place(known) == place:  # a deleted file's number may be another's now
                return label
        return None


def _check_kind(found: os.stat_result, path: str | os.PathLike[str]) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "something else")
        code = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
        raise OSError(code, f"it is {kind}, not a regular file", os.fspath(path))


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _is_planted(link: Path) -> bool:
    folder, owner = link.parent.stat(), link.lstat().st_uid
    shared = folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH
    return bool(shared) and owner not in (_user(), folder.st_uid)


def _mount_points() -> set[bytes]:
    """Paths at which something is mounted; empty where the system does not say."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return set()
    return {re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), line.split()[4]) for line in lines}


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _sources(value: Any) -> Iterator[str | int]:
    """Paths and file descriptors."""
    if isinstance(value, str | os.PathLike):
        yield os.fsdecode(value)
    elif isinstance(value, Mapping):
        yield from _sources(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _sources(each)
    elif isinstance(name := getattr(value, "filename", None), str | os.PathLike) and name:
        yield os.fsdecode(name)
    elif callable(getattr(value, "fileno", None)):
        with suppress(OSError, ValueError):  # a closed file, or one that exists in memory only
            yield value.fileno()


def _names(source: str | int) -> Iterator[Hashable]:
    """What a path is called: without links, and in its folder."""
    if isinstance(source, str):
        with suppress(OSError, ValueError):  # no such folder, or a null byte in the name
            real = os.path.realpath(source)
            yield real
            yield *_place(os.path.dirname(real)), os.path.basename(real)


def _place(source: str | int) -> tuple[int, int]:
    found = os.stat(source)
    return found.st_dev, found.st_ino
