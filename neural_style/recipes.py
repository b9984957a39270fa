"""Papers as short sums of losses: layers, weights, source and deviations.

A recipe says what is measured and how the canvas moves; `strength` says how far the style may go.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from neural_style.losses import Content, Gram, Moments, Sum, TotalVariation
from neural_style.optimizers import LBFGS, Adam, Optimizer
from neural_style.scales import CoarseToFine, Schedule

__all__ = ["RECIPES", "Recipe", "get"]


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
        finish: how the canvas moves at the final size; None: as below it.
    """

    name: str
    citation: str
    content: Sum
    style: Sum
    scales: Schedule
    optimizer: Optimizer
    init: str = "content"
    finish: Optimizer | None = None

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


STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")

DEFAULT = Recipe(
    name="default",
    citation="This project's own, after Gatys et al. (2016) and Li et al. (2017, arXiv:1701.01036): style as the "
    "distributions' means and centred covariances, painted coarse to fine.",
    content=0.4 * Content(("block4_conv2",)),
    style=Moments(STYLE_LAYERS, layer_weights=(3.0, 2.0, 1.0, 1.0, 0.5)) + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=45, decay=1.45, least=6),
    optimizer=LBFGS(),
    finish=Adam(learning_rate=0.02),
)

GATYS_2016 = Recipe(
    name="gatys2016",
    citation="L. A. Gatys, A. S. Ecker, M. Bethge, 'Image style transfer using convolutional neural networks', CVPR "
    "2016. Deviations: losses normalised to the order of 1, a little total variation (not in the paper), Adam in "
    "place of L-BFGS, coarse to fine, start from the content; pass an extractor with pooling='average' for the "
    "paper's pooling.",
    content=0.05 * Content(("block4_conv2",)),
    style=Gram(STYLE_LAYERS, name="gram") + 0.5 * TotalVariation(),
    scales=CoarseToFine(smallest=128, factor=2.0, steps=100),
    optimizer=Adam(),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType({recipe.name: recipe for recipe in (DEFAULT, GATYS_2016)})


def get(name: str | Recipe) -> Recipe:
    """A recipe by its name; a `Recipe` is handed back as it is.

    Raises:
        ValueError: no recipe has that name.
    """
    if isinstance(name, Recipe):
        return name
    if name not in RECIPES:
        raise ValueError(f"no recipe is called {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]
