"""How near a picture is to its content and to its style, for comparing settings.

Every metric takes pictures in whatever form `images.load` does and gives one number. Those on features read the
layers `LAYERS` of the VGG16 that ships with this package. The recipes `default`, `gatys2016`, `sliced_wasserstein` and
`spst` optimise none of these, so that a run of theirs which merely drives its own loss further down does not win by
that; to judge the other recipes, or losses of your own, name layers and an extractor that they do not look with. None
of the metrics alone is quality: a setting is better where one improves and the others do not suffer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import images
from neural_style.features import Extractor, named_extractor
from neural_style.features.base import check_layers
from neural_style.losses import SlicedWasserstein, position_sums
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
SMALLEST = 16  # a side with fewer pixels has too few cells on the deepest layer to have a covariance

Maps = Mapping[str, tf.Tensor]


def content_distance(
    picture: Any, content: Any, *, layers: Sequence[str] = LAYERS, extractor: Extractor | str = "vgg16"
) -> float:
    r"""Mean squared distance of unit-normalised feature vectors, position by position, from 0 to 4.

    .. math:: \frac1L \sum_l \frac{1}{N_l} \sum_i \left\lVert \frac{f^l_i}{\lVert f^l_i \rVert}
              - \frac{c^l_i}{\lVert c^l_i \rVert} \right\rVert^2

    LPIPS (Zhang et al., 2018) without its learned weights.

    Args:
        picture: as for `images.load`.
        content: likewise, of any size; it is brought to the picture's.
        layers: where to compare.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.

    Returns:
        0 for the content itself.

    Raises:
        ImageError: a picture cannot be read.
        ValueError: the extractor has no layer of such a name.

    Example:
        >>> picture = np.random.default_rng(0).random((32, 48, 3))
        >>> content_distance(picture, picture)
        0.0
    """
    pixels = images.load(picture)
    found = _maps(pixels, layers, extractor)
    goal = _maps(images.resize(images.load(content), _size(pixels)), layers, extractor)
    distances = [
        tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(_unit(found[layer]), _unit(goal[layer])), axis=-1))
        for layer in layers
    ]
    return float(np.mean(distances))


def style_distance(
    picture: Any,
    style: Any,
    *,
    layers: Sequence[str] = LAYERS,
    extractor: Extractor | str = "vgg16",
    levels: Sequence[float] = LEVELS,
) -> float:
    r"""Mean over layers and levels of half the relative squared distances of means and of covariances.

    .. math:: \frac12 \frac{\lVert \mu - \hat\mu \rVert^2}{\lVert \hat\mu \rVert^2}
              + \frac12 \frac{\lVert \Sigma - \hat\Sigma \rVert^2}{\lVert \hat\Sigma \rVert^2}

    Levels are the picture at full, half and quarter size, as far as its short side has 16 pixels, so that both
    strokes and what they add up to count. At each the style has the picture's long side, or its own where that is
    shorter.

    Args:
        picture: as for `images.load`.
        style: likewise, of any size.
        layers: where to compare.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.
        levels: sizes as fractions of the picture's.

    Returns:
        0 for a picture with the very same means and covariances.

    Raises:
        ImageError: a picture cannot be read.
        ValueError: the extractor has no layer of such a name.

    Example:
        >>> picture = np.random.default_rng(0).random((32, 48, 3))
        >>> style_distance(picture, picture)
        0.0
    """
    pixels, goal = images.load(picture), images.load(style)
    sizes = [fit(_size(pixels), round(max(_size(pixels)) * level)) for level in levels]
    sizes = [size for size in sizes if min(size) >= SMALLEST] or sizes[:1]
    return float(np.mean([_at_level(images.resize(pixels, size), goal, layers, extractor) for size in sizes]))


def sliced_wasserstein(
    picture: Any,
    style: Any,
    *,
    layers: Sequence[str] = LAYERS,
    extractor: Extractor | str = "vgg16",
    directions: int | None = None,
    seed: int = 1,
) -> float:
    """Squared sliced Wasserstein distance of the features' distributions, relative to the style's mean square.

    The value of `losses.SlicedWasserstein`, along other directions than the loss takes unless told so: it sees
    differences that means and covariances do not. The style has the picture's long side, or its own where that is
    shorter.

    Args:
        picture: as for `images.load`.
        style: likewise, of any size.
        layers: where to compare.
        extractor: an `Extractor`, `"vgg16"` or `"vgg19"`.
        directions: how many for each layer; None for as many as it has channels.
        seed: of the directions.

    Returns:
        0 for a picture whose features are distributed as the style's are.

    Raises:
        ImageError: a picture cannot be read.
        ValueError: the extractor has no layer of such a name, or there are fewer than one direction.

    Example:
        >>> picture = np.random.default_rng(0).random((32, 48, 3))
        >>> sliced_wasserstein(picture, picture)
        0.0
    """
    pixels = images.load(picture)
    loss = SlicedWasserstein(tuple(layers), directions=directions, seed=seed)
    found, goal = (
        loss.statistic(_maps(each, layers, extractor), {}, {}) for each in (pixels, _beside(images.load(style), pixels))
    )
    return float(loss.compare(found, goal))


def edge_agreement(picture: Any, content: Any, *, size: int | None = 256) -> float:
    """Correlation of the strength of edges in two pictures, place by place.

    The strength is the length of the Sobel gradient of the luma, which colour and contrast as a whole do not change.

    Args:
        picture: as for `images.load`.
        content: likewise, of any size; it is brought to the picture's.
        size: long side at which edges are looked for, where the picture is larger: strokes much finer than what is
            depicted should not count. None for the picture's own.

    Returns:
        1 where edges stand in the same places with the same relative strength, about 0 where they have nothing to do
        with one another; 0 if either picture has none. At least -1.

    Raises:
        ImageError: a picture cannot be read.

    Example:
        >>> picture = np.random.default_rng(0).random((32, 48, 3))
        >>> round(edge_agreement(picture, 0.5 * picture), 3)
        1.0
    """
    pixels = images.load(picture)
    longest = max(_size(pixels))
    seen_at = fit(_size(pixels), longest if size is None else min(size, longest))
    ours, theirs = (_edges(images.resize(each, seen_at)) for each in (pixels, images.load(content)))
    ours, theirs = ours - ours.mean(), theirs - theirs.mean()
    scale = float(np.sqrt(np.sum(ours**2) * np.sum(theirs**2)))
    return float(np.sum(ours * theirs)) / scale if scale > 1e-12 * ours.size else 0.0


def lpips(picture: Any, reference: Any, *, network: str = "alex") -> float:
    """Learned perceptual distance (Zhang et al., 2018), by its authors' package `lpips`.

    Args:
        picture: as for `images.load`.
        reference: likewise, of any size; it is brought to the picture's.
        network: `"alex"`, `"vgg"` or `"squeeze"`; PyTorch downloads its weights once.

    Returns:
        0 for the same picture; pictures that look alike are below about 0.2.

    Raises:
        ImageError: a picture cannot be read.
        ImportError: the package, or PyTorch under it, is not installed.

    Example:
        >>> lpips("painted.png", "photo.jpg")  # doctest: +SKIP
        0.31
    """
    pixels = images.load(picture)
    goal = images.resize(images.load(reference), _size(pixels))
    try:
        import lpips as package
        import torch
    except ImportError as error:
        raise ImportError(
            "metrics.lpips needs the packages lpips and torch, which this library does not otherwise use; install "
            f"them with: pip install lpips torch ({error})"
        ) from error
    model = package.LPIPS(net=network, verbose=False)
    tensors = [torch.from_numpy(np.moveaxis(2.0 * each - 1.0, -1, 1).copy()) for each in (pixels, goal)]
    with torch.no_grad():
        return float(model(*tensors))


def _at_level(picture: np.ndarray, style: np.ndarray, layers: Sequence[str], extractor: Extractor | str) -> float:
    found, goal = (_maps(pixels, layers, extractor) for pixels in (picture, _beside(style, picture)))
    return float(np.mean([_apart(found[layer], goal[layer]) for layer in layers]))


def _beside(style: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The style with the picture's long side, or its own where that is shorter."""
    return images.resize(style, fit(_size(style), min(max(_size(picture)), max(_size(style)))))


