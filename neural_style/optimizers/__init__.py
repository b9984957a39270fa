"""Optimizers of one canvas, with explicit state.

An optimizer is a description. Its state is a dict of tensors that the caller passes in and gets back, so a run can be
saved and resumed, and one optimizer serves any number of runs and threads.
"""

from neural_style.optimizers.adam import Adam
from neural_style.optimizers.base import Evaluation, Optimizer, Progress, State
from neural_style.optimizers.lbfgs import LBFGS
from neural_style.optimizers.registry import OPTIMIZERS, named_optimizer
from neural_style.optimizers.spectrum import Spectrum

__all__ = ["LBFGS", "OPTIMIZERS", "Adam", "Evaluation", "Optimizer", "Progress", "Spectrum", "State", "named_optimizer"]
