"""`neural-style video`: stylize a video."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from neural_style.cli.arguments import stylize_arguments
from neural_style.cli.command import report, run_command
from neural_style.cli.hints import check_command
from neural_style.cli.parsing import Parser, parse

__all__ = ["main", "make_parser"]


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = parse(make_parser(), arguments)
    options.frames = 0

    def interrupted() -> str:
        where = f" after {options.frames} frames" if options.frames else ""
        return f"interrupted{where}; run the same command again to resume"

    return run_command(_stylize, options, interrupted=interrupted)


def make_parser() -> Parser:
    """The parser of the command."""
    description = "Paint a video, and keep its sound and length. Run the same command again to resume."
    parser = Parser("video", "CLIP STYLE[:WEIGHT] ... -o FILE [options]", description)
    parser.images.add_argument("clip", type=Path, metavar="CLIP", help="video to paint")
    parser.add_styles()
    return parser


def _stylize(options: argparse.Namespace) -> int:
    from neural_style.video.stylize import Frame, stylize_video

    check_command(options.clip, "video")
    given = stylize_arguments(options)
    given |= {name: getattr(options, name) for name in ("frame_steps", "temporal", "crf") if name in options}

    def count(frame: Frame) -> None:
        options.frames = frame.number + 1

    given |= {"progress": not options.quiet, "callbacks": [count]}
    film = stylize_video(options.clip, given.pop("style"), options.output, **given)
    width, height = film.size
    line = f"{film.output}: {width}x{height}, {film.frames} frames, flicker {film.flicker:.3f}, {film.seconds:.1f} s"
    return report(json.dumps(dataclasses.asdict(film)) if options.json else line, required=options.json)
