"""Moved to `neural_style.video.flow`; this name goes with the next release."""

from neural_style.video.flow import *  # noqa: F403
from neural_style.video.flow import __all__ as __all__
