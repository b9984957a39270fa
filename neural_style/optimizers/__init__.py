"""Optimisers of one canvas with explicit state.

An optimiser is a description; its state is tensors in a dict, passed in and handed back, so a run can be saved,
resumed and carried from one scale to the next, and one optimiser serves any number of runs and threads.
"""

from neural_style.optimizers.adam import Adam
from neural_style.optimizers.base import Evaluation, Optimizer, State
from neural_style.optimizers.lbfgs import LBFGS
from neural_style.optimizers.registry import OPTIMIZERS, named_optimizer

__all__ = ["LBFGS", "OPTIMIZERS", "Adam", "Evaluation", "Optimizer", "State", "named_optimizer"]
