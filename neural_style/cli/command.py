"""What the commands share: output options, one-line warnings and errors, exit codes.

Exit codes: 0 success, 1 the run failed, 2 bad usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from neural_style._process import configure_process
from neural_style.errors import ImageError, NeuralStyleError, WeightsUnavailableError

__all__ = ["BAD_INPUT", "add_output_options", "run_command"]

BAD_INPUT = (ImageError, WeightsUnavailableError, ValueError, TypeError, ImportError)
FAILURES = (NeuralStyleError, MemoryError, OSError)


def add_output_options(parser: argparse.ArgumentParser, *, record: str) -> None:
    """Add `--json`, whose help is `record`, `--quiet` and `--debug`."""
    parser.add_argument("--json", action="store_true", help=record)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def run_command(
    command: Callable[[argparse.Namespace], int],
    options: argparse.Namespace,
    *,
    interrupted: str,
    bad_input: tuple[type[Exception], ...] = BAD_INPUT,
) -> int:
    """Run a command with process-wide settings, and report its warnings and errors on one line each.

    Args:
        command: takes the parsed options and returns the exit code.
        options: parsed options; with `debug` set, errors are raised.
        interrupted: message for Ctrl-C.
        bad_input: exceptions that exit with 2.

    Returns:
        The exit code.
    """
    configure_process()
    try:
        with _warnings_on_one_line():
            return command(options)
    except bad_input as error:
        return _report(error, 2, options.debug)
    except FAILURES as error:
        return _report(error, 1, options.debug)
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)  # noqa: T201
        return 130


@contextmanager
def _warnings_on_one_line() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        yield


def _show_warning(message: Warning | str, *_: object) -> None:
    """Replacement for `warnings.showwarning` that omits the location in the code."""
    print(f"warning: {message}", file=sys.stderr)  # noqa: T201


def _report(error: Exception, code: int, debug: bool) -> int:
    if debug:
        raise error
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
    return code
