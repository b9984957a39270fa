"""Where a network's weights come from: this package, Keras's cache or download, or a file of the user's.

Nothing is unpickled. Keras's own files are opened only after size and hash agree with what Keras publishes;
what ships here carries its SHA-256. A download goes to a temporary file of its own and is renamed into
Keras's cache when size and hash agree, so a cut connection or a killed process leaves no bad file behind, and
two processes at once do not disturb each other.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from neural_style import _atomic as files
from neural_style.errors import WeightsUnavailableError

__all__ = ["Arrays", "Weights", "load_weights", "read_arrays"]


class Weights(NamedTuple):
    """What one convolution computes with, as small as it was stored."""

    kernel: np.ndarray  # (3, 3, in, out), float32, or int8 in units of `scale`
    bias: np.ndarray  # (out,), float32
    scale: np.ndarray | None = None  # (out,), float32

    @property
    def kernel32(self) -> np.ndarray:
        """The kernel in float32."""
        return self.kernel if self.scale is None else self.kernel * self.scale


Arrays = dict[str, Weights]
"""For each layer what it computes with."""

logger = logging.getLogger("neural_style")

CONNECT_SECONDS = 4.0  # what being offline may cost, also where packets are dropped
STALL_SECONDS = 20.0  # between two pieces of a download
TOTAL_SECONDS = 1800.0  # for all of it, so that a trickle ends too
STALE_SECONDS = 3600.0  # a partial file nobody has written to for so long has lost its process
OFFLINE_VARIABLE = "NEURAL_STYLE_OFFLINE"

BUNDLED_SHA256 = {
    "vgg16": "c937702858c479ce2fb32add3d8f36a880025bce8c167050f58fe2144a15af2a",
    "lite": "712223eefc17fe39c5d496ba9de6bfc81ee3193d1a0ebf2f5e7ad5658f4596c9",
}


class _KerasFile(NamedTuple):
    url: str
    md5: str  # Keras publishes no stronger hash; no way is known to make a second file of a given MD5 and size
    size: int

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]


_BASE = "https://storage.googleapis.com/tensorflow/keras-applications"
_KERAS_FILES = {
    "vgg16": _KerasFile(
        f"{_BASE}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc", 58889256
    ),
    "vgg19": _KerasFile(
        f"{_BASE}/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6", 80134624
    ),
}


def load_weights(network: str, source: str | os.PathLike[str], names: Sequence[str]) -> Arrays:
    """Kernels and biases of a network's first convolutions, as many as the source holds.

    Args:
        network: `"vgg16"` or `"vgg19"`.
        source: `"bundled"`, `"imagenet"`, or a path to an `.npz` (keys `block1_conv1/kernel`,
            `block1_conv1/bias`, ...) or `.h5` file (any of Keras's layouts).
        names: the network's convolutions in order.

    Raises:
        WeightsUnavailableError: not here and not reachable, damaged, or not this network's.
    """
    if source == "bundled":
        return _bundled(network)
    path = _imagenet(network) if source == "imagenet" else Path(source)
    if not path.is_file():
        raise WeightsUnavailableError(f"there is no weights file at {path}")
    try:
        arrays = _read_npz(path, names) if path.suffix == ".npz" else _read_h5(path, names)
    except WeightsUnavailableError:
        raise
    except Exception as error:
        raise WeightsUnavailableError(f"{path} could not be read as a weights file: {error}") from error
    _check_shapes(path, network, arrays)
    return arrays


def _check_shapes(path: Path, network: str, arrays: Arrays) -> None:
    channels = 3
    for name, (kernel, bias, _) in arrays.items():
        outputs = 64 * 2 ** min(int(name[5]) - 1, 3)
        if kernel.shape != (3, 3, channels, outputs) or bias.shape != (outputs,):
            raise WeightsUnavailableError(
                f"{path} does not hold the weights of {network}: {name} has a kernel of shape {kernel.shape} "
                f"where {(3, 3, channels, outputs)} was expected"
            )
        channels = outputs


# --- what ships with the package ---------------------------------------------------------------------


def read_arrays(network: str, source: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All arrays, in float32, of what ships under a network's name (`"bundled"`) or of an `.npz` file.

    Raises:
        WeightsUnavailableError: not here, or damaged.
    """
    stream = io.BytesIO(_shipped(network)) if source == "bundled" else Path(source)
    try:
        with np.load(stream, allow_pickle=False) as stored:
            return {name: np.asarray(stored[name], np.float32) for name in stored.files}
    except Exception as error:  # of a damaged zip, NumPy and zipfile raise anything
        raise WeightsUnavailableError(f"{source} could not be read as a weights file: {error}") from error


def _bundled(network: str) -> Arrays:
    """Kernels are stored as int8 with a float32 scale for each output channel, biases as float32."""
    with np.load(io.BytesIO(_shipped(network)), allow_pickle=False) as stored:
        layers = [key.removesuffix("/kernel") for key in stored.files if key.endswith("/kernel")]
        return {name: Weights(*(stored[f"{name}/{part}"] for part in ("kernel", "bias", "scale"))) for name in layers}


def _shipped(network: str) -> bytes:
    """A file that ships with this package, whole."""
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


# --- files -------------------------------------------------------------------------------------------


def _read_npz(path: Path, names: Sequence[str]) -> Arrays:
    with np.load(path, allow_pickle=False) as stored:
        found = [name for name in names if f"{name}/kernel" in stored.files]
        if not found or found != list(names[: len(found)]):
            lacking = next(name for name in names if name not in found)
            raise WeightsUnavailableError(f"{path} lacks {lacking}/kernel; it has {stored.files}")
        return {
            name: Weights(
                np.asarray(stored[f"{name}/kernel"], np.float32),
                np.asarray(stored[f"{name}/bias"], np.float32),
            )
            for name in found
        }


def _read_h5(path: Path, names: Sequence[str]) -> Arrays:
    """The convolutions of an HDF5 file by layer name, or in Keras 3's layout by position.

    Only plain data sets are read: links to other files are not followed.
    """
    import h5py

    kernels: dict[str, np.ndarray] = {}
    biases: dict[str, np.ndarray] = {}

    def visit(where: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
            return
        layer = next((part for part in where.split("/") if part in names), None) or _by_position(where, names)
        if layer is not None and item.ndim in (1, 4):
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


# --- Keras's cache and download ----------------------------------------------------------------------


def _imagenet(network: str) -> Path:
    """The path of Keras's own file in Keras's own cache, downloaded if need be."""
    file = _KERAS_FILES[network]
    home = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser())
    path = home / "models" / file.name
    if path.is_file():
        if path.stat().st_size == file.size and _md5(path) == file.md5:
            return path
        reason = "that file is there but damaged (its size or MD5 differs)"
    elif os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"):
        reason = f"{OFFLINE_VARIABLE} is set"
    else:
        try:
            _download(file, path)
            return path
        except (OSError, http.client.HTTPException) as error:
            reason = f"downloading failed: {error}"
    raise WeightsUnavailableError(
        f"{network}'s ImageNet weights are not at {path}: {reason}. Put {file.name} there (MD5 {file.md5}; "
        f"from {file.url}), or pass weights=PATH, or use extractor='vgg16', whose weights ship with neural_style."
    )


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _download(file: _KerasFile, path: Path) -> None:
    """Fetch to a temporary file beside the goal; rename only when size and hash agree."""
    response = _open(file.url)
    with response:
        _check_secure(file.url, response.geturl())
        logger.info("downloading %s to %s", file.url, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{file.name}."
        files.sweep(path, prefix, STALE_SECONDS)
        files.write_whole(path, lambda stream: _copy(file, response, stream), prefix=prefix)


def _copy(file: _KerasFile, response: http.client.HTTPResponse, stream: IO[bytes]) -> None:
    """Write what a server sends, and raise `OSError` unless it is the file."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    deadline = time.monotonic() + TOTAL_SECONDS
    while chunk := response.read1(1 << 20):  # read() would wait for all of it, however slowly it came
        digest.update(chunk)
        size += len(chunk)
        if size > file.size:
            raise OSError(f"{file.url} sends more than the {file.size} bytes the file has")
        if time.monotonic() > deadline:
            raise OSError(f"{size} of {file.size} bytes came within {TOTAL_SECONDS:g} seconds")
        stream.write(chunk)
    if size != file.size or digest.hexdigest() != file.md5:
        raise OSError(
            f"what {file.url} sent has MD5 {digest.hexdigest()} and {size} bytes, not {file.md5} and {file.size}"
        )


def _check_secure(asked: str, answered: str) -> None:
    """Refuse to be led from an encrypted address to an open one."""
    if asked.startswith("https:") and not answered.startswith("https:"):
        raise OSError(f"{asked} leads to {answered}, which is not https")


def _open(url: str) -> http.client.HTTPResponse:
    """Open a URL, or raise `OSError` within `CONNECT_SECONDS`.

    Looking a name up has no timeout of its own, so the attempt runs in a thread that may be left behind.
    """
    outcome: list[http.client.HTTPResponse | Exception] = []

    def attempt() -> None:
        try:
            outcome.append(urllib.request.urlopen(url, timeout=STALL_SECONDS))
        except Exception as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it holds the connection
            outcome.append(error)

    thread = threading.Thread(target=attempt, name="neural_style-download", daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if not outcome:
        raise OSError(f"no answer within {CONNECT_SECONDS:g} seconds")
    if isinstance(outcome[0], Exception):
        raise OSError(str(outcome[0])) from outcome[0]
    return outcome[0]
