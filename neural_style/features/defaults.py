"""Moved to `neural_style.features.registry`; this name goes with the next release."""

from neural_style.features.registry import *  # noqa: F403
