"""Metrics: distances of an image from its content and its style, for comparing settings.

Each metric accepts images in any form that `images.load` accepts, and returns one number. Metrics on features use the
layers `LAYERS` of the bundled VGG16. The recipes `default`, `gatys2016`, `sliced_wasserstein` and `spst` optimize none
of these, so that their runs cannot improve a metric merely by reducing their own loss further; to judge other recipes
or losses of your own, choose layers and an extractor that they do not use. No single metric measures quality: a setting
is better if it improves one metric without making the others worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import images
from neural_style.features import Extractor, named_extractor
from neural_style.features.base import check_layers
from neural_style.losses import Context, SlicedWasserstein, position_sums
from neural_style.losses.style import relative_square
from neural_style.scales import fit

__all__ = [
    "LAYERS",
    "content_distance",
    "edge_agreement",
    "lpips",
    "sliced_wasserstein",
    "style_distance",
]

LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")
LEVELS = (1.0, 0.5, 0.25)
MIN_SIDE = 16  # in pixels; a shorter side has too few cells on the deepest layer for a covariance

Maps = Mapping[str, tf.Tensor]


def content_distance(
    image: Any, content: Any, *, layers: Sequence[str] = LAYERS, extractor: Extractor | str = "vgg16"
) -> float:
    r"""Mean squared distance between unit-normalized feature vectors at the same position, from 0 to 4.

    .. math:: \frac1L \sum_l \frac{1}{N_l} \sum_i \left\lVert \frac{f^l_i}{\lVert f^l_i \rVert}
              - \frac{c^l_i}{\lVert c^l_i \rVert} \right\rVert^2

    This is LPIPS (Zhang et al., 2018) without its learned weights.

    Args:
        image: source of the image; see `images.load`.
        content: source of the content, of any size; it is resized to the image's size.
        layers: layers to compare.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.

    Returns:
        The distance; 0 for the content itself.

    Raises:
        ImageError: an image cannot be read.
        ValueError: the extractor lacks one of the layers.

    Example:
        >>> image = np.random.default_rng(0).random((32, 48, 3))
        >>> content_distance(image, image)
        0.0
    """
    pixels = images.load(image)
    found = _maps(pixels, layers, extractor)
    goal = _maps(images.resize(images.load(content), _size(pixels)), layers, extractor)
    distances = [
        tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(_unit(found[layer]), _unit(goal[layer])), axis=-1))
        for layer in layers
    ]
    return float(np.mean(distances))


def style_distance(
    image: Any,
    style: Any,
    *,
    layers: Sequence[str] = LAYERS,
    extractor: Extractor | str = "vgg16",
    levels: Sequence[float] = LEVELS,
) -> float:
    r"""Half the sum of the relative squared distances of means and of covariances, averaged over layers and levels.

    .. math:: \frac12 \frac{\lVert \mu - \hat\mu \rVert^2}{\lVert \hat\mu \rVert^2}
              + \frac12 \frac{\lVert \Sigma - \hat\Sigma \rVert^2}{\lVert \hat\Sigma \rVert^2}

    The levels are the image at full, half and quarter size, unless its short side is below 16 pixels there, so that
    both single strokes and larger structures count. At each level the style is resized to the image's long side, but
    never enlarged.

    Args:
        image: source of the image; see `images.load`.
        style: source of the style, of any size.
        layers: layers to compare.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.
        levels: sizes as fractions of the image's size.

    Returns:
        The distance; 0 if all means and covariances are equal.

    Raises:
        ImageError: an image cannot be read.
        ValueError: the extractor lacks one of the layers.

    Example:
        >>> image = np.random.default_rng(0).random((32, 48, 3))
        >>> style_distance(image, image)
        0.0
    """
    pixels, goal = images.load(image), images.load(style)
    sizes = [fit(_size(pixels), round(max(_size(pixels)) * level)) for level in levels]
    sizes = [size for size in sizes if min(size) >= MIN_SIDE] or sizes[:1]
    return float(np.mean([_style_distance(images.resize(pixels, size), goal, layers, extractor) for size in sizes]))


def sliced_wasserstein(
    image: Any,
    style: Any,
    *,
    layers: Sequence[str] = LAYERS,
    extractor: Extractor | str = "vgg16",
    directions: int | None = None,
    seed: int = 1,
) -> float:
    """Squared sliced Wasserstein distance of the feature distributions, relative to the style's mean square.

    This is the value of `losses.SlicedWasserstein`, by default along other directions than the loss uses. It detects
    differences that means and covariances miss. The style is resized to the image's long side, but never enlarged.

    Args:
        image: source of the image; see `images.load`.
        style: source of the style, of any size.
        layers: layers to compare.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.
        directions: number of directions for each layer; None for the layer's number of channels.
        seed: seed of the random directions.

    Returns:
        The distance; 0 if the features have the same distribution.

    Raises:
        ImageError: an image cannot be read.
        ValueError: the extractor lacks one of the layers, or `directions` is less than 1.

    Example:
        >>> image = np.random.default_rng(0).random((32, 48, 3))
        >>> sliced_wasserstein(image, image)
        0.0
    """
    pixels = images.load(image)
    loss = SlicedWasserstein(tuple(layers), directions=directions, seed=seed)
    goal = _resized_to(images.load(style), pixels)
    found, target = (loss.statistic(_maps(each, layers, extractor), Context()) for each in (pixels, goal))
    return float(loss.compare(found, target))


def edge_agreement(image: Any, content: Any, *, size: int | None = 256) -> float:
    """Correlation between the edge strengths of two images, over all positions.

    The edge strength is the magnitude of the Sobel gradient of the luma; the correlation does not depend on the overall
    contrast.

    Args:
        image: source of the image; see `images.load`.
        content: source of the content, of any size; it is resized to the image's size.
        size: long side in pixels to which larger images are reduced first, so that strokes much finer than the depicted
            objects do not count; None for the image's own size.

    Returns:
        The correlation in [-1, 1]: 1 if the edges have the same positions and relative strengths, about 0 if they are
        unrelated, and 0 if either image has no edges.

    Raises:
        ImageError: an image cannot be read.

    Example:
        >>> image = np.random.default_rng(0).random((32, 48, 3))
        >>> round(edge_agreement(image, 0.5 * image), 3)
        1.0
    """
    pixels = images.load(image)
    longest = max(_size(pixels))
    compared_at = fit(_size(pixels), longest if size is None else min(size, longest))
    found, goal = (_edges(images.resize(each, compared_at)) for each in (pixels, images.load(content)))
    found, goal = found - found.mean(), goal - goal.mean()
    scale = float(np.sqrt(np.sum(found**2) * np.sum(goal**2)))
    return float(np.sum(found * goal)) / scale if scale > 1e-12 * found.size else 0.0


def lpips(image: Any, reference: Any, *, network: str = "alex") -> float:
    """Learned perceptual distance (Zhang et al., 2018), computed by its authors' package `lpips`.

    Args:
        image: source of the image; see `images.load`.
        reference: source of the reference, of any size; it is resized to the image's size.
        network: `"alex"`, `"vgg"` or `"squeeze"`; PyTorch downloads its weights once.

    Returns:
        The distance; 0 for the same image, and below about 0.2 for images that look alike.

    Raises:
        ImageError: an image cannot be read.
        ImportError: `lpips`, or PyTorch, is not installed.

    Example:
        >>> lpips("painted.png", "photo.jpg")  # doctest: +SKIP
        0.31
    """
    pixels = images.load(image)
    goal = images.resize(images.load(reference), _size(pixels))
    try:
        import lpips as package
        import torch
    except ImportError as error:
        raise ImportError(
            "metrics.lpips needs the packages lpips and torch, which no extra of this library installs; run: "
            f"pip install lpips torch ({error})"
        ) from error
    model = package.LPIPS(net=network, verbose=False)
    tensors = [torch.from_numpy(np.moveaxis(2.0 * each - 1.0, -1, 1).copy()) for each in (pixels, goal)]
    with torch.no_grad():
        return float(model(*tensors))


def _style_distance(image: np.ndarray, style: np.ndarray, layers: Sequence[str], extractor: Extractor | str) -> float:
    """Style distance at one level."""
    found, goal = (_maps(pixels, layers, extractor) for pixels in (image, _resized_to(style, image)))
    return float(np.mean([_moment_distance(found[layer], goal[layer]) for layer in layers]))


def _resized_to(style: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Resize the style to the image's long side, without enlarging it."""
    return images.resize(style, fit(_size(style), min(max(_size(image)), max(_size(style)))))


