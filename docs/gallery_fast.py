"""Make the gallery of `quality="fast"` from the pictures and results of `benchmarks/quality.py`.

    python benchmarks/quality.py --pairs ... --methods default fast --json quality.json --save pictures
    python docs/gallery_fast.py pictures quality.json

The script writes one JPEG for each pair, best on the left and fast on the right, and docs/gallery/fast/README.md with
the numbers. It merges several JSON files, for example one for each method.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image

GALLERY = Path(__file__).resolve().parent / "gallery" / "fast"
WIDTH = 256  # of each picture

TEXT = """# Fast and best, side by side

On the left `quality="best"`, the default, which uses VGG16 throughout; on the right `quality="fast"`, which uses VGG16
on the coarsest canvas and `Lite` afterwards. All pictures have {size} pixels and `strength=0.5`. The content and style
distances (`neural_style.metrics`) are measured with VGG16; the default recipe matches some of the layers they read.
None of these pictures was used to train `Lite`.

On two cores with bfloat16 (Intel Xeon with AMX) the whole command takes 15.0 processor seconds with best and 9.0 with
fast at 512 by 512 pixels, and 4.7 for a preview of 256 pixels with fast. See
[benchmarks](../../../benchmarks/README.md) for more results.

{entries}

Photographs: Eileen Collins (NASA, public domain; see [images](../../images/README.md)); the Neckar front at Tübingen
and the Golden Gate Bridge, from `examples/inputs` of github.com/jcjohnson/neural-style. Styles: Vincent van Gogh,
"The Starry Night", 1889; J. M. W. Turner, "The Shipwreck", 1805; and the two style plates of this project.
"""

TITLES = {
    "astronaut": "the astronaut",
    "tubingen": "Tübingen",
    "golden_gate": "the Golden Gate",
    "nocturne": "the nocturne",
    "harvest": "the harvest",
    "starry_night_google": "The Starry Night",
    "shipwreck": "The Shipwreck",
}


def entry(content: str, style: str, size: int, pictures: Path, runs: dict[str, Any]) -> str:
    """Save the picture of a pair and return its section of the page."""
    both = [Image.open(pictures / f"{content}-{style}-{method}-{size}.png").convert("RGB") for method in runs]
    height = round(both[0].height * WIDTH / both[0].width)
    sheet = Image.new("RGB", (2 * WIDTH + 4, height), "white")
    for number, picture in enumerate(both):
        sheet.paste(picture.resize((WIDTH, height), Image.Resampling.LANCZOS), (number * (WIDTH + 4), 0))
    sheet.save(GALLERY / f"{content}-{style}.jpg", quality=80, optimize=True)
    rows = [
        f"| {name} | {run['content']:.3f} | {run['style']:.3f} |"
        for name, run in zip(("best", "fast"), runs.values(), strict=True)
    ]
    title = f"## {TITLES.get(content, content)} in the style of {TITLES.get(style, style)}"
    head = "| | content | style |\n| :-- | --: | --: |\n"
    return f"{title}\n\n![best and fast]({content}-{style}.jpg)\n\n{head}" + "\n".join(rows)


def main() -> None:
    """Write the page and its pictures."""
    pictures, *records = map(Path, sys.argv[1:])
    GALLERY.mkdir(parents=True, exist_ok=True)
    pairs: dict[tuple[str, str], dict[str, Any]] = {}
    for record in (json.loads(path.read_text()) for path in records):
        for result in record["results"]:
            content, style = (Path(part).stem for part in result["pair"].split(":"))
            last = {method: runs[-1] for method, runs in result["runs"].items()}
            pairs.setdefault((content, style), {}).update(last)
        size = record["settings"]["size"]
    entries = [
        entry(*pair, size, pictures, {method: runs[method] for method in ("default", "fast")})
        for pair, runs in pairs.items()
    ]
    (GALLERY / "README.md").write_text(TEXT.format(size=size, entries="\n\n".join(entries)))


if __name__ == "__main__":
    main()
