"""Painted frames on disk, kept until the video is complete, so that an interrupted call can resume."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from neural_style import __version__, _atomic, images
from neural_style._fingerprint import fingerprint, reason_unidentified
from neural_style.errors import CheckpointError

__all__ = ["FrameStore", "identify"]

LABEL = "made_of.json"


def identify(arguments: Mapping[str, object]) -> dict[str, str]:
    """Fingerprint of each argument of a call, and the version; to be computed before streams are read to their end.

    Returns:
        `{name: fingerprint}`. For an argument that cannot be compared, the value says why and never occurs again.
    """
    return {"version": __version__} | {name: fingerprint(value, files=True) for name, value in arguments.items()}


class FrameStore:
    """A folder of painted frames, numbered PNG files, with a label that says what they were made from.

    Args:
        folder: path of the folder; it is created.
        identity: fingerprints of the call's arguments, from `identify`.

    Raises:
        CheckpointError: the folder holds frames of another call, frames that cannot be attributed to this call, or
            files of another program.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        label = folder / LABEL
        if label.is_file():
            self._check(json.loads(label.read_text()), identity)
        elif not all(entry.name.endswith(".part") for entry in folder.iterdir()):
            raise CheckpointError(f"{os.fspath(folder)!r} is not this program's; frames would be kept there")
        _atomic.write_whole(label, lambda handle: handle.write(json.dumps(dict(identity)).encode()))

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
                f"{place} holds frames of a video, and whether this call painted them cannot be said ({unknown}). "
                f"{remedy}."
            )
        raise CheckpointError(
            f"{place} holds frames of a video with another {', '.join(differing)}. {remedy}, or repeat the call that "
            "painted them to resume."
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
        """Read a frame, uint8 (height, width, 3)."""
        with Image.open(self._path(number)) as image:
            return np.asarray(image)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self._folder)
