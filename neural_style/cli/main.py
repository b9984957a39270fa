"""`python -m neural_style`: dispatch to the commands, and the command that stylizes one image.

Results and `--json` go to stdout, the progress bar and messages to stderr; if the image goes to stdout, everything else
goes to stderr. Exit codes: 0 success, 1 the run failed, 2 bad usage or bad input, 130 interrupted by Ctrl-C, SIGTERM or
SIGHUP (the current image is saved).
"""

from __future__ import annotations

import argparse
import glob
import io
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neural_style import __version__
from neural_style._files import FileSet
from neural_style.cli import app, batch, video
from neural_style.cli.command import add_output_options, report, run_command
from neural_style.cli.messages import discard, flush, say
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
from neural_style.cli.stopping import undisturbed
from neural_style.errors import ImageError, NeuralStyleError

if TYPE_CHECKING:
    from neural_style.images import ImageData
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
    try:
        return _dispatch(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as end:  # help, the version, or wrong usage
        flush(sys.stderr)
        if (reason := flush(sys.stdout)) is not None and not end.code:
            say(f"error: stdout: {reason}", sys.stderr)
            raise SystemExit(1) from None
        raise


def _dispatch(arguments: Sequence[str]) -> int:
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
        _check_outputs(options)
    elif sys.stdout is None:
        raise ValueError("stdout is closed, so there is nowhere to write the image to; name a file in place of '-o -'")
    options.content = _read_stdin(options.size) if options.content == str(STANDARD) else path_or_none(options.content)
    _check_images(options)  # reports a bad image before TensorFlow takes seconds to load
    result = _run(options)
    _save(result, options.output)
    code = _report(options, result, time.perf_counter() - began)
    return 130 if result.stopped_by == "interrupt" else code


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse an output, also of `--save-every`, that is a file which the run reads or resumes."""
    files, output = FileSet(), options.output
    files.add(sys.stdin if options.content == str(STANDARD) else path_or_none(options.content), "the content")
    files.add([path for path, _ in map(split_weight, options.styles)], "a style")
    files.add([options.masks, options.style_masks], "a mask")
    files.add(options.init, "the image of --init")
    if options.checkpoint is not None:
        files.add([options.checkpoint, f"{options.checkpoint}.bak"], "the checkpoint")
    saved = output.parent.glob(f"{glob.escape(output.stem)}-[0-9]*{glob.escape(output.suffix)}")
    for path in (output, *(saved if options.save_every is not None else ())):
        if (owner := files.find(path)) is not None:
            raise ValueError(f"{str(path)!r} is {owner} and would be replaced; name another output")


def _read_stdin(size: int | None) -> ImageData:
    from neural_style import images

    if sys.stdin is None:
        raise ValueError("stdin is closed, so there is no image to read; name a file in place of '-'")
    return images.read(sys.stdin.buffer, size=size)  # no more than an image within the limits


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
        try:
            with undisturbed():
                result.save_or_keep(output)
        except ImageError as error:
            raise NeuralStyleError(str(error)) from error  # exit code 1: nothing is wrong with an input
        return
    image = _png(result)
    try:
        sys.stdout.buffer.write(image)
        sys.stdout.buffer.flush()
    except (OSError, ValueError, KeyboardInterrupt) as error:  # the reader went away, or does not read
        reason = discard(sys.stdout, error)
        raise NeuralStyleError(f"stdout: {reason}; {_keep(image)}") from error


def _png(result: Result) -> bytes:
    """The file that `result.save` writes, in memory: a folder for temporary files may be full or read-only."""
    from neural_style.images import ImageData
    from neural_style.images.formats.encoding import FORMATS, encoder

    alpha = None if result.alpha is None else result.alpha[None]
    buffer = io.BytesIO()
    encoder(ImageData(result.pixels[None], alpha), FORMATS[0], 8)(buffer)
    return buffer.getvalue()


def _keep(image: bytes) -> str:
    """Save an image that stdout did not take in a temporary file, and say where."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="neural_style-", suffix=".png")
        with open(descriptor, "wb") as handle:
            handle.write(image)
    except OSError as error:
        return f"and the image could not be kept ({error})"
    return f"the image is in {name}"


def _report(options: argparse.Namespace, result: Result, seconds: float) -> int:
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
    line = f"{options.output}: {width}x{height}, {network}, {result.work}, {seconds:.1f} s"
    line = json.dumps(record) if options.json else line
    if options.output == STANDARD:
        say(line, sys.stderr)
        return 0
    return report(line, required=options.json)
