"""Neural style transfer: paint one image in the style of another.

    from neural_style import stylize

    stylize("photo.jpg", "painting.jpg").save("out.png")

Names are loaded when first used: importing this package takes milliseconds and does not load TensorFlow.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "Checkpoint": "transfer.checkpoint",
    "CheckpointError": "errors",
    "DivergenceError": "errors",
    "Extractor": "features",
    "ImageError": "errors",
    "KerasExtractor": "features",
    "Lite": "features",
    "NeuralStyleError": "errors",
    "Relay": "scales",
    "Result": "transfer.result",
    "Step": "transfer.result",
    "StyleTarget": "transfer.styles.style_target",
    "StyleTransfer": "transfer",
    "Sweep": "batch.sweep",
    "VGG16": "features",
    "VGG19": "features",
    "WeightsUnavailableError": "errors",
    "clear_cache": "api",
    "label_masks": "images.masks",
    "stylize": "api",
    "stylize_many": "batch",
    "stylize_result": "api",
    "stylize_video": "video",
    "sweep": "batch.sweep",
}
_MODULES = {
    "batch": "batch",
    "callbacks": "callbacks",
    "clips": "images.video_file",
    "color": "color",
    "errors": "errors",
    "executors": "batch.executors",
    "features": "features",
    "flow": "video.flow",
    "images": "images",
    "losses": "losses",
    "metrics": "metrics",
    "optimizers": "optimizers",
    "plotting": "plotting",
    "recipes": "recipes",
    "samples": "samples",
    "scales": "scales",
    "video": "video",
}

__all__ = [
    "VGG16",
    "VGG19",
    "Checkpoint",
    "CheckpointError",
    "DivergenceError",
    "Extractor",
    "ImageError",
    "KerasExtractor",
    "Lite",
    "NeuralStyleError",
    "Relay",
    "Result",
    "Step",
    "StyleTarget",
    "StyleTransfer",
    "Sweep",
    "WeightsUnavailableError",
    "__version__",
    "batch",
    "callbacks",
    "clear_cache",
    "clips",
    "color",
    "errors",
    "executors",
    "features",
    "flow",
    "images",
    "label_masks",
    "losses",
    "metrics",
    "optimizers",
    "plotting",
    "recipes",
    "samples",
    "scales",
    "stylize",
    "stylize_many",
    "stylize_result",
    "stylize_video",
    "sweep",
    "video",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())

if TYPE_CHECKING:
    from neural_style import (
        batch,
        callbacks,
        color,
        errors,
        features,
        images,
        losses,
        metrics,
        optimizers,
        plotting,
        recipes,
        samples,
        scales,
        video,
    )
    from neural_style.api import clear_cache, stylize, stylize_result
    from neural_style.batch import executors
    from neural_style.batch.jobs import stylize_many
    from neural_style.batch.sweep import Sweep, sweep
    from neural_style.errors import (
        CheckpointError,
        DivergenceError,
        ImageError,
        NeuralStyleError,
        WeightsUnavailableError,
    )
    from neural_style.features import VGG16, VGG19, Extractor, KerasExtractor, Lite
    from neural_style.images import video_file as clips
    from neural_style.images.masks import label_masks
    from neural_style.scales import Relay
    from neural_style.transfer.checkpoint import Checkpoint
    from neural_style.transfer.result import Result, Step
    from neural_style.transfer.style_transfer import StyleTransfer
    from neural_style.transfer.styles.style_target import StyleTarget
    from neural_style.video import flow
    from neural_style.video.stylize import stylize_video


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
