"""The commands, and their options: declared once, in the groups in which every command's help shows them."""

from __future__ import annotations

import argparse
import functools
import inspect
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from neural_style import __version__, _optional
from neural_style.cli.command import report
from neural_style.cli.recipes import DESCRIPTIONS, list_recipes

__all__ = ["COMMANDS", "GROUPS", "IMAGE", "Option", "add_options", "options"]

COMMANDS = {
    "demo": "paint a sample photograph in the style of a sample painting",
    "samples": "list the sample images and copy them to a folder",
    "batch": "paint every image in a folder",
    "video": "paint a video",
    "app": "paint in a browser",
}
"""What each command does; the one that paints an image has no name."""

IMAGE = ""
"""The command that paints one image."""

ONE = (IMAGE, "demo")
PAINTING = (*ONE, "batch", "video")

GROUPS = ("look", "regions", "speed", "output", "rarely needed")


class Option(NamedTuple):
    """An option of one or several commands.

    Attributes:
        flags: such as `-o` and `--output`.
        group: one of `GROUPS`.
        text: its help.
        commands: which have it.
        how: further arguments of `argparse.ArgumentParser.add_argument`.
    """

    flags: tuple[str, ...]
    group: str
    text: str
    commands: tuple[str, ...]
    how: Mapping[str, Any]


