"""Painted frames on disk, kept until the video is complete, so that an interrupted call can resume."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from neural_style import __version__, _atomic, images
from neural_style._fingerprint import fingerprint, reason_unidentified
from neural_style.errors import CheckpointError, ImageError

__all__ = ["FrameStore", "identify"]

LABEL = "made_of.json"
_OURS = re.compile(rf"\d{{6,}}\.png|{re.escape(LABEL)}|\.neural_style-\w+\.part")


def identify(arguments: Mapping[str, object]) -> dict[str, str]:
    """Fingerprint of each argument of a call, and the version; to be computed before streams are read to their end.

    Returns:
        `{name: fingerprint}`. For an argument that cannot be compared, the value says why and never occurs again.
    """
    return {"version": __version__} | {name: fingerprint(value, files=True) for name, value in arguments.items()}


class FrameStore:
    """A folder of painted frames, numbered PNG files, with a label that says what they were made from.

    As a context manager, it removes the folder on leaving if no frame was stored.

    Args:
        folder: path of the folder; it is created.
        identity: fingerprints of the call's arguments, from `identify`.
        size: (width, height) of the frames.

    Raises:
        CheckpointError: the folder holds frames of another call, frames that cannot be attributed to this call, or
            files of another program.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str], size: tuple[int, int]) -> None:
        self._folder = folder
        self._size = size
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # like a checkpoint, for its owner alone
        label = folder / LABEL
        if label.is_file():
            self._check(_read_label(label), identity)
        elif not all(_OURS.fullmatch(entry.name) and entry.suffix == ".part" for entry in folder.iterdir()):
            raise CheckpointError(f"{os.fspath(folder)!r} was not made by this program; frames would be stored there")
        _atomic.write_whole(label, lambda handle: handle.write(json.dumps(dict(identity)).encode()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._folder.is_dir() and not any(self._folder.glob("*.png")):
            self.remove()

    def _check(self, found: Mapping[str, str], identity: Mapping[str, str]) -> None:
        """Refuse frames that another call painted, or may have painted."""
        differing = [name for name in {**found, **identity} if found.get(name) != identity.get(name)]
        if not differing or not any(self._folder.glob("*.png")):
            return
        place, remedy = repr(os.fspath(self._folder)), "Remove the folder to start over"
        reasons = {name: reason_unidentified(identity.get(name)) for name in differing}
        if all(reasons.values()):
            unknown = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
            raise CheckpointError(
                f"{place} contains frames of a video, but it is unknown whether this call painted them ({unknown}). "
                f"{remedy}."
            )
        raise CheckpointError(
            f"{place} contains frames of a video with another {', '.join(differing)}. {remedy}, or repeat the call "
            "that painted them to resume."
        )

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.png"

    def has(self, number: int) -> bool:
        """Whether the frame was painted already."""
        return self._path(number).is_file()

    def save(self, number: int, painted: np.ndarray) -> None:
        """Write a frame, uint8 (height, width, 3), completely or not at all."""
        images.save(painted, self._path(number))

    def load(self, number: int) -> np.ndarray:
        """Read a frame, uint8 (height, width, 3).

        Raises:
            CheckpointError: the file is not a frame of this video.
        """
        path = self._path(number)
        try:
            frame = images.to_pil(images.load(path))
        except ImageError as error:
            raise CheckpointError(f"{error}; delete this file; the same call then paints the frame again") from error
        if frame.size != self._size:
            raise CheckpointError(
                f"{os.fspath(path)!r}: {frame.size} pixels, not {self._size}; delete this file; the same call then "
                "paints the frame again"
            )
        return np.asarray(frame)

    def remove(self) -> None:
        """Delete the frames, and the folder if it holds nothing else; a failure is only a warning."""
        try:
            for path in [path for path in self._folder.iterdir() if _OURS.fullmatch(path.name)]:
                path.unlink()
        except OSError as error:
            warnings.warn(f"painted frames that are no longer needed could not be deleted ({error})", stacklevel=2)
        with suppress(OSError):  # something else is in it
            self._folder.rmdir()


def _read_label(label: Path) -> dict[str, str]:
    try:
        found = json.loads(label.read_text())
    except ValueError:  # neither JSON nor UTF-8
        found = None
    if not isinstance(found, dict):
        raise CheckpointError(f"{os.fspath(label)!r} is damaged; delete its folder to start over")
    return found
