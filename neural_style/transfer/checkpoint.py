"""A run on disk: written whole or not at all, resumed bit for bit, never by another run.

One `.npz` file, read without pickle, holds everything the next step depends on, and the identity of the run: a
fingerprint of each image after loading, of losses, extractor and optimizers, and the settings and versions. A write
goes to a temporary file in the same folder, is flushed to the disk and only then renamed; the file it replaces stays
as `.bak`. Whenever a process dies, one of the two is whole. To start over, delete both.

A checksum tells a damaged file, which is put aside as `.aside` in favor of the one before. A file that cannot be read
now, for want of memory or of permission, is not damaged: the run does not begin, and nothing is touched.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import math
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import _archive, _atomic
from neural_style._archive import Archive, DamagedError
from neural_style._arguments import checked, count, real
from neural_style._files import check_replaceable, resolve
from neural_style._fingerprint import reason_unidentified
from neural_style.errors import CheckpointError
from neural_style.optimizers import State
from neural_style.transfer.result import Step

__all__ = ["Checkpoint", "Position", "Saver", "as_checkpoint"]

logger = logging.getLogger("neural_style")

FORMAT = 3
FORMER = 2  # the same without a checksum; still read
PRIVATE = 0o600
STALE_SECONDS = 60.0  # a temporary file not written to for this long was left by a killed process
MAX_SHARE = 0.05  # of the run's time that periodic writing may take


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Where a run is saved, and how often.

    A run is also saved at the end of each scale and when it ends, unless its process is killed. If a single write takes
    more than a twentieth of `every_seconds`, the run is saved less often. Use each file for one run at a time.

    Args:
        path: a regular file or a new name in an existing folder. Only its owner can read and write it. The previous
            copy is kept under the same name with `.bak`.
        every_steps: number of steps between two writes; None disables this interval.
        every_seconds: seconds between two writes; None disables this interval.

    Raises:
        ValueError: `every_steps` or `every_seconds` is out of range.
        TypeError: `path` is not a path.

    Example:
        >>> Checkpoint("run.npz", every_steps=10)
        Checkpoint(path='run.npz', every_steps=10, every_seconds=30.0)
    """

    path: str | os.PathLike[str]
    every_steps: int | None = None
    every_seconds: float | None = 30.0

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | os.PathLike):
            raise TypeError(f"a checkpoint must be a path or a Checkpoint, not {type(self.path).__name__}")
        if self.every_steps is not None:
            checked(self, every_steps=count)
        if self.every_seconds is not None:
            checked(self, every_seconds=functools.partial(real, at_least=0, finite=False))


def as_checkpoint(value: Checkpoint | str | os.PathLike[str]) -> Checkpoint:
    """A path with the usual intervals, or the `Checkpoint` itself."""
    return value if isinstance(value, Checkpoint) else Checkpoint(value)


@dataclasses.dataclass(frozen=True)
class Position:
    """State of a run: everything the next step depends on, and the history.

    It is a value: each step makes a new one, so an interruption at any moment finds a whole one.

    Attributes:
        canvas: float32 (1, height, width, 3) in [0, 1].
        scale: index of the current stage; the number of stages when all is done.
        done: steps done at this scale.
        optimizer: the optimizer's state; None before a scale's first step.
        best: the canvas of this scale with the lowest loss measured, None before the first.
        best_loss: that loss.
        setbacks: how often the run diverged and returned to `best`; each halves the learning rate.
        history: every step so far, without images.
        matches: of each loss whose target follows the canvas, its style vectors' indices, int32 (1, rows, columns,
            styles); None for other losses.
        matched_at: `done` at the last matching of this scale; -1 before the first.
    """

    canvas: tf.Tensor
    scale: int = 0
    done: int = 0
    optimizer: State | None = None
    best: tf.Tensor | None = None
    best_loss: float = math.inf
    setbacks: int = 0
    history: tuple[Step, ...] = ()
    matches: tuple[tf.Tensor | None, ...] = ()
    matched_at: int = -1

    @property
    def seconds(self) -> float:
        """Time the run has taken, over all its processes."""
        return self.history[-1].seconds if self.history else 0.0


