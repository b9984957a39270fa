"""What the commands share: the report of a result or an error, exit codes.

Exit codes: 0 success, 1 the run failed, 2 bad usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from neural_style._process import configure_process
from neural_style.cli.messages import say, warnings_shown
from neural_style.cli.stopping import stoppable
from neural_style.errors import ImageError, NeuralStyleError, WeightsUnavailableError

__all__ = ["BAD_INPUT", "report", "run_command"]

BAD_INPUT = (ImageError, WeightsUnavailableError, ValueError, TypeError, ImportError)
FAILURES = (NeuralStyleError, MemoryError, OSError)


def run_command(
    command: Callable[[argparse.Namespace], int],
    options: argparse.Namespace,
    *,
    interrupted: str | Callable[[], str],
    bad_input: tuple[type[Exception], ...] = BAD_INPUT,
) -> int:
    """Run a command with process-wide settings, and show its warnings and errors on one line each.

    Args:
        command: takes the parsed options and returns the exit code.
        options: parsed options; with `debug` set, errors are raised.
        interrupted: message for Ctrl-C, SIGTERM and SIGHUP, or what gives it then.
        bad_input: exceptions that exit with 2.

    Returns:
        The exit code.
    """
    configure_process()
    with stoppable():
        try:
            with warnings_shown():
                return command(options)
        except bad_input as error:
            return _fail(error, 2, options.debug)
        except FAILURES as error:
            return _fail(error, 1, options.debug)
        except KeyboardInterrupt:
            say(interrupted if isinstance(interrupted, str) else interrupted(), sys.stderr)
            return 130


def report(line: str, *, required: bool) -> int:
    """Write a line about the result to stdout, or to stderr if stdout cannot take it.

    Args:
        line: what to write.
        required: whether a caller has asked for the line, as with `--json`, and not for the result alone.

    Returns:
        The exit code: 1 if a line that is required did not arrive.
    """
    reason = say(line, sys.stdout)
    if reason is None:
        return 0
    say(f"error: stdout: {reason}; the result is saved" if required else line, sys.stderr)
    return int(required)


def _fail(error: Exception, code: int, debug: bool) -> int:
    if debug:
        raise error
    say(f"error: {' '.join(str(error).split())}", sys.stderr)
    return code
