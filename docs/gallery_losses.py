"""Paint the gallery of losses and recipes: one picture for each, from a photograph and a painting of the samples.

    python docs/gallery_losses.py                       # only missing pictures; all of them take about twenty minutes
    python docs/gallery_losses.py patches recipe_nnst   # these, even if they exist

All pictures are 384 pixels wide, use the bundled VGG16, and are saved as JPEG in docs/gallery/losses. They share one
photograph and one painting, and the losses also one short schedule, so that you can compare them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from PIL import Image

from neural_style import StyleTransfer, samples, stylize
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
GALLERY = DOCS / "gallery" / "losses"
CONTENT, STYLE = samples.path("chenonceau"), samples.path("starry_night")
SIZE = 384
SCALES = CoarseToFine(smallest=64, steps=40, decay=0.9, min_steps=10)

CONTENT_TERM = 0.5 * Content()
TEXTURE = Moments()

LOSSES: dict[str, Loss | Sum] = {
    # content losses, all with the same style
    "content": CONTENT_TERM + TEXTURE,
    "self_similarity": 40.0 * SelfSimilarity() + TEXTURE,
    "laplacian": CONTENT_TERM + 0.1 * Laplacian(pool=4) + TEXTURE,
    # style losses, all with the same content
    "gram": 0.3 * Content() + Gram(),
    "gram_shifted": 0.3 * Content() + Gram(shift=-100.0),
    "moments_wasserstein": CONTENT_TERM + Moments(spread="wasserstein"),
    "moments_deviation": CONTENT_TERM + Moments(spread="deviation"),
    "sliced_wasserstein": 0.2 * Content() + SlicedWasserstein(),
    "histogram": CONTENT_TERM + Gram() + Histogram(),
    "assigned_neighbor": 0.2 * Content() + AssignedNeighbor(),
    "nearest_neighbor": 0.2 * Content() + NearestNeighbor(),
    "nearest_neighbor_anchored": NearestNeighbor(anchor=1.0),
    "patches": 0.6 * Content() + Patches(),
    "relaxed_emd": 0.2 * Content() + RelaxedEMD(),
    "sinkhorn": 0.3 * Content() + 2.0 * Sinkhorn() + Moments(("block1_conv1",), name="color"),
    "attention": 0.3 * Content() + AttentionGram() + Moments(("block1_conv1",), name="color"),
    "palette": Content() + RelaxedEMD(("image",), stride=1, metric="euclidean", name="palette") + TotalVariation(),
    # smoothness
    "total_variation": CONTENT_TERM + TEXTURE + TotalVariation(),
    "total_variation_l1": CONTENT_TERM + TEXTURE + TotalVariation(exponent=1.0),
    "range": CONTENT_TERM + TEXTURE + 5.0 * Range(0.25, 0.75),
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
        return stylize(CONTENT, STYLE, size=SIZE, recipe=name.removeprefix("recipe_"), extractor="vgg16")
    transfer = StyleTransfer(LOSSES[name], "vgg16", scales=SCALES)
    return transfer.run(CONTENT, STYLE, size=SIZE).image


if __name__ == "__main__":
    main()