class Saver:
    """Writes and reads one run's positions.

    Args:
        checkpoint: where and how often.
        identity: what two runs have to agree on to be the same, `{part: {name: plain value}}`, such as
            `{"inputs": {"style": "9f0c..."}, "settings": {"seed": 0}}`. In the part `"code"` a value is
            `{"fingerprint": ..., "text": ...}`: the first is compared, the second shown.

    Raises:
        CheckpointError: nothing can be written there.

    Warns:
        UserWarning: something of the run cannot be identified, so that no later call can resume it.
    """

    def __init__(self, checkpoint: Checkpoint, identity: Mapping[str, Mapping[str, Any]]) -> None:
        self.checkpoint = checkpoint
        self.identity = json.loads(json.dumps(identity))  # as it will look when read back: lists for tuples
        self.path = _resolved(checkpoint.path)
        self.backup = self.path.with_name(f"{self.path.name}.bak")
        self._prefix = f".{self.path.name}."
        self._saved: Position | None = None
        self._saved_at = time.monotonic()
        self._took = 0.0
        self._check_place()
        for name, reason in self.unidentified().items():
            warnings.warn(
                f"this run can be saved, but not resumed: its {name} cannot be identified ({reason}). Add a method "
                "fingerprint() -> str.",
                UserWarning,
                stacklevel=2,
            )
        _atomic.sweep(self.path, self._prefix, STALE_SECONDS)

    def unidentified(self) -> dict[str, str]:
        """The parts of the run that cannot be identified, and why."""
        reasons = {
            name: reason_unidentified(each["fingerprint"]) for name, each in self.identity.get("code", {}).items()
        }
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def load(self) -> Position | None:
        """The position to resume from; None if there is no checkpoint yet.

        Raises:
            CheckpointError: it belongs to another run, or it is damaged and there is no whole one before it, or it
                cannot be read at the moment.
        """
        try:
            position: Position | None = self._read(self.path)
        except FileNotFoundError:
            return self._load_orphan()
        except DamagedError as error:
            position = self._fall_back(error)
        self._saved = position
        return position

    def save(self, position: Position) -> None:
        """Write a position, unless it is the one last written.

        A failure is logged, and the run continues: the last checkpoint is still there, and the image is worth more
        than a newer copy of it.
        """
        if position is self._saved:
            return
        began = time.monotonic()
        try:
            about, arrays = self._pack(position)
            _atomic.write_whole(
                self.path,
                lambda handle: _archive.write(handle, about, arrays),
                prefix=self._prefix,
                backup=self.backup,
                mode=PRIVATE,
            )
            self._saved = position
        except (OSError, MemoryError) as error:
            logger.warning("the checkpoint %s could not be written: %s", self.path, error)
        self._saved_at = time.monotonic()
        self._took = self._saved_at - began

    def save_if_due(self, position: Position) -> None:
        """Write a position if enough steps or seconds have passed."""
        steps, seconds = self.checkpoint.every_steps, self.checkpoint.every_seconds
        waited = time.monotonic() - self._saved_at
        by_steps = steps is not None and len(position.history) % steps == 0
        if by_steps or (seconds is not None and waited >= max(seconds, self._took / MAX_SHARE)):
            self.save(position)

    def _fall_back(self, error: DamagedError) -> Position:
        """The backup's position; the damaged file is put aside, so that it replaces neither the backup nor is lost."""
        try:
            position = self._read(self.backup)
        except (FileNotFoundError, DamagedError) as other:
            raise CheckpointError(
                f"{self.path} is damaged or not a checkpoint ({error}), and there is no previous copy ({other}). "
                f"{self._remedy()}"
            ) from error
        aside = self._put_aside(self.path)
        logger.warning("%s: %s; kept as %s, resuming from %s", self.path, error, aside, self.backup.name)
        return position

    def _load_orphan(self) -> Position | None:
        """The position of a backup without its file: a process died between two renames, or the file was deleted."""
        try:
            position = self._read(self.backup)
        except FileNotFoundError:
            return None
        except (DamagedError, _OtherRunError) as error:
            aside = self._put_aside(self.backup)
            logger.warning("%s is left over and not used: %s; kept as %s", self.backup, error, aside)
            return None
        logger.warning("%s is missing; resuming from %s", self.path, self.backup.name)
        return position

    def _put_aside(self, path: Path) -> str:
        """Rename a file that is not used, before a later write replaces it; returns its new name."""
        try:
            return Path(_atomic.put_aside(path)).name
        except OSError as error:
            raise CheckpointError(
                f"{path} cannot be used and cannot be renamed: {error.strerror or error}. {self._remedy()}"
            ) from error

    def _pack(self, position: Position) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
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
            "matched_at": position.matched_at,
            "losses": len(position.matches),
        }
        arrays = {"canvas": position.canvas.numpy()}
        for number, index in enumerate(position.matches):
            if index is not None:
                arrays[f"matches/{number}"] = index.numpy()
        if position.best is not None:
            arrays["best"] = position.best.numpy()
        return about, arrays | {f"optimizer/{key}": tensor.numpy() for key, tensor in state.items()}

    def _read(self, path: Path) -> Position:
        """The position in a file; raises `FileNotFoundError`, `DamagedError` or `CheckpointError`."""
        try:
            with _archive.opened(path, unchecked=(FORMER,)) as (about, stored):
                self._check(path, about)
                return _unpack(about, stored)
        except (FileNotFoundError, CheckpointError):
            raise
        except DamagedError as error:
            raise DamagedError(f"{path.name} cannot be read: {error}") from error
        except Exception as error:  # an OSError; what memory lacks for may be anything, also TensorFlow's own
            raise CheckpointError(
                f"{path} cannot be read at the moment, but may be intact ({type(error).__name__}: {error}). Nothing "
                "was changed; remove the cause and try again, or choose another file."
            ) from error

    def _check(self, path: Path, about: Mapping[str, Any]) -> None:
        """Raise `CheckpointError`, naming what differs, unless a file is of this run."""
        if about["format"] not in (FORMAT, FORMER):
            raise _OtherRunError(
                f"{path} has format {about['format']!r}, and this version of neural_style reads {FORMAT}. "
                f"{self._remedy()}"
            )
        differences = list(_differences(about["identity"], self.identity))
        if differences:
            raise _OtherRunError(f"{path} belongs to another run: {'; '.join(differences)}. {self._remedy()}")

    def _check_place(self) -> None:
        """Raise `CheckpointError` now, rather than lose a long run, where nothing can be written."""
        try:
            _atomic.check_place(self.path, self._prefix)
            check_replaceable(self.backup)
        except OSError as error:
            name = self.backup if error.filename == str(self.backup) else self.path
            raise CheckpointError(
                f"{name} cannot be written to: {error.strerror or error}. Create its folder, or choose another file."
            ) from error

    def _remedy(self) -> str:
        there = [str(path) for path in (self.path, self.backup) if path.exists()]
        return f"Name another file, or delete {' and '.join(there)} to start over."


