"""Paint in one pass: encode, transform, decode, from the deepest level to the shallowest.

At each level of `network` the image is encoded, its map is given the style's statistics by a closed form of
`transform`, and the map is decoded to the image that the next level begins with. The deepest level swaps patches, which
makes strokes and shapes; the shallower ones transport the distribution of features, which makes colors and texture.

Reference: Y. Li et al., "Universal style transfer via feature transforms", 2017, arXiv:1705.08086, section 3.3 (levels
from deep to shallow). Deviations: the deepest level swaps patches, and the others use the optimal transport between
Gaussians in place of whitening and coloring.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf

from neural_style import images
from neural_style._arguments import choice, share
from neural_style._tracing import check_process, function
from neural_style.features.precision import PRECISIONS, fastest_precision
from neural_style.feedforward import transform
from neural_style.feedforward.network import DECODED_LEVELS, MULTIPLE, WIDTHS, Network
from neural_style.feedforward.transform import Affine, Gaussian, Sums
from neural_style.images import ImageLike, masks
from neural_style.objective.tiling import Tile, tiles
from neural_style.transfer import canvas
from neural_style.transfer.controls import Controls
from neural_style.transfer.inputs import Inputs, read_inputs
from neural_style.transfer.result import Result
from neural_style.transfer.styles.blending import Styles

__all__ = ["OnePass", "clear_cache"]

DEEP = 4
"""The level that swaps patches; the ones above it transport."""

DEEP_SIDE = 512
"""Longest side, in pixels, of the image that the deep level sees."""

MAX_PATCHES = 2048
"""Most patches that a style offers."""

SWAPPED = 1.0
"""Weight of the swapped map at strength 1."""

TILE, HALO = 1024, 64
"""Side of the tiles that a large image is encoded and decoded in, and the pixels around each, multiples of 8."""


class _Measured(NamedTuple):
    """What a style is to one pass.

    Attributes:
        weight: among the styles of its region.
        region: index of its mask; 0 without masks.
        gaussians: mean and covariance at each level.
        patches: that it offers at the deep level, float32 (patches, 9, channels).
    """

    weight: float
    region: int
    gaussians: Mapping[int, Gaussian]
    patches: tf.Tensor


class _Level:
    """The compiled functions of one level, each traced once for images of any size.

    Args:
        network: encoder and decoders.
        level: from `DECODED_LEVELS`.
    """

    def __init__(self, network: Network, level: int) -> None:
        self.level, self.stride = level, 2 ** (level - 1)
        width = WIDTHS[level]
        image = tf.TensorSpec([1, None, None, 3], tf.float32)
        features = tf.TensorSpec([1, None, None, width], tf.float32)
        shares = tf.TensorSpec([1, None, None, None], tf.float32)
        affine = Affine(tf.TensorSpec([None, width, width], tf.float32), tf.TensorSpec([None, width], tf.float32))

        @function([image])
        def encode(image: tf.Tensor) -> tf.Tensor:
            return network.encode(image, (level,))[level]

        @function([features])
        def decode(features: tf.Tensor) -> tf.Tensor:
            return network.decode(level, features)

        @function([image, shares, affine])
        def move(image: tf.Tensor, shares: tf.Tensor, affine: Affine) -> tf.Tensor:
            """The image with its map moved in each region by an affine map."""
            features = encode(image)
            left = 1.0 - tf.reduce_sum(shares, axis=-1, keepdims=True)
            moved = tf.map_fn(
                lambda each: each[0][None, ..., None] * transform.apply(features, Affine(each[1], each[2])),
                (tf.transpose(shares[0], [2, 0, 1]), affine.matrix, affine.offset),
                fn_output_signature=tf.float32,
            )
            return decode(left * features + tf.reduce_sum(moved, axis=0))

        @function([image])
        def lost(image: tf.Tensor) -> tf.Tensor:
            """What decoding loses of an image."""
            return image - decode(encode(image))

        self.encode, self.decode, self.move, self.lost = encode, decode, move, lost
        self.sums = function([features, shares])(transform.position_sums)


class OnePass:
    """Style transfer in one pass, for any style: about a second where an optimization takes twenty.

    It takes the arguments of `StyleTransfer.run` that need no steps, and gives the same `Result`.

    Args:
        strength: from 0 (the content as it is) to 1 (full style).
        precision: of the convolutions: `"auto"`, `"float32"`, `"bfloat16"` or `"float16"`.
        weights: of the decoders; see `Network`.

    Raises:
        ValueError: an argument is out of range.
        WeightsUnavailableError: the file of the weights is missing or damaged.

    Example:
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> OnePass().run(content, style, size=48).image.size
        (48, 32)
    """

    def __init__(
        self, strength: float = 0.5, *, precision: str = "auto", weights: str | os.PathLike[str] = "bundled"
    ) -> None:
        check_process()
        self.strength = share("strength", strength)
        choice("precision", precision, PRECISIONS)
        self.precision = fastest_precision() if precision == "auto" else precision
        self._levels = _compiled(os.fspath(weights), self.precision)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.strength!r}, precision={self.precision!r})"

    @property
    def _kept(self) -> float:
        """Share of what decoding loses that is added again: all of it at strength 0, none from 0.5 on."""
        return max(0.0, 1.0 - 2.0 * self.strength)

    def run(
        self,
        content: ImageLike,
        style: Styles,
        *,
        size: int | None = 512,
        masks: Any = None,
        style_masks: Any = None,
        background: Literal["content"] | None = None,
        color: str = "style",
        color_strength: float = 1.0,
        style_scale: float = 1.0,
    ) -> Result:
        """Paint one image; the arguments are those of `StyleTransfer.run`.

        Returns:
            The image, with an empty history.

        Raises:
            ImageError: an image cannot be read.
            ValueError: an argument is out of range, or masks do not fit; see `StyleTransfer.run`.
            TypeError: an argument is of another type than expected.
        """
        began = time.perf_counter()
        controls = Controls(masks, style_masks, background, color, color_strength, style_scale)
        inputs = read_inputs(content, style, controls, size=size)
        painted = images.resize(self.paint(inputs, self.measure(inputs)), inputs.size)
        pixels = canvas.render(inputs, painted)
        record = {"quality": "instant", "strength": self.strength, "precision": self.precision, **inputs.record()}
        alpha = None if inputs.alpha is None else images.resize(inputs.alpha, inputs.size)[0]
        return Result(pixels[0], [], record | {"seconds": time.perf_counter() - began}, alpha=alpha)

    def measure(self, inputs: Inputs) -> tuple[_Measured, ...]:
        """What the styles of a run are to `paint`; frames of one size and style share it.

        Raises:
            ValueError: there is no content or no style.
        """
        if inputs.content is None or not inputs.styles:
            raise ValueError("one pass needs a content and a style")
        return tuple(self._measure(each, max(inputs.size)) for each in inputs.styles if self.strength > 0.0)

    def paint(self, inputs: Inputs, styles: Sequence[_Measured]) -> np.ndarray:
        """The image before `canvas.render`, float32 (1, height, width, 3) in [0, 1].

        Args:
            inputs: of a run.
            styles: its styles, from `measure`.
        """
        assert inputs.content is not None
        image = images.resize(inputs.content, inputs.size)
        if self.strength == 0.0:
            return image
        long_side = max(inputs.size)
        shares = np.ones((*image.shape[:3], 1), np.float32) if inputs.shares is None else inputs.shares
        small = min(1.0, DEEP_SIDE / long_side)
        size = (max(1, round(inputs.size[0] * small)), max(1, round(inputs.size[1] * small)))
        painted = self._swap(images.resize(image, size), masks.resize_mask(shares, size), styles)
        painted = images.resize(painted, inputs.size)
        for level in range(DEEP - 1, 0, -1):
            painted = self._transport(self._levels[level], painted, shares, styles)
        return painted

    def _measure(self, style: Any, long_side: int) -> _Measured:
        """Means, covariances and patches of a style beside a canvas of this long side."""
        deep_side = min(long_side, DEEP_SIDE)
        gaussians = {}
        for level in self._levels.values():
            pixels, mask = style.beside(deep_side if level.level == DEEP else long_side)
            shares = np.ones((*pixels.shape[:3], 1), np.float32) if mask is None else mask
            pixels, shares = _padded(pixels), _padded(shares)
            gaussians[level.level] = transform.gaussian(self._sums(level, pixels, shares), 0)
            if level.level == DEEP:
                weights = tf.constant(_cells(shares, level.stride))
                offered = transform.patches(level.encode(pixels), gaussians[DEEP], weights, MAX_PATCHES)
        return _Measured(style.weight, style.region, gaussians, offered)

    def _sums(self, level: _Level, image: np.ndarray, shares: np.ndarray) -> Sums:
        """Sums over an image, tile by tile."""
        found = []
        for tile in _tiles(image):
            features = _cut(tile, level.encode(image[tile.window]), level.stride)
            found.append(level.sums(features, _cells(tile.core(shares, 1), level.stride)))
        return Sums(*(tf.add_n(list(parts)) for parts in zip(*found, strict=True)))

    def _swap(self, image: np.ndarray, shares: np.ndarray, styles: Sequence[_Measured]) -> np.ndarray:
        """The image decoded from its deep map, with patches swapped for the styles'."""
        level, (height, width) = self._levels[DEEP], image.shape[1:3]
        amount = SWAPPED * self.strength
        features = level.encode(_padded(image))
        guides = _cells(_padded(shares), level.stride)
        painted = (1.0 - amount * guides.sum(axis=-1, keepdims=True)) * features
        for style, weight in zip(styles, _weights(styles), strict=True):
            guide = guides[..., style.region : style.region + 1]
            if guide.any():
                swapped = transform.swap(features, guide, style.gaussians[DEEP], style.patches, self.precision)
                painted += amount * weight * guide * swapped
        decoded = level.decode(painted)
        if self._kept > 0.0:
            decoded += self._kept * level.lost(_padded(image))
        return np.clip(decoded.numpy()[:, :height, :width], 0.0, 1.0)

    def _transport(
        self, level: _Level, image: np.ndarray, shares: np.ndarray, styles: Sequence[_Measured]
    ) -> np.ndarray:
        """The image decoded from its map at a level, with each region moved to its styles' distribution."""
        height, width = image.shape[1:3]
        image, shares = _padded(image), _padded(shares)
        sums = self._sums(level, image, shares)
        amount, identity = min(1.0, 2.0 * self.strength), np.eye(WIDTHS[level.level], dtype=np.float32)
        matrices = np.stack([(1.0 - amount) * identity] * shares.shape[-1])
        offsets = np.zeros(matrices.shape[:2], np.float32)
        for style, weight in zip(styles, _weights(styles), strict=True):
            moved = transform.transport(transform.gaussian(sums, style.region), style.gaussians[level.level])
            matrices[style.region] += amount * weight * moved.matrix.numpy()
            offsets[style.region] += amount * weight * moved.offset.numpy()
        painted = np.empty_like(image)
        for tile in _tiles(image):
            guides = _cells(shares[tile.window], level.stride)
            moved = level.move(image[tile.window], guides, Affine(matrices, offsets))
            if self._kept > 0.0:
                moved += self._kept * level.lost(image[tile.window])
            tile.core(painted, 1)[...] = _cut(tile, moved, 1)
        return np.clip(painted[:, :height, :width], 0.0, 1.0)


