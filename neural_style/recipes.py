"""Recipes: published methods as sums of losses, with their layers, weights, source and deviations from it.

A recipe sets the losses, the schedule and the optimizer of a run; `strength` balances content and style.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from types import MappingProxyType

from neural_style import plugins
from neural_style.losses import (
    AssignedNeighbor,
    Content,
    Gram,
    Loss,
    Moments,
    NearestNeighbor,
    RelaxedEMD,
    SelfSimilarity,
    SlicedWasserstein,
    Sum,
    Term,
    TotalVariation,
)
from neural_style.losses.style import STYLE_LAYERS
from neural_style.optimizers import LBFGS, Adam, Optimizer, Spectrum
from neural_style.scales import CoarseToFine, Relay, Schedule

__all__ = ["FAST", "RECIPES", "Recipe", "get", "quick"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A named method: losses, schedule and optimizers.

    Attributes:
        name: name by which `get` and `stylize` find it.
        citation: source, and deviations from it.
        content: content losses, with their weights at strength 0.5.
        style: style losses, likewise, and a smoothness loss where the style needs one.
        scales: schedule of canvas sizes and steps.
        optimizer: optimizer below the final size.
        init: initial canvas; see `StyleTransfer.run`.
        final_optimizer: optimizer at the final size; None for `optimizer`.
        extractor: name of the feature extractor; None for `default_extractor()`.
        relay: use of a second extractor for part of the run.
        detail_strength: share of the content's high-frequency detail that is added at each upsampling of the canvas, at
            strength 0.5, in [0, 1]; see `StyleTransfer`.
        bold: style losses that are added as the strength rises from 0.5 (none of them) to 0.6 (all) and above; a loss
            that is in `style` as well has the sum of both weights.

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
    bold: Sum | None = None

    def loss(self, strength: float = 0.5) -> Sum:
        r"""Sum the content and style losses, balanced by a strength s.

        The weight of content is :math:`(2 (1 - s))^2` and that of style :math:`(2 s)^2`: both are 1 at s = 0.5, content
        alone remains at 0 and style alone at 1. Style means `style` and, above s = 0.5, a share of `bold` that grows to
        all of it at 0.6. The terms are the same for every s.

        Args:
            strength: in [0, 1].

        Raises:
            ValueError: `strength` is outside [0, 1].
        """
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength must be between 0 (keep the content) and 1 (full style), not {strength!r}")
        style = self.style if self.bold is None else _united(self.style, _boldness(strength) * self.bold)
        return (2.0 * (1.0 - strength)) ** 2 * self.content + (2.0 * strength) ** 2 * style

    def detail_strength_at(self, strength: float = 0.5) -> float:
        """Share of the content's detail that is added at each upsampling, for a strength; see `StyleTransfer`.

        It is `detail_strength` at strength 0.5, larger below and smaller above: at low strength the fine detail comes
        from the content, at high strength the style creates it.

        Args:
            strength: in [0, 1].

        Returns:
            A factor in [0, 1].
        """
        return min(1.0, max(0.0, self.detail_strength + (1.0 - 2.0 * strength)))


def _boldness(strength: float) -> float:
    """Share of `Recipe.bold` at a strength."""
    return min(1.0, max(0.0, 10.0 * (strength - 0.5)))


def _united(*sums: Sum) -> Sum:
    """One sum in which each loss occurs once, with all of its weight."""
    weights: dict[Loss, float] = {}
    for term in itertools.chain(*sums):
        weights[term.loss] = weights.get(term.loss, 0.0) + term.weight
    return Sum([Term(weight, loss) for loss, weight in weights.items()])


PALETTE = Moments(STYLE_LAYERS[:2], name="moments")
STROKES = Moments((STYLE_LAYERS[2],), name="strokes")

DEFAULT = Recipe(
    name="default",
    citation="This project's own, after N. Kolkin et al., 'Neural neighbor style transfer', arXiv:2203.13215, 2022, "
    "and Li et al. (2017, arXiv:1701.01036): each position is compared with the style's nearest feature vector, "
    "matched on canvas and content together and kept for eight steps, with means and centered covariances beside it "
    "for palette and strokes, which weigh more above strength 0.5. No layer of block 4 is read, at any size: a fifth "
    "of the network's time. Painted coarse to fine from 64 pixels, with four tenths of the content's detail (a level "
    "of a Laplacian pyramid, Burt and Adelson, 1983) added to each larger canvas; a preconditioner from 192 pixels on.",
    content=0.27 * Content(("block3_conv3",)),
    style=AssignedNeighbor() + 2.0 * PALETTE + 1.5 * STROKES,
    scales=CoarseToFine(smallest=64, factor=2.0, steps=32, decay=0.95, min_steps=4),
    optimizer=LBFGS(first_move=0.1, spectrum=Spectrum(min_side=192)),
    final_optimizer=LBFGS(memory=2, first_move=0.2, spectrum=Spectrum()),
    detail_strength=0.4,
    bold=1.6 * PALETTE + 1.6 * STROKES,
)

MOMENTS = Recipe(
    name="moments",
    citation="This project's own, after Gatys et al. (2016) and Li et al. (2017, arXiv:1701.01036): style as the "
    "distributions' means and centered covariances, painted coarse to fine, with the content's contours kept as well "
    "and its detail (a level of a Laplacian pyramid, Burt and Adelson, 1983) added to each larger canvas.",
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
    citation=f"{DEFAULT.citation} VGG16 at the coarsest canvas; at the others `Lite`, this project's small network, "
    "distilled from VGG16.",
    extractor="lite",
    relay=Relay("vgg16", sketch=144),
)

GATYS_2016 = Recipe(
    name="gatys2016",
    citation="L. A. Gatys, A. S. Ecker, M. Bethge, 'Image style transfer using convolutional neural networks', CVPR "
    "2016. Deviations: losses normalized to the order of 1, coarse to fine, start from the content; pass an extractor "
    "with pooling='average' for the paper's pooling.",
    content=0.3 * Content(("block4_conv2",)),
    style=1.0 * Gram(STYLE_LAYERS, name="gram"),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=60, decay=0.8, min_steps=10),
    optimizer=LBFGS(),
)

DEEPER_LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")

JOHNSON_LOSSES = Recipe(
    name="johnson_losses",
    citation="J. Johnson, A. Alahi, L. Fei-Fei, 'Perceptual losses for real-time style transfer and super-resolution', "
    "ECCV 2016: its losses, minimized for one image as in its section 4.1, with no network trained. Gram "
    "matrices of block1_conv2, block2_conv2, block3_conv3 and block4_conv3 of VGG16, content on block3_conv3 as in "
    "the authors' code (the preprint names block2_conv2), total variation. Deviations: losses normalized to the order "
    "of 1, Adam in place of L-BFGS, coarse to fine, start from the content.",
    content=0.1 * Content(("block3_conv3",)),
    style=Gram(DEEPER_LAYERS, name="gram") + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=80, decay=1.0, min_steps=10),
    optimizer=Adam(),
)

STROTSS = Recipe(
    name="strotss",
    citation="N. Kolkin, J. Salavon, G. Shakhnarovich, 'Style transfer by relaxed optimal transport and "
    "self-similarity', CVPR 2019. Deviations: a regular grid of positions in place of random ones; style on layers up "
    "to block4_conv3, content on that layer alone, since self-similarity on shallow layers keeps flat areas free of "
    "strokes, and a weak content loss added; moments compared layer by layer and relative to the style's; the "
    "palette in RGB; one content weight for all scales; a little total variation; Adam on the pixels in place of "
    "RMSprop on a pyramid; start from the content in its own colors.",
    content=15.0 * SelfSimilarity(("block4_conv3",), stride=1) + 0.2 * Content(("block4_conv2",)),
    style=RelaxedEMD(DEEPER_LAYERS)
    + Moments(DEEPER_LAYERS, name="moments")
    + 0.5 * RelaxedEMD(("image",), metric="euclidean", name="palette")
    + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=50, decay=1.3, min_steps=10),
    optimizer=Adam(),
)

NNST = Recipe(
    name="nnst",
    citation="N. Kolkin, M. Kucera, S. Paris, D. Sykora, E. Shechtman, G. Shakhnarovich, 'Neural neighbor style "
    "transfer', arXiv:2203.13215, 2022 (NNST-Opt). Deviations: matches recomputed at every step from a mix of "
    "the features of image and content; moments of two shallow layers in place of the final color correction; a "
    "weak content loss, so that `strength` has an effect; no last pass layer by layer, no rotated styles; "
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
    "43(4), 2024: Gram matrices with each channel's mean and standard deviation, L-BFGS at every scale, "
    "and, with `tile`, the exact gradient of any size. Deviations: losses normalized to the order of 1, scales from "
    "128 pixels on in place of about 1000, fewer steps, a little total variation.",
    content=0.1 * Content(("block4_conv2",)),
    style=Gram(STYLE_LAYERS, name="gram")
    + Moments(STYLE_LAYERS, spread="deviation", name="deviation")
    + 0.25 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=60, decay=1.0, min_steps=10),
    optimizer=LBFGS(),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (DEFAULT, MOMENTS, GATYS_2016, JOHNSON_LOSSES, STROTSS, NNST, SLICED_WASSERSTEIN, SPST)
    }
)


def get(name: str | Recipe) -> Recipe:
    """Find a recipe by its name; a `Recipe` is returned unchanged.

    Args:
        name: a key of `RECIPES`, or the name of a plug-in's recipe; see `neural_style.plugins`.

    Raises:
        ValueError: no recipe has that name, or its plug-in cannot be loaded.
        TypeError: `name` is neither a string nor a `Recipe`.

    Example:
        >>> get("gatys2016").loss(0.5).names
        ('content', 'gram')
    """
    if isinstance(name, Recipe):
        return name
    if not isinstance(name, str):
        raise TypeError(f"recipe must be a name or a Recipe, not {type(name).__name__}")
    if name in RECIPES:
        return RECIPES[name]
    if name not in plugins.names("recipes"):
        there = ", ".join([*RECIPES, *plugins.names("recipes")])
        raise ValueError(f"no recipe is called {name!r}; there are {there}")
    return plugins.load("recipes", name, Recipe)


def quick(recipe: Recipe) -> Recipe:
    """Return a faster variant of a recipe: `FAST` for the default, else the recipe's losses on the networks of `FAST`.

    Args:
        recipe: any recipe.

    Example:
        >>> quick(get("default")).name, quick(get("strotss")).extractor
        ('fast', 'lite')
    """
    if recipe == DEFAULT:
        return FAST
    return dataclasses.replace(recipe, extractor=FAST.extractor, relay=FAST.relay)
