"""Weights of the networks: from this package, from Keras's cache, or from a file of the user's.

Nothing is unpickled. Files that ship with this package are checked against their SHA-256.
"""

from __future__ import annotations

import functools
import hashlib
import io
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neural_style._archive import Archive, Header
from neural_style.errors import WeightsUnavailableError
from neural_style.features.downloads import imagenet_path

__all__ = ["BUNDLED_SHA256", "Arrays", "Weights", "load_weights", "read_arrays"]


class Weights(NamedTuple):
    """Weights of one convolution, in the size they were stored in."""

    kernel: np.ndarray  # (3, 3, in, out), float32, or int8 in units of `scale`
    bias: np.ndarray  # (out,), float32
    scale: np.ndarray | None = None  # (out,), float32

    @property
    def kernel32(self) -> np.ndarray:
        """The kernel in float32."""
        return self.kernel if self.scale is None else self.kernel * self.scale


MAX_BYTES = 1 << 28
"""Largest size of a file's arrays in memory where their shapes are not known beforehand; `Lite` has 4 MB."""

Arrays = Mapping[str, Weights]
"""Weights by layer."""

BUNDLED_SHA256 = {
    "vgg16": "c937702858c479ce2fb32add3d8f36a880025bce8c167050f58fe2144a15af2a",
    "decoders": "20208d8e7e85e9d6533a19d131bdf6ed90371ef52ced3d0f86b81bc22f14e5ff",
    "lite": "712223eefc17fe39c5d496ba9de6bfc81ee3193d1a0ebf2f5e7ad5658f4596c9",
}
"""SHA-256 of the files that ship with this package."""


def load_weights(network: str, source: str | os.PathLike[str], names: Sequence[str]) -> Arrays:
    """Load kernels and biases of a network's first convolutions, as many as the source holds.

    Args:
        network: `"vgg16"` or `"vgg19"`.
        source: `"bundled"`, `"imagenet"`, or a path to an `.npz` (keys `block1_conv1/kernel`,
            `block1_conv1/bias`, ...) or `.h5` file (any of Keras's layouts).
        names: the network's convolutions in order.

    Raises:
        WeightsUnavailableError: the file is neither on this machine nor reachable, is damaged, or holds the weights of
            another network.
    """
    if source == "bundled":
        return _Bundled(network)
    path = imagenet_path(network) if source == "imagenet" else Path(source)
    if not path.is_file():
        raise WeightsUnavailableError(f"there is no weights file at {path}")
    try:
        read = _read_npz if path.suffix == ".npz" else _read_h5
        return read(path, names, functools.partial(_check_shape, path, network))
    except WeightsUnavailableError:
        raise
    except Exception as error:
        raise WeightsUnavailableError(f"{path} could not be read as a weights file: {error}") from error


def _check_shape(path: Path, network: str, name: str, array: Any) -> None:
    """Check the shape and type of a layer's kernel or bias before it is read.

    Args:
        path: of the file.
        network: `"vgg16"` or `"vgg19"`.
        name: of the convolution.
        array: has `shape` and `dtype`; of one axis for a bias.
    """
    inputs, outputs = (64 * 2 ** min(block, 3) for block in (int(name[5]) - 2, int(name[5]) - 1))
    if not name.endswith("_conv1"):
        inputs = outputs
    shapes = {"bias": (outputs,), "kernel": (3, 3, 3 if name == "block1_conv1" else inputs, outputs)}
    part = "bias" if len(array.shape) == 1 else "kernel"
    if tuple(array.shape) != shapes[part]:
        raise WeightsUnavailableError(
            f"{path} does not hold the weights of {network}: {name} has a {part} of shape {tuple(array.shape)} "
            f"where {shapes[part]} was expected"
        )
    if np.dtype(array.dtype).kind not in "fiu":
        raise WeightsUnavailableError(f"{path} does not hold the weights of {network}: {name} is of {array.dtype}")


