"""The page's fields: photo and styles, and the controls of a painting."""

from __future__ import annotations

from typing import Any

from neural_style.cli.app.form import BRUSH_OPACITY, STYLES, WHERE

__all__ = ["add_controls", "add_images", "add_rarely_needed", "add_regions", "add_styles"]

BRUSH = ("#b45309", BRUSH_OPACITY)

COLORS = {
    "style": "of the painting",
    "content": "of the photo",
    "match": "of the painting, shifted towards the photo",
    "histogram": "of the painting, fitted to the photo's palette",
}
QUALITY_HELP = "at 512 pixels on two cores: best a minute, fast a fraction of it, instant a second or two"
SIZE_HELP = "long side in pixels; 3000 print 25 cm. Time grows with the square"


def add_images(gradio: Any) -> dict[str, Any]:
    """The photo and the first style, side by side."""
    with gradio.Row(elem_classes="pair"):
        photo = _image_field(gradio, "Photo", "photo")
        style = _image_field(gradio, "Style", "style_1")
    return {"photo": photo, "style_1": style}


def add_styles(gradio: Any) -> dict[str, Any]:
    """Further styles, a weight for each, and which of them a click on the shelf fills."""
    fields: dict[str, Any] = {}
    with gradio.Row(elem_classes="pair"):
        for number in range(2, STYLES + 1):
            fields[f"style_{number}"] = _image_field(gradio, f"Style {number}", f"style_{number}")
    for number in range(1, STYLES + 1):
        label = f"Weight of style {number}"
        fields[f"weight_{number}"] = gradio.Slider(0.0, 1.0, 1.0, step=0.05, label=label)
    slots = [(f"style {number}", number) for number in range(1, STYLES + 1)]
    fields["slot"] = gradio.Radio(slots, value=1, label="A click on a painting fills")
    return fields


def add_regions(gradio: Any) -> dict[str, Any]:
    """Where the styles go, and the brush."""
    where = gradio.Radio([(text, key) for key, text in WHERE.items()], value="everywhere", label="Where the style goes")
    brush = gradio.ImageEditor(
        label="Brush over the photo",
        type="pil",
        image_mode="RGBA",
        sources=(),
        transforms=(),
        layers=False,
        brush=gradio.Brush(default_size=40, colors=[BRUSH], default_color=BRUSH, color_mode="fixed"),
        eraser=gradio.Eraser(default_size=40),
        buttons=[],
        visible=False,
        elem_id="brush",
    )
    return {"where": where, "brush": brush}


def add_controls(gradio: Any) -> dict[str, Any]:
    """The look, the quality and the size."""
    from neural_style.api import QUALITIES
    from neural_style.transfer.controls import COLOR_MODES

    colors = [(COLORS.get(mode, mode), mode) for mode in COLOR_MODES]
    strength = gradio.Slider(0.0, 1.0, 0.5, step=0.05, label="Strength", info="0 keeps the photo, 1 is all style")
    scale = gradio.Slider(0.25, 3.0, 1.0, step=0.05, label="Stroke size", info="2 for strokes twice as large")
    color = gradio.Dropdown(colors, value="style", label="Colors")
    quality = gradio.Radio(list(QUALITIES), value="best", label="Quality", info=QUALITY_HELP)
    size = gradio.Slider(128, 4000, 512, step=32, label="Size", info=SIZE_HELP)
    return {"strength": strength, "style_scale": scale, "color": color, "quality": quality, "size": size}


def add_rarely_needed(gradio: Any) -> dict[str, Any]:
    """Recipe, steps and seed."""
    from neural_style.recipes import RECIPES

    recipe = gradio.Dropdown(list(RECIPES), value="default", label="Recipe", info="which paper's losses")
    default = "leave empty, or 0, for the recipe's default"
    steps = gradio.Number(None, label="Steps", precision=0, info=default)  # empty, it arrives as None or as 0
    seed = gradio.Number(0, label="Seed", precision=0, minimum=0, info="another seed, another painting")
    return {"recipe": recipe, "steps": steps, "seed": seed}


def _image_field(gradio: Any, label: str, name: str) -> Any:
    field = gradio.Image(
        label=label,
        type="filepath",
        image_mode=None,
        sources=["upload"],
        height=150,
        elem_id=name,
        buttons=[],
        placeholder="Drop or click",
    )
    field.preprocess = _path  # Gradio's own opens the file, and its errors name temporary files
    return field


def _path(payload: Any) -> str | None:
    return None if payload is None or payload.path is None else str(payload.path)
