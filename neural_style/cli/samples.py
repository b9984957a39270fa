"""`neural-style samples`: list the sample images, and copy them to a folder."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from neural_style import samples
from neural_style.cli.command import BAD_INPUT, report, run_command
from neural_style.cli.messages import say
from neural_style.cli.parsing import Parser, parse, program

__all__ = ["main", "make_parser"]


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = parse(make_parser(), arguments)
    return run_command(_copy, options, interrupted="interrupted", bad_input=(*BAD_INPUT, OSError))


def make_parser() -> Parser:
    """The parser of the command."""
    description = (
        "List the sample images with titles and licenses, and copy them to a folder.\n"
        "Files of the same names that the folder already holds are kept as they are."
    )
    parser = Parser("samples", "[FOLDER]", description)
    text = "folder for the copies; it is created if it does not exist (default: samples)"
    parser.images.add_argument("folder", nargs="?", type=Path, default=Path("samples"), metavar="FOLDER", help=text)
    parser.set_defaults(debug=False)
    return parser


def _copy(options: argparse.Namespace) -> int:
    copies = samples.copy_to(options.folder)
    for name, copy in zip(samples.names(), copies, strict=True):
        sample = samples.get(name)
        report(f"{copy}: {sample.kind}, {sample.title} ({sample.license})", required=False)
    pair = (options.folder / samples.path(name).name for name in ("astronaut", "starry_night"))
    say(f"to paint one: {program()} {shlex.join(map(str, pair))} -o out.png", sys.stderr)
    return 0
