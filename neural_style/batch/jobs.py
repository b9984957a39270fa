"""Many pictures: one after the other in this process, or over any executor, on one machine or many.

What is painted is kept track of in a file of JSON lines, one for each job that ended. A batch that was killed, or in
which some pictures failed, is simply run again: whatever is there, and was made of the same files with the same
settings, is skipped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import inspect
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from neural_style import __version__
from neural_style.api import paint, stylize
from neural_style.transfer.checkpoint import fingerprint, stable_repr

__all__ = ["Job", "Outcome", "jobs_in", "stylize_many"]

OWN = ("content", "style", "checkpoint", "progress", "callbacks")
"""Arguments of `stylize` that belong to one picture, or to the process that waits for it."""


class Job(NamedTuple):
    """A picture to paint; a plain tuple does as well.

    Attributes:
        content: as for `stylize`.
        style: likewise.
        output: the file to write; its folder is made.

    Example:
        >>> Job("photo.jpg", "painting.jpg", "painted.png").output
        'painted.png'
    """

    content: Any
    style: Any
    output: str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        number: which job, counted from 0.
        output: where its picture is.
        status: `"done"`, `"skipped"` (it was there already) or `"failed"`.
        seconds: it took.
        error: why it failed, on one line; None otherwise.
        identity: a hash of pictures, settings and version; None where they could not be read.

    Example:
        >>> Outcome(0, "painted.png", "failed", 0.1, "no such file").status
        'failed'
    """

    number: int
    output: str
    status: Literal["done", "skipped", "failed"]
    seconds: float
    error: str | None = None
    identity: str | None = None


def jobs_in(
    folder: str | os.PathLike[str],
    style: Any,
    output: str | os.PathLike[str],
    *,
    pattern: str = "*",
    suffix: str = ".png",
) -> list[Job]:
    """A job for each picture in a folder.

    Args:
        folder: where the contents are.
        style: of all of them.
        output: the folder for the results; `a.jpg` becomes `a.png`, or `a.jpg.png` where there is `a.tif` too.
        pattern: which files, as for `Path.glob`; of those, hidden files and files whose names end like no picture's
            are left out.
        suffix: the results' kind.

    Raises:
        ValueError: `folder` is no folder.

    Example:
        >>> jobs_in("docs/images", "painting.jpg", "painted", pattern="astronaut.*")[0].output.name
        'astronaut.png'
    """
    place = Path(folder)
    if not place.is_dir():
        raise ValueError(f"{os.fspath(folder)!r} is no folder")
    kinds = {*Image.registered_extensions(), ".heic", ".heif"}
    found = [path for path in sorted(place.glob(pattern)) if path.suffix.lower() in kinds and path.is_file()]
    contents = [path for path in found if not path.name.startswith(".")]
    stems = [path.stem for path in contents]
    names = [path.stem if stems.count(path.stem) == 1 else path.name for path in contents]
    return [Job(path, style, Path(output, name + suffix)) for path, name in zip(contents, names, strict=True)]


def stylize_many(
    jobs: Iterable[Job | tuple[Any, Any, Any]],
    *,
    executor: Executor | None = None,
    ordered: bool = False,
    record: str | os.PathLike[str] | None = None,
    ahead: int = 32,
    **settings: Any,
) -> Iterator[Outcome]:
    """Paint many pictures; outcomes come as jobs end.

    A job that fails is reported and stops no other. Whatever process paints keeps its network and what was compiled
    from job to job, and writes a picture whole or not at all.

    Args:
        jobs: `(content, style, output)`, any number, read as they are needed. See `jobs_in` for a folder.
        executor: anything with the interface of `concurrent.futures.Executor`; None paints here, one at a time.
            `neural_style.batch.executors` has some. Where it has other processes, contents and styles are best
            paths, which they too can read, the extractor is a name, and processes are spawned, not forked (TensorFlow
            does not survive a fork).
        ordered: hand outcomes back in the order of the jobs.
        record: a file of JSON lines that outcomes are added to. With one, a job whose output is there and was made of
            the same pictures with the same settings by the same version is skipped.
        ahead: how many jobs an executor is given before the first of them has ended.
        settings: further arguments of `stylize`, the same for all jobs.

    Yields:
        An `Outcome` for each job, written to `record` before it is handed over. Closing the iterator takes back the
        jobs that have not begun.

    Raises:
        TypeError: `stylize` has no such argument, or it makes no sense for many pictures.
        ValueError: `ahead` is less than 1.
        OSError: `record` cannot be read or written.

    Example:
        >>> import tempfile
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> jobs = [(content, style, f"{tempfile.mkdtemp()}/a.png"), ("missing.png", style, "b.png")]
        >>> [outcome.status for outcome in stylize_many(jobs, size=48, steps=2, extractor="vgg16")]
        ['done', 'failed']
    """
    known = set(inspect.signature(stylize).parameters) - {*OWN}
    for name in settings:
        if name not in known:
            raise TypeError(f"stylize_many() takes no argument {name!r}")
    if ahead < 1:
        raise ValueError(f"ahead is at least 1, not {ahead}")
    log = _Record(record)
    tasks = (_Task(number, Job(*job), settings, log.made_of.get(_place(job[2]))) for number, job in enumerate(jobs))
    outcomes = map(_run, tasks) if executor is None else _over(executor, tasks, ahead)
    return _written(_sorted(outcomes) if ordered else outcomes, log)