def _apart(found: tf.Tensor, goal: tf.Tensor) -> float:
    sums, target = position_sums(found), position_sums(goal)
    means = _relative(sums.mean(), target.mean())
    return 0.5 * (means + _relative(sums.covariance(), target.covariance()))


def _relative(value: tf.Tensor, goal: tf.Tensor) -> float:
    energy = tf.maximum(tf.reduce_sum(tf.square(goal)), 1e-8)
    return float(tf.reduce_sum(tf.math.squared_difference(value, goal)) / energy)


def _maps(pixels: np.ndarray, layers: Sequence[str], extractor: Extractor | str) -> Maps:
    network = named_extractor(extractor) if isinstance(extractor, str) else extractor
    check_layers(layers, network.layers)
    maps = network(tf.constant(pixels), layers)
    return {layer: tf.cast(value, tf.float32) for layer, value in maps.items()}


def _unit(features: tf.Tensor) -> tf.Tensor:
    return features / (tf.norm(features, axis=-1, keepdims=True) + 1e-8)


def _edges(pixels: np.ndarray) -> np.ndarray:
    """Length of the Sobel gradient of the luma (Rec. 709), (height, width)."""
    luma = pixels.astype(np.float64) @ np.array([0.2126, 0.7152, 0.0722])
    around = tf.image.sobel_edges(tf.constant(luma[..., None]))
    lengths: np.ndarray = tf.norm(around[0, :, :, 0], axis=-1).numpy()
    return lengths


def _size(pixels: np.ndarray) -> tuple[int, int]:
    return pixels.shape[2], pixels.shape[1]
