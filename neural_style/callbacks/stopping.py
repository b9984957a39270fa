"""Early stopping."""

from __future__ import annotations

from collections.abc import Sequence

from neural_style._arguments import count, real
from neural_style.transfer.result import Step

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Stop the run when the loss no longer decreases at the final size.

    Args:
        patience: number of steps without improvement after which the run stops.
        min_improvement: smallest decrease that counts as an improvement, relative to the lowest loss so far.

    Raises:
        ValueError: `patience` is less than 1, or `min_improvement` negative or not finite.

    Example:
        >>> stop = EarlyStopping(patience=2)
        >>> try:
        ...     for number in range(1, 10):
        ...         stop(Step(number, 10, (64, 64), (64, 64), number / 10, 1.0, {}, 0.1 * number))
        ... except StopIteration:
        ...     print(number)
        3
    """

    def __init__(self, patience: int = 20, min_improvement: float = 0.005) -> None:
        self.patience = count("patience", patience)
        self.min_improvement = real("min_improvement", min_improvement, at_least=0)
        self._best = float("inf")
        self._waited = 0

    def resume(self, history: Sequence[Step]) -> None:
        """Restore the state from the steps of a resumed run.

        Args:
            history: steps already made.

        Raises:
            StopIteration: these steps already met the stopping criterion.
        """
        for step in history:
            self(step)

    def __call__(self, step: Step) -> None:
        if step.scale != step.size or step.step == 1:
            self._best, self._waited = float("inf"), 0
        if step.loss < self._best * (1.0 - self.min_improvement):
            self._best, self._waited = step.loss, 0
        else:
            self._waited += 1
        if self._waited >= self.patience and step.scale == step.size:
            raise StopIteration
