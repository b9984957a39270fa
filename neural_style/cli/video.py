"""`python -m neural_style video`: a clip, one style."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from neural_style._process import configure_process
from neural_style.cli import options as shell
from neural_style.errors import ImageError, NeuralStyleError, WeightsUnavailableError

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = shell.parsed(_parser(), arguments)
    configure_process()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = shell.show_warning  # type: ignore[assignment]
            return _paint(options)
    except (ImageError, WeightsUnavailableError, ValueError, TypeError, ImportError) as error:
        return shell.fail(error, 2, options.debug)
    except (NeuralStyleError, MemoryError, OSError) as error:
        return shell.fail(error, 1, options.debug)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)  # noqa: T201
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m neural_style video",
        description="Paint a video, with its sound and length. After a kill, the same command goes on.",
    )
    parser.add_argument("clip", type=Path, help="the video to paint")
    shell.add_styles(parser)
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, help="where to put the result (.mp4, .mov, .mkv or .webm)")
    own = argparse.SUPPRESS  # the library's own, that is
    steps = "for each frame that follows another; --steps is for those that begin a scene"
    add("--frame-steps", type=int, metavar="N", help=steps, default=own)
    add("--temporal", type=float, metavar="W", help="how firmly a frame is held to the one before", default=own)
    add("--crf", type=int, help="rate factor of the encoder: less is better and larger", default=own)
    shell.add_settings(parser)
    add("--json", action="store_true", help="print a JSON record instead of a line")
    add("--quiet", action="store_true", help="no progress bar")
    add("--debug", action="store_true", help="show tracebacks")
    return parser


def _paint(options: argparse.Namespace) -> int:
    from neural_style.video.stylize import stylize_video

    settings = shell.settings_of(options)
    settings |= {name: getattr(options, name) for name in ("frame_steps", "temporal", "crf") if name in options}
    film = stylize_video(options.clip, settings.pop("style"), options.output, progress=not options.quiet, **settings)
    width, height = film.size
    line = f"{film.output}: {width}x{height}, {film.frames} frames, flicker {film.flicker:.3f}, {film.seconds:.1f} s"
    print(json.dumps(dataclasses.asdict(film)) if options.json else line)  # noqa: T201
    return 0
