"""Arrays in `.npz` files, whose shapes and types are read before their data, and whose content a checksum covers.

`numpy.load` allocates whatever a file asks for: a few hundred kilobytes of compressed zeros are gigabytes of array. Of
a zip file's own checksums, none covers names and lengths. In what this module writes, a SHA-256 of the file stands in
the archive's comment, at its end; any reader of `.npz` files reads it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import struct
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np

from neural_style._files import open_regular
from neural_style.errors import NeuralStyleError

__all__ = ["Archive", "DamagedError", "Header", "opened", "write"]

_MARK = b"neural_style sha256 "
_LENGTH = len(_MARK) + 64
_TAIL = struct.pack("<H", _LENGTH) + _MARK  # the archive's last record ends with the comment and, before it, its length
_BLOCK = 2**20


class Header(NamedTuple):
    """Shape and type of an array that has not been read yet."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the array takes in memory."""
        return self.size * self.dtype.itemsize


class Archive:
    """An open `.npz` file; a context manager. Nothing is unpickled.

    Args:
        handle: the file, seekable.

    Attributes:
        headers: of every array, by name.

    Raises:
        ValueError: an array has neither numbers nor text, or needs a newer NumPy; `zipfile` and NumPy raise other
            errors for damaged files.
    """

    def __init__(self, handle: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(handle)
        members = [info.filename for info in self._zip.infolist() if info.filename.endswith(".npy")]
        self.headers = {name.removesuffix(".npy"): self._header(name) for name in members}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self.headers

    def __getitem__(self, name: str) -> np.ndarray:
        with self._zip.open(f"{name}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    def check_uncompressed(self) -> None:
        """Raise `ValueError` if the arrays hold more than the file has bytes, as those written here never do."""
        held = sum(header.nbytes for header in self.headers.values())
        stored = sum(info.compress_size for info in self._zip.infolist())
        if held > stored or any(info.compress_type != zipfile.ZIP_STORED for info in self._zip.infolist()):
            raise ValueError(f"it is compressed: {stored:,} bytes would become {held:,}")

    def _header(self, name: str) -> Header:
        with self._zip.open(name) as member:
            version = np.lib.format.read_magic(member)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"{name} is of version {version}, which is for names of fields that are not ASCII")
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(member)
        if dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, which are never read")
        return Header(shape, dtype)


class DamagedError(Exception):
    """A file that is cut short, altered, or no archive of this kind."""


def write(handle: IO[bytes], about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write an archive to a new file that is open for reading and writing.

    Args:
        handle: the file, empty.
        about: the JSON text; its `"format"` is a number.
        arrays: any but those called `"about"`.
    """
    np.savez(handle, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    handle.seek(0)
    digest = hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]
    handle.seek(-2, os.SEEK_END)  # the length of the comment, 0 so far
    handle.write(_TAIL + digest.encode())


@contextmanager
def opened(path: str | os.PathLike[str], *, unchecked: Collection[int] = ()) -> Iterator[tuple[Any, Archive]]:
    """Open an archive: its text, and its arrays, which are read when they are looked up.

    Args:
        path: a regular file.
        unchecked: values of `"format"` for which the checksum may be missing.

    Raises:
        DamagedError: the checksum does not match, or what is written there cannot be understood; also in place of what
            the body of the `with` statement raises for this reason.
        OSError: it cannot be read, which says nothing about its content.
        MemoryError: likewise; for want of memory, other errors are possible.
    """
    with open_regular(path) as handle:
        is_checked = _verify(handle)
        try:
            with Archive(handle) as stored:
                stored.check_uncompressed()
                about = json.loads(bytes(stored["about"]))
                if not is_checked and about["format"] not in unchecked:
                    raise DamagedError("its checksum is missing")
                yield about, stored
        except (DamagedError, NeuralStyleError):
            raise
        except Exception as error:
            if not _is_damage(error, is_checked):
                raise
            raise DamagedError(f"{type(error).__name__}: {error}") from error


def _is_damage(error: Exception, is_checked: bool) -> bool:
    """Whether an error comes from the content of a file, not from what its reader lacks.

    Of a damaged zip file, NumPy and zipfile raise anything. For want of memory, Python may also fail to load the module
    of an encoding (a bare `LookupError`), and TensorFlow raises errors of its own.
    """
    if isinstance(error, OSError):
        return not is_checked and error.errno in (None, errno.EINVAL)  # a place outside the file
    lacking = isinstance(error, MemoryError | ImportError) or type(error) is LookupError
    return not lacking and not type(error).__module__.startswith("tensorflow.")


def _verify(handle: IO[bytes]) -> bool:
    """Compare content and checksum; False if there is none."""
    content = handle.seek(0, os.SEEK_END) - _LENGTH - 2
    if content < 0:
        handle.seek(0)
        return False
    handle.seek(content)
    tail = handle.read()
    handle.seek(0)
    if not tail.startswith(_TAIL):
        return False
    digest, left = hashlib.sha256(), content
    while left and (block := handle.read(min(left, _BLOCK))):
        digest.update(block)
        left -= len(block)
    digest.update(b"\0\0")
    handle.seek(0)
    if digest.hexdigest().encode() != tail[len(_TAIL) :]:
        raise DamagedError("its checksum does not match")
    return True
