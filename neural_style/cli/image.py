"""The command that paints one image."""

from __future__ import annotations

import argparse
import glob
import io
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neural_style._files import FileSet
from neural_style._process import tensorflow_preloaded
from neural_style.cli.arguments import STYLE_TARGET_SUFFIX, path_or_none, split_weight, stylize_arguments
from neural_style.cli.command import report, run_command
from neural_style.cli.hints import check_command
from neural_style.cli.messages import discard, say
from neural_style.cli.options import COMMANDS, IMAGE
from neural_style.cli.parsing import Parser, parse, program
from neural_style.cli.replay import provenance
from neural_style.cli.stopping import undisturbed
from neural_style.errors import ImageError, NeuralStyleError

if TYPE_CHECKING:
    from neural_style.images import ImageData
    from neural_style.transfer.result import Result

__all__ = ["main", "make_parser", "paint"]

STANDARD = Path("-")
"""In place of a file: stdin for the content, stdout for the result."""

DESCRIPTION = f"""Paint one image in the style of another.

commands:
{chr(10).join(f"  {name:10}{text}" for name, text in COMMANDS.items())}
  (for the options of one: {program()} COMMAND --help)"""

EXAMPLES = """examples, after 'neural-style samples':
  neural-style samples/astronaut.jpg samples/starry_night.jpg -o out.png
  neural-style samples/cat.jpg samples/great_wave.jpg -o out.png --strength 0.6 --size 1024
  neural-style samples/pagoda.jpg samples/nocturne.jpg -o out.png --quality instant
  neural-style samples/cat.jpg samples/harvest.jpg:0.7 samples/nocturne.jpg:0.3 -o blend.png
  neural-style samples/chenonceau.jpg samples/starry_night.jpg --mask samples/chenonceau_sky.png \\
      --background content -o sky.png
  neural-style none samples/great_wave.jpg -o texture.png
  curl ADDRESS | neural-style - samples/starry_night.jpg -o - > out.png
  neural-style batch photos samples/starry_night.jpg -o painted
  neural-style video clip.mp4 samples/starry_night.jpg -o painted.mp4
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = parse(make_parser(), arguments)
    options.arguments = list(arguments)
    return run_command(paint, options, interrupted="interrupted before there was an image")


def make_parser() -> Parser:
    """The parser of the command, whose help is that of the whole program."""
    usage = f"CONTENT STYLE[:WEIGHT] ... -o FILE [options]\n       {program()} COMMAND ..."
    parser = Parser(IMAGE, usage, DESCRIPTION, EXAMPLES)
    text = "image to paint, '-' for stdin; 'none' makes a texture of the style"
    parser.images.add_argument("content", metavar="CONTENT", help=text)
    parser.add_styles()
    return parser


def paint(options: argparse.Namespace) -> int:
    """Paint one image as the options say; returns the exit code."""
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
    if isinstance(options.content, str):
        check_command(options.content, IMAGE)
    with tensorflow_preloaded():
        _check_images(options)  # reports a bad image before TensorFlow takes seconds to load
    origin = provenance(options) if options.json else {}
    result = _run(options)
    _save(result, options.output)
    code = _report(options, result, time.perf_counter() - began, origin)
    if result.stopped_by != "interrupt":
        return code
    say(_stop(options, result), sys.stderr)
    return 130


def _stop(options: argparse.Namespace, result: Result) -> str:
    """Where an interrupted run stopped, and how to go on."""
    last = result.history[-1]
    (width, height), place = last.scale, "stdout" if options.output == STANDARD else str(options.output)
    resume = "the same command resumes it" if options.checkpoint else "add --checkpoint FILE to resume it next time"
    where = f"interrupted at step {last.step} of {last.steps}, at {width}x{height}"
    return f"{where}; the image so far is in {place}; {resume}"


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


def _report(options: argparse.Namespace, result: Result, seconds: float, origin: Mapping[str, Any]) -> int:
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
        **origin,
    }
    network = result.settings["network"]
    line = f"{options.output}: {width}x{height}, {network}, {result.work}, {seconds:.1f} s"
    line = json.dumps(record) if options.json else line
    if options.output == STANDARD:
        say(line, sys.stderr)
        return 0
    return report(line, required=options.json)