class _Task(NamedTuple):
    """A job on its way to a worker."""

    number: int
    job: Job
    settings: Mapping[str, Any]
    before: str | None  # what the output was made of, as far as the record tells


def _place(output: str | os.PathLike[str]) -> str:
    """How an output is named in outcomes and records."""
    return str(Path(output))


def _run(task: _Task) -> Outcome:
    """Paint a picture, wherever this is."""
    began = time.perf_counter()
    output, identity = Path(task.job.output), None
    try:
        identity = _identity(task.job, task.settings)
        if task.before == identity and output.is_file():
            return Outcome(task.number, _place(output), "skipped", time.perf_counter() - began, None, identity)
        output.parent.mkdir(parents=True, exist_ok=True)
        result = paint(task.job.content, task.job.style, **task.settings)
        if result.stopped_by == "interrupt":
            raise KeyboardInterrupt
        result.save(output)
    except Exception as error:
        return _failed(task, error, time.perf_counter() - began, identity)
    return Outcome(task.number, _place(output), "done", time.perf_counter() - began, None, identity)


def _failed(task: _Task, error: BaseException, seconds: float = 0.0, identity: str | None = None) -> Outcome:
    story = " ".join(f"{type(error).__name__}: {error}".split())
    return Outcome(task.number, _place(task.job.output), "failed", seconds, story, identity)


def _over(executor: Executor, tasks: Iterator[_Task], ahead: int) -> Iterator[Outcome]:
    """Outcomes as they come, with so many tasks under way."""
    under_way: dict[Future[Outcome], _Task] = {}
    try:
        while True:
            while len(under_way) < ahead and (task := next(tasks, None)) is not None:
                try:
                    under_way[executor.submit(_run, task)] = task
                except RuntimeError as error:  # a broken pool, or one that was shut down
                    yield _failed(task, error)
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield _outcome(future, under_way.pop(future))
    finally:
        for future in under_way:
            future.cancel()


def _outcome(future: Future[Outcome], task: _Task) -> Outcome:
    """What a worker told, or how it came to tell nothing: it was killed, or the job could not be sent."""
    try:
        return future.result()
    except (Exception, CancelledError) as error:
        return _failed(task, error)


def _sorted(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """By their numbers, each as soon as its turn has come."""
    early: dict[int, Outcome] = {}
    turn = 0
    for outcome in outcomes:
        early[outcome.number] = outcome
        while turn in early:
            yield early.pop(turn)
            turn += 1


def _written(outcomes: Iterator[Outcome], log: _Record) -> Iterator[Outcome]:
    for outcome in outcomes:
        log.add(outcome)
        yield outcome


class _Record:
    """Outcomes on disk, a line each; the last line about an output holds."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = None if path is None else Path(path)
        self.made_of: dict[str, str] = {}
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+", encoding="utf-8") as handle:
            handle.seek(0)
            text = handle.read()
            handle.write("" if text.endswith("\n") or not text else "\n")  # ends a line that a kill cut short
        for line in text.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                if entry["status"] == "done":
                    self.made_of[entry["output"]] = entry["identity"]

    def add(self, outcome: Outcome) -> None:
        if self._path is None or outcome.status == "skipped":
            return
        line = json.dumps(dataclasses.asdict(outcome) | {"ended": time.strftime("%Y-%m-%dT%H:%M:%S%z")})
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write(line + "\n")


def _identity(job: Job, settings: Mapping[str, Any]) -> str:
    """A hash of everything a picture depends on."""
    parts = {"content": job.content, "style": job.style, **settings}
    plain = {name: described(value) for name, value in sorted(parts.items())}
    return hashlib.sha256(json.dumps([__version__, plain]).encode()).hexdigest()


def described(value: Any) -> Any:
    """A value in plain terms: files and pictures by a hash of what is in them."""
    if isinstance(value, (str, os.PathLike)) and os.path.isfile(value):
        with open(value, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, (list, tuple)):
        return [described(each) for each in value]
    if isinstance(value, Image.Image) or hasattr(value, "__array__"):
        return fingerprint(np.asarray(value))
    if isinstance(value, Mapping):
        return {str(name): described(each) for name, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, [described(getattr(value, field.name)) for field in dataclasses.fields(value)]]
    return stable_repr(value)
