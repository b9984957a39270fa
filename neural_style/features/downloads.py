"""ImageNet weights from Keras's cache, downloaded on first use.

A file is used only if its size and hash match those that Keras publishes. A download goes to a temporary file of its
own, which is renamed into Keras's cache once size and hash match, so a lost connection or a killed process leaves no
bad file behind, and two processes at once do not interfere.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any, NamedTuple

from neural_style import _atomic
from neural_style.errors import WeightsUnavailableError

__all__ = ["KERAS_FILES", "KerasFile", "imagenet_path"]

logger = logging.getLogger("neural_style")

CONNECT_SECONDS = 4.0  # longest wait for an answer when offline, also where packets are dropped
STALL_SECONDS = 20.0  # longest pause within a download
TOTAL_SECONDS = 1800.0  # longest download, so that a trickle ends too
STALE_SECONDS = 3600.0  # a partial file not written to for this long is left over from a killed process
OFFLINE_VARIABLE = "NEURAL_STYLE_OFFLINE"


class KerasFile(NamedTuple):
    """A weights file that Keras publishes."""

    url: str
    md5: str  # Keras publishes no stronger hash; no second preimage attack on MD5 is known
    size: int

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]


_BASE = "https://storage.googleapis.com/tensorflow/keras-applications"
KERAS_FILES: dict[str, KerasFile] = {
    "vgg16": KerasFile(
        f"{_BASE}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc", 58889256
    ),
    "vgg19": KerasFile(
        f"{_BASE}/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6", 80134624
    ),
}
"""The file of each network."""


def imagenet_path(network: str) -> Path:
    """Path of a network's ImageNet weights in Keras's cache, downloaded if they are missing.

    Raises:
        WeightsUnavailableError: the file is damaged, or missing and cannot be downloaded; the text says where to put
            it.
    """
    file = KERAS_FILES[network]
    try:
        home = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser())
    except RuntimeError as error:  # neither HOME nor an entry in the list of users, as in some containers
        raise WeightsUnavailableError(
            f"{network}'s ImageNet weights cannot be stored, because this user has no home folder. Set KERAS_HOME to a "
            f"folder, or pass weights=PATH (MD5 {file.md5}; from {file.url}), or use extractor='vgg16', whose weights "
            "ship with neural_style."
        ) from error
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


def _download(file: KerasFile, path: Path) -> None:
    """Download to a temporary file beside `path`; rename it only if size and hash match."""
    with _open(file.url) as response:
        logger.info("downloading %s to %s", file.url, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{file.name}."
        _atomic.sweep(path, prefix, STALE_SECONDS)
        _atomic.write_whole(path, lambda stream: _copy(file, response, stream), prefix=prefix)


def _copy(file: KerasFile, response: http.client.HTTPResponse, stream: IO[bytes]) -> None:
    """Write the response to a stream, and raise `OSError` unless size and hash match."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    deadline = time.monotonic() + TOTAL_SECONDS
    while chunk := response.read1(1 << 20):  # read() would wait for all of it, however slow
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


class _StaySecure(urllib.request.HTTPRedirectHandler):
    """Refuses a redirect from https to anything else before anything is sent there."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.lower().startswith("https:"):
            raise OSError(f"{req.full_url} leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str) -> http.client.HTTPResponse:
    """Open a URL, or raise `OSError` within `CONNECT_SECONDS`.

    A name lookup has no timeout, so the attempt runs in a thread that is abandoned when time is up.
    """
    outcome: list[http.client.HTTPResponse | Exception] = []

    def attempt() -> None:
        try:
            opener = urllib.request.build_opener(_StaySecure)
            outcome.append(opener.open(url, timeout=STALL_SECONDS))
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