def read_arrays(
    network: str, source: str | os.PathLike[str], check: Callable[[Mapping[str, Header]], None] = lambda headers: None
) -> dict[str, np.ndarray]:
    """Load all arrays, in float32, of a network's bundled file or of an `.npz` file.

    Args:
        network: `"vgg16"`, `"lite"` or `"decoders"`.
        source: `"bundled"`, or the path of an `.npz` file.
        check: called with the shape of each array before any is read; what it raises passes through.

    Raises:
        WeightsUnavailableError: the file is missing, damaged, or holds more than `MAX_BYTES`.
    """
    if source != "bundled" and not Path(source).is_file():
        raise WeightsUnavailableError(f"there is no weights file at {os.fspath(source)}")
    try:
        with (
            io.BytesIO(_shipped(network)) if source == "bundled" else Path(source).open("rb") as stream,
            Archive(stream) as stored,
        ):
            check(stored.headers)
            if (held := sum(header.nbytes for header in stored.headers.values())) > MAX_BYTES:
                raise ValueError(f"its arrays hold {held:,} bytes, more than {MAX_BYTES:,}")
            return {name: np.asarray(stored[name], np.float32) for name in stored.headers}
    except WeightsUnavailableError:
        raise
    except Exception as error:  # for a damaged zip file, NumPy and zipfile raise exceptions of many types
        raise WeightsUnavailableError(f"{source} could not be read as a weights file: {error}") from error


class _Bundled(Mapping[str, Weights]):
    """The weights of a file that ships, each decompressed when it is first looked up.

    Kernels are stored as int8 with a float32 scale for each output channel, biases as float32. Most runs do not read
    the deepest layers, which are the largest.
    """

    def __init__(self, network: str) -> None:
        self._stored = np.load(io.BytesIO(_shipped(network)), allow_pickle=False)
        self._names = [key.removesuffix("/kernel") for key in self._stored.files if key.endswith("/kernel")]
        self._read: dict[str, Weights] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Weights:
        if name not in self._names:
            raise KeyError(name)
        with self._lock:
            if name not in self._read:
                self._read[name] = Weights(*(self._stored[f"{name}/{part}"] for part in ("kernel", "bias", "scale")))
            return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _shipped(network: str) -> bytes:
    """Content of a file that ships with this package, checked against its hash."""
    if network not in BUNDLED_SHA256:
        raise WeightsUnavailableError(
            f"no weights of {network} ship with neural_style; there are {', '.join(BUNDLED_SHA256)}"
        )
    file = resources.files("neural_style.features") / "pretrained" / f"{network}.npz"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise WeightsUnavailableError(f"{file} is missing; install neural_style again") from error
    if hashlib.sha256(data).hexdigest() != BUNDLED_SHA256[network]:
        raise WeightsUnavailableError(f"{file} is damaged (its SHA-256 differs); install neural_style again")
    return data


def _read_npz(path: Path, names: Sequence[str], check: Callable[[str, Any], None]) -> Arrays:
    with path.open("rb") as handle, Archive(handle) as stored:
        found = [name for name in names if f"{name}/kernel" in stored.headers]
        if not found or found != list(names[: len(found)]):
            lacking = next(name for name in names if name not in found)
            raise WeightsUnavailableError(f"{path} lacks {lacking}/kernel; it has {list(stored.headers)}")
        for name in found:
            for part in ("kernel", "bias"):
                check(name, stored.headers[f"{name}/{part}"])
        return {
            name: Weights(*(np.asarray(stored[f"{name}/{part}"], np.float32) for part in ("kernel", "bias")))
            for name in found
        }


def _read_h5(path: Path, names: Sequence[str], check: Callable[[str, Any], None]) -> Arrays:
    """The convolutions of an HDF5 file by layer name, or by position in Keras 3's layout.

    Only plain data sets are read: links to other files are not followed, and compressed data, of which HDF5 does not
    bound the size, is refused.
    """
    import h5py

    kernels: dict[str, np.ndarray] = {}
    biases: dict[str, np.ndarray] = {}

    def visit(where: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
            return
        layer = next((part for part in where.split("/") if part in names), None) or _by_position(where, names)
        if layer is not None and item.ndim in (1, 4):
            check(layer, item)
            if item.id.get_create_plist().get_nfilters() or math.prod(item.chunks or ()) > item.size:
                raise WeightsUnavailableError(f"{path}: {where} is compressed, or in chunks larger than itself")
            (kernels if item.ndim == 4 else biases)[layer] = np.asarray(item, np.float32)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    found = [name for name in names if name in kernels and name in biases]
    if not found or found != list(names[: len(found)]):
        lacking = next(name for name in names if name not in found)
        raise WeightsUnavailableError(f"{path} lacks the convolution {lacking}")
    return {name: Weights(kernels[name], biases[name]) for name in found}


def _by_position(where: str, names: Sequence[str]) -> str | None:
    """Keras 3 names convolutions `layers/conv2d/vars/0`, `layers/conv2d_1/vars/0`, ... in order."""
    parts = where.split("/")
    if len(parts) != 4 or parts[0] != "layers" or not parts[1].startswith("conv2d"):
        return None
    number = parts[1].removeprefix("conv2d").removeprefix("_") or "0"
    return names[int(number)] if number.isdigit() and int(number) < len(names) else None
