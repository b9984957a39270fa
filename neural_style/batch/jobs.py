"""Stylize many images: one after another in this process, or over any executor, on one machine or several.

A record file keeps one line of JSON for each finished job. Run a batch again after a kill, or after some jobs failed,
and it skips every output that exists and was made from the same inputs with the same options.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Unpack

from PIL import Image

from neural_style import __version__
from neural_style._arguments import count
from neural_style._fingerprint import fingerprint
from neural_style.api import Options, check_options, stylize_result

if TYPE_CHECKING:
    from neural_style.images import ImageLike
    from neural_style.transfer.styles.blending import Styles

__all__ = ["Job", "Outcome", "jobs_in", "stylize_many"]


class Job(NamedTuple):
    """One image to stylize; a plain tuple works as well.

    Attributes:
        content: as for `stylize`.
        style: as for `stylize`.
        output: path of the file to write; its folder is created.

    Example:
        >>> Job("photo.jpg", "painting.jpg", "painted.png").output
        'painted.png'
    """

    content: ImageLike | None
    style: Styles | None
    output: str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        number: index of the job, from 0.
        output: path of the image.
        status: `"done"`, `"skipped"` (the output existed and was up to date) or `"failed"`.
        seconds: duration of the job.
        error: reason of a failure, on one line; None otherwise.
        identity: hash of content, style, options and version; `"unidentified: ..."` with the reason where one of them
            cannot be compared, so that the job is never skipped; None where the job was not started.

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
    style: Styles | None,
    output: str | os.PathLike[str],
    *,
    pattern: str = "*",
    suffix: str = ".png",
) -> list[Job]:
    """One job for each image in a folder.

    Args:
        folder: folder of the content images.
        style: style of all jobs, as for `stylize`.
        output: folder for the results; `a.jpg` becomes `a.png`, or `a.jpg.png` if there is also an `a.tif`.
        pattern: glob pattern, as for `Path.glob`. Hidden files and files without an image's suffix are ignored.
        suffix: suffix of the results, which selects their format.

    Raises:
        ValueError: `folder` is not a folder.

    Example:
        >>> jobs_in("docs/images", "painting.jpg", "painted", pattern="astronaut.*")[0].output.name
        'astronaut.png'
    """
    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"{os.fspath(folder)!r} is not a folder")
    kinds = {*Image.registered_extensions(), ".heic", ".heif"}
    found = [path for path in sorted(root.glob(pattern)) if path.suffix.lower() in kinds and path.is_file()]
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
    prefetch: int = 32,
    **options: Unpack[Options],
) -> Iterator[Outcome]:
    """Stylize many images and yield an outcome as each job ends.

    A failed job is reported and does not stop the others. Each worker process keeps its network and compiled functions
    from job to job, and writes each image either completely or not at all.

    Args:
        jobs: `(content, style, output)` tuples, read lazily; any number of them. See `jobs_in` for a folder.
        executor: any `concurrent.futures.Executor`, such as those in `neural_style.batch.executors`; None runs the jobs
            one at a time in this process. If the executor uses other processes, spawn them instead of forking
            (TensorFlow does not survive a fork), name the extractor by a string, and prefer paths that the workers can
            read.
        ordered: whether to yield outcomes in the order of the jobs.
        record: path of a file of JSON lines to which outcomes are appended. A job is skipped if its output exists and
            the record says that it was made from the same images with the same options by the same version.
        prefetch: maximum number of unfinished jobs handed to the executor.
        **options: further arguments of `stylize`, shared by all jobs.

    Yields:
        An `Outcome` for each job, after it was written to `record`. Closing the iterator, or Ctrl-C, cancels jobs that
        have not started; those that an executor still ends are written to `record` as well.

    Raises:
        TypeError: an option is not an argument of `stylize`, or makes no sense for many images.
        ValueError: `prefetch` is less than 1.
        OSError: `record` cannot be read or written.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> jobs = [(content, style, f"{tempfile.mkdtemp()}/a.png"), ("missing.png", style, "b.png")]
        >>> [outcome.status for outcome in stylize_many(jobs, size=48, steps=2, extractor="vgg16")]
        ['done', 'failed']
    """
    check_options("stylize_many", options)
    prefetch = count("prefetch", prefetch)
    log = _Record(record)
    tasks = (_Task(number, Job(*job), options, log.identity(job[2])) for number, job in enumerate(jobs))
    outcomes = map(_run, tasks) if executor is None else _over(executor, tasks, prefetch, log)
    return _recorded(_in_order(outcomes) if ordered else outcomes, log)


class _Task(NamedTuple):
    """A job as it is sent to a worker."""

    number: int
    job: Job
    options: Options
    recorded: str | None  # identity of the existing output, according to the record


def _run(task: _Task) -> Outcome:
    """Run one job in the current process, which may be a worker."""
    began = time.perf_counter()
    output, identity = Path(task.job.output), None
    try:
        identity = _identity(task.job, task.options)
        if task.recorded == identity and output.is_file():
            return Outcome(task.number, str(output), "skipped", time.perf_counter() - began, None, identity)
        output.parent.mkdir(parents=True, exist_ok=True)
        result = stylize_result(task.job.content, task.job.style, **task.options)
        if result.stopped_by == "interrupt":
            raise KeyboardInterrupt
        result.save(output)
    except Exception as error:
        return _failed(task, error, time.perf_counter() - began, identity)
    return Outcome(task.number, str(output), "done", time.perf_counter() - began, None, identity)


def _identity(job: Job, options: Options) -> str:
    """Fingerprint of all that the result depends on; computed before the run, which reads streams to their end."""
    return fingerprint(__version__, job.content, job.style, options, files=True)


def _failed(task: _Task, error: BaseException, seconds: float = 0.0, identity: str | None = None) -> Outcome:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Outcome(task.number, str(Path(task.job.output)), "failed", seconds, reason, identity)


def _over(executor: Executor, tasks: Iterator[_Task], prefetch: int, log: _Record) -> Iterator[Outcome]:
    """Outcomes in order of completion, with at most `prefetch` unfinished tasks.

    Each task records its own end, because nobody may be there to take the outcome: not after Ctrl-C, and not once the
    iterator is closed.
    """
    pending: dict[Future[Outcome], _Task] = {}
    try:
        while True:
            while len(pending) < prefetch and (task := next(tasks, None)) is not None:
                try:
                    future = executor.submit(_run, task)
                    pending[future] = task
                    future.add_done_callback(log.add_ended)
                except RuntimeError as error:  # the pool is broken or was shut down
                    yield _failed(task, error)
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                yield _outcome(future, pending.pop(future))
    finally:
        for future in pending:
            future.cancel()


def _outcome(future: Future[Outcome], task: _Task) -> Outcome:
    """The worker's outcome, or a failure if the worker was killed or the job could not be sent."""
    try:
        return future.result()
    except (Exception, CancelledError) as error:
        return _failed(task, error)


