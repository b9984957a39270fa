"""A run on disk: written whole or not at all, resumed bit for bit, never by the wrong run.

One `.npz` file, read without pickle, holds everything the next step depends on, and what the run was made of:
a SHA-256 of each picture after loading, the settings and the versions. A write goes to a temporary file of its own
in the same folder, is flushed to the disk and only then renamed; the file it replaces stays as `.bak`. Whenever a
process dies, one of the two is whole. To begin anew, delete both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
import os
import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import _atomic as files
from neural_style.errors import CheckpointError
from neural_style.optimizers import State
from neural_style.transfer.result import Step

__all__ = ["Checkpoint", "Position", "Saver", "as_checkpoint", "fingerprint", "stable_repr"]

logger = logging.getLogger("neural_style")

FORMAT = 1
STALE_SECONDS = 60.0  # a temporary nobody has written to for so long has lost its process
LARGEST_SHARE = 0.05  # of the time that periodic writing may take


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Where a run is kept and how often it is written there.

    A run is also written at the end of each scale and whenever it ends, for whatever reason but a killed process.
    Writes every so many seconds are made rarer where a single one takes longer than a twentieth of that. A file is
    for one run at a time.

    Args:
        path: the file; its folder exists. `.bak` is added for the copy before.
        every_steps: so many steps lie between two writes; None for no such rule.
        every_seconds: so much time does; None for no such rule.

    Raises:
        ValueError: `every_steps` or `every_seconds` is out of range.
        TypeError: `path` is no path.

    Example:
        >>> Checkpoint("run.npz", every_steps=10)
        Checkpoint(path='run.npz', every_steps=10, every_seconds=30.0)
    """

    path: str | os.PathLike[str]
    every_steps: int | None = None
    every_seconds: float | None = 30.0

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | os.PathLike):
            raise TypeError(f"a checkpoint is a path or a Checkpoint, not {type(self.path).__name__}")
        if self.every_steps is not None and self.every_steps < 1:
            raise ValueError(f"every_steps is at least 1 or None, not {self.every_steps}")
        if self.every_seconds is not None and not self.every_seconds >= 0:
            raise ValueError(f"every_seconds is at least 0 or None, not {self.every_seconds}")


