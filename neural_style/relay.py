"""Moved to `neural_style.scales`; this name goes with the next release."""

from neural_style.scales import *  # noqa: F403
from neural_style.scales import __all__ as __all__
