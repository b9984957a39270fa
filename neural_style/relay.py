"""Moved to `neural_style.scales`; this name goes with the next release."""

from neural_style.scales import *  # noqa: F403
