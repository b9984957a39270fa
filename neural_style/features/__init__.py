"""Feature extractors: from an image to named feature maps. The interface, and the networks that ship with it."""

from neural_style.features.base import Extractor, Field, ReceptiveField
from neural_style.features.keras import KerasExtractor
from neural_style.features.lite import Lite
from neural_style.features.registry import default_extractor, named_extractor
from neural_style.features.vgg import VGG16, VGG19

__all__ = [
    "VGG16",
    "VGG19",
    "Extractor",
    "Field",
    "KerasExtractor",
    "Lite",
    "ReceptiveField",
    "default_extractor",
    "named_extractor",
]
