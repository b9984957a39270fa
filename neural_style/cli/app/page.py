"""The page: its parts, and which of them a click changes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from neural_style import _optional, samples
from neural_style.cli.app import fields
from neural_style.cli.app.events import OUTPUTS, PRESET_FIELDS, Events
from neural_style.cli.app.form import STYLES, Form
from neural_style.cli.app.painting import warm_up
from neural_style.cli.app.presets import PRESETS, paintings_strip, pairs_strip

__all__ = ["build", "import_gradio"]

DAY = 86400
TITLE = "<h1>Neural style</h1><p>Paint a photo in the style of a painting. Nothing leaves this machine.</p>"
STYLE_FIELDS = tuple(f"style_{number}" for number in range(1, STYLES + 1))
WEIGHT_FIELDS = tuple(f"weight_{number}" for number in range(1, STYLES + 1))
PREVIEWED = ("photo", *STYLE_FIELDS, *WEIGHT_FIELDS, "where", "strength", "style_scale", "color")
"""Fields whose changes are shown at once."""

CLICKED = """element.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (button) trigger("click", {index: Number(button.dataset.index)});
})"""
"""Reports which button of a strip was clicked."""

HINT = '<p role="status">Click an example, or choose a photo and a painting.</p>'
MAX_WAITING = 20


def import_gradio() -> Any:
    """Import Gradio without its telemetry."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # Gradio reads it when imported
    return _optional.require("gradio", extra="app")


def build() -> Any:
    """Build the page, a `gradio.Blocks` to launch or to mount in another server.

    What the command adds is not part of the page: the check of requests, the limit of uploads, the private folder, and
    the style sheet `page.css` beside this file.

    Raises:
        ImportError: Gradio is not installed; the text names the extra to install.

    Example:
        >>> build().title  # doctest: +SKIP
        'Neural style'
    """
    gradio = import_gradio()
    gradio.set_static_paths([samples.path(name) for name in samples.names()])
    with gradio.Blocks(title="Neural style", analytics_enabled=False, delete_cache=(3600, DAY)) as page:
        parts = {"visitor": gradio.BrowserState(None, storage_key="neural_style", secret="neural_style")}
        gradio.HTML(TITLE, elem_id="title")
        with gradio.Row(elem_id="studio", equal_height=False):
            with gradio.Column(elem_id="inputs"):
                parts |= _add_inputs(gradio)
            with gradio.Column(elem_id="easel"):
                parts |= _add_easel(gradio)
            with gradio.Column(elem_id="controls"):
                parts |= _add_controls(gradio)
        events = Events(gradio)
        _connect_painting(gradio, events, parts)
        _connect_choices(gradio, events, parts)
    return page


def _add_inputs(gradio: Any) -> dict[str, Any]:
    pairs = gradio.HTML(pairs_strip(), js_on_load=CLICKED, elem_id="pairs")
    parts = fields.add_images(gradio)
    notice = gradio.HTML(elem_id="notice")
    shelf = gradio.HTML(paintings_strip(), js_on_load=CLICKED, elem_id="shelf")
    return {**parts, "pairs": pairs, "notice": notice, "shelf": shelf}


def _add_easel(gradio: Any) -> dict[str, Any]:
    with gradio.Row(elem_id="buttons"):
        start = gradio.Button("Paint", variant="primary", elem_id="paint")
        stop = gradio.Button("Stop", interactive=False, elem_id="stop")
    parts = {"start": start, "stop": stop, "status": gradio.HTML(HINT, elem_id="status")}
    with gradio.Tabs(elem_id="views"):
        with gradio.Tab("Painting"):
            parts["painting"] = gradio.Image(
                show_label=False, format="webp", interactive=False, buttons=["fullscreen"], elem_id="painting"
            )
        with gradio.Tab("Before and after"):
            parts["compare"] = gradio.ImageSlider(
                show_label=False, format="webp", interactive=False, buttons=[], elem_id="compare", max_height=700
            )
    parts["download"] = gradio.DownloadButton("Download", interactive=False, elem_id="download")
    parts["history"] = gradio.Gallery(
        label="Painted today: click to see it again",
        columns=6,
        fit_columns=False,
        allow_preview=False,
        interactive=False,
        object_fit="cover",
        buttons=[],
        visible=False,
        elem_id="history",
    )
    with gradio.Accordion("Copy as command or Python", open=False, elem_id="code"):
        code = {"interactive": False, "wrap_lines": True, "show_line_numbers": False, "buttons": ["copy"], "lines": 2}
        parts["command"] = gradio.Code(language="shell", label="Command", elem_id="command", **code)
        parts["python"] = gradio.Code(language="python", label="Python", elem_id="python", **code)
        parts["masks"] = gradio.Files(label="Masks, to be saved beside the photo", visible=False, interactive=False)
    return parts


