"""The few exceptions a caller would want to catch.

Every one carries its remedy in its text. Wrong arguments stay `TypeError` and `ValueError`.
"""

__all__ = [
    "CheckpointError",
    "DivergenceError",
    "ImageError",
    "NeuralStyleError",
    "WeightsUnavailableError",
]


class NeuralStyleError(Exception):
    """Base of everything this package raises on its own account."""


class ImageError(NeuralStyleError, ValueError):
    """A picture could not be read or written; the text names the file, the format and the reason."""


class WeightsUnavailableError(NeuralStyleError, OSError):
    """The weights of a network are neither here nor reachable; the text says where to put them."""


class DivergenceError(NeuralStyleError, ArithmeticError):
    """A loss or its gradient stopped being finite; the text names the term."""


class CheckpointError(NeuralStyleError, ValueError):
    """A checkpoint is damaged, or belongs to other inputs, settings or another version."""
