"""`neural-style demo`: paint a sample photograph in the style of a sample painting."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from neural_style import samples
from neural_style.cli import image
from neural_style.cli.arguments import split_weight
from neural_style.cli.command import run_command
from neural_style.cli.messages import say
from neural_style.cli.parsing import Parser, parse, program, spelled

__all__ = ["main", "make_parser"]

CONTENT, STYLE = "astronaut", "starry_night"


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = parse(make_parser(), arguments)
    options.arguments = ["demo", *arguments]
    return run_command(_paint, options, interrupted="interrupted before there was an image")


def make_parser() -> Parser:
    """The parser of the command."""
    description = (
        "Paint a sample photograph in the style of a sample painting. The samples come\n"
        f"with the package; '{program()} samples' lists them."
    )
    parser = Parser("demo", "[PHOTOGRAPH [PAINTING[:WEIGHT] ...]] [options]", description)
    photographs, paintings = (", ".join(samples.names(kind)) for kind in ("photograph", "painting"))
    add = parser.images.add_argument
    add("content", nargs="?", default=CONTENT, metavar="PHOTOGRAPH", help=f"{photographs} (default: {CONTENT})")
    add("styles", nargs="*", metavar="PAINTING[:WEIGHT]", help=f"{paintings}; several are blended (default: {STYLE})")
    return parser


def _resolve(options: argparse.Namespace) -> argparse.Namespace:
    """The options of the command that paints one image, with the files of the samples."""
    styles = [f"{samples.path(name)}:{weight:g}" for name, weight in map(split_weight, options.styles or [STYLE])]
    given = vars(options) | {"content": str(samples.path(options.content)), "styles": styles}
    return argparse.Namespace(**given)


def _paint(options: argparse.Namespace) -> int:
    names = [options.content, *(name for name, _ in map(split_weight, options.styles or [STYLE]))]
    photograph, *paintings = (f"{name} ({samples.get(name).title})" for name in names)
    resolved = _resolve(options)
    if not options.quiet:
        say(f"painting {photograph} in the style of {' and '.join(paintings)}", sys.stderr)
    code = image.paint(resolved)
    if code == 0 and not options.quiet:
        files = ["photo.jpg", *(f"painting{number}.jpg" for number in ("", *range(2, len(paintings) + 1)))]
        command = shlex.join([*files, "-o", "painted.png", *spelled(make_parser(), options)])
        say(f"to paint an image of your own: {program()} {command}", sys.stderr)
    return code
