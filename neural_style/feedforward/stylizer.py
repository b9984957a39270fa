"""Paint in one pass: match, decode, enlarge, from a small canvas to the final size.

At each scale, every position of the canvas is matched with the most similar position of the style, as
`losses.AssignedNeighbor` matches them, and the decoders make an image of the style's own feature vectors at these
positions. They see what the canvas shows there, and keep the shapes and colors of the smaller one. At the final size, a
closed form then gives a shallow map the style's distribution, which restores its palette and contrast. No style was
learned.

The canvases before the last two, up to 128 pixels, are sketched: some steps of the recipe `default`, on VGG16, place
motifs and colors, which no decoder does as well. A larger sketch begins with the decoded image of the smaller one. They
take half of the time.

Reference: N. Kolkin et al., "Neural neighbor style transfer", 2022, arXiv:2203.13215, section 4.3 (NNST-D): nearest
neighbors coarse to fine, decoded. Deviations: the smallest canvases are optimized; the decoders saw no paintings but
those among the images they were trained on, decode one layer in place of hypercolumns, and see the smaller canvas and
what they paint over; the optimal transport of a shallow layer replaces the color correction.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf

from neural_style import images, recipes
from neural_style._arguments import choice, share
from neural_style._tracing import check_process, function
from neural_style.features.precision import PRECISIONS, fastest_precision, in_precision
from neural_style.features.registry import named_extractor
from neural_style.feedforward import transform
from neural_style.feedforward.encoders import Encoders
from neural_style.feedforward.geometry import TILE, cells, cropped, halved, padded, tiled
from neural_style.feedforward.network import LAYERS, LEVELS, WIDTHS, Network
from neural_style.feedforward.transform import Affine
from neural_style.images import ImageLike, masks
from neural_style.losses import AssignedNeighbor, Loss, Moments, PositionSums, StyleVectors
from neural_style.objective import TiledObjective
from neural_style.optimizers import LBFGS, Spectrum
from neural_style.scales import CoarseToFine, SingleScale
from neural_style.transfer import canvas
from neural_style.transfer.controls import Controls
from neural_style.transfer.inputs import Inputs, read_inputs, side_of
from neural_style.transfer.loop import solve
from neural_style.transfer.problem import library_versions, make_problem
from neural_style.transfer.result import Result
from neural_style.transfer.style_transfer import StyleTransfer
from neural_style.transfer.styles.base import Style
from neural_style.transfer.styles.blending import Styles, read_styles
from neural_style.transfer.styles.image_style import ImageStyle
from neural_style.transfer.styles.style_target import StyleTarget, measure_target

__all__ = ["OnePass", "StylesAtScales", "clear_cache"]

MATCHED = 3
"""The level whose positions are matched and whose vectors are decoded."""

TRANSPORTED = 1
"""The level that is given the style's distribution at the final size."""

FULLY_ASSIGNED, POWER = 0.5, 4 / 3
"""Strength from which on the style's vectors alone are decoded; below it, their share is this power of the ratio."""

FULLY_PAINTED = 0.2
"""Strength below which the painted image is mixed with the content, whose detail decoding loses."""

ANCHORED = 0.3
"""Share of the content, blended into the canvas before each matching, as strength goes to 0; none from 0.5 on."""

SCALES = CoarseToFine(smallest=64, factor=2.0)

DECODED, SKETCHED = 2, 128
"""How many scales are decoded at least, and the long side of the largest canvas that is sketched."""

SKETCH = dataclasses.replace(
    recipes.DEFAULT,
    name="sketch",
    citation="The recipe `default` with few steps, on one canvas.",
    scales=SingleScale(6),
    final_optimizer=LBFGS(first_move=0.3, spectrum=Spectrum()),
)
"""How a small canvas is optimized."""

LITE = "lite/"
"""What the names of the encoder's layers begin with, beside those of VGG16."""

GRID = LITE + LAYERS[MATCHED]

LOSSES: tuple[Loss, ...] = (
    AssignedNeighbor(
        (f"{LITE}block1_conv2", f"{LITE}block2_conv2", GRID, f"{LITE}block4_conv3"),
        layer_weights=None,
        grid=GRID,
        anchor=0.36,
    ),
    Moments((LITE + LAYERS[TRANSPORTED],)),
)
"""What is measured of a style: vectors to match with, and the distribution of a shallow map."""


