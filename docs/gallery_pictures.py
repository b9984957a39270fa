"""Paint the gallery of pictures: each photograph with each painting that suits it, at 768 pixels.

    python docs/gallery_pictures.py [NAME ...]

The script runs the code that each page shows, and writes a JPEG, a thumbnail and a page for every picture (for the
named ones only, if names are given), the index docs/gallery/pictures/README.md, and the film strip of the README. It
takes ten minutes on two cores.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from neural_style import Result, samples, stylize_result
from neural_style.callbacks import Timelapse

DOCS = Path(__file__).resolve().parent
GALLERY = DOCS / "gallery" / "pictures"
STRIP = DOCS / "images" / "film_strip.jpg"
SIZE = 768  # long side of a picture
THUMBNAIL = 320  # long side of its thumbnail
FRAMES = 6  # of the film strip
SAMPLES = "../../../neural_style/samples"

HARDWARE = "two cores of an AMD EPYC with AVX512_BF16"


class Picture(NamedTuple):
    """A picture: its title, the samples it is made of, what to see in it, and more arguments of the call."""

    title: str
    content: str | None
    styles: tuple[str, ...]
    remark: str
    arguments: str = ""


PICTURES = {
    "astronaut_starry_night": Picture(
        "The astronaut in The Starry Night",
        "astronaut",
        ("starry_night",),
        "The first picture of this manual, at a larger size. The face stays readable at the default strength.",
    ),
    "chenonceau_starry_night": Picture(
        "The castle in The Starry Night",
        "chenonceau",
        ("starry_night",),
        "Bright clouds become stars and moons, and water takes long, level strokes.",
    ),
    "cat_harvest": Picture(
        "The cat in a harvest",
        "cat",
        ("harvest",),
        "A small photograph, 451 pixels wide, painted larger: the strokes are as sharp as those of the painting.",
    ),
    "pagoda_great_wave": Picture(
        "The pagoda in The Great Wave",
        "pagoda",
        ("great_wave",),
        "A woodcut has few colors and large plain areas. Trees become foam.",
    ),
    "pagoda_shipwreck": Picture(
        "The pagoda in The Shipwreck",
        "pagoda",
        ("shipwreck",),
        "A painting of light and dark gives its light to the picture: the sky takes the glow of the painting's clouds.",
    ),
    "chenonceau_great_wave": Picture(
        "The castle in The Great Wave",
        "chenonceau",
        ("great_wave",),
        "Windows and arches keep their places, while the roofs take the pattern of the foam.",
    ),
    "cat_starry_night": Picture(
        "The cat in The Starry Night",
        "cat",
        ("starry_night",),
        "Strokes follow the fur, and the eyes stay whole.",
    ),
    "chenonceau_shipwreck": Picture(
        "The castle in The Shipwreck",
        "chenonceau",
        ("shipwreck",),
        "At a strength of 0.55 the river becomes a stormy sea.",
        "strength=0.55",
    ),
    "pagoda_harvest": Picture(
        "The pagoda in a harvest",
        "pagoda",
        ("harvest",),
        "At a strength of 0.6 the painting adds its own sun and its own river.",
        "strength=0.6",
    ),
    "chenonceau_large_strokes": Picture(
        "The castle in large strokes",
        "chenonceau",
        ("harvest",),
        "`style_scale=2` makes the painting twice as large before it is measured, so the strokes are twice as large.",
        "style_scale=2.0",
    ),
    "pagoda_two_styles": Picture(
        "The pagoda in two styles",
        "pagoda",
        ("starry_night", "shipwreck"),
        "Two paintings are blended everywhere, with equal weights.",
    ),
    "chenonceau_sky": Picture(
        "A castle under Van Gogh's sky",
        "chenonceau",
        ("starry_night", "great_wave"),
        "A mask gives the sky to one painting, and its inverse gives the rest to another.",
        "masks=[sky, 1.0 - sky]",
    ),
    "astronaut_background": Picture(
        "The astronaut before a painted wall",
        "astronaut",
        ("harvest",),
        "Only what the mask covers is painted: everything but the figure, which stays the photograph.",
        'masks=[1.0 - figure], background="content"',
    ),
    "chenonceau_own_colors": Picture(
        "The castle in its own colors",
        "chenonceau",
        ("starry_night",),
        "The strokes are the painting's, the colors the photograph's: `color=\"content\"`.",
        'color="content"',
    ),
    "great_wave_texture": Picture(
        "A texture of The Great Wave",
        None,
        ("great_wave",),
        "Without a content, the painting's own features are arranged in a new way, in any shape.",
    ),
}
"""Every picture, by the name of its file, in the order of the index."""

MASKS = {"sky": "chenonceau_sky", "figure": "astronaut_figure"}
"""Names of masks in the code of a page, and the samples they are read from."""

PAGE = """# {title}

![{title}]({name}.jpg)

