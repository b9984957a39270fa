"""Callbacks: functions that a run calls after each step.

Any callable that takes a `Step` is a callback. Raising `StopIteration` ends the run, which then returns the current
image. A callback with a method `resume(history)` receives the steps already made when a run resumes from a checkpoint.
"""

from neural_style.callbacks.progress import ProgressBar, TimeLeft
from neural_style.callbacks.saving import SaveEvery
from neural_style.callbacks.stopping import EarlyStopping
from neural_style.callbacks.timelapse import Snapshot, Timelapse

__all__ = ["EarlyStopping", "ProgressBar", "SaveEvery", "Snapshot", "TimeLeft", "Timelapse"]
