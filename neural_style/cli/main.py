# PYTHON_ARGCOMPLETE_OK
"""The command `neural-style`, or `python -m neural_style`: dispatch to its commands.

Results and `--json` go to stdout, the progress bar and messages to stderr; if the image goes to stdout, everything else
goes to stderr. Exit codes: 0 success, 1 the run failed, 2 bad usage or bad input, 130 interrupted by Ctrl-C, SIGTERM or
SIGHUP (the current image is saved).
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from neural_style._process import end_process
from neural_style.cli import image, replay
from neural_style.cli.messages import flush, say
from neural_style.cli.options import COMMANDS, IMAGE
from neural_style.cli.parsing import Parser, nearest, program

__all__ = ["command_module", "main", "run"]


def command_module(name: str) -> Any:
    """The module with the `main` and `make_parser` of a command; those of other commands are not loaded."""
    return image if name == IMAGE else importlib.import_module(f"neural_style.cli.{name}")


def run() -> NoReturn:
    """Run the command line of the process, and end the process with the exit code."""
    end_process(main())


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


def _make_parser(name: str) -> Parser:
    parser: Parser = command_module(name).make_parser()
    return parser


def _dispatch(arguments: Sequence[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:
        from neural_style.cli import completion

        completion.answer({name: functools.partial(_make_parser, name) for name in (IMAGE, *COMMANDS)})
    if arguments and arguments[0] not in COMMANDS:
        try:
            arguments = replay.expand(arguments)
        except ValueError as error:
            image.make_parser().error(str(error))
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        code: int = command_module(first).main(arguments[1:])
        return code
    if first.isalpha() and not os.path.exists(first) and (meant := nearest(first, COMMANDS)):
        image.make_parser().error(f"there is no command and no image {first!r}{meant}")
    if not arguments:
        command = f"{program()} photo.jpg painting.jpg -o out.png"
        image.make_parser().error(f"name an image and a style, as in '{command}', or try '{program()} demo'")
    return image.main(arguments)