{remark}

{table}

```python
{code}
```

{size} pixels; {work}, {seconds:.0f} seconds in a process that has painted before, on {hardware}.

[All pictures](README.md)
"""

INDEX = """# Pictures

Each page shows a picture in full, what it was made of, and the code that painted it. The photographs and paintings are
the [sample images](../../samples.md) that come with the package, so the code runs as it stands; `neural-style demo`
paints the first from the shell. All pictures were painted with the bundled VGG16 (`extractor="vgg16"`).
`python docs/gallery_pictures.py` paints them again.

{table}
"""


def body(name: str) -> str:
    """The lines of a page's code that paint the picture."""
    picture = PICTURES[name]
    mask = '{0} = np.asarray(Image.open(samples.path("{1}"))) / 255'
    masks = [mask.format(each, MASKS[each]) for each in MASKS if each in picture.arguments]
    styles = [f'samples.path("{style}")' for style in picture.styles]
    content = "None" if picture.content is None else f'samples.path("{picture.content}")'
    style = styles[0] if len(styles) == 1 else f"[{', '.join(styles)}]"
    arguments = ", ".join(filter(None, [f"size={SIZE}", picture.arguments]))
    call = f"picture = stylize(content, style, {arguments})"
    return "\n".join([f"content, style = {content}, {style}", *masks, call])


def code(name: str) -> str:
    """The code of a page, whole."""
    text = body(name)
    imports = "import numpy as np\nfrom PIL import Image\n\n" if "np." in text else ""
    return f'{imports}from neural_style import samples, stylize\n\n{text}\npicture.save("{name}.png")'


def paint(name: str, timelapse: Timelapse) -> tuple[Result, float]:
    """Run the code of a page with the bundled network; return the result of its call, and the seconds."""
    results = []

    def stylize(*sources: Any, **options: Any) -> Image.Image:
        results.append(stylize_result(*sources, extractor="vgg16", callbacks=[timelapse], **options))
        return results[0].image

    began = time.perf_counter()
    exec(body(name), {"np": np, "Image": Image, "samples": samples, "stylize": stylize})
    return results[0], time.perf_counter() - began


def save(name: str, result: Result, seconds: float) -> None:
    """Write the picture, its thumbnail and its page."""
    image, picture = result.image.convert("RGB"), PICTURES[name]
    image.save(GALLERY / f"{name}.jpg", quality=88, optimize=True)
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    image.save(GALLERY / f"{name}_small.jpg", quality=80, optimize=True)
    used = [each for each in (picture.content, *picture.styles) if each is not None]
    table = [
        "| " + " | ".join(samples.get(each).title for each in used) + " |",
        "| " + " | ".join(":--" for _ in used) + " |",
        "| " + " | ".join(f"![{each}]({SAMPLES}/{each}.jpg)" for each in used) + " |",
    ]
    text = PAGE.format(
        title=picture.title,
        name=name,
        remark=picture.remark,
        table="\n".join(table),
        code=code(name),
        size=" x ".join(map(str, result.image.size)),
        work=result.work,
        seconds=seconds,
        hardware=HARDWARE,
    )
    (GALLERY / f"{name}.md").write_text(text)


def index(columns: int = 3) -> str:
    """The page that shows every picture."""
    cells = [f"[![{picture.title}]({name}_small.jpg)]({name}.md) {picture.title}" for name, picture in PICTURES.items()]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    rows[-1] += [""] * (columns - len(rows[-1]))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return INDEX.format(table="\n".join([lines[0], "| " + " | ".join([":--"] * columns) + " |", *lines[1:]]))


def save_strip(timelapse: Timelapse) -> None:
    """Save canvases from the first steps of a run to its last side by side, each enlarged to the same size."""
    frames = timelapse.frames
    chosen = [frames[round(index)].image for index in np.linspace(0, len(frames) - 1, FRAMES)]
    side = 200
    strip = Image.new("RGB", (FRAMES * (side + 4) - 4, side), "white")
    for number, frame in enumerate(chosen):
        strip.paste(frame.convert("RGB").resize((side, side), Image.Resampling.BICUBIC), (number * (side + 4), 0))
    strip.save(STRIP, quality=88, optimize=True)


def main(names: list[str]) -> None:
    """Paint the named pictures, or all of them, and write their pages and the index."""
    GALLERY.mkdir(parents=True, exist_ok=True)
    timelapse = Timelapse(count=60, longest=THUMBNAIL)
    paint(next(iter(PICTURES)), timelapse)  # loads the network, and compiles it
    save_strip(timelapse)
    for name in names or PICTURES:
        result, seconds = paint(name, timelapse)
        save(name, result, seconds)
        print(f"{name}: {seconds:.0f} s", flush=True)
    (GALLERY / "README.md").write_text(index())


if __name__ == "__main__":
    main(sys.argv[1:])
