"""Moved to `neural_style.losses.point_sets`; this name goes with the next release."""

from neural_style.losses.point_sets import *  # noqa: F403
from neural_style.losses.point_sets import PointSetLoss as CloudLoss  # noqa: F401
