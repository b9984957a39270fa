"""From losses and an extractor to the value and gradient of an image."""

from neural_style.objective.base import Assignments, Objective, Several, Targets, crop_guides
from neural_style.objective.devices import map_over_devices
from neural_style.objective.memory import (
    Estimate,
    TileSize,
    choose_objective,
    estimate_memory,
    max_style_pixels,
    style_target,
)
from neural_style.objective.system_memory import available_bytes, return_freed_memory
from neural_style.objective.tiled import TiledObjective, check_tiled, is_tileable
from neural_style.objective.tracing import clear_cache
from neural_style.objective.whole import WholeObjective, objective_for

__all__ = [
    "Assignments",
    "Estimate",
    "Objective",
    "Several",
    "Targets",
    "TileSize",
    "TiledObjective",
    "WholeObjective",
    "available_bytes",
    "check_tiled",
    "choose_objective",
    "clear_cache",
    "crop_guides",
    "estimate_memory",
    "is_tileable",
    "map_over_devices",
    "max_style_pixels",
    "objective_for",
    "return_freed_memory",
    "style_target",
]
