"""The object that paints: one loss, extractor, optimiser and schedule for any number of pictures."""

from neural_style.transfer.style_transfer import StyleTransfer

__all__ = ["StyleTransfer"]