class _Measured(NamedTuple):
    """A style at one scale.

    Attributes:
        weight: among the styles of its region, of which it is a share.
        region: index of its mask; 0 without masks.
        vectors: by layer, those of each position.
        sums: by layer, over the style's positions.
    """

    weight: float
    region: int
    vectors: StyleVectors
    sums: Mapping[str, PositionSums]


StylesAtScales = tuple[tuple[_Measured, ...], ...]
"""The styles of a run at each of its scales."""


class _Programs:
    """Compiled functions of one network, each traced once for images of any size.

    Args:
        network: encoder and decoders.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.encoders = Encoders(in_precision(named_extractor("vgg16"), network.precision), network.encoder, LITE)
        self.matching = TiledObjective(LOSSES, self.encoders, TILE)
        self.moments = TiledObjective(LOSSES[1:], self.encoders, TILE)
        image, shares = (tf.TensorSpec([1, None, None, channels], tf.float32) for channels in (3, None))
        features, kept = (tf.TensorSpec([1, None, None, channels], tf.float32) for channels in (WIDTHS[MATCHED], 1))
        width = WIDTHS[TRANSPORTED]
        affine = Affine(tf.TensorSpec([None, width, width], tf.float32), tf.TensorSpec([None, width], tf.float32))
        self.begin = function([image, kept, features])(self._paint)
        self.paint = function([image, kept, features, image])(self._paint)
        self.move = function([image, shares, affine])(self._move)

    def _paint(
        self, seen: tf.Tensor, kept: tf.Tensor, chosen: tf.Tensor, smaller: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The image decoded from a share of the map of what is seen, and the rest of it from a style; both weighted."""
        own = self.network.maps(seen, [level for level in LEVELS if level > 1])
        return self.network.decode(MATCHED, kept * own[MATCHED] + chosen, smaller, own)

    def _move(self, image: tf.Tensor, shares: tf.Tensor, affine: Affine) -> tf.Tensor:
        """An image decoded from its shallow map, to which each region's affine map is applied by its share."""
        features = self.network.maps(image, [TRANSPORTED])[TRANSPORTED]
        moved = tf.map_fn(
            lambda each: each[0][None, ..., None] * transform.apply(features, Affine(each[1], each[2])),
            (tf.transpose(shares[0], [2, 0, 1]), affine.matrix, affine.offset),
            fn_output_signature=tf.float32,
        )
        left = 1.0 - tf.reduce_sum(shares, axis=-1, keepdims=True)
        return self.network.decode(TRANSPORTED, left * features + tf.reduce_sum(moved, axis=0))


