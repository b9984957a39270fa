"""How near a picture is to its content and to its style, on layers that no recipe optimises.

Both distances read VGG16's bundled weights at `HELD_OUT`. They are no losses of this library: a run that
merely drives its own loss further down does not win by that.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from neural_style import VGG16, images
from neural_style.losses import position_sums
from neural_style.scales import fit

HELD_OUT = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")
LEVELS = (1.0, 0.5, 0.25)
SMALLEST = 16  # a side with fewer pixels has too few cells on the deepest layer to have a covariance

Maps = Mapping[str, tf.Tensor]


def content_distance(picture: np.ndarray, content: np.ndarray) -> float:
    r"""Mean squared distance of unit-normalised feature vectors, position by position, from 0 to 4.

    LPIPS (Zhang et al., 2018) without its learned weights, on VGG16's layers `HELD_OUT`.

    Args:
        picture: float32 (1, height, width, 3) in [0, 1].
        content: the same of any size; it is brought to the picture's.
    """
    found, goal = _maps(picture), _maps(images.resize(content, _size(picture)))
    distances = [
        tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(_unit(found[layer]), _unit(goal[layer])), axis=-1))
        for layer in HELD_OUT
    ]
    return float(np.mean(distances))


def style_distance(picture: np.ndarray, style: np.ndarray) -> float:
    r"""Mean over layers and levels of half the relative squared distances of means and of covariances.

    .. math:: \frac12 \frac{\lVert \mu - \hat\mu \rVert^2}{\lVert \hat\mu \rVert^2}
              + \frac12 \frac{\lVert \Sigma - \hat\Sigma \rVert^2}{\lVert \hat\Sigma \rVert^2}

    Levels are the picture at full, half and quarter size, as far as its short side has `SMALLEST` pixels. At
    each the style has the picture's long side, or its own where that is shorter.

    Args:
        picture: float32 (1, height, width, 3) in [0, 1].
        style: the same of any size.
    """
    longs = [round(max(_size(picture)) * level) for level in LEVELS]
    sizes = [fit(_size(picture), long) for long in longs]
    sizes = [size for size in sizes if min(size) >= SMALLEST] or sizes[:1]
    return float(np.mean([_level(images.resize(picture, size), style) for size in sizes]))


def _level(picture: np.ndarray, style: np.ndarray) -> float:
    found = _maps(picture)
    goal = _maps(images.resize(style, fit(_size(style), min(max(_size(picture)), max(_size(style))))))
    return float(np.mean([_apart(found[layer], goal[layer]) for layer in HELD_OUT]))


def _apart(found: tf.Tensor, goal: tf.Tensor) -> float:
    sums, target = position_sums(found), position_sums(goal)
    means = _relative(sums.mean(), target.mean())
    return 0.5 * (means + _relative(sums.covariance(), target.covariance()))


def _relative(value: tf.Tensor, goal: tf.Tensor) -> float:
    return float(tf.reduce_sum(tf.math.squared_difference(value, goal)) / tf.reduce_sum(tf.square(goal)))


def _maps(pixels: np.ndarray, layers: Sequence[str] = HELD_OUT) -> Maps:
    return _extractor()(tf.constant(pixels), layers)


@functools.cache
def _extractor() -> VGG16:
    return VGG16()


def _unit(features: tf.Tensor) -> tf.Tensor:
    return features / (tf.norm(features, axis=-1, keepdims=True) + 1e-8)


def _size(pixels: np.ndarray) -> tuple[int, int]:
    return pixels.shape[2], pixels.shape[1]
