"""The shell's door: a thin cover over the library.

Results and `--json` go to stdout, the bar and messages to stderr. Exit codes: 0 done, 1 the run failed,
2 bad usage or bad input, 130 interrupted (the picture so far is saved).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import inspect
import json
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neural_style import __version__
from neural_style.errors import ImageError, NeuralStyleError, WeightsUnavailableError

if TYPE_CHECKING:
    from neural_style.result import Result

__all__ = ["main"]

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h

EXAMPLES = """examples:
  python -m neural_style photo.jpg painting.jpg -o out.png
  python -m neural_style photo.jpg painting.jpg -o out.png --strength 0.7 --size 1024
  python -m neural_style photo.jpg painting.jpg -o out.png --save-every 20
  python -m neural_style photo.jpg sky.jpg:0.7 sea.jpg:0.3 -o blend.png
  python -m neural_style photo.jpg sky.jpg sea.jpg --mask top.png --mask bottom.png -o regions.png
  python -m neural_style none painting.jpg -o texture.png
"""


TARGET = ".npz"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    options.styles += options.more_styles
    if not options.styles:
        parser.error("the following arguments are required: STYLE")
    _settle_in()
    try:
        return _paint(options)
    except (ImageError, WeightsUnavailableError, ValueError, TypeError) as error:
        return _fail(error, 2, options.debug)
    except (NeuralStyleError, MemoryError) as error:
        return _fail(error, 1, options.debug)
    except KeyboardInterrupt:
        print("interrupted before there was a picture", file=sys.stderr)  # noqa: T201
        return 130


def _settle_in() -> None:
    """What a program may do to its own process, and a library may not."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no banners
    if sys.platform == "linux":
        # The C library keeps freed blocks of up to 32 MiB, and a step leaves more holes than it fills again: maps
        # of 16 MiB go back to the system. Smaller ones come too often for that.
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 16 * 2**20)


