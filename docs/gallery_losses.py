"""Paint the gallery of losses and recipes: one picture for each, from the photograph and the plates in docs/images.

    python docs/gallery_losses.py                       # what is missing; all of it takes about ten minutes
    python docs/gallery_losses.py patches recipe_nnst   # these, whether they are there or not

All are 256 pixels a side, painted with the VGG16 that ships with the package, and saved as JPEG in docs/gallery/losses.
The losses share one short schedule and one style, so that they can be compared; the recipes have their own.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from PIL import Image

from neural_style import StyleTransfer, stylize
from neural_style.losses import (
    AttentionGram,
    Content,
    Gram,
    Histogram,
    Laplacian,
    Loss,
    Moments,
    NearestNeighbor,
    Patches,
    Range,
    RelaxedEMD,
    SelfSimilarity,
    Sinkhorn,
    SlicedWasserstein,
    Sum,
    TotalVariation,
)
from neural_style.recipes import RECIPES
from neural_style.scales import CoarseToFine

DOCS = Path(__file__).resolve().parent
PICTURES, GALLERY = DOCS / "images", DOCS / "gallery" / "losses"
CONTENT, STYLE, RECIPE_STYLE = (PICTURES / f"{name}.jpg" for name in ("astronaut", "nocturne", "harvest"))
SIZE = 256
SCALES = CoarseToFine(smallest=64, steps=40, decay=0.85, min_steps=10)

HOLD = 0.2 * Content()
CALM = 0.5 * TotalVariation()
TEXTURE = Moments()

LOSSES: dict[str, Loss | Sum] = {
    # what holds the content, all with the same style
    "content": HOLD + TEXTURE + CALM,
    "self_similarity": 30.0 * SelfSimilarity() + TEXTURE + CALM,
    "laplacian": HOLD + 0.1 * Laplacian(pool=4) + TEXTURE + CALM,
    # what asks for the style, all with the same content
    "gram": 0.1 * Content() + Gram() + CALM,
    "gram_shifted": 0.1 * Content() + Gram(shift=-100.0) + CALM,
    "moments_wasserstein": HOLD + Moments(spread="wasserstein") + CALM,
    "moments_deviation": HOLD + Moments(spread="deviation") + CALM,
    "sliced_wasserstein": 0.1 * Content() + SlicedWasserstein() + CALM,
    "histogram": HOLD + Gram() + Histogram() + CALM,
    "nearest_neighbor": HOLD + NearestNeighbor() + CALM,
    "nearest_neighbor_anchored": NearestNeighbor(anchor=1.0) + CALM,
    "patches": 0.8 * Content() + Patches() + CALM,
    "relaxed_emd": HOLD + RelaxedEMD() + CALM,
    "sinkhorn": 0.1 * Content() + 2.0 * Sinkhorn() + Moments(("block1_conv1",), name="color") + CALM,
    "attention": 0.1 * Content() + AttentionGram() + Moments(("block1_conv1",), name="color") + CALM,
    "palette": 0.1 * Content() + 4.0 * RelaxedEMD(("image",), distance="euclidean", name="palette") + CALM,
    # what asks for calm
    "no_total_variation": HOLD + TEXTURE,
    "total_variation_l1": HOLD + TEXTURE + TotalVariation(exponent=1.0),
    "range": HOLD + TEXTURE + CALM + 5.0 * Range(0.25, 0.75),
}


NAMES = (*LOSSES, *(f"recipe_{name}" for name in RECIPES))


def main() -> None:
    """Paint what was asked for, or what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}")
    wanted = parser.parse_args().names or [name for name in NAMES if not (GALLERY / f"{name}.jpg").exists()]
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"no picture is called {', '.join(sorted(unknown))}")
    for name in wanted:
        began = time.process_time()
        paint(name).save(GALLERY / f"{name}.jpg", quality=85, optimize=True)
        print(f"{name}: {time.process_time() - began:.0f} processor seconds", flush=True)


def paint(name: str) -> Image.Image:
    """The picture of that name."""
    if name.startswith("recipe_"):
        return stylize(CONTENT, RECIPE_STYLE, size=SIZE, recipe=name.removeprefix("recipe_"), extractor="vgg16")
    transfer = StyleTransfer(LOSSES[name], "vgg16", optimizer="adam", scales=SCALES)
    return transfer.run(CONTENT, STYLE, size=SIZE).image


if __name__ == "__main__":
    main()
