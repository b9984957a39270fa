"""Moved to `neural_style.losses.sliced_wasserstein`; this name goes with the next release."""

from neural_style.losses.sliced_wasserstein import *  # noqa: F403