def _add_controls(gradio: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {"presets": {}}
    with gradio.Row(elem_id="presets"):
        for name in PRESETS:
            parts["presets"][name] = gradio.Button(name, size="sm", min_width=70)
    parts["wanted"] = gradio.Checkbox(
        True, label="Instant preview", info="in one pass, as you choose, brush and move sliders"
    )
    parts |= fields.add_controls(gradio)
    with gradio.Accordion("Several styles", open=False, elem_id="several"):
        parts |= fields.add_styles(gradio)
    with gradio.Accordion("Regions", open=False, elem_id="regions"):
        parts |= fields.add_regions(gradio)
    with gradio.Accordion("More", open=False, elem_id="more"):
        parts |= fields.add_rarely_needed(gradio)
    return parts


def _connect_painting(gradio: Any, events: Events, parts: dict[str, Any]) -> None:
    form = [parts[field.name] for field in dataclasses.fields(Form)]
    outputs = [parts[name] for name in OUTPUTS]
    paint, stop = _asking(gradio, events.paint), _asking(gradio, events.stop)
    # The line of `events` has one painting at a time; here, others wait in it and see their place.
    how = {"concurrency_limit": MAX_WAITING, "concurrency_id": "paint", "show_progress": "hidden"}
    parts["start"].click(paint, [parts["visitor"], *form], outputs, api_name="paint", **how)
    parts["stop"].click(stop, None, None, api_name="stop", queue=False)
    # While a preview is painted, only the latest position of a control waits.
    moved = [parts["brush"].input, *(parts[name].change for name in PREVIEWED)]
    how = {"concurrency_limit": 1, "concurrency_id": "preview", "show_progress": "hidden"}
    preview = _asking(gradio, events.preview)
    gradio.on(moved, preview, [parts["wanted"], *form], outputs, api_name="preview", trigger_mode="always_last", **how)


def _connect_choices(gradio: Any, events: Events, parts: dict[str, Any]) -> None:
    visitor, outputs = parts["visitor"], [parts[name] for name in OUTPUTS]
    quiet = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    gradio.on(None, warm_up, None, None, **quiet)
    gradio.on(None, events.load, visitor, [visitor, *outputs], **quiet)
    parts["history"].select(_selecting(gradio, events.show), visitor, outputs, **quiet)
    pair = [parts["photo"], parts["style_1"]]
    parts["pairs"].click(_selecting(gradio, events.choose_pair), None, pair, **quiet)
    shelf = [parts[name] for name in STYLE_FIELDS]
    painting = _selecting(gradio, events.choose_painting)
    parts["shelf"].click(painting, parts["slot"], shelf, **quiet)
    for name, button in parts["presets"].items():
        preset = [parts[field] for field in PRESET_FIELDS]
        button.click(lambda name=name: events.choose_preset(name), None, preset, **quiet)
    for name in ("photo", *STYLE_FIELDS):
        field = parts[name]
        field.upload(events.check_upload, field, [field, parts["notice"]], **quiet)
    editor = {"inputs": [parts["photo"], parts["where"]], "outputs": parts["brush"]}
    gradio.on([parts["photo"].change, parts["where"].change], events.open_editor, **editor, **quiet)


def _asking(gradio: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with Gradio's request as its first argument."""
    return _annotated(function, "request", gradio.Request)


def _selecting(gradio: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with what was selected as its first argument."""
    return _annotated(function, "event", gradio.EventData)


def _annotated(function: Callable[..., Any], name: str, kind: type) -> Callable[..., Any]:
    """Annotate the first argument of a method of `Events`; Gradio reads there what to pass."""
    function.__func__.__annotations__[name] = kind  # type: ignore[attr-defined]
    return function
