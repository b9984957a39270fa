"""Paint the gallery of controls: one picture for each, from a photograph, two paintings and a mask of the samples.

    python docs/gallery_controls.py            # all of it
    python docs/gallery_controls.py masks      # some, by name

The script paints everything at 320 pixels with the bundled weights, and rewrites docs/gallery/controls/README.md from
the table below. It takes two minutes on two cores.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # import the library of this checkout, not an installed one

from neural_style import StyleTransfer, samples, stylize, sweep  # noqa: E402

PHOTO, NIGHT, DAY = map(samples.path, ("chenonceau", "starry_night", "harvest"))
GALLERY = DOCS / "gallery" / "controls"
SIZE = 320
SKY = np.asarray(Image.open(samples.path("chenonceau_sky"))) / 255  # white, 1, where the sky is


def upper() -> np.ndarray:
    """Return a mask of the upper part of The Starry Night: its sky, without the village."""
    mask = np.zeros((761, 960), bool)
    mask[:480] = True
    return mask


def painted(style: object = NIGHT, content: object = PHOTO, **options: object) -> Image.Image:
    """Paint one picture of the gallery."""
    return stylize(content, style, extractor="vgg16", **{"size": SIZE, **options})  # type: ignore[arg-type]


def mixture() -> Image.Image:
    """Paint the photograph with a mixture of two style targets."""
    transfer = StyleTransfer(extractor="vgg16")
    night, day = (transfer.target(style, size=SIZE) for style in (NIGHT, DAY))
    return transfer.run(PHOTO, 0.3 * night + 0.7 * day, size=SIZE).image


def sheet() -> Image.Image:
    """Make a contact sheet of six previews."""
    axes = {"style_scale": [0.5, 1.0], "strength": [0.3, 0.5, 0.7]}
    return sweep(PHOTO, DAY, extractor="vgg16", size=192, preview=True, **axes).image


ENTRIES: dict[str, tuple[str, Callable[[], Image.Image]]] = {
    "plain": ("`stylize(photo, night)`: no control at all", painted),
    "strength": ("`strength=0.75`: more style", lambda: painted(strength=0.75)),
    "preview": ("`preview=True`: half the steps; at most 256 pixels", lambda: painted(preview=True)),
    "blend": ("`[(night, 0.5), (day, 0.5)]`: two styles everywhere", lambda: painted([(NIGHT, 0.5), (DAY, 0.5)])),
    "target": ("`0.3 * night + 0.7 * day`: style targets mixed by arithmetic", mixture),
    "masks": (
        "`[night, day], masks=[sky, 1 - sky]`: a style for each region",
        lambda: painted([NIGHT, DAY], masks=[SKY, 1 - SKY]),
    ),
    "background": (
        "`masks=[sky], background='content'`: only the sky is painted",
        lambda: painted(masks=[SKY], background="content"),
    ),
    "foreground": (
        "`masks=[1 - sky], background='content'`: everything but the sky is painted",
        lambda: painted(DAY, masks=[1 - SKY], background="content"),
    ),
    "style_mask": (
        "`style_masks=[upper]`: the painting's sky, without its village",
        lambda: painted(style_masks=[upper()]),
    ),
    "color_content": (
        "`color='content'`: the photograph's colors, the style's strokes",
        lambda: painted(color="content"),
    ),
    "color_half": (
        "`color='content', color_strength=0.5`: half of both",
        lambda: painted(color="content", color_strength=0.5),
    ),
    "color_match": (
        "`color='match'`: the style with the photograph's mean and covariance",
        lambda: painted(color="match"),
    ),
    "color_histogram": (
        "`color='histogram'`: the style with the photograph's histogram",
        lambda: painted(color="histogram"),
    ),
    "recolored": ("`init='recolored'`: started in the style's palette", lambda: painted(init="recolored")),
    "fine": ("`style_scale=0.5`: small strokes", lambda: painted(DAY, style_scale=0.5)),
    "coarse": ("`style_scale=2`: large strokes", lambda: painted(DAY, style_scale=2.0)),
    "texture": ("`stylize(None, night)`: a texture", lambda: painted(content=None)),
    "texture_day": (
        "`stylize(None, day, size=(320, 160))`: a texture of another shape",
        lambda: painted(DAY, None, size=(320, 160)),
    ),
    "reconstruction": (
        "`stylize(photo, None)`: the photograph reconstructed from its features, starting from noise",
        lambda: painted(None, steps=120),
    ),
    "sweep": ("`sweep(photo, day, style_scale=[0.5, 1], strength=[0.3, 0.5, 0.7])`", sheet),
}


def main(names: list[str]) -> None:
    """Paint the named entries, or all of them, and write the page."""
    GALLERY.mkdir(parents=True, exist_ok=True)
    for name in names or ENTRIES:
        began = time.perf_counter()
        ENTRIES[name][1]().convert("RGB").save(GALLERY / f"{name}.jpg", quality=85)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    rows = [f"| {name} | {line} | ![{name}]({name}.jpg) |" for name, (line, _) in ENTRIES.items()]
    head = [
        "# Controls",
        "",
        "`photo`, `night`, `day` and `sky` are the samples `chenonceau`, `starry_night`, `harvest` and",
        "`chenonceau_sky`. `python docs/gallery_controls.py` paints everything at 320 pixels with the bundled weights.",
        "",
        "| Name | Call | Picture |",
        "| --- | --- | --- |",
    ]
    (GALLERY / "README.md").write_text("\n".join([*head, *rows, ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
