"""What a picture is judged by: losses that add, scale and report."""

from neural_style.losses.base import Custom, Features, Loss, Statistic, Sum, Term, custom
from neural_style.losses.content import Content
from neural_style.losses.smoothness import TotalVariation
from neural_style.losses.style import Gram, Moments, PositionSums, gram_matrix, position_sums

__all__ = [
    "Content",
    "Custom",
    "Features",
    "Gram",
    "Loss",
    "Moments",
    "PositionSums",
    "Statistic",
    "Sum",
    "Term",
    "TotalVariation",
    "custom",
    "gram_matrix",
    "position_sums",
]
