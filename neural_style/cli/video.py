"""`python -m neural_style video`: stylize a video."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from neural_style.cli.command import add_output_options, report, run_command
from neural_style.cli.options import add_styles, add_stylize_options, parse, stylize_arguments

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = parse(_parser(), arguments)
    return run_command(_stylize, options, interrupted="interrupted; run the same command again to resume")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m neural_style video",
        description="Paint a video, and keep its sound and length. Run the same command again to resume.",
    )
    parser.add_argument("clip", type=Path, help="video to paint")
    add_styles(parser)
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, help="where to save the result (.mp4, .mov, .mkv or .webm)")
    own = argparse.SUPPRESS  # absent unless given: `stylize_video` has the defaults, and importing it loads TensorFlow
    steps = "steps for each frame that follows another; --steps is for the first frame of a scene"
    add("--frame-steps", type=int, metavar="N", help=steps, default=own)
    add("--temporal", type=float, metavar="W", help="weight of the loss against flicker", default=own)
    add("--crf", type=int, help="rate factor of the encoder; lower is better and larger", default=own)
    add_stylize_options(parser)
    add_output_options(parser, record="print a JSON record instead of a line")
    return parser


def _stylize(options: argparse.Namespace) -> int:
    from neural_style.video.stylize import stylize_video

    given = stylize_arguments(options)
    given |= {name: getattr(options, name) for name in ("frame_steps", "temporal", "crf") if name in options}
    film = stylize_video(options.clip, given.pop("style"), options.output, progress=not options.quiet, **given)
    width, height = film.size
    line = f"{film.output}: {width}x{height}, {film.frames} frames, flicker {film.flicker:.3f}, {film.seconds:.1f} s"
    return report(json.dumps(dataclasses.asdict(film)) if options.json else line, required=options.json)