class _OtherRunError(CheckpointError):
    """A whole checkpoint, but of another run or version."""


def _resolved(path: str | os.PathLike[str]) -> Path:
    """The file a link leads to, which is replaced rather than the link."""
    try:
        return Path(resolve(path))
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise CheckpointError(f"{os.fspath(path)!r} cannot be written to: {error}. Choose another file.") from error


def _unpack(about: Mapping[str, Any], stored: Archive) -> Position:
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
        matches=tuple(
            tf.constant(stored[name]) if (name := f"matches/{number}") in stored else None
            for number in range(about["losses"])
        ),
        matched_at=int(about["matched_at"]),
    )


def _plain(step: Step) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(step) if not field.name.startswith("_")]
    return {name: getattr(step, name) for name in names}


def _step(fields: dict[str, Any]) -> Step:
    tuples: dict[str, Any] = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Step(**{**fields, **tuples})


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What two identities disagree about, one phrase each."""
    for part in now:
        old, new = then.get(part, {}), now[part]
        for name in dict.fromkeys([*new, *old]):
            was, is_now = old.get(name), new.get(name)
            if was != is_now:
                yield _difference(part, name, was, is_now)


def _difference(part: str, name: str, was: Any, is_now: Any) -> str:
    if part == "inputs":
        return f"{name} differs"
    if part != "code" or was is None or is_now is None:
        was, is_now = (each["text"] if part == "code" and each else each for each in (was, is_now))
        return f"{name} was {was!r} and is {is_now!r} now"
    if reason := reason_unidentified(is_now["fingerprint"]) or reason_unidentified(was["fingerprint"]):
        return f"{name} cannot be identified ({reason}); give it a method fingerprint() -> str"
    if was["text"] == is_now["text"]:
        return f"{name} differs, though both read {is_now['text']}"
    return f"{name} was {was['text']} and is {is_now['text']} now"