def _moment_distance(found: tf.Tensor, goal: tf.Tensor) -> float:
    sums, target = position_sums(found), position_sums(goal)
    means = relative_square(sums.mean(), target.mean())
    return 0.5 * (float(means[0]) + float(relative_square(sums.covariance(), target.covariance())[0]))


def _maps(pixels: np.ndarray, layers: Sequence[str], extractor: Extractor | str) -> Maps:
    network = named_extractor(extractor) if isinstance(extractor, str) else extractor
    check_layers(layers, network.layers)
    maps = network(tf.constant(pixels), layers)
    return {layer: tf.cast(value, tf.float32) for layer, value in maps.items()}


def _unit(features: tf.Tensor) -> tf.Tensor:
    return features / (tf.norm(features, axis=-1, keepdims=True) + 1e-8)


def _edges(pixels: np.ndarray) -> np.ndarray:
    """Magnitude of the Sobel gradient of the luma (Rec. 709), (height, width)."""
    luma = pixels.astype(np.float64) @ np.array([0.2126, 0.7152, 0.0722])
    gradient = tf.image.sobel_edges(tf.constant(luma[..., None]))
    return tf.norm(gradient[0, :, :, 0], axis=-1).numpy()


def _size(pixels: np.ndarray) -> tuple[int, int]:
    return pixels.shape[2], pixels.shape[1]
