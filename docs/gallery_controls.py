"""Paint the gallery of controls: one picture for each, from a photograph and two style plates of the samples.

    python docs/gallery_controls.py            # all of it
    python docs/gallery_controls.py masks      # some, by name

The script makes the masks, paints everything at 256 pixels with the bundled weights, and rewrites
docs/gallery/controls/README.md from the table below.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # import the library of this checkout, not an installed one

from neural_style import StyleTransfer, samples, stylize, sweep  # noqa: E402

PHOTO, NIGHT, DAY = map(samples.path, ("astronaut", "nocturne", "harvest"))
GALLERY = DOCS / "gallery" / "controls"
SIZE = 256


def figure() -> Image.Image:
    """Return a hand-drawn mask of the astronaut with soft edges: white where she is."""
    mask = Image.new("L", (512, 512))
    draw = ImageDraw.Draw(mask)
    draw.ellipse((145, 12, 308, 208), fill=255)
    corners = [(0, 512), (30, 320), (70, 240), (120, 205), (135, 155), (300, 165), (320, 225), (362, 270), (376, 340)]
    draw.polygon([*corners, (470, 368), (512, 430), (512, 512)], fill=255)
    return mask.filter(ImageFilter.GaussianBlur(6))


def inverse(mask: Image.Image) -> Image.Image:
    """Invert a mask."""
    return mask.point(lambda level: 255 - level)


def sky() -> np.ndarray:
    """Return a mask of the upper half of the nocturne: lanterns and swirls, no lake."""
    mask = np.zeros((640, 768), bool)
    mask[:360] = True
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
    "preview": ("`preview=True`: half the steps; at larger sizes also 256 pixels", lambda: painted(preview=True)),
    "blend": ("`[(night, 0.5), (day, 0.5)]`: two styles everywhere", lambda: painted([(NIGHT, 0.5), (DAY, 0.5)])),
    "target": ("`0.3 * night + 0.7 * day`: style targets mixed by arithmetic", mixture),
    "masks": (
        "`[night, day], masks=[figure, rest]`: a style for each region, with soft edges",
        lambda: painted([NIGHT, DAY], masks=[figure(), inverse(figure())]),
    ),
    "background": (
        "`masks=[rest], background='content'`: the figure stays unchanged",
        lambda: painted(DAY, masks=[inverse(figure())], background="content"),
    ),
    "foreground": (
        "`masks=[figure], background='content'`: only the figure is painted",
        lambda: painted(DAY, masks=[figure()], background="content"),
    ),
    "style_mask": ("`style_masks=[sky]`: lanterns and swirls, no lake", lambda: painted(style_masks=[sky()])),
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
        "`stylize(None, day, size=(256, 128))`: a texture of another shape",
        lambda: painted(DAY, None, size=(256, 128)),
    ),
    "reconstruction": (
        "`stylize(photo, None)`: the photograph reconstructed from its features, starting from noise",
        lambda: painted(None, steps=120),
    ),
    "sweep": ("`sweep(photo, day, style_scale=[0.5, 1], strength=[0.4, 0.55, 0.7])`", sheet),
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
        "`photo`, `night` and `day` are the samples `astronaut`, `nocturne` and `harvest`, by `samples.path`.",
        "`python docs/gallery_controls.py` paints all at 256 pixels with the bundled weights, and draws the masks.",
        "",
        "| Name | Call | Picture |",
        "| --- | --- | --- |",
    ]
    (GALLERY / "README.md").write_text("\n".join([*head, *rows, ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
