"""The command and its server, which this machine alone reaches.

The server answers its own page only, sends no telemetry and loads nothing from other servers. Uploads and paintings lie
in a folder that this user alone can open, and that is removed when the server ends.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from neural_style import _optional
from neural_style.cli.access import MAX_BYTES, OwnPageOnly
from neural_style.cli.app import painting
from neural_style.cli.app.page import build, import_gradio
from neural_style.cli.command import BAD_INPUT, report, run_command
from neural_style.cli.messages import say
from neural_style.cli.parsing import Parser, parse

__all__ = ["main", "make_parser"]

HOST = "127.0.0.1"
CSS = Path(__file__).with_name("page.css")


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = parse(make_parser(), arguments)
    return run_command(_serve, options, interrupted="interrupted", bad_input=(*BAD_INPUT, OSError))


def make_parser() -> Parser:
    """The parser of the command."""
    description = "Paint in a browser. Only this machine can open the page; press Ctrl-C to stop."
    parser = Parser("app", "[options]", description)
    parser.set_defaults(debug=False)
    return parser


def _serve(options: argparse.Namespace) -> int:
    with _private_files():
        page = build()
        try:
            _, address, _ = page.launch(server_port=options.port, inbrowser=options.open, **_launch_options())
            report(f"open {address} in a browser; press Ctrl-C to stop", required=False)
            while page.is_running:
                time.sleep(1.0)
        except KeyboardInterrupt:
            say("stopped", sys.stderr)
        finally:
            painting.close()
            page.close(verbose=False)
    return 0


@contextlib.contextmanager
def _private_files() -> Iterator[None]:
    """Have all temporary files of this process in one folder, for this user alone, and remove it in the end."""
    mask, place = os.umask(0o077), os.environ.get("GRADIO_TEMP_DIR")
    try:
        with tempfile.TemporaryDirectory(prefix="neural_style-", dir=place, ignore_cleanup_errors=True) as folder:
            tempfile.tempdir = folder  # for uploads that are under way, and for the history
            os.environ["GRADIO_TEMP_DIR"] = os.path.join(folder, "files")
            yield
    finally:
        os.umask(mask)
        tempfile.tempdir = None
        os.environ.pop("GRADIO_TEMP_DIR", None)
        os.environ.update({} if place is None else {"GRADIO_TEMP_DIR": place})


def _launch_options() -> dict[str, Any]:
    """Serve the page to this machine and to itself only, with fonts of this machine."""
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return {
        "server_name": HOST,
        "prevent_thread_lock": True,
        "quiet": True,
        "share": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "max_file_size": MAX_BYTES,
        "app_kwargs": {"middleware": [_optional.require("starlette.middleware", extra="app").Middleware(OwnPageOnly)]},
        "footer_links": [],
        "theme": import_gradio().themes.Default(primary_hue="amber", **fonts),
        "css_paths": CSS,
    }