class OnePass:
    """Style transfer in one pass, for any style.

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
        self._programs = _programs(os.fspath(weights), self.precision)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.strength!r}, precision={self.precision!r})"

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
            ValueError: an argument is out of range, an image is too small, or masks do not fit; a `StyleTarget` was
                made for something else.
            TypeError: an argument is of another type than expected.
            DivergenceError: the sketch's loss is not finite; see `StyleTransfer.run`.
        """
        began = time.perf_counter()
        controls = Controls(masks, style_masks, background, color, color_strength, style_scale)
        inputs = read_inputs(content, style, controls, size=size)
        pixels = canvas.render(inputs, self.paint(inputs, self.measure(inputs)))
        record = {"quality": "instant", "strength": self.strength, "precision": self.precision, **inputs.record()}
        encoders = self._programs.encoders
        record |= {"network": str(encoders), "extractor": repr(encoders), "versions": library_versions()}
        alpha = None if inputs.alpha is None else images.resize(inputs.alpha, inputs.size)[0]
        return Result(pixels[0], [], record | {"seconds": time.perf_counter() - began}, alpha=alpha)

    def target(
        self, style: Styles, *, size: int = 512, style_masks: Any = None, style_scale: float = 1.0
    ) -> StyleTarget:
        """Compute what one pass needs of a style, to be used in place of its image.

        Arguments are those of `StyleTransfer.target`.

        Raises:
            ImageError: an image cannot be read.
            ValueError: an argument is out of range, or a style is a `StyleTarget` already.
        """
        size = side_of("size", size)
        styles = read_styles(style, Controls(style_masks=style_masks, style_scale=style_scale), size, None)
        for each in styles:
            if not isinstance(each, ImageStyle):
                raise ValueError("a target is made from images; to mix targets, write 0.3 * a + 0.7 * b")
            each.warn_if_small(size)
        sides = sorted({max(scale.width, scale.height) for scale in SCALES((size, size))})
        encoders, sketched = self._programs.encoders, tuple(term.loss for term in SKETCH.style)
        objectives = {}
        for side in sides:
            losses = (*LOSSES, *sketched) if side < 2 * SKETCHED else LOSSES  # it may be the nearest one to a sketch
            objectives[side] = TiledObjective(losses, encoders, TILE)
        return measure_target(styles, objectives, encoders)

    def measure(self, inputs: Inputs) -> StylesAtScales:
        """Measure the styles of a run at each scale; frames of one size and style share what is measured.

        Raises:
            ValueError: there is no content or no style, or the size is too small.
        """
        if inputs.content is None or not inputs.styles:
            raise ValueError("one pass needs a content and a style")
        return tuple(
            tuple(self._measure(each, max(size), inputs.regions) for each in inputs.styles)
            for size in self._decoded(inputs.size)
        )

    def paint(
        self, inputs: Inputs, styles: StylesAtScales, start: np.ndarray | None = None, *, last_only: bool = False
    ) -> np.ndarray:
        """The image before it is rendered, float32 (1, height, width, 3) in [0, 1].

        Args:
            inputs: of the run.
            styles: from `measure`.
            start: the canvas to begin with, float32 (1, any height, any width, 3) in [0, 1]; None for a sketch.
            last_only: whether only the final size is decoded.
        """
        assert inputs.content is not None
        content = images.resize(inputs.content, inputs.size)
        if self.strength == 0.0:
            return content  # decoding would blur it
        scales = list(zip(self._decoded(inputs.size), styles, strict=True))
        painted = self._sketched(inputs) if start is None else start
        for size, measured in scales[-1:] if last_only else scales:
            painted = self._match(painted, images.resize(content, size), _shares(inputs, size), measured)
        assert painted is not None
        painted = self._transport(painted, _shares(inputs, inputs.size), styles[-1])
        return content + np.float32(min(1.0, self.strength / FULLY_PAINTED)) * (painted - content)

    def _sketched(self, inputs: Inputs) -> np.ndarray | None:
        """The canvas that the first decoded scale begins with; None if there is no smaller scale."""
        sizes = self._sizes(inputs.size)
        transfer = StyleTransfer(recipe=SKETCH, strength=self.strength, extractor=self._programs.encoders)
        sketch: np.ndarray | None = None
        for size in sizes[: len(sizes) - len(self._decoded(inputs.size))]:
            content, shares = images.resize(inputs.content, size), _shares(inputs, size)
            if sketch is not None:
                styles = tuple(self._measure(each, max(size), inputs.regions) for each in inputs.styles)
                grown = canvas.upsample(sketch, size, content, transfer.settings.detail_strength)
                decoded = self._match(sketch, content, shares, styles)
                sketch = grown + np.float32(self._assigned) * (decoded - grown)
            begun = dataclasses.replace(inputs, size=size, init="recolored" if sketch is None else sketch)
            sketch = solve(make_problem(transfer.settings, begun, steps=None))
            if shares is not None and inputs.controls.background is not None:
                # where nothing is painted; the optimizer moved it as well
                sketch = content + masks.coverage(shares) * (sketch - content)
        return sketch

    @property
    def _assigned(self) -> float:
        """The share of the style's vectors in what is decoded."""
        return min(1.0, self.strength / FULLY_ASSIGNED) ** POWER

    def _decoded(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """(width, height) of the scales that are decoded: the last ones, and all above `SKETCHED`."""
        sizes = self._sizes(size)
        return [each for number, each in enumerate(sizes, DECODED - len(sizes)) if number >= 0 or max(each) > SKETCHED]

    def _sizes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """(width, height) of every scale: those on which every layer has a cell."""
        least = self._programs.matching.smallest_side
        if min(size) < least:
            raise ValueError(f"one pass needs at least {least} pixels on each side, not {size[0]}x{size[1]}")
        return [scale[:2] for scale in SCALES(size) if min(scale[:2]) >= least]

    def _measure(self, style: Style, long_side: int, regions: int) -> _Measured:
        vectors, sums = style.measure(self._programs.matching, long_side, regions).statistic
        assert vectors is not None  # both losses read the style
        assert sums is not None
        return _Measured(style.weight, style.region, vectors, sums)

    def _match(
        self,
        painted: np.ndarray | None,
        content: np.ndarray,
        shares: np.ndarray | None,
        styles: Sequence[_Measured],
    ) -> np.ndarray:
        """The image decoded from the style's vectors, each position matched with canvas and content together.

        Args:
            painted: the canvas so far, of any size; None for the content.
            content: at the size to paint.
            shares: of the masks, at that size.
            styles: at this scale.
        """
        programs = self._programs
        height, width = content.shape[1:3]
        stride = 2 ** (MATCHED - 1)
        seen = padded(content if painted is None else images.resize(painted, (width, height)))
        content = padded(content)
        seen += np.float32(ANCHORED * max(0.0, 1.0 - self.strength / FULLY_ASSIGNED)) * (content - seen)
        vectors = tuple(style.vectors for style in styles)
        kept = programs.matching.content(tf.constant(content))
        index, _ = programs.matching.match(tf.constant(seen), kept, [vectors, None])
        assert index is not None
        weights = _weights(styles) if shares is None else _cell_weights(padded(shares), styles, stride)
        weights = self._assigned * np.broadcast_to(weights, index.shape)
        chosen = np.zeros((*index.shape[:3], WIDTHS[MATCHED]), np.float32)
        for number, style in enumerate(styles):
            vectors = tf.reshape(style.vectors[GRID], [-1, WIDTHS[MATCHED]])
            chosen += weights[..., number : number + 1] * tf.gather(vectors, index[..., number]).numpy()
        sources = [(seen, 1), (1.0 - weights.sum(axis=-1, keepdims=True), stride), (chosen, stride)]
        if painted is None:
            decoded = tiled(programs.begin, sources, TILE)
        else:
            decoded = tiled(programs.paint, [*sources, (halved(painted, seen.shape, (width, height)), 2)], TILE)
        return cropped(decoded, (height, width))

    def _transport(self, painted: np.ndarray, shares: np.ndarray | None, styles: Sequence[_Measured]) -> np.ndarray:
        """The image decoded from its shallow map, with each region moved to the distribution of its styles."""
        programs, layer = self._programs, LITE + LAYERS[TRANSPORTED]
        size, painted = painted.shape[1:3], padded(painted)
        everywhere = np.ones((*painted.shape[:3], 1), np.float32) if shares is None else padded(shares)
        (own,) = programs.moments.target(
            tf.constant(painted), {} if shares is None else {layer: tf.constant(everywhere)}
        )
        assert isinstance(own, dict)
        affine = self._affine(own[layer], everywhere.shape[-1], styles)
        both = np.concatenate([painted, everywhere], axis=-1)
        moved = tiled(lambda window: programs.move(window[..., :3], window[..., 3:], affine), [(both, 1)], TILE)
        return cropped(moved, size)

    def _affine(self, own: PositionSums, regions: int, styles: Sequence[_Measured]) -> Affine:
        """The map of each region: the mean of those to its styles, and of the identity below strength 0.5."""
        amount, identity = min(1.0, 2.0 * self.strength), np.eye(WIDTHS[TRANSPORTED], dtype=np.float32)
        matrices = np.stack([(1.0 - amount) * identity] * regions)
        offsets = np.zeros(matrices.shape[:2], np.float32)
        for style, weight in zip(styles, _weights(styles)[0, 0, 0], strict=True):
            goal = transform.gaussian(style.sums[LITE + LAYERS[TRANSPORTED]], style.region)
            moved = transform.transport(transform.gaussian(own, style.region), goal)
            matrices[style.region] += amount * weight * moved.matrix.numpy()
            offsets[style.region] += amount * weight * moved.offset.numpy()
        return Affine(tf.constant(matrices), tf.constant(offsets))


def _weights(styles: Sequence[_Measured]) -> np.ndarray:
    """The weight of each style among those of its region, float32 (1, 1, 1, styles)."""
    totals: dict[int, float] = {}
    for style in styles:
        totals[style.region] = totals.get(style.region, 0.0) + style.weight
    return np.array([[[[style.weight / totals[style.region] for style in styles]]]], np.float32)


def _cell_weights(shares: np.ndarray, styles: Sequence[_Measured], stride: int) -> np.ndarray:
    """The weight of each style at each cell, float32 (1, rows, columns, styles)."""
    return cells(shares, stride)[..., [style.region for style in styles]] * _weights(styles)


def _shares(inputs: Inputs, size: tuple[int, int]) -> np.ndarray | None:
    return None if inputs.shares is None else masks.resize_mask(inputs.shares, size)


@functools.lru_cache(maxsize=2)
def _programs(weights: str, precision: str) -> _Programs:
    return _Programs(Network(weights, precision))


def clear_cache() -> None:
    """Release the network and the compiled functions."""
    _programs.cache_clear()
