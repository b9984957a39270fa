"""Paint the gallery of qualities: six pairs, each in one pass, in one pass with a few steps, fast and best.

    python docs/gallery_qualities.py

It paints each picture twice and tells the seconds of the second time, with everything loaded. The script writes a JPEG
for each pair, and docs/gallery/qualities/README.md with the numbers. It takes nine minutes on two cores.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from PIL import Image

from neural_style import metrics, samples, stylize

DOCS = Path(__file__).resolve().parent
GALLERY = DOCS / "gallery" / "qualities"
SIZE = 512  # long side of a picture as it is painted
WIDTH = 320  # of a picture as it is shown
STRENGTH = 0.5

CONTENTS = {"chenonceau": "The Château de Chenonceau", "astronaut": "The astronaut"}
STYLES = {"starry_night": "The Starry Night", "great_wave": "The Great Wave", "shipwreck": "The Shipwreck"}

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "instant": ('`quality="instant"`', {"quality": "instant"}),
    "polished": ('`quality="fast", init="instant"`', {"quality": "fast", "init": "instant"}),
    "fast": ('`quality="fast"`', {"quality": "fast"}),
    "best": ('`quality="best"`, the default', {"extractor": "vgg16"}),
}
"""What each picture of a pair is painted with, in the order of the page."""

TEXT = """# Instant, fast and best, side by side

Each row shows one pair: above in one pass and in one pass with a few steps after it, below fast and best. All pictures
have a long side of {size} pixels and `strength={strength}`. The seconds are those of a call in a process that has
painted such a picture before, on two cores of an AMD EPYC with AVX512_BF16. *nearest* is the distance of the picture's
features to their nearest style features (lower is better), *shape* the similarity to the photograph's deep features in
place (`neural_style.metrics`; compare *nearest* at equal *shape*). `python docs/gallery_qualities.py` paints them.

{entries}

Photographs and paintings are [sample images](../../samples.md) in the public domain.
"""


def paint(content: Path, style: Path, options: dict[str, Any]) -> tuple[Image.Image, float]:
    """A picture, and the seconds that painting it takes once everything is loaded."""
    stylize(content, style, size=SIZE, strength=STRENGTH, **options)
    began = time.perf_counter()
    picture = stylize(content, style, size=SIZE, strength=STRENGTH, **options)
    return picture, time.perf_counter() - began


def sheet(pictures: list[Image.Image]) -> Image.Image:
    """Pictures of one size in two columns."""
    height = round(pictures[0].height * WIDTH / pictures[0].width)
    whole = Image.new("RGB", (2 * WIDTH + 4, 2 * height + 4), "white")
    for number, picture in enumerate(pictures):
        row, column = divmod(number, 2)
        small = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
        whole.paste(small, (column * (WIDTH + 4), row * (height + 4)))
    return whole


def entry(content: str, style: str) -> str:
    """Paint a pair with every method, save its picture, and return its section of the page."""
    photograph, painting = map(samples.path, (content, style))
    pictures, rows = [], []
    for shown, options in METHODS.values():
        picture, seconds = paint(photograph, painting, options)
        nearest = metrics.nearest_feature_distance(picture, photograph, painting)
        shape = metrics.shape_similarity(picture, photograph)
        pictures.append(picture)
        rows.append(f"| {shown} | {seconds:.1f} | {nearest:.3f} | {shape:.2f} |")
    sheet(pictures).save(GALLERY / f"{content}-{style}.jpg", quality=85, optimize=True)
    title = f"## {CONTENTS[content]} in the style of {STYLES[style]}"
    head = "| | seconds | nearest | shape |\n| :-- | --: | --: | --: |\n"
    shown = ", ".join(METHODS)
    return f"{title}\n\n![{shown}]({content}-{style}.jpg)\n\n{head}" + "\n".join(rows)


def main() -> None:
    """Paint everything, and write the page."""
    GALLERY.mkdir(parents=True, exist_ok=True)
    entries = [entry(content, style) for content in CONTENTS for style in STYLES]
    text = TEXT.format(size=SIZE, strength=STRENGTH, entries="\n\n".join(entries))
    (GALLERY / "README.md").write_text(text)


if __name__ == "__main__":
    main()
