"""`python -m neural_style batch`: a folder of pictures, one style."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from neural_style._process import configure_process
from neural_style.batch.executors import processes
from neural_style.cli import options as shell

if TYPE_CHECKING:
    from neural_style.batch.jobs import Outcome

__all__ = ["main"]

RECORD = "neural_style.jsonl"


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = _parser()
    options = shell.parsed(parser, arguments)
    if options.workers < 1:
        parser.error(f"--workers is at least 1, not {options.workers}")
    configure_process()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = shell.show_warning  # type: ignore[assignment]
            return _paint(options)
    except (OSError, ValueError, TypeError) as error:
        return shell.fail(error, 2, options.debug)
    except KeyboardInterrupt:
        print("interrupted; the same command does what is missing", file=sys.stderr)  # noqa: T201
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m neural_style batch",
        description="Paint every picture of a folder. Run again, the same command does only what is missing.",
    )
    parser.add_argument("folder", type=Path, help="where the pictures are")
    shell.add_styles(parser)
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, help=f"the folder for the results, and for the record {RECORD}")
    add("--pattern", default="*", help="which of the pictures, '**/*.jpg' for instance (%(default)s)")
    add("--suffix", default=".png", help="the results' kind (%(default)s)")
    add("--workers", type=int, default=1, metavar="N", help="processes that share the processor's cores (%(default)s)")
    shell.add_settings(parser)
    add("--max-seconds", type=float, help="for each picture; it is then handed over as far as it is")
    add("--json", action="store_true", help="print a line of JSON for each picture")
    add("--quiet", action="store_true", help="no progress bar")
    add("--debug", action="store_true", help="show tracebacks")
    return parser


def _paint(options: argparse.Namespace) -> int:
    from neural_style.batch.jobs import jobs_in, stylize_many

    settings = shell.settings_of(options)
    jobs = jobs_in(
        options.folder, settings.pop("style"), options.output, pattern=options.pattern, suffix=options.suffix
    )
    with _workers(options.workers) as executor:
        outcomes = stylize_many(jobs, executor=executor, record=options.output / RECORD, **settings)
        return _report(_watched(outcomes, len(jobs), options.quiet), options)


def _workers(count: int) -> contextlib.AbstractContextManager[Executor | None]:
    if count == 1:
        return contextlib.nullcontext()
    return processes(count)


def _watched(outcomes: Iterator[Outcome], count: int, quiet: bool) -> Iterable[Outcome]:
    from tqdm import tqdm

    bar: Iterable[Outcome] = tqdm(outcomes, total=count, unit="picture", disable=True if quiet else None)
    return bar


def _report(outcomes: Iterable[Outcome], options: argparse.Namespace) -> int:
    ended = {"done": 0, "skipped": 0, "failed": 0}
    failures = []
    for outcome in outcomes:
        ended[outcome.status] += 1
        if outcome.status == "failed":
            failures.append(outcome)
        if options.json:
            print(json.dumps(dataclasses.asdict(outcome)), flush=True)  # noqa: T201
    for failure in failures:
        print(f"failed: {failure.output}: {failure.error}", file=sys.stderr)  # noqa: T201
    if not options.json:
        told = ", ".join(f"{count} {status}" for status, count in ended.items() if count or status == "done")
        print(f"{options.output}: {told}")  # noqa: T201
    return 1 if failures else 0
