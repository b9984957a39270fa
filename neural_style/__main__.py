"""`python -m neural_style`."""

from neural_style.cli.main import run

run()
