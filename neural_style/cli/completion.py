"""Completion in the shell, with argcomplete: the shell asks this program what may follow.

A script made once, as by shtab, does not know plug-ins, and takes the first word for a command alone; here it may be an
image as well. The answer comes without TensorFlow.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from neural_style import _optional, plugins, samples
from neural_style.cli.options import COMMANDS, IMAGE
from neural_style.cli.parsing import Parser
from neural_style.cli.recipes import DESCRIPTIONS

__all__ = ["answer"]


def answer(parsers: Mapping[str, Callable[[], Parser]], **how: Any) -> None:
    """Answer what may follow the words that the shell passes in the environment, and end this process.

    Args:
        parsers: what makes the parser of each command.
        **how: further arguments of `argcomplete.autocomplete`.
    """
    argcomplete = _optional.require("argcomplete", extra="completion")
    first = os.environ["COMP_LINE"].split()[1:2]
    is_complete = len(os.environ["COMP_LINE"].split(maxsplit=2)) > 2 or os.environ["COMP_LINE"][-1].isspace()
    command = first[0] if first and first[0] in parsers and is_complete else IMAGE
    if command:
        os.environ["_ARGCOMPLETE"] = "2"  # words in front of the arguments
    parser = parsers[command]()
    for action in parser._actions:
        _set_completer(action, command, argcomplete.completers)
    argcomplete.autocomplete(parser, always_complete_options=False, **how)


def _set_completer(action: argparse.Action, command: str, completers: Any) -> None:
    """Tell argcomplete what an argument may be, unless its choices do; it takes an argument for a file by default."""
    files = completers.FilesCompleter()
    words = _words(action.dest, command)
    if action.dest == "content" and command == IMAGE:
        action.completer = lambda prefix, **_: [*COMMANDS, "none", *files(prefix)]  # type: ignore[attr-defined]
    elif words is not None and action.dest == "init":
        action.completer = lambda prefix, **_: [*words, *files(prefix)]  # type: ignore[attr-defined]
    elif words is not None:
        action.completer = completers.ChoicesCompleter(words)  # type: ignore[attr-defined]
    elif action.dest == "folder" or action.metavar == "FOLDER":
        action.completer = completers.DirectoriesCompleter()  # type: ignore[attr-defined]
    elif action.type in (int, float):
        action.completer = completers.ChoicesCompleter(())  # type: ignore[attr-defined]


def _words(name: str, command: str) -> Iterable[str] | None:
    """The words that the argument of a name may be; None for any."""
    if command == "demo" and name in ("content", "styles"):
        return samples.names("photograph" if name == "content" else "painting")
    return {
        "recipe": (*DESCRIPTIONS, *plugins.names("recipes")),
        "extractor": ("vgg19", "vgg16", "lite", *plugins.names("extractors")),
        "optimizer": ("adam", "lbfgs"),
        "precision": ("auto", "float32", "bfloat16", "float16"),
        "init": ("content", "recolored", "noise", "instant"),
        "size": ("content",),
        "tile": ("auto",),
        "suffix": (".png", ".jpg", ".webp", ".tif"),
        "pattern": (),
    }.get(name)
