"""What the commands share: options that are arguments of `stylize`, styles on the command line, messages."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Sequence
from typing import Any

__all__ = [
    "TARGET",
    "add_settings",
    "add_styles",
    "fail",
    "none",
    "parsed",
    "settings_of",
    "show_warning",
    "weighted",
]

TARGET = ".npz"


def add_styles(parser: argparse.ArgumentParser) -> None:
    """STYLE ..., and `--style` for one more."""
    styles = "a picture whose style to paint it in, or a style target (.npz); several are blended by their weights"
    parser.add_argument("styles", nargs="*", metavar="STYLE[:WEIGHT]", help=styles)
    one_more = "one more style"
    parser.add_argument(
        "--style", action="append", default=[], dest="more_styles", metavar="PATH[:WEIGHT]", help=one_more
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """How to paint."""
    from neural_style.api import QUALITIES, stylize
    from neural_style.transfer.controls import COLORS

    defaults = {name: p.default for name, p in inspect.signature(stylize).parameters.items()}
    add = parser.add_argument
    add("--size", type=_size, default=defaults["size"], help="long side in pixels, or 'content' (%(default)s)")
    add("--strength", type=float, default=defaults["strength"], help="0 keeps the content, 1 all style (%(default)s)")
    add("--steps", type=int, default=defaults["steps"], help="total over all scales (the recipe's)")
    add("--recipe", default=defaults["recipe"], help="which losses and schedule (%(default)s)")
    fast = "fast: most of it by a small network, in a fraction of the time; best: as the recipe says (%(default)s)"
    add("--quality", choices=QUALITIES, default=defaults["quality"], help=fast)
    add("--extractor", default=defaults["extractor"], help="vgg19, vgg16 or lite (vgg19 if its weights can be had)")
    add("--optimizer", default=defaults["optimizer"], help="adam or lbfgs (the recipe's)")
    add("--precision", default=defaults["precision"], help="auto, float32, bfloat16 or float16 (%(default)s)")
    add("--tile", type=_tile, default=defaults["tile"], help="paint in tiles of so many pixels, or 'auto' (untiled)")
    starts = "content, recolored, noise, a picture, or the share of noise in the content, 0 to 1 (the recipe's)"
    add("--init", type=_init, default=defaults["init"], help=starts)
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


def parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with all styles in one list and at least one there."""
    options = parser.parse_intermixed_args(arguments)
    options.styles += options.more_styles
    if not options.styles:
        parser.error("the following arguments are required: STYLE")
    return options


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `stylize` that options of their names give, and `style`."""
    from neural_style.api import stylize

    given = {name: getattr(options, name) for name in inspect.signature(stylize).parameters if name in options}
    given["style"] = [(_style(path), weight) for path, weight in map(weighted, options.styles)]
    given["style_masks"] = None if options.style_masks is None else [none(mask) for mask in options.style_masks]
    return given


def _size(text: str) -> int | None:
    return None if text == "content" else int(text)


def _init(text: str) -> str | float:
    """A word, a path, or a number where no file is called so."""
    try:
        return text if os.path.exists(text) else float(text)
    except ValueError:
        return text


def _tile(text: str) -> int | str:
    return text if text == "auto" else int(text)


def none(text: str) -> str | None:
    """A path, or None for the word."""
    return None if text == "none" else text


def weighted(text: str) -> tuple[str, float]:
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
    from neural_style.transfer.styles.style_target import StyleTarget

    try:
        return StyleTarget.load(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error


def show_warning(message: Warning | str, *_: Any) -> None:
    """In place of `warnings.showwarning`: one line, without the place in the code."""
    print(f"warning: {message}", file=sys.stderr)  # noqa: T201


def fail(error: Exception, code: int, debug: bool) -> int:
    """Tell what went wrong on one line; the exit code is handed back."""
    if debug:
        raise error
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
    return code
