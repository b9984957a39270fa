"""Papers as short sums of losses: layers, weights, source and deviations.

A recipe says what is measured and how the canvas moves; `strength` says how far the style may go.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from neural_style import plugins
from neural_style.losses import (
    Content,
    Gram,
    Moments,
    NearestNeighbor,
    RelaxedEMD,
    SelfSimilarity,
    SlicedWasserstein,
    Sum,
    TotalVariation,
)
from neural_style.optimizers import LBFGS, Adam, Optimizer
from neural_style.scales import CoarseToFine, Relay, Schedule

__all__ = ["FAST", "RECIPES", "Recipe", "get", "quick"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A named way to paint.

    Attributes:
        name: what it is asked for by.
        citation: where it comes from.
        content: what holds the content, with its weight at strength 0.5.
        style: what asks for the style, and for calm where the style needs it.
        scales: sizes and steps.
        optimizer: how the canvas moves.
        init: what it starts from; see `StyleTransfer.run`.
        final_optimizer: how the canvas moves at the final size; None: as below it.
        extractor: what it looks with, by name; None for `default_extractor()`.
        relay: another network for a part of the way.
        detail_strength: how much of the content's detail a growing canvas is given at strength 0.5, from 0 to 1.

    Example:
        >>> softer = dataclasses.replace(get("default"), name="softer", scales=CoarseToFine(steps=20))
        >>> softer.scales((256, 192), 30)[-1].width
        256
    """

    name: str
    citation: str
    content: Sum
    style: Sum
    scales: Schedule
    optimizer: Optimizer
    init: str = "content"
    final_optimizer: Optimizer | None = None
    extractor: str | None = None
    relay: Relay | None = None
    detail_strength: float = 0.0

    def loss(self, strength: float = 0.5) -> Sum:
        r"""The recipe's losses with content and style in balance for a strength.

        Content is weighted by :math:`(2 (1 - s))^2`, style by :math:`(2 s)^2`: both by 1 at a half, style alone
        at 1, content alone at 0.

        Args:
            strength: in [0, 1].

        Raises:
            ValueError: outside [0, 1].
        """
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength is between 0 (keep the content) and 1 (style rules), not {strength!r}")
        return (2.0 * (1.0 - strength)) ** 2 * self.content + (2.0 * strength) ** 2 * self.style

    def detail_strength_at(self, strength: float = 0.5) -> float:
        """How much of the content's detail a canvas is given as it grows, for a strength; see `StyleTransfer`.

        `detail_strength` at a half, more below it and less above: what is small is the content's where the content rules, and
        the style's to make where the style does.

        Args:
            strength: in [0, 1].
        """
        return min(1.0, max(0.0, self.detail_strength + 1.0 - 2.0 * strength))


STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")

DEFAULT = Recipe(
    name="default",
    citation="This project's own, after Gatys et al. (2016) and Li et al. (2017, arXiv:1701.01036): style as the "
    "distributions' means and centred covariances, painted coarse to fine, with the content's contours held as well "
    "and its detail (a level of a Laplacian pyramid, Burt and Adelson, 1983) given back to each larger canvas.",
    content=0.45 * Content(("block4_conv2",)) + 0.2 * Content(("block3_conv1",), name="contours"),
    style=Moments(STYLE_LAYERS, layer_weights=(3.0, 2.0, 1.0, 1.0, 0.5)) + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=20, decay=0.5, min_steps=8),
    optimizer=LBFGS(),
    final_optimizer=LBFGS(memory=2),
    detail_strength=1.0,
)

FAST = dataclasses.replace(
    DEFAULT,
    name="fast",
    citation=f"{DEFAULT.citation} The coarsest canvas as VGG16 sees it, the others as `Lite` does, a network of this "
    "project's that was taught by VGG16.",
    extractor="lite",
    relay=Relay("vgg16", sketch=144),
)

GATYS_2016 = Recipe(
    name="gatys2016",
    citation="L. A. Gatys, A. S. Ecker, M. Bethge, 'Image style transfer using convolutional neural networks', CVPR "
    "2016. Deviations: losses normalised to the order of 1, a little total variation (not in the paper), Adam in "
    "place of L-BFGS, coarse to fine, start from the content; pass an extractor with pooling='average' for the "
    "paper's pooling.",
    content=0.05 * Content(("block4_conv2",)),
    style=Gram(STYLE_LAYERS, name="gram") + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=100, decay=1.0, min_steps=10),
    optimizer=Adam(),
)

DEEPER_LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")

JOHNSON_LOSSES = Recipe(
    name="johnson_losses",
    citation="J. Johnson, A. Alahi, L. Fei-Fei, 'Perceptual losses for real-time style transfer and super-resolution', "
    "ECCV 2016: its losses, minimised for one picture as in its section 4.1, with no network trained. Gram "
    "matrices of block1_conv2, block2_conv2, block3_conv3 and block4_conv3 of VGG16, content on block3_conv3 as in "
    "the authors' code (the preprint names block2_conv2), total variation. Deviations: losses normalised to the order "
    "of 1, Adam in place of L-BFGS, coarse to fine, start from the content.",
    content=0.1 * Content(("block3_conv3",)),
    style=Gram(DEEPER_LAYERS, name="gram") + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=80, decay=1.0, min_steps=10),
    optimizer=Adam(),
)

