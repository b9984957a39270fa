"""Paint the gallery of losses and recipes: one picture for each, from the photograph and the plates in docs/images.

    python docs/gallery_losses.py                       # only missing pictures; all of them take about ten minutes
    python docs/gallery_losses.py patches recipe_nnst   # these, even if they exist

All pictures have 256 pixels per side, use the bundled VGG16, and are saved as JPEG in docs/gallery/losses. The losses
share one short schedule and one style so that you can compare them; each recipe has its own schedule.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from PIL import Image

from neural_style import StyleTransfer, stylize
from neural_style.losses import (
    AssignedNeighbor,
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

CONTENT_TERM = 0.2 * Content()
SMOOTHNESS = 0.5 * TotalVariation()
TEXTURE = Moments()

LOSSES: dict[str, Loss | Sum] = {
    # content losses, all with the same style
    "content": CONTENT_TERM + TEXTURE + SMOOTHNESS,
    "self_similarity": 30.0 * SelfSimilarity() + TEXTURE + SMOOTHNESS,
    "laplacian": CONTENT_TERM + 0.1 * Laplacian(pool=4) + TEXTURE + SMOOTHNESS,
    # style losses, all with the same content
    "gram": 0.1 * Content() + Gram() + SMOOTHNESS,
    "gram_shifted": 0.1 * Content() + Gram(shift=-100.0) + SMOOTHNESS,
    "moments_wasserstein": CONTENT_TERM + Moments(spread="wasserstein") + SMOOTHNESS,
    "moments_deviation": CONTENT_TERM + Moments(spread="deviation") + SMOOTHNESS,
    "sliced_wasserstein": 0.1 * Content() + SlicedWasserstein() + SMOOTHNESS,
    "histogram": CONTENT_TERM + Gram() + Histogram() + SMOOTHNESS,
    "assigned_neighbor": CONTENT_TERM + AssignedNeighbor() + SMOOTHNESS,
    "nearest_neighbor": CONTENT_TERM + NearestNeighbor() + SMOOTHNESS,
    "nearest_neighbor_anchored": NearestNeighbor(anchor=1.0) + SMOOTHNESS,
    "patches": 0.8 * Content() + Patches() + SMOOTHNESS,
    "relaxed_emd": CONTENT_TERM + RelaxedEMD() + SMOOTHNESS,
    "sinkhorn": 0.1 * Content() + 2.0 * Sinkhorn() + Moments(("block1_conv1",), name="color") + SMOOTHNESS,
    "attention": 0.1 * Content() + AttentionGram() + Moments(("block1_conv1",), name="color") + SMOOTHNESS,
    "palette": 0.1 * Content() + 4.0 * RelaxedEMD(("image",), metric="euclidean", name="palette") + SMOOTHNESS,
    # smoothness
    "no_total_variation": CONTENT_TERM + TEXTURE,
    "total_variation_l1": CONTENT_TERM + TEXTURE + TotalVariation(exponent=1.0),
    "range": CONTENT_TERM + TEXTURE + SMOOTHNESS + 5.0 * Range(0.25, 0.75),
}


NAMES = (*LOSSES, *(f"recipe_{name}" for name in RECIPES))


def main() -> None:
    """Paint the named pictures, or the missing ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}")
    wanted = parser.parse_args().names or [name for name in NAMES if not (GALLERY / f"{name}.jpg").exists()]
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"unknown picture: {', '.join(sorted(unknown))}")
    for name in wanted:
        began = time.process_time()
        paint(name).save(GALLERY / f"{name}.jpg", quality=85, optimize=True)
        print(f"{name}: {time.process_time() - began:.0f} processor seconds", flush=True)


def paint(name: str) -> Image.Image:
    """Paint the picture of that name."""
    if name.startswith("recipe_"):
        return stylize(CONTENT, RECIPE_STYLE, size=SIZE, recipe=name.removeprefix("recipe_"), extractor="vgg16")
    transfer = StyleTransfer(LOSSES[name], "vgg16", optimizer="adam", scales=SCALES)
    return transfer.run(CONTENT, STYLE, size=SIZE).image


if __name__ == "__main__":
    main()
