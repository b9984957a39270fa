"""Arrays in `.npz` files, whose shapes and types are read before their data.

`numpy.load` allocates whatever a file asks for: a few hundred kilobytes of compressed zeros are gigabytes of array.
"""

from __future__ import annotations

import math
import zipfile
from types import TracebackType
from typing import IO, NamedTuple, Self

import numpy as np

__all__ = ["Archive", "Header"]


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