def add_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Add all options of a command, and `--help`, in their groups."""
    for title in GROUPS:
        group = parser.add_argument_group(title)
        for option in options():
            if option.group == title and command in option.commands:
                group.add_argument(*option.flags, help=option.text, **option.how)
    group.add_argument("-h", "--help", action="help", help="show this help and exit")


@functools.cache
def options() -> tuple[Option, ...]:
    """Every option, in the order of the help."""
    return (*_look(), *_regions(), *_speed(), *_output(), *_rarely_needed())


def _option(flags: str, group: str, text: str, commands: tuple[str, ...], **how: Any) -> Option:
    return Option(tuple(flags.split()), group, text, commands, how)


def _argument(
    name: str, group: str, text: str, flag: str | None = None, commands: tuple[str, ...] = PAINTING, **how: Any
) -> Option:
    """An option that is an argument of `stylize`, with its default."""
    from neural_style.api import stylize

    flag = f"--{name.replace('_', '-')}" if flag is None else flag
    how = {"dest": name, "default": inspect.signature(stylize).parameters[name].default} | how
    return Option((flag,), group, text, commands, how)


def _look() -> Iterator[Option]:
    from neural_style.transfer.controls import COLOR_MODES

    yield _argument(
        "strength", "look", "0 keeps the content, 1 is all style (default: %(default)s)", type=float, metavar="S"
    )
    scale = "size of the style relative to the image: 2 for strokes twice as large (default: %(default)s)"
    yield _argument("style_scale", "look", scale, type=float, metavar="S")
    color = (
        "style: leave colors to the style; content: keep the content's; match, histogram: give the style the "
        "content's palette first (default: %(default)s)"
    )
    yield _argument("color", "look", color, choices=list(COLOR_MODES))
    share = "how much of --color to apply, from 0 to 1 (default: %(default)s)"
    yield _argument("color_strength", "look", share, type=float, metavar="S")
    recipe = f"method to paint with: {', '.join(DESCRIPTIONS)}, or a plug-in's (default: %(default)s)"
    yield _argument("recipe", "look", recipe, metavar="NAME")
    names = "list all recipes, those of plug-ins too, with what each does and its paper"
    yield _option("--list-recipes", "look", names, (IMAGE,), action=_ListRecipes, nargs=0)
    more, further = (*PAINTING[:1], *PAINTING[2:]), "one more style, in any place"
    yield _option(
        "--style", "look", further, more, action="append", default=[], dest="more_styles", metavar="PATH[:WEIGHT]"
    )


def _regions() -> Iterator[Option]:
    masks = "region of a style, white on black, over the content; one for each style, in their order"
    yield _argument("masks", "regions", masks, "--mask", action="append", metavar="PATH")
    parts = "part of a style that counts, or 'none' for all of it; one for each style"
    yield _argument("style_masks", "regions", parts, "--style-mask", action="append", metavar="PATH")
    rest = "keep the content where no mask covers it"
    yield _argument("background", "regions", rest, choices=["content"])


def _speed() -> Iterator[Option]:
    from neural_style.api import QUALITIES

    quality = (
        "instant: in one pass, in a second or two; fast: mostly on a small network, in a fraction of the time; "
        "best: as in the recipe (default: %(default)s)"
    )
    yield _argument("quality", "speed", quality, choices=QUALITIES)
    preview = "at most 256 pixels and half the steps: a preview in a quarter of the time"
    yield _argument("preview", "speed", preview, action="store_true")
    steps = "total number of steps over all scales (default: the recipe's)"
    yield _argument("steps", "speed", steps, type=int, metavar="N")
    own = argparse.SUPPRESS  # absent unless given: `stylize_video` has the defaults, and importing it loads TensorFlow
    following = "steps for each frame that follows another; --steps is for the first frame of a scene"
    yield _option("--frame-steps", "speed", following, ("video",), type=int, metavar="N", default=own)
    limit = "stop after this many seconds and save the current image"
    yield _argument("max_seconds", "speed", limit, commands=ONE, type=float, metavar="SECONDS")
    limit = "time limit per image; the unfinished image is saved"
    yield _argument("max_seconds", "speed", limit, commands=("batch",), type=float, metavar="SECONDS")
    workers = "processes that share the cores (default: %(default)s)"
    yield _option("--workers", "speed", workers, ("batch",), type=int, default=1, metavar="N")


def _output() -> Iterator[Option]:
    for command, metavar, text in (
        (IMAGE, "FILE", "where to save the result (.png, .jpg, ...), '-' for stdout, as PNG"),
        ("demo", "FILE", "where to save the result (default: %(default)s)"),
        ("batch", "FOLDER", "folder for the results and the record neural_style.jsonl"),
        ("video", "FILE", "where to save the result (.mp4, .mov, .mkv or .webm)"),
    ):
        how: dict[str, Any] = {"default": Path("demo.png")} if command == "demo" else {"required": True}
        yield _option("-o --output", "output", text, (command,), type=Path, metavar=metavar, **how)
    size = "long side in pixels, or 'content' for the content's own (default: %(default)s)"
    yield _argument("size", "output", size, type=_size, metavar="PIXELS")
    every = "also save the current image every N steps, as OUTPUT-0040.png"
    yield _option("--save-every", "output", every, ONE, type=int, metavar="N")
    resume = "save the run in FILE; the same command resumes it"
    yield _option("--checkpoint", "output", resume, ONE, type=Path, metavar="FILE")
    which = "which images, for instance '**/*.jpg' (default: %(default)s)"
    yield _option("--pattern", "output", which, ("batch",), default="*")
    kind = "file type of the results (default: %(default)s)"
    yield _option("--suffix", "output", kind, ("batch",), default=".png")
    yield _option("--open", "output", "open the page in the browser", ("app",), action="store_true")
    own = argparse.SUPPRESS  # as for --frame-steps
    rate = "rate factor of the encoder; lower is better and larger"
    yield _option("--crf", "output", rate, ("video",), type=int, default=own)
    for commands, record in (
        (ONE, "print a JSON record instead of a line; it holds all that --replay needs"),
        (("video",), "print a JSON record instead of a line (--replay takes those of single images only)"),
        (("batch",), "print a line of JSON for each image (--replay takes records of single images only)"),
    ):
        yield _option("--json", "output", record, commands, action="store_true")
    again = "run again what a record of --json says; options beside it, such as -o, replace those of the record"
    yield _option("--replay", "output", again, (IMAGE,), metavar="RECORD")
    yield _option("--quiet", "output", "no progress bar", PAINTING, action="store_true")


def _rarely_needed() -> Iterator[Option]:
    group = "rarely needed"
    extractor = "vgg19, vgg16 or lite (default: vgg19 if cached or downloadable, otherwise the bundled vgg16)"
    yield _argument("extractor", group, extractor, metavar="NAME")
    yield _argument("optimizer", group, "adam or lbfgs (default: the recipe's)", metavar="NAME")
    precision = "of the convolutions: auto, float32, bfloat16 or float16 (default: %(default)s)"
    yield _argument("precision", group, precision, metavar="TYPE")
    tile = "side of the tiles in pixels, or 'auto' to use tiles if memory is short (default: no tiles)"
    yield _argument("tile", group, tile, type=_tile, metavar="PIXELS")
    init = (
        "content, recolored, noise, instant (painted in one pass), an image, or the share of noise in the content, "
        "0 to 1 (default: the recipe's)"
    )
    yield _argument("init", group, init, type=_init)
    yield _argument("seed", group, "seed of the noise (default: %(default)s)", type=int, metavar="N")
    flicker = "weight of the loss against flicker"
    yield _option("--temporal", group, flicker, ("video",), type=float, metavar="W", default=argparse.SUPPRESS)
    yield _option("--port", group, "port of the server (default: %(default)s)", ("app",), type=int, default=7860)
    yield _option("--debug", group, "show tracebacks", PAINTING, action="store_true")
    shells = "print the code for completion in a shell; see the how-to page on the command line"
    how = {"action": _PrintCompletion, "choices": ("bash", "zsh", "fish", "tcsh")}
    yield _option("--print-completion", group, shells, (IMAGE,), **how)
    version = f"neural_style {__version__}"
    yield _option("--version", group, "show the version and exit", (IMAGE,), action="version", version=version)


class _PrintCompletion(argparse.Action):
    """Prints the completion of a shell and ends."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, shell: Any, option: str | None = None) -> None:
        try:
            argcomplete = _optional.require("argcomplete", extra="completion")
        except ImportError as error:
            parser.error(str(error))
        parser.exit(report(argcomplete.shellcode(["neural-style"], shell=shell).rstrip(), required=True))


class _ListRecipes(argparse.Action):
    """Prints the recipes and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        parser.exit(list_recipes())


def _size(text: str) -> int | None:
    return None if text == "content" else _pixels(text, "content")


def _init(text: str) -> str | float:
    """A word, a path, or a number if no file has that name."""
    try:
        return text if os.path.exists(text) else float(text)
    except ValueError:
        return text


def _tile(text: str) -> int | str:
    return text if text == "auto" else _pixels(text, "auto")


def _pixels(text: str, word: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of pixels nor {word!r}") from None
