"""Options that are arguments of `stylize`, declared once for all commands, and styles on the command line."""

from __future__ import annotations

import argparse
import inspect
import os
from collections.abc import Sequence
from typing import Any

__all__ = [
    "STYLE_TARGET_SUFFIX",
    "add_max_seconds",
    "add_styles",
    "add_stylize_options",
    "parse",
    "path_or_none",
    "split_weight",
    "stylize_arguments",
]

STYLE_TARGET_SUFFIX = ".npz"

SIZE = "long side in pixels, or 'content' for the content's own (default: %(default)s)"
STRENGTH = "0 keeps the content, 1 is all style (default: %(default)s)"
STEPS = "total number of steps over all scales (default: the recipe's)"
RECIPE = (
    "default, moments, gatys2016, johnson_losses, strotss, nnst, sliced_wasserstein, spst, or a plug-in's "
    "(default: %(default)s)"
)
QUALITY = (
    "instant: in one pass, without optimization; fast: mostly on a small network, in a fraction of the time; "
    "best: as in the recipe (default: %(default)s)"
)
EXTRACTOR = "vgg19, vgg16 or lite (default: vgg19 if cached or downloadable, otherwise the bundled vgg16)"
OPTIMIZER = "adam or lbfgs (default: the recipe's)"
PRECISION = "of the convolutions: auto, float32, bfloat16 or float16 (default: %(default)s)"
TILE = "side of the tiles in pixels, or 'auto' to use tiles if memory is short (default: no tiles)"
INIT = (
    "content, recolored, noise, instant (painted in one pass), an image, or the share of noise in the content, 0 to 1 "
    "(default: the recipe's)"
)
MASKS = "region of a style, white on black, over the content; one for each style, in their order"
STYLE_MASKS = "part of a style that counts, or 'none' for all of it; one for each style"
BACKGROUND = "keep the content where no mask covers it"
COLOR = (
    "style: leave colors to the style; content: keep the content's; match, histogram: give the style the content's "
    "palette first (default: %(default)s)"
)
COLOR_STRENGTH = "how much of --color to apply, from 0 to 1 (default: %(default)s)"
STYLE_SCALE = "size of the style relative to the image: 2 for strokes twice as large (default: %(default)s)"
PREVIEW = "at most 256 pixels and half the steps: a preview in a quarter of the time"
SEED = "seed of the noise (default: %(default)s)"


def add_styles(parser: argparse.ArgumentParser) -> None:
    """Add the positional STYLE arguments, and `--style` for further ones."""
    styles = "image or saved style target (.npz) to take the style from; several are blended by their weights"
    parser.add_argument("styles", nargs="*", metavar="STYLE[:WEIGHT]", help=styles)
    further = "one more style"
    parser.add_argument(
        "--style", action="append", default=[], dest="more_styles", metavar="PATH[:WEIGHT]", help=further
    )


def add_stylize_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command passes to `stylize`, with the defaults of its signature."""
    from neural_style.api import QUALITIES
    from neural_style.transfer.controls import COLOR_MODES

    def add(name: str, text: str, flag: str | None = None, **how: Any) -> None:
        flag = f"--{name.replace('_', '-')}" if flag is None else flag
        parser.add_argument(flag, dest=name, default=_default(name), help=text, **how)

    add("size", SIZE, type=_size)
    add("strength", STRENGTH, type=float)
    add("steps", STEPS, type=int)
    add("recipe", RECIPE)
    add("quality", QUALITY, choices=QUALITIES)
    add("extractor", EXTRACTOR)
    add("optimizer", OPTIMIZER)
    add("precision", PRECISION)
    add("tile", TILE, type=_tile)
    add("init", INIT, type=_init)
    add("masks", MASKS, flag="--mask", action="append", metavar="PATH")
    add("style_masks", STYLE_MASKS, flag="--style-mask", action="append", metavar="PATH")
    add("background", BACKGROUND, choices=["content"])
    add("color", COLOR, choices=list(COLOR_MODES))
    add("color_strength", COLOR_STRENGTH, type=float, metavar="S")
    add("style_scale", STYLE_SCALE, type=float, metavar="S")
    add("preview", PREVIEW, action="store_true")
    add("seed", SEED, type=int)


def add_max_seconds(parser: argparse.ArgumentParser, *, text: str) -> None:
    """Add `--max-seconds`, which a video does not have; `text` is its help."""
    parser.add_argument("--max-seconds", type=float, default=_default("max_seconds"), help=text)


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the options, collect all styles in `styles`, and require at least one."""
    options = parser.parse_intermixed_args(arguments)
    options.styles += options.more_styles
    if not options.styles:
        parser.error("the following arguments are required: STYLE")
    return options


def stylize_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `stylize`, from the options of the same names; `style` from `styles`."""
    from neural_style.api import stylize

    given = {name: getattr(options, name) for name in inspect.signature(stylize).parameters if name in options}
    given["style"] = [(_style(path), weight) for path, weight in map(split_weight, options.styles)]
    given["style_masks"] = None if options.style_masks is None else list(map(path_or_none, options.style_masks))
    return given


def path_or_none(text: str) -> str | None:
    """A path, or None for the word `none`."""
    return None if text == "none" else text


def split_weight(text: str) -> tuple[str, float]:
    """Split `PATH:WEIGHT`; the weight is 1 if there is none. A colon may also be part of the path."""
    path, _, weight = text.rpartition(":")
    try:
        return (path, float(weight)) if path and not os.path.exists(text) else (text, 1.0)
    except ValueError:
        return text, 1.0


def _default(name: str) -> Any:
    """The default of an argument of `stylize`."""
    from neural_style.api import stylize

    return inspect.signature(stylize).parameters[name].default


def _size(text: str) -> int | None:
    return None if text == "content" else int(text)


def _init(text: str) -> str | float:
    """A word, a path, or a number if no file has that name."""
    try:
        return text if os.path.exists(text) else float(text)
    except ValueError:
        return text


def _tile(text: str) -> int | str:
    return text if text == "auto" else int(text)


def _style(path: str) -> Any:
    """The path of an image, or the style target in a file."""
    if not path.endswith(STYLE_TARGET_SUFFIX):
        return path
    from neural_style.transfer.styles.style_target import StyleTarget

    try:
        return StyleTarget.load(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