STROTSS = Recipe(
    name="strotss",
    citation="N. Kolkin, J. Salavon, G. Shakhnarovich, 'Style transfer by relaxed optimal transport and "
    "self-similarity', CVPR 2019. Deviations: a regular grid of positions in place of random ones; style on layers to "
    "block4_conv3, content on that one alone, since likeness on shallow layers keeps what is flat from getting "
    "strokes, with a weak content loss beside it; moments compared layer by layer and relative to the style's; the "
    "palette in RGB; one content weight for all scales; a little total variation; Adam on the pixels in place of "
    "RMSprop on a pyramid; start from the content in its own colours.",
    content=15.0 * SelfSimilarity(("block4_conv3",), every=1) + 0.2 * Content(("block4_conv2",)),
    style=RelaxedEMD(DEEPER_LAYERS)
    + Moments(DEEPER_LAYERS, name="moments")
    + 0.5 * RelaxedEMD(("image",), distance="euclidean", name="palette")
    + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=50, decay=1.3, min_steps=10),
    optimizer=Adam(),
)

NNST = Recipe(
    name="nnst",
    citation="N. Kolkin, M. Kucera, S. Paris, D. Sykora, E. Shechtman, G. Shakhnarovich, 'Neural neighbor style "
    "transfer', arXiv:2203.13215, 2022 (NNST-Opt). Deviations: matches made anew at every step from a mix of the "
    "features of picture and content; moments of two shallow layers in place of the colour correction at the end; a "
    "weak content loss, so that `strength` has something to weigh; no last pass layer by layer, no rotated styles; "
    "Adam on the pixels in place of a pyramid; a little total variation.",
    content=0.1 * Content(("block4_conv2",)),
    style=NearestNeighbor(DEEPER_LAYERS, anchor=0.4)
    + 0.3 * Moments(("block1_conv1", "block2_conv1"), name="color")
    + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=64, factor=2.0, steps=50, decay=0.9, min_steps=10),
    optimizer=Adam(),
)

SLICED_WASSERSTEIN = Recipe(
    name="sliced_wasserstein",
    citation="E. Heitz, K. Vanhoey, T. Chambon, L. Belcour, 'A sliced Wasserstein loss for neural texture synthesis', "
    "CVPR 2021. Deviations: directions drawn once and not at every step; five layers in place of all; coarse to fine, "
    "start from the content, with a content loss and a little total variation, which a texture does not need.",
    content=0.05 * Content(("block4_conv2",)),
    style=SlicedWasserstein(STYLE_LAYERS, name="sliced_wasserstein") + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=64, factor=2.0, steps=50, decay=0.9, min_steps=10),
    optimizer=LBFGS(),
    final_optimizer=Adam(learning_rate=0.02),
)

SPST = Recipe(
    name="spst",
    citation="B. Galerne, L. Raad, J. Lezama, J.-M. Morel, 'Scaling painting style transfer', Computer Graphics Forum "
    "43(4), 2024: Gram matrices with each channel's mean and standard deviation beside them, L-BFGS at every scale, "
    "and, with `tile`, the exact gradient of any size. Deviations: losses normalised to the order of 1, scales from "
    "128 and not from about 1000 pixels on, fewer steps, a little total variation.",
    content=0.1 * Content(("block4_conv2",)),
    style=Gram(STYLE_LAYERS, name="gram")
    + Moments(STYLE_LAYERS, spread="deviation", name="deviation")
    + 0.25 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=60, decay=1.0, min_steps=10),
    optimizer=LBFGS(),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {recipe.name: recipe for recipe in (DEFAULT, GATYS_2016, JOHNSON_LOSSES, STROTSS, NNST, SLICED_WASSERSTEIN, SPST)}
)


def get(name: str | Recipe) -> Recipe:
    """A recipe by its name; a `Recipe` is handed back as it is.

    Args:
        name: a key of `RECIPES`, or that of a plug-in's; see `neural_style.plugins`.

    Raises:
        ValueError: no recipe has that name, or the plug-in that has it does not load.

    Example:
        >>> get("gatys2016").loss(0.5).names
        ('content', 'gram', 'total_variation')
    """
    if isinstance(name, Recipe):
        return name
    if name in RECIPES:
        return RECIPES[name]
    if name not in plugins.names("recipes"):
        there = ", ".join([*RECIPES, *plugins.names("recipes")])
        raise ValueError(f"no recipe is called {name!r}; there are {there}")
    return plugins.load("recipes", name, Recipe)


def quick(recipe: Recipe) -> Recipe:
    """The same in a fraction of the time: `FAST` for the default, else the recipe's own losses on FAST's networks.

    Args:
        recipe: any.

    Example:
        >>> quick(get("default")).name, quick(get("strotss")).extractor
        ('fast', 'lite')
    """
    if recipe == DEFAULT:
        return FAST
    return dataclasses.replace(recipe, extractor=FAST.extractor, relay=FAST.relay)
