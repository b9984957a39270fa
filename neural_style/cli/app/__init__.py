"""`neural-style app`: the library in a browser, on this machine only.

`server` starts it, `page` lays it out, `form` holds what a visitor has chosen, and `painting` runs `stylize`.
"""

from neural_style.cli.app.page import build
from neural_style.cli.app.server import main, make_parser

__all__ = ["build", "main", "make_parser"]