def _parser() -> argparse.ArgumentParser:
    from neural_style.api import stylize
    from neural_style.controls import COLORS

    defaults = {name: p.default for name, p in inspect.signature(stylize).parameters.items()}
    parser = argparse.ArgumentParser(
        prog="python -m neural_style",
        description="Paint one picture in the style of another.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("content", help="the picture to paint; 'none' makes a texture of the style")
    styles = "a picture whose style to paint it in, or a style target (.npz); several are blended by their weights"
    parser.add_argument("styles", nargs="*", metavar="STYLE[:WEIGHT]", help=styles)
    parser.add_argument("-o", "--output", type=Path, required=True, help="where to put the result (.png, .jpg, ...)")
    add = parser.add_argument
    add("--style", action="append", default=[], dest="more_styles", metavar="PATH[:WEIGHT]", help="one more style")
    add("--size", type=_size, default=defaults["size"], help="long side in pixels, or 'content' (%(default)s)")
    add("--strength", type=float, default=defaults["strength"], help="0 keeps the content, 1 all style (%(default)s)")
    add("--steps", type=int, default=defaults["steps"], help="total over all scales (the recipe's)")
    add("--recipe", default=defaults["recipe"], help="which losses and schedule (%(default)s)")
    add("--extractor", default=defaults["extractor"], help="vgg19 or vgg16 (vgg19 if its weights can be had)")
    add("--optimizer", default=defaults["optimizer"], help="adam or lbfgs (the recipe's)")
    add("--precision", default=defaults["precision"], help="auto, float32, bfloat16 or float16 (%(default)s)")
    add("--tile", type=_tile, default=defaults["tile"], help="paint in tiles of so many pixels, or 'auto' (untiled)")
    add("--init", default=defaults["init"], help="content, recolored, noise or a picture (the recipe's)")
    mask = "where a style rules: white on black, over the content; once for each style, in their order"
    add("--mask", action="append", dest="masks", metavar="PATH", help=mask)
    mask = "the part of a style that counts, or 'none' for all of it; once for each style"
    add("--style-mask", action="append", dest="style_masks", metavar="PATH", help=mask)
    add("--background", choices=["content"], help="leave what no mask covers as it is in the content")
    colors = "whose colours: leave it to the style, keep the content's, or give the style the content's palette first"
    add("--color", choices=COLORS, default=defaults["color"], help=f"{colors} (%(default)s)")
    strength = "how far --color goes, from 0 to 1 (%(default)s)"
    add("--color-strength", type=float, default=defaults["color_strength"], metavar="S", help=strength)
    scale = "size of the style beside the picture: 2 for strokes twice as large (%(default)s)"
    add("--style-scale", type=float, default=defaults["style_scale"], metavar="S", help=scale)
    add("--preview", action="store_true", help="at most 256 pixels and half the steps: see in a quarter of the time")
    add("--seed", type=int, default=defaults["seed"], help="of the noise (%(default)s)")
    add("--max-seconds", type=float, default=defaults["max_seconds"], help="stop after so long with the picture so far")
    add("--checkpoint", type=Path, metavar="FILE", help="keep the run in FILE; the same command goes on from there")
    add("--save-every", type=int, metavar="N", help="also save the canvas every N steps, as OUTPUT-0040.png")
    add("--json", action="store_true", help="print a JSON record instead of a line")
    add("--quiet", action="store_true", help="no progress bar")
    add("--debug", action="store_true", help="show tracebacks")
    add("--version", action="version", version=f"neural_style {__version__}")
    return parser


def _size(text: str) -> int | None:
    return None if text == "content" else int(text)


def _tile(text: str) -> int | str:
    return text if text == "auto" else int(text)


def _paint(options: argparse.Namespace) -> int:
    began = time.perf_counter()
    from neural_style import images

    images.check_writable(options.output)
    _check_pictures(options)  # a bad picture is told before TensorFlow takes seconds to load
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        result = _run(options)
    result.save(options.output)
    _report(options, result, time.perf_counter() - began)
    return 130 if result.stopped_by == "interrupt" else 0


def _check_pictures(options: argparse.Namespace) -> None:
    from neural_style import guides, images

    styles = [path for path, _ in map(_weighted, options.styles) if not path.endswith(TARGET)]
    for source in (_none(options.content), *styles):
        if source is not None:
            images.load(source, size=options.size)
    for mask in (*(options.masks or ()), *filter(None, map(_none, options.style_masks or ()))):
        guides.read_mask(mask, repr(mask))


def _run(options: argparse.Namespace) -> Result:
    """`stylize` with every option of that name, and all that the run tells."""
    from neural_style.api import paint, stylize
    from neural_style.callbacks import SaveEvery

    given = {name: getattr(options, name) for name in inspect.signature(stylize).parameters if name in options}
    given["content"] = _none(options.content)
    given["style"] = [(_style(path), weight) for path, weight in map(_weighted, options.styles)]
    given["style_masks"] = None if options.style_masks is None else [_none(mask) for mask in options.style_masks]
    callbacks = [] if options.save_every is None else [SaveEvery(options.output, options.save_every)]
    return paint(**given, progress=not options.quiet, callbacks=callbacks)


def _none(text: str) -> str | None:
    return None if text == "none" else text


def _weighted(text: str) -> tuple[str, float]:
    """A path with its weight, 1 where none follows it."""
    path, _, weight = text.rpartition(":")
    try:
        return (path, float(weight)) if path and not os.path.exists(text) else (text, 1.0)
    except ValueError:
        return text, 1.0


def _style(path: str) -> Any:
    """A picture's path, or the style target in a file."""
    if not path.endswith(TARGET):
        return path
    from neural_style.targets import StyleTarget

    try:
        return StyleTarget.load(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error


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
    print(json.dumps(record) if options.json else line)  # noqa: T201


def _show_warning(message: Warning | str, *_: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)  # noqa: T201


def _fail(error: Exception, code: int, debug: bool) -> int:
    if debug:
        raise error
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
    return code
