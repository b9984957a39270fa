"""Losses that compare an image with a content and a style; they add, scale and report by term."""

from neural_style.losses.assigned import AssignedNeighbor, QuerySums, StyleVectors
from neural_style.losses.attention import AttentionGram
from neural_style.losses.base import Assignment, Context, Custom, Features, Loss, Statistic, Sum, Term, custom
from neural_style.losses.content import Content, Laplacian
from neural_style.losses.emd import RelaxedEMD, SelfSimilarity
from neural_style.losses.matching import NearestNeighbor, Patches
from neural_style.losses.regularization import Range, TotalVariation
from neural_style.losses.sinkhorn import Sinkhorn
from neural_style.losses.sliced_wasserstein import Histogram, SlicedWasserstein
from neural_style.losses.style import Gram, Moments, PositionSums, gram_matrix, position_sums
from neural_style.losses.temporal import Temporal

__all__ = [
    "AssignedNeighbor",
    "Assignment",
    "AttentionGram",
    "Content",
    "Context",
    "Custom",
    "Features",
    "Gram",
    "Histogram",
    "Laplacian",
    "Loss",
    "Moments",
    "NearestNeighbor",
    "Patches",
    "PositionSums",
    "QuerySums",
    "Range",
    "RelaxedEMD",
    "SelfSimilarity",
    "Sinkhorn",
    "SlicedWasserstein",
    "Statistic",
    "StyleVectors",
    "Sum",
    "Temporal",
    "Term",
    "TotalVariation",
    "custom",
    "gram_matrix",
    "position_sums",
]
