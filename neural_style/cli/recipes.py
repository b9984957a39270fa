"""`neural-style --list-recipes`: every recipe with what it does and its paper, those of plug-ins as well."""

from __future__ import annotations

import re

from neural_style._process import configure_process
from neural_style.cli.command import report

__all__ = ["DESCRIPTIONS", "list_recipes"]

DESCRIPTIONS = {
    "default": "strokes and motifs of the painting, with its palette; the best choice for most images",
    "moments": "colors and textures of the painting in soft transitions; contours of the content stay",
    "gatys2016": "the classic: textures of the painting as correlations between features",
    "johnson_losses": "the losses that networks for real-time style transfer are trained with, for one image",
    "strotss": "keeps the shapes of the content best, under a coat of the painting's strokes",
    "nnst": "each place looks like the most similar place of the painting",
    "sliced_wasserstein": "textures of the painting with all their statistics; good for textures without a content",
    "spst": "fine strokes at every scale; for large prints in tiles",
}
"""What each recipe of `neural_style.recipes.RECIPES` does: known without importing it, which takes seconds."""


def list_recipes() -> int:
    """Write all recipes to stdout; returns the exit code."""
    configure_process()
    from neural_style import plugins, recipes

    for name in (*recipes.RECIPES, *plugins.names("recipes")):
        try:
            paper = _paper(recipes.get(name).citation)
            text = DESCRIPTIONS.get(name, "from a plug-in")
        except (ValueError, TypeError) as error:
            paper, text = "unknown", str(error)
        if code := report(f"{name}: {text}\n    {paper}", required=True):
            return code
    return 0


def _paper(citation: str) -> str:
    """The source in a citation, without what follows on method and deviations."""
    return re.split(r"\. Deviations|: ", " ".join(citation.split()))[0].rstrip(".")
