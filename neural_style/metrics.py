"""Metrics: distances of an image from its content and its style, for comparing settings.

Each metric accepts images in any form that `images.load` accepts, and returns one number. A run can improve a metric on
layers that it optimizes merely by reducing its own loss further. Recipes use these layers of VGG16:

- `LAYERS`, the default of the distances: the recipe `default` optimizes block2_conv2 and block3_conv3, and
  `johnson_losses`, `strotss` and `nnst` optimize all four. They are held out for `moments`, `gatys2016`,
  `sliced_wasserstein` and `spst`.
- block3_conv2, of `nearest_feature_distance`: no recipe optimizes it.
- block5_conv1, of `shape_similarity`: `moments`, `gatys2016`, `sliced_wasserstein` and `spst` optimize it as a style
  layer, with losses that ignore positions; the others do not.

To judge losses of your own, choose layers and an extractor that they do not use. No single metric measures quality: a
setting is better if it improves one metric without making the others worse. Whether an image looks painted is best
judged by `nearest_feature_distance`, among images of about equal `shape_similarity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import images
from neural_style.features import Extractor
from neural_style.features.base import check_layers
from neural_style.features.registry import as_extractor
from neural_style.losses import Context, SlicedWasserstein, position_sums
from neural_style.losses.style import relative_square
from neural_style.scales import fit

__all__ = [
    "LAYERS",
    "content_distance",
    "edge_agreement",
    "lpips",
    "nearest_feature_distance",
    "shape_similarity",
    "sliced_wasserstein",
    "style_distance",
]

LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")
LEVELS = (1.0, 0.5, 0.25)
MIN_SIDE = 16  # in pixels; a shorter side has too few cells on the deepest layer for a covariance
MAX_SIMILARITIES = 2**24  # in memory at once: 64 MiB of float32

Maps = Mapping[str, tf.Tensor]


def content_distance(
    image: Any, content: Any, *, layers: Sequence[str] = LAYERS, extractor: Extractor | str = "vgg16"
) -> float:
    r"""Mean squared distance between unit-normalized feature vectors at the same position, from 0 to 4.

    .. math:: \frac1L \sum_l \frac{1}{N_l} \sum_i \left\lVert \frac{f^l_i}{\lVert f^l_i \rVert}
              - \frac{c^l_i}{\lVert c^l_i \rVert} \right\rVert^2

    This is LPIPS (Zhang et al., 2018) without its learned weights.

    By itself this distance rewards filters: an image that keeps the photograph's texture and only changes its colors
    scores better than a painted one, in which strokes replace that texture. `shape_similarity` compares deeper features
    and depends less on texture.

    Args:
        image: source of the image; see `images.load`.
        content: source of the content, of any size; it is resized to the image's size.
        layers: layers to compare.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.

    Returns:
        The distance; 0 for the content itself.

    Raises:
        ImageError: an image cannot be read.
        ValueError: the extractor lacks one of the layers, or an image is too small to have a position on one.

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
        ValueError: the extractor lacks one of the layers, or an image is too small to have a position on one.

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
    levels: Sequence[float] = (1.0,),
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
        levels: sizes of the image relative to its own; the distance is averaged over them. At half size a layer sees
            strokes of twice the length. Sizes with a side below 16 pixels are skipped.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.
        directions: number of directions for each layer; None for the layer's number of channels.
        seed: seed of the random directions.

    Returns:
        The distance; 0 if the features have the same distribution.

    Raises:
        ImageError: an image cannot be read.
        ValueError: the extractor lacks one of the layers, an image is too small to have a position on one, or
            `directions` is less than 1.

    Example:
        >>> image = np.random.default_rng(0).random((32, 48, 3))
        >>> sliced_wasserstein(image, image)
        0.0
    """
    pixels = images.load(image)
    loss = SlicedWasserstein(tuple(layers), directions=directions, seed=seed)
    goal = _resized_to(images.load(style), pixels)
    found = []
    for level in _levels(pixels, levels, MIN_SIDE):
        ours, target = (
            loss.statistic(_maps(_reduced(each, level), layers, extractor), Context()) for each in (pixels, goal)
        )
        found.append(float(loss.compare(ours, target)))
    return float(np.mean(found))


def nearest_feature_distance(
    image: Any,
    content: Any,
    style: Any,
    *,
    layers: Sequence[str] = ("block3_conv2",),
    levels: Sequence[float] = LEVELS,
    extractor: Extractor | str = "vgg16",
) -> float:
    r"""Cosine distance of feature vectors to their nearest style vectors, relative to the content's own distance.

    .. math:: \frac{\sum_i \min_j \left(1 - \cos(x_i, s_j)\right)}{\sum_i \min_j \left(1 - \cos(c_i, s_j)\right)}

    with the features x of the image, c of the content and s of the style; averaged over layers and levels. An image
    that looks painted consists of features that occur in the style, wherever they are. The measure does not detect
    whether the image uses all of the style (see `sliced_wasserstein`) or shows the content (see `shape_similarity`).

    The content is resized to the image's size, and the style to the image's long side, but never enlarged. The levels
    are these three at full, half and quarter size, unless the image's short side is below 16 pixels there. The time is
    proportional to the product of the numbers of positions of image and style.

    Args:
        image: source of the image; see `images.load`.
        content: source of the content, of any size.
        style: source of the style, of any size.
        layers: layers to compare.
        levels: sizes as fractions of the size.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.

    Returns:
        The ratio, at least 0: 1 for the content itself, 0 for an image made only of the style's features. It has no
        meaning for a content that is made of them itself.

    Raises:
        ImageError: an image cannot be read.
        ValueError: the extractor lacks one of the layers, or an image is too small to have a position on one.

    Example:
        >>> content, style = np.random.default_rng(0).random((2, 32, 48, 3))
        >>> nearest_feature_distance(content, content, style)
        1.0
    """
    pixels = images.load(image)
    own, goal = images.resize(images.load(content), _size(pixels)), _resized_to(images.load(style), pixels)
    ratios = []
    for level in _levels(pixels, levels, MIN_SIDE):
        x, c, s = (_vectors(_reduced(each, level), layers, extractor) for each in (pixels, own, goal))
        ratios += [_mean_nearest(x[n], s[n]) / max(_mean_nearest(c[n], s[n]), 1e-8) for n in layers]
    return float(np.mean(ratios))


def shape_similarity(
    image: Any,
    content: Any,
    *,
    layers: Sequence[str] = ("block5_conv1",),
    levels: Sequence[float] = (1.0, 0.5),
    extractor: Extractor | str = "vgg16",
) -> float:
    r"""Mean cosine similarity between standardized deep feature vectors at the same position.

    .. math:: \frac1N \sum_i \cos\left(\frac{x_i - \mu}{\sigma}, \frac{c_i - \mu}{\sigma}\right)

    with the features x of the image and c of the content; averaged over layers and levels. The mean :math:`\mu` and
    the standard deviation :math:`\sigma` of each channel are the content's; a tenth of the channels' mean deviation is
    added to every deviation, so that a channel that hardly varies in the content does not dominate. Deep features
    represent objects more than textures: the value is high if objects are still recognizable where the content has
    them.

    The content is resized to the image's size. The levels are both at full and half size, unless the image's short side
    is below two positions of the deepest layer there (32 pixels for block5_conv1).

    Args:
        image: source of the image; see `images.load`.
        content: source of the content, of any size.
        layers: layers to compare.
        levels: sizes as fractions of the image's size.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.

    Returns:
        The similarity in [-1, 1]: 1 for the content itself, about 0 for an unrelated image.

    Raises:
        ImageError: an image cannot be read.
        ValueError: the extractor lacks one of the layers, or the image has fewer than two positions on one.

    Example:
        >>> image = np.random.default_rng(0).random((32, 48, 3))
        >>> round(shape_similarity(image, image), 3)
        1.0
    """
    pixels = images.load(image)
    goal = images.resize(images.load(content), _size(pixels))
    network = as_extractor(extractor)
    check_layers(layers, network.layers)
    least = 2 * max(network.layers[layer].stride for layer in layers)
    found = []
    for level in _levels(pixels, levels, least):
        ours, theirs = (_vectors(_reduced(each, level), layers, network, least=2) for each in (pixels, goal))
        found += [_agreement(ours[layer], theirs[layer]) for layer in layers]
    return float(np.mean(found))


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


def _levels(pixels: np.ndarray, levels: Sequence[float], min_side: int) -> Sequence[float]:
    """Levels at which the short side has at least `min_side` pixels; the first alone if there is none."""
    longest = max(_size(pixels))
    return [each for each in levels if min(fit(_size(pixels), round(longest * each))) >= min_side] or levels[:1]


def _reduced(pixels: np.ndarray, level: float) -> np.ndarray:
    """Resize to a fraction of the size."""
    return images.resize(pixels, fit(_size(pixels), round(max(_size(pixels)) * level)))


def _vectors(pixels: np.ndarray, layers: Sequence[str], extractor: Extractor | str, least: int = 1) -> Maps:
    """Feature vectors of each layer, (positions, channels); raise `ValueError` if there are fewer than `least`."""
    maps = _maps(pixels, layers, extractor, least)
    return {layer: tf.reshape(features, [-1, features.shape[-1]]) for layer, features in maps.items()}


def _mean_nearest(vectors: tf.Tensor, style: tf.Tensor) -> float:
    """Mean cosine distance of vectors to the nearest of the style's, without the matrix of all pairs."""
    vectors, style = (tf.math.l2_normalize(each, axis=-1, epsilon=1e-8) for each in (vectors, style))
    rows = max(1, MAX_SIMILARITIES // int(style.shape[0]))
    nearest = [
        tf.reduce_max(tf.matmul(vectors[start : start + rows], style, transpose_b=True), axis=-1)
        for start in range(0, int(vectors.shape[0]), rows)
    ]
    return max(0.0, float(tf.reduce_mean(1.0 - tf.concat(nearest, axis=0))))


def _agreement(vectors: tf.Tensor, content: tf.Tensor) -> float:
    """Mean cosine of vectors at the same position, standardized by the content's mean and deviation."""
    mean, variance = tf.nn.moments(content, [0], keepdims=True)
    deviation = tf.sqrt(variance)
    deviation += 0.1 * tf.reduce_mean(deviation) + 1e-8
    ours, theirs = (
        tf.math.l2_normalize((each - mean) / deviation, axis=-1, epsilon=1e-8) for each in (vectors, content)
    )
    return float(tf.reduce_mean(tf.reduce_sum(ours * theirs, axis=-1)))


def _maps(pixels: np.ndarray, layers: Sequence[str], extractor: Extractor | str, least: int = 1) -> Maps:
    """Maps of the layers in float32; raise `ValueError` if one would have fewer positions than `least`."""
    network = as_extractor(extractor)
    check_layers(layers, network.layers)
    width, height = _size(pixels)
    for layer in layers:
        stride = network.layers[layer].stride
        if (width // stride) * (height // stride) < least:
            raise ValueError(
                f"an image of {width} x {height} pixels is too small for layer {layer!r}, which has a position every "
                f"{stride} pixels and needs at least {least}"
            )
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
