"""`python -m neural_style`: dispatch to the commands, and the command that stylizes one image.

Results and `--json` go to stdout, the progress bar and messages to stderr; if the image goes to stdout, everything else
goes to stderr. Exit codes: 0 success, 1 the run failed, 2 bad usage or bad input, 130 interrupted (the current image is
saved).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neural_style import __version__
from neural_style.cli import app, batch, video
from neural_style.cli.command import add_output_options, run_command
from neural_style.cli.options import (
    STYLE_TARGET_SUFFIX,
    add_max_seconds,
    add_styles,
    add_stylize_options,
    parse,
    path_or_none,
    split_weight,
    stylize_arguments,
)

if TYPE_CHECKING:
    from neural_style.transfer.result import Result

__all__ = ["main"]

STANDARD = Path("-")
"""In place of a file: stdin for the content, stdout for the result."""

EXAMPLES = """examples:
  python -m neural_style photo.jpg painting.jpg -o out.png
  python -m neural_style photo.jpg painting.jpg -o out.png --strength 0.7 --size 1024
  python -m neural_style photo.jpg painting.jpg -o out.png --save-every 20
  python -m neural_style photo.jpg sky.jpg:0.7 sea.jpg:0.3 -o blend.png
  python -m neural_style photo.jpg sky.jpg sea.jpg --mask top.png --mask bottom.png -o regions.png
  python -m neural_style none painting.jpg -o texture.png
  curl ADDRESS | python -m neural_style - painting.jpg -o - > out.png
  python -m neural_style batch photos painting.jpg -o painted
  python -m neural_style video clip.mp4 painting.jpg -o painted.mp4
  python -m neural_style app
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None for those of the process.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    commands = {"batch": batch.main, "video": video.main, "app": app.main}
    if arguments and arguments[0] in commands:
        return commands[arguments[0]](arguments[1:])
    options = parse(_parser(), arguments)
    return run_command(_stylize, options, interrupted="interrupted before there was an image")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m neural_style",
        description="Paint one image in the style of another.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("content", help="image to paint, '-' for stdin; 'none' makes a texture of the style")
    add_styles(parser)
    output = "where to save the result (.png, .jpg, ...), '-' for stdout, as PNG"
    parser.add_argument("-o", "--output", type=Path, required=True, help=output)
    add_stylize_options(parser)
    add_max_seconds(parser, text="stop after this many seconds and save the current image")
    checkpoint = "save the run in FILE; the same command resumes it"
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help=checkpoint)
    every = "also save the current image every N steps, as OUTPUT-0040.png"
    parser.add_argument("--save-every", type=int, metavar="N", help=every)
    add_output_options(parser, record="print a JSON record instead of a line")
    parser.add_argument("--version", action="version", version=f"neural_style {__version__}")
    return parser


def _stylize(options: argparse.Namespace) -> int:
    began = time.perf_counter()
    from neural_style import images

    if options.output == STANDARD and options.save_every is not None:
        raise ValueError("--save-every names its files after the output, so it cannot be used with '-o -'")
    if options.output != STANDARD:
        images.check_writable(options.output)
    options.content = sys.stdin.buffer.read() if options.content == str(STANDARD) else path_or_none(options.content)
    _check_images(options)  # reports a bad image before TensorFlow takes seconds to load
    result = _run(options)
    _save(result, options.output)
    _report(options, result, time.perf_counter() - began)
    return 130 if result.stopped_by == "interrupt" else 0


def _check_images(options: argparse.Namespace) -> None:
    from neural_style import images
    from neural_style.images import masks

    styles = [path for path, _ in map(split_weight, options.styles) if not path.endswith(STYLE_TARGET_SUFFIX)]
    for source in (options.content, *styles):
        if source is not None:
            images.load(source, size=options.size)
    for path in (*(options.masks or ()), *filter(None, map(path_or_none, options.style_masks or ()))):
        masks.read_mask(path, repr(path))


def _run(options: argparse.Namespace) -> Result:
    """Call `stylize` with every option that is one of its arguments."""
    from neural_style.api import stylize_result
    from neural_style.callbacks import SaveEvery

    given = stylize_arguments(options) | {"content": options.content}
    callbacks = [] if options.save_every is None else [SaveEvery(options.output, options.save_every)]
    return stylize_result(**given, progress=not options.quiet, callbacks=callbacks)


def _save(result: Result, output: Path) -> None:
    if output != STANDARD:
        result.save(output)
        return
    with tempfile.TemporaryDirectory() as folder:
        result.save(Path(folder, "painted.png"))
        sys.stdout.buffer.write(Path(folder, "painted.png").read_bytes())
    sys.stdout.buffer.flush()


def _report(options: argparse.Namespace, result: Result, seconds: float) -> None:
    width, height = result.image.size
    record = {
        "output": str(options.output),
        "size": [width, height],
        "seconds": round(seconds, 1),
        "steps": len(result.history),
        "stopped_by": result.stopped_by,
        "loss": result.history[-1].loss if result.history else None,
        "terms": dict(result.history[-1].terms) if result.history else {},
        "settings": result.settings,
    }
    network = result.settings["network"]
    line = f"{options.output}: {width}x{height}, {network}, {len(result.history)} steps, {seconds:.1f} s"
    stream = sys.stderr if options.output == STANDARD else sys.stdout
    print(json.dumps(record) if options.json else line, file=stream)