def _in_order(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Yield outcomes by ascending number, each as soon as all before it are there."""
    early: dict[int, Outcome] = {}
    expected = 0
    for outcome in outcomes:
        early[outcome.number] = outcome
        while expected in early:
            yield early.pop(expected)
            expected += 1


def _recorded(outcomes: Iterator[Outcome], log: _Record) -> Iterator[Outcome]:
    for outcome in outcomes:
        log.add(outcome)
        yield outcome


class _Record:
    """Outcomes in a file of JSON lines; the last line about an output counts."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = None if path is None else Path(path)
        self._identities: dict[str, str] = {}
        self._added: set[int] = set()
        self._lock = threading.Lock()
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
                    self._identities[entry["output"]] = entry["identity"]

    def identity(self, output: str | os.PathLike[str]) -> str | None:
        """What an output was made from; None if the record does not mention it."""
        return self._identities.get(str(Path(output)))

    def add(self, outcome: Outcome) -> None:
        """Append an outcome, unless it is there already or the job was skipped."""
        if self._path is None or outcome.status == "skipped":
            return
        line = json.dumps(dataclasses.asdict(outcome) | {"ended": time.strftime("%Y-%m-%dT%H:%M:%S%z")})
        with self._lock:
            if outcome.number not in self._added:
                with self._path.open("a", encoding="utf-8") as handle:
                    handle.write(line + "\n")
                self._added.add(outcome.number)

    def add_ended(self, future: Future[Outcome]) -> None:
        """Append the outcome of a task that ended on an executor; an error is left to `add`, which the caller sees."""
        with contextlib.suppress(OSError, CancelledError):
            if future.exception() is None:
                self.add(future.result())
