"""Moved to `neural_style.callbacks.timelapse`; this name goes with the next release."""

from neural_style.callbacks.timelapse import *  # noqa: F403
from neural_style.callbacks.timelapse import __all__ as __all__
