"""The shell's door: a thin cover over the library."""

from neural_style.cli.main import main

__all__ = ["main"]
