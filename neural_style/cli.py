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
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
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

    defaults = {name: p.default for name, p in inspect.signature(stylize).parameters.items()}
    parser = argparse.ArgumentParser(
        prog="python -m neural_style",
        description="Paint one picture in the style of another.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("content", help="the picture to paint")
    parser.add_argument("style", help="the picture whose style to paint it in")
    parser.add_argument("-o", "--output", type=Path, required=True, help="where to put the result (.png, .jpg, ...)")
    add = parser.add_argument
    add("--size", type=_size, default=defaults["size"], help="long side in pixels, or 'content' (%(default)s)")
    add("--strength", type=float, default=defaults["strength"], help="0 keeps the content, 1 all style (%(default)s)")
    add("--steps", type=int, default=defaults["steps"], help="total over all scales (the recipe's)")
    add("--recipe", default=defaults["recipe"], help="which losses and schedule (%(default)s)")
    add("--extractor", default=defaults["extractor"], help="vgg19 or vgg16 (vgg19 if its weights can be had)")
    add("--optimizer", default=defaults["optimizer"], help="adam or lbfgs (the recipe's)")
    add("--precision", default=defaults["precision"], help="auto, float32, bfloat16 or float16 (%(default)s)")
    add("--tile", type=_tile, default=defaults["tile"], help="paint in tiles of so many pixels, or 'auto' (untiled)")
    add("--init", default=defaults["init"], help="content, recolored, noise or a picture (the recipe's)")
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
    for source in (options.content, options.style):
        images.load(source, size=options.size)  # a bad picture is told before TensorFlow takes seconds to load
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        result = _run(options)
    result.save(options.output)
    _report(options, result, time.perf_counter() - began)
    return 130 if result.stopped_by == "interrupt" else 0


def _run(options: argparse.Namespace) -> Result:
    from neural_style import recipes
    from neural_style.callbacks import ProgressBar, SaveEvery
    from neural_style.transfer import StyleTransfer

    recipe = recipes.get(options.recipe)
    callbacks: list[Any] = [] if options.quiet else [ProgressBar()]
    if options.save_every is not None:
        callbacks.append(SaveEvery(options.output, options.save_every))
    transfer = StyleTransfer(
        recipe.loss(options.strength),
        options.extractor,
        optimizer=recipe.optimizer if options.optimizer is None else options.optimizer,
        finish=recipe.finish if options.optimizer is None else None,
        precision=options.precision,
        scales=recipe.scales,
        tile=options.tile,
    )
    return transfer.run(
        options.content,
        options.style,
        size=options.size,
        steps=options.steps,
        init=recipe.init if options.init is None else options.init,
        seed=options.seed,
        max_seconds=options.max_seconds,
        checkpoint=options.checkpoint,
        callbacks=callbacks,
    )


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
