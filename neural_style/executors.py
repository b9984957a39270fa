"""Moved to `neural_style.batch.executors`; this name goes with the next release."""

from neural_style.batch.executors import *  # noqa: F403
from neural_style.batch.executors import __all__ as __all__
