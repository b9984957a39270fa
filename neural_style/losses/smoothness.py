"""Moved to `neural_style.losses.regularization`; this name goes with the next release."""

from neural_style.losses.regularization import *  # noqa: F403