def as_checkpoint(value: Checkpoint | str | os.PathLike[str]) -> Checkpoint:
    """A path with the usual intervals, or the `Checkpoint` itself."""
    return value if isinstance(value, Checkpoint) else Checkpoint(value)


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a run stands: all that its next step depends on, and what it has told so far.

    A value: a step makes a new one, so an interruption at any moment finds a whole one.

    Attributes:
        canvas: float32 (1, height, width, 3) in [0, 1].
        scale: which scale it is on, from 0; as many as there are when all is done.
        done: steps done at this scale.
        optimizer: the optimiser's state; None before a scale's first step.
        best: the canvas of this scale with the lowest loss measured, None before the first.
        best_loss: that loss.
        setbacks: how often the run diverged and was taken back; each halves the learning rate.
        history: every step so far, without pictures.
    """

    canvas: tf.Tensor
    scale: int = 0
    done: int = 0
    optimizer: State | None = None
    best: tf.Tensor | None = None
    best_loss: float = math.inf
    setbacks: int = 0
    history: tuple[Step, ...] = ()

    @property
    def seconds(self) -> float:
        """How long the run has been painting, over all its processes."""
        return self.history[-1].seconds if self.history else 0.0


class Saver:
    """Writes and reads one run's positions.

    Args:
        checkpoint: where and how often.
        identity: `{part: {name: plain value}}` of what makes two runs the same, such as
            `{"inputs": {"style": "9f0c..."}, "settings": {"seed": 0}}`.

    Raises:
        CheckpointError: nothing can be written there.
    """

    def __init__(self, checkpoint: Checkpoint, identity: Mapping[str, Mapping[str, Any]]) -> None:
        self.checkpoint = checkpoint
        self.identity = json.loads(json.dumps(identity))  # as it will look when read back: lists for tuples
        self.path = Path(os.path.realpath(checkpoint.path))  # a link's goal is replaced, not the link
        self.backup = self.path.with_name(f"{self.path.name}.bak")
        self._prefix = f".{self.path.name}."
        self._saved: Position | None = None
        self._saved_at = time.monotonic()
        self._took = 0.0
        _check_place(self.path)
        files.sweep(self.path, self._prefix, STALE_SECONDS)

    def load(self) -> Position | None:
        """The position to go on from, None where there is no checkpoint yet.

        Raises:
            CheckpointError: it belongs to another run, or it is damaged and there is no whole one before it.
        """
        if not self.path.exists():
            return self._left_over()
        try:
            position = self._read(self.path)
        except _DamagedError as error:
            position = self._fall_back(error)
        self._saved = position
        return position

    def save(self, position: Position) -> None:
        """Write a position, unless it is the one last written.

        A failure is logged and the run goes on: what was saved before is still there, and the picture in the
        making is worth more than its copy.
        """
        if position is self._saved:
            return
        began = time.monotonic()
        try:
            arrays: dict[str, Any] = self._pack(position)
            files.write_whole(
                self.path, lambda handle: np.savez(handle, **arrays), prefix=self._prefix, backup=self.backup
            )
            self._saved = position
        except OSError as error:
            logger.warning("the checkpoint %s could not be written: %s", self.path, error)
        self._saved_at = time.monotonic()
        self._took = self._saved_at - began

    def save_if_due(self, position: Position) -> None:
        """Write a position if enough steps or seconds have gone by."""
        steps, seconds = self.checkpoint.every_steps, self.checkpoint.every_seconds
        waited = time.monotonic() - self._saved_at
        by_steps = steps is not None and len(position.history) % steps == 0
        if by_steps or (seconds is not None and waited >= max(seconds, self._took / LARGEST_SHARE)):
            self.save(position)

    def _fall_back(self, error: _DamagedError) -> Position:
        """The position before, put in place of the damaged one so that no later write takes it away."""
        try:
            position = self._read(self.backup)
        except _DamagedError as other:
            raise CheckpointError(
                f"{self.path} is damaged or no checkpoint ({error}), and there is no other ({other}). {self._remedy()}"
            ) from error
        logger.warning("%s: %s; going on from %s", self.path, error, self.backup.name)
        os.replace(self.backup, self.path)
        return position

    def _left_over(self) -> Position | None:
        """What a backup without its file tells: a process died between two renames, or the file was deleted."""
        if not self.backup.exists():
            return None
        try:
            position = self._read(self.backup)
        except (_DamagedError, CheckpointError) as error:
            logger.warning("%s is left over and not used: %s", self.backup, error)
            return None
        logger.warning("%s is missing; going on from %s", self.path, self.backup.name)
        return position

    def _pack(self, position: Position) -> dict[str, np.ndarray]:
        state = position.optimizer or {}
        about = {
            "format": FORMAT,
            "identity": self.identity,
            "scale": position.scale,
            "done": position.done,
            "best_loss": position.best_loss,
            "setbacks": position.setbacks,
            "optimizer": None if position.optimizer is None else {key: state[key].dtype.name for key in state},
            "history": [_plain(step) for step in position.history],
        }
        arrays = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8), "canvas": position.canvas.numpy()}
        if position.best is not None:
            arrays["best"] = position.best.numpy()
        return arrays | {f"optimizer/{key}": tensor.numpy() for key, tensor in state.items()}

    def _read(self, path: Path) -> Position:
        try:
            # Opened here, since NumPy leaves a file open that it cannot read.
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
                about = json.loads(bytes(stored["about"]))
                self._check(path, about)
                return _unpack(about, stored)
        except CheckpointError:
            raise
        except Exception as error:  # of a damaged zip, NumPy and zipfile raise anything
            raise _DamagedError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from error

    def _check(self, path: Path, about: Mapping[str, Any]) -> None:
        """Raise `CheckpointError`, naming what differs, unless a file is of this run."""
        if about["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has format {about['format']!r}, and this version of neural_style reads {FORMAT}. "
                f"{self._remedy()}"
            )
        differences = list(_differences(about["identity"], self.identity))
        if differences:
            raise CheckpointError(f"{path} belongs to another run: {'; '.join(differences)}. {self._remedy()}")

    def _remedy(self) -> str:
        there = [str(path) for path in (self.path, self.backup) if path.exists()]
        return f"Name another file, or delete {' and '.join(there)} to begin anew."


class _DamagedError(Exception):
    """A file that is cut, altered or no checkpoint."""


def _unpack(about: Mapping[str, Any], stored: Mapping[str, np.ndarray]) -> Position:
    canvas = stored["canvas"]
    if canvas.dtype != np.float32 or canvas.ndim != 4 or not np.isfinite(canvas).all():
        raise ValueError(f"its canvas is {canvas.dtype} of shape {canvas.shape}, or not finite")
    dtypes = about["optimizer"]
    return Position(
        canvas=tf.constant(canvas),
        scale=int(about["scale"]),
        done=int(about["done"]),
        # The view gives types back that NumPy's format does not know, such as bfloat16.
        optimizer=None
        if dtypes is None
        else {
            key: tf.constant(stored[f"optimizer/{key}"].view(tf.as_dtype(name).as_numpy_dtype))
            for key, name in dtypes.items()
        },
        best=tf.constant(stored["best"]) if "best" in stored else None,
        best_loss=float(about["best_loss"]),
        setbacks=int(about["setbacks"]),
        history=tuple(_step(fields) for fields in about["history"]),
    )


def _plain(step: Step) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(step) if not field.name.startswith("_")]
    return {name: getattr(step, name) for name in names}


def _step(fields: dict[str, Any]) -> Step:
    tuples: dict[str, Any] = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Step(**{**fields, **tuples})


# --- whose it is -------------------------------------------------------------------------------------


def fingerprint(*arrays: np.ndarray | None) -> str:
    """SHA-256 over arrays with their shapes and types; None counts as a value of its own."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            digest.update(b"none")
        else:
            digest.update(f"{array.shape} {array.dtype.str}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def stable_repr(value: object) -> str:
    """The repr without memory addresses, which differ from process to process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    for part in now:
        old, new = then.get(part, {}), now[part]
        for name in dict.fromkeys([*new, *old]):
            was, is_now = old.get(name), new.get(name)
            if was != is_now:
                yield f"{name} differs" if part == "inputs" else f"{name} was {was!r} and is {is_now!r} now"


# --- files -------------------------------------------------------------------------------------------


def _check_place(path: Path) -> None:
    """Raise `CheckpointError` now, rather than lose a long run, where nothing can be written."""
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; a checkpoint is a file, such as {path / 'run.npz'}")
    try:
        with tempfile.TemporaryFile(dir=path.parent) as handle:
            handle.write(b"neural_style")
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written to: {error.strerror or error}. Create its folder, or name another file."
        ) from error