def _weights(styles: Sequence[_Measured]) -> list[float]:
    """The weight of each style among those of its region."""
    totals: dict[int, float] = {}
    for style in styles:
        totals[style.region] = totals.get(style.region, 0.0) + style.weight
    return [style.weight / totals[style.region] for style in styles]


def _padded(pixels: np.ndarray) -> np.ndarray:
    """An image or mask, continued mirrored to the right and below, so that its sides are multiples of `MULTIPLE`."""
    height, width = pixels.shape[1:3]
    return np.pad(pixels, [(0, 0), (0, -height % MULTIPLE), (0, -width % MULTIPLE), (0, 0)], mode="symmetric")


def _cells(shares: np.ndarray, stride: int) -> np.ndarray:
    """Means of shares over the cells of a map; see `masks.guides_per_layer`."""
    rows, columns = shares.shape[1] // stride, shares.shape[2] // stride
    return shares.reshape(1, rows, stride, columns, stride, -1).mean(axis=(2, 4))


def _tiles(image: np.ndarray) -> tuple[Tile, ...]:
    return tiles((image.shape[2], image.shape[1]), TILE, HALO, MULTIPLE)


def _cut(tile: Tile, features: tf.Tensor, stride: int) -> tf.Tensor:
    """The core's part of the map of a tile's window."""
    top, bottom, left, right = tile.crops([stride])[0].tolist()
    return features[:, top:bottom, left:right]


@functools.lru_cache(maxsize=2)
def _compiled(weights: str, precision: str) -> dict[int, _Level]:
    """The compiled functions of each level."""
    network = Network(weights, precision)
    return {level: _Level(network, level) for level in DECODED_LEVELS}


def clear_cache() -> None:
    """Release the network and the compiled functions."""
    _compiled.cache_clear()
