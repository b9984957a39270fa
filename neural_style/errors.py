"""Exceptions that callers may want to catch.

Each message says how to fix the problem. Wrong arguments raise `TypeError` or `ValueError`.
"""

__all__ = [
    "CheckpointError",
    "DivergenceError",
    "ImageError",
    "NeuralStyleError",
    "WeightsUnavailableError",
]


class NeuralStyleError(Exception):
    """Base class of the exceptions defined by this package.

    Example:
        >>> from neural_style import stylize
        >>> try:
        ...     stylize("nowhere.jpg", "painting.jpg", extractor="vgg16")
        ... except NeuralStyleError as error:
        ...     print(type(error).__name__)
        ImageError
    """


class ImageError(NeuralStyleError, ValueError):
    """An image cannot be read or written; the message names the file, the format and the reason.

    Example:
        >>> from neural_style.images import load
        >>> try:
        ...     load(b"not an image")
        ... except ImageError as error:
        ...     isinstance(error, ValueError)
        True
    """


class WeightsUnavailableError(NeuralStyleError, OSError):
    """The weights of a network are not available locally or by download; the message says where to put them.

    Example:
        >>> from neural_style import VGG16
        >>> try:
        ...     VGG16("nowhere.npz")
        ... except WeightsUnavailableError as error:
        ...     "nowhere.npz" in str(error)
        True
    """


class DivergenceError(NeuralStyleError, ArithmeticError):
    """A loss or its gradient is NaN or infinite; the message names the term.

    Example:
        >>> import numpy as np
        >>> import tensorflow as tf
        >>> from neural_style import StyleTransfer
        >>> from neural_style.losses import custom
        >>> def impossible(features, content, style):
        ...     return tf.reduce_mean(features["image"]) / 0.0
        >>> try:
        ...     StyleTransfer(custom(impossible, ["image"]), "vgg16").run(*np.zeros((2, 32, 32, 3), np.uint8), size=32)
        ... except DivergenceError as error:
        ...     "impossible" in str(error)
        True
    """


class CheckpointError(NeuralStyleError, ValueError):
    """A checkpoint is damaged, cannot be read or written, or belongs to other inputs, settings or another version.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> from neural_style import stylize
        >>> images = np.zeros((2, 32, 32, 3), np.uint8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "run.npz")
        ...     image = stylize(*images, size=32, steps=1, extractor="vgg16", checkpoint=path)
        ...     try:
        ...         stylize(*images, size=32, steps=2, extractor="vgg16", checkpoint=path)  # another run
        ...     except CheckpointError as error:
        ...         "steps" in str(error) or "scales" in str(error)
        True
    """
