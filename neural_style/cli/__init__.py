"""Command-line interface, `neural-style`: a thin cover over the library."""

from neural_style.cli.main import main

__all__ = ["main"]
