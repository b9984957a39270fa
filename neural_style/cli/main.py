"""The shell's door: a thin cover over the library.

Results and `--json` go to stdout, the bar and messages to stderr; where stdout gets the picture, they go to stderr
too. Exit codes: 0 done, 1 the run failed,
2 bad usage or bad input, 130 interrupted (the picture so far is saved).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neural_style import __version__
from neural_style._process import configure_process
from neural_style.cli import app
from neural_style.cli import batch as cli_batch
from neural_style.cli import options as shell
from neural_style.cli import video as cli_video
from neural_style.errors import ImageError, NeuralStyleError, WeightsUnavailableError

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
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    commands = {"batch": cli_batch.main, "video": cli_video.main, "app": app.main}
    if arguments and arguments[0] in commands:
        return commands[arguments[0]](arguments[1:])
    options = shell.parsed(_parser(), arguments)
    configure_process()
    try:
        return _paint(options)
    except (ImageError, WeightsUnavailableError, ValueError, TypeError) as error:
        return shell.fail(error, 2, options.debug)
    except (NeuralStyleError, MemoryError) as error:
        return shell.fail(error, 1, options.debug)
    except KeyboardInterrupt:
        print("interrupted before there was a picture", file=sys.stderr)  # noqa: T201
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m neural_style",
        description="Paint one picture in the style of another.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("content", help="the picture to paint, '-' for stdin; 'none' makes a texture of the style")
    shell.add_styles(parser)
    output = "where to put the result (.png, .jpg, ...), '-' for stdout, as PNG"
    parser.add_argument("-o", "--output", type=Path, required=True, help=output)
    add = parser.add_argument
    shell.add_settings(parser)
    add("--max-seconds", type=float, help="stop after so long with the picture so far")
    add("--checkpoint", type=Path, metavar="FILE", help="keep the run in FILE; the same command goes on from there")
    add("--save-every", type=int, metavar="N", help="also save the canvas every N steps, as OUTPUT-0040.png")
    add("--json", action="store_true", help="print a JSON record instead of a line")
    add("--quiet", action="store_true", help="no progress bar")
    add("--debug", action="store_true", help="show tracebacks")
    add("--version", action="version", version=f"neural_style {__version__}")
    return parser


def _paint(options: argparse.Namespace) -> int:
    began = time.perf_counter()
    from neural_style import images

    if options.output == STANDARD and options.save_every is not None:
        raise ValueError("--save-every names its pictures after the output, so '-o -' cannot go with it")
    if options.output != STANDARD:
        images.check_writable(options.output)
    options.content = sys.stdin.buffer.read() if options.content == str(STANDARD) else shell.none(options.content)
    _check_pictures(options)  # a bad picture is told before TensorFlow takes seconds to load
    with warnings.catch_warnings():
        warnings.showwarning = shell.show_warning  # type: ignore[assignment]
        result = _run(options)
    _save(result, options.output)
    _report(options, result, time.perf_counter() - began)
    return 130 if result.stopped_by == "interrupt" else 0


def _save(result: Result, output: Path) -> None:
    if output != STANDARD:
        result.save(output)
        return
    with tempfile.TemporaryDirectory() as folder:
        result.save(Path(folder, "painted.png"))
        sys.stdout.buffer.write(Path(folder, "painted.png").read_bytes())
    sys.stdout.buffer.flush()


def _check_pictures(options: argparse.Namespace) -> None:
    from neural_style import images
    from neural_style.images import masks as guides

    styles = [path for path, _ in map(shell.weighted, options.styles) if not path.endswith(shell.TARGET)]
    for source in (options.content, *styles):
        if source is not None:
            images.load(source, size=options.size)
    for mask in (*(options.masks or ()), *filter(None, map(shell.none, options.style_masks or ()))):
        guides.read_mask(mask, repr(mask))


def _run(options: argparse.Namespace) -> Result:
    """`stylize` with every option of that name, and all that the run tells."""
    from neural_style.api import paint
    from neural_style.callbacks import SaveEvery

    given = shell.settings_of(options) | {"content": options.content}
    callbacks = [] if options.save_every is None else [SaveEvery(options.output, options.save_every)]
    return paint(**given, progress=not options.quiet, callbacks=callbacks)


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
    extractor = result.settings["extractor"].split(",")[0].rstrip(")") + ")"
    line = f"{options.output}: {width}x{height}, {extractor}, {len(result.history)} steps, {seconds:.1f} s"
    told = sys.stderr if options.output == STANDARD else sys.stdout
    print(json.dumps(record) if options.json else line, file=told)
