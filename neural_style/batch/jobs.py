"""Stylize many images: one after another in this process, or over any executor, on one machine or several.

A record file keeps one line of JSON for each finished job. Run a batch again after a kill, or after some jobs failed,
and it skips every output that exists and was made from the same inputs with the same options.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from PIL import Image

from neural_style import __version__, images
from neural_style._arguments import count
from neural_style._fingerprint import fingerprint
from neural_style.api import Options, check_options, stylize_result
from neural_style.batch.outputs import Claims, outputs_for, painted_before
from neural_style.batch.record import Outcome, Record
from neural_style.images.writing import check_suffix

if TYPE_CHECKING:
    from neural_style.images import ImageLike
    from neural_style.transfer.styles.blending import Styles

__all__ = ["Job", "jobs_in", "stylize_many"]


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
        output: folder for the results, not `folder` itself; subfolders are kept. `a.jpg` becomes `a.png`, or
            `a.jpg.png` if there is also an `a.tif`, so that all results have different names.
        pattern: glob pattern, as for `Path.glob`; `"**/*"` includes subfolders. Hidden files, hidden folders that the
            pattern does not name, files without an image suffix, and files in the output folder are ignored.
        suffix: suffix of the results, which selects their format.

    Raises:
        ValueError: `folder` is not a folder, `pattern` leads out of it, the results would be stored among its images,
            or `suffix` is not the suffix of a format.

    Example:
        >>> jobs_in("neural_style/samples", "painting.jpg", "painted", pattern="astronaut.*")[0].output.name
        'astronaut.png'
    """
    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"{os.fspath(folder)!r} is not a folder")
    if ".." in Path(pattern).parts:
        raise ValueError(f"the pattern {pattern!r} leads out of the folder; pass the parent folder instead")
    check_suffix(suffix)
    kinds = {*Image.registered_extensions(), ".heic", ".heif"}
    named = set(Path(pattern).parts)
    contents = [
        path
        for path in sorted(root.glob(pattern))
        if path.suffix.lower() in kinds
        and not path.name.startswith(".")
        and not any(part.startswith(".") and part not in named for part in path.relative_to(root).parts)
        and path.is_file()
        and not painted_before(path, root, output)
    ]
    outputs = outputs_for(contents, root, output, suffix)
    return [Job(path, style, target) for path, target in zip(contents, outputs, strict=True)]


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
    from job to job, and writes each image either completely or not at all. Before a job is painted, the library checks
    that its output can be written; if writing fails nevertheless, it saves the image elsewhere, and the outcome's error
    says where.

    Args:
        jobs: `(content, style, output)` tuples, read lazily; any number of them. See `jobs_in` for a folder. A job
            fails if an earlier job has the same output, or if its output is a file that the batch reads, even under
            another name. If jobs come from an iterator, the inputs of later jobs are not known.
        executor: any `concurrent.futures.Executor`, such as those in `neural_style.batch.executors`; None runs the jobs
            one at a time in this process. If the executor uses other processes, spawn them instead of forking
            (TensorFlow does not survive a fork), name the extractor by a string, and prefer paths that the workers can
            read.
        ordered: whether to yield outcomes in the order of the jobs.
        record: path of a file of JSON lines, to which outcomes are appended; a regular file or a new name. A job is
            skipped if its output exists and the record says that it was made from the same images with the same options
            by the same version.
        prefetch: maximum number of unfinished jobs handed to the executor.
        **options: further arguments of `stylize`, shared by all jobs.

    Yields:
        An `Outcome` for each job, after it was written to `record`. Closing the iterator, or Ctrl-C, cancels jobs that
        have not started; jobs that an executor still finishes are written to `record` as well.

    Raises:
        TypeError: an option is not an argument of `stylize`, or makes no sense for many images.
        ValueError: `prefetch` is less than 1, or `record` is not a record.
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
    log = Record(record)
    claims = Claims(jobs, options, record)
    tasks = (
        _Task(number, Job(*job), options, log.identity(job[2]), claims.refusal(number, job))
        for number, job in enumerate(jobs)
    )
    outcomes = map(_run, tasks) if executor is None else _over(executor, tasks, prefetch, log)
    return _recorded(_in_order(outcomes) if ordered else outcomes, log)


class _Task(NamedTuple):
    """A job as it is sent to a worker."""

    number: int
    job: Job
    options: Options
    recorded: str | None  # identity of the existing output, according to the record
    refusal: str | None  # why nothing may be written there


def _run(task: _Task) -> Outcome:
    """Run one job in the current process, which may be a worker."""
    began = time.perf_counter()
    output, identity = Path(task.job.output), None
    try:
        if task.refusal is not None:
            raise ValueError(task.refusal)
        identity = _identity(task.job, task.options)
        if task.recorded == identity and output.is_file():
            return Outcome(task.number, str(output), "skipped", time.perf_counter() - began, None, identity)
        output.parent.mkdir(parents=True, exist_ok=True)
        images.check_writable(output)
        result = stylize_result(task.job.content, task.job.style, **task.options, progress=False)
        if result.stopped_by == "interrupt":
            raise KeyboardInterrupt
        result.save_or_keep(output)
    except Exception as error:
        return _failed(task, error, time.perf_counter() - began, identity)
    return Outcome(task.number, str(output), "done", time.perf_counter() - began, None, identity)


def _identity(job: Job, options: Options) -> str:
    """Fingerprint of all that the result depends on; computed before the run, which reads streams to their end."""
    return fingerprint(__version__, job.content, job.style, options, files=True)


def _failed(task: _Task, error: BaseException, seconds: float = 0.0, identity: str | None = None) -> Outcome:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Outcome(task.number, str(Path(task.job.output)), "failed", seconds, reason, identity)


def _over(executor: Executor, tasks: Iterator[_Task], prefetch: int, log: Record) -> Iterator[Outcome]:
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


def _recorded(outcomes: Iterator[Outcome], log: Record) -> Iterator[Outcome]:
    for outcome in outcomes:
        log.add(outcome)
        yield outcome
