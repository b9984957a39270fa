"""How the commands read their arguments: help, usage errors on one line, and styles from wherever they stand."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from neural_style.cli.options import COMMANDS, add_options, options

__all__ = ["Parser", "nearest", "parse", "program", "spelled"]

REPORTING = ("output", "save_every", "checkpoint", "json", "quiet", "debug")
"""Options of what is written where, which change no image."""


class Parser(argparse.ArgumentParser):
    """A command's parser: all its options in their groups, and errors on one line.

    Args:
        command: one of `COMMANDS`, or the empty string for the command that paints one image.
        usage: what follows the command's name.
        description: what the command does.
        epilog: what follows the options in the help.
    """

    def __init__(self, command: str, usage: str, description: str, epilog: str | None = None) -> None:
        prog = f"{program()} {command}".rstrip()
        super().__init__(
            prog=prog,
            usage=f"{prog} {usage}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
        )
        self.images = self.add_argument_group("images")
        add_options(self, command)

    def add_styles(self) -> None:
        """Add the positional STYLE arguments."""
        text = "image or saved style target (.npz) to take the style from; several are blended by their weights"
        self.images.add_argument("styles", nargs="*", metavar="STYLE[:WEIGHT]", help=text)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}; see {self.prog} --help\n")


def program() -> str:
    """How this program was started."""
    return (
        "python -m neural_style" if Path(sys.argv[0]).parts[-2:] == ("neural_style", "__main__.py") else "neural-style"
    )


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse arguments, of which an option may be misspelled.

    Styles of `--style` are added to those without an option, and one style at least is required where any is possible.
    """
    _check_names(parser, arguments)
    parsed = parser.parse_intermixed_args(arguments)
    if "more_styles" in parsed:
        parsed.styles += parsed.more_styles
        if not parsed.styles:
            parser.error("the following arguments are required: STYLE")
    return parsed


def nearest(word: str, words: Iterable[str]) -> str:
    """`; did you mean ...?` with the word that is most like another; empty if none is like it."""
    found = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def spelled(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> list[str]:
    """The options that change how an image is painted, other than the defaults, as they are written on a command."""
    words: list[str] = []
    for action in parser._actions:
        value = getattr(parsed, action.dest, action.default)
        if action.option_strings and value != action.default and action.dest not in REPORTING:
            flag = action.option_strings[-1]
            if action.nargs == 0:
                words.append(flag)
                continue
            for each in value if isinstance(value, list) else [value]:
                words += [flag, "content" if each is None else str(each)]
    return words


def _check_names(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Report an option that the command does not have, which `argparse` would call an argument too many."""
    known = parser._option_string_actions
    for argument in arguments:
        if argument == "--":
            break
        name = argument.partition("=")[0]
        if not re.match(r"-[^\d.]", name) or name in known:
            continue
        if not name.startswith("--"):  # -oFILE, but not -output
            if name[:2] in known and f"-{name}" not in known:
                continue
            parser.error(f"there is no option {name}{nearest(f'-{name}', known)}")
        if not any(each.startswith(name) for each in known):
            parser.error(_unknown(name, known))


def _unknown(name: str, known: Iterable[str]) -> str:
    owners = {command for option in options() if name in option.flags for command in option.commands}
    if owners:
        there = [f"{program()} {command}".rstrip() for command in ("", *COMMANDS) if command in owners]
        return f"{name} is an option of {' and '.join(there)}"
    return f"there is no option {name}{nearest(name, known)}"
