"""`neural-style batch`: stylize every image in a folder."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from neural_style.cli.arguments import stylize_arguments
from neural_style.cli.command import BAD_INPUT, report, run_command
from neural_style.cli.hints import check_command
from neural_style.cli.messages import say
from neural_style.cli.parsing import Parser, parse

if TYPE_CHECKING:
    from neural_style.batch.record import Outcome

__all__ = ["main", "make_parser"]

RECORD = "neural_style.jsonl"


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = make_parser()
    options = parse(parser, arguments)
    if options.workers < 1:
        parser.error(f"--workers must be at least 1, not {options.workers}")
    options.total, options.counts = 0, {"done": 0, "skipped": 0, "failed": 0}

    def interrupted() -> str:
        where = f" after {sum(options.counts.values())} of {options.total} images" if options.total else ""
        return f"interrupted{where}; run the same command again to do the rest"

    return run_command(_stylize, options, interrupted=interrupted, bad_input=(*BAD_INPUT, OSError))


def make_parser() -> Parser:
    """The parser of the command."""
    description = "Paint every image in a folder. The same command run again does only what is missing."
    parser = Parser("batch", "FOLDER STYLE[:WEIGHT] ... -o FOLDER [options]", description)
    parser.images.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the images")
    parser.add_styles()
    return parser


def _stylize(options: argparse.Namespace) -> int:
    from neural_style.batch.jobs import jobs_in, stylize_many
    from neural_style.callbacks.progress import make_bar

    check_command(options.folder, "batch")
    given = stylize_arguments(options)
    jobs = jobs_in(options.folder, given.pop("style"), options.output, pattern=options.pattern, suffix=options.suffix)
    options.total = len(jobs)
    with _workers(options.workers) as executor:
        outcomes = stylize_many(jobs, executor=executor, record=options.output / RECORD, **given)
        return _report(make_bar(outcomes, shown=not options.quiet, total=len(jobs), unit="image"), options)


def _workers(count: int) -> contextlib.AbstractContextManager[Executor | None]:
    from neural_style.batch.executors import processes

    return contextlib.nullcontext() if count == 1 else processes(count)


def _report(outcomes: Iterable[Outcome], options: argparse.Namespace) -> int:
    counts, failures = options.counts, []
    code = 0
    for outcome in outcomes:
        counts[outcome.status] += 1
        if outcome.status == "failed":
            failures.append(outcome)
        if options.json:
            code |= report(json.dumps(dataclasses.asdict(outcome)), required=True)
    for failure in failures:
        say(f"failed: {failure.output}: {failure.error}", sys.stderr)
    if not options.json:
        summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count or status == "done")
        report(f"{options.output}: {summary}", required=False)
    return 1 if failures else code
