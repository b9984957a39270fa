"""Moved to `neural_style.transfer.checkpoint`; this name goes with the next release."""

from neural_style.transfer.checkpoint import *  # noqa: F403
from neural_style.transfer.checkpoint import __all__ as __all__
