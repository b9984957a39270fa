"""Moved to `neural_style.images.video_file`; this name goes with the next release."""

from neural_style.images.video_file import *  # noqa: F403
from neural_style.images.video_file import __all__ as __all__
