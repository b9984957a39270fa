"""`python -m neural_style app`: the library in a browser, on this machine alone.

A cover over `stylize`, made of Gradio's parts. The server listens to this machine only, tells nobody anything and
loads nothing from elsewhere.
"""

from __future__ import annotations

import argparse
import html
import os
import queue
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from neural_style._process import configure_process
from neural_style.cli import options as shell
from neural_style.errors import NeuralStyleError

__all__ = ["build", "main"]

HOST = "127.0.0.1"
PORT = 7860
SHOWN_EVERY = 0.7  # seconds between two looks at the canvas
CSS = "progress {width: 100%; height: 0.75rem; accent-color: #b45309} footer {display: none !important}"


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m neural_style app",
        description="Paint in a browser. The page is served to this machine only; Ctrl-C ends it.",
    )
    parser.add_argument("--port", type=int, default=PORT, help="where to serve it (%(default)s)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    options = parser.parse_args(arguments)
    configure_process()
    try:
        page = build()
        _, address, _ = page.launch(server_port=options.port, inbrowser=options.open, **_private())
    except (ImportError, OSError) as error:
        return shell.fail(error, 2, debug=False)
    print(f"open {address} in a browser; Ctrl-C ends it", flush=True)  # noqa: T201
    with warnings.catch_warnings():
        warnings.showwarning = shell.show_warning  # type: ignore[assignment]
        page.block_thread()
    return 0


def build() -> Any:
    """The page, a `gradio.Blocks`, to be launched or mounted in a server of one's own.

    Raises:
        ImportError: Gradio is not installed; the text says which extra to install.

    Example:
        >>> build().title  # doctest: +SKIP
        'Neural style'
    """
    gradio = _gradio()
    stops: dict[str, threading.Event] = {}
    with gradio.Blocks(title="Neural style", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        gradio.Markdown("# Neural style\nPaint one picture in the style of another. Nothing leaves this machine.")
        with gradio.Row(equal_height=False):
            with gradio.Column(min_width=300):
                inputs = _inputs(gradio)
            with gradio.Column(min_width=300, scale=2):
                with gradio.Row():
                    start = gradio.Button("Paint", variant="primary", elem_id="paint")
                    stop = gradio.Button("Stop and keep", interactive=False, elem_id="stop")
                told = gradio.HTML(elem_id="told")
                shown = gradio.Image(label="Painting", format="png", interactive=False, buttons=["fullscreen"])
                saved = gradio.DownloadButton("Download", interactive=False, elem_id="download")
        outputs = [told, shown, saved, start, stop]
        # One picture at a time: two would share the cores. Whoever comes second waits in the queue.
        start.click(
            _painter(gradio, stops), inputs, outputs, api_name="paint", concurrency_limit=1, show_progress="hidden"
        )
        stop.click(_stopper(gradio, stops), None, None, api_name="stop", queue=False)
    return page


def _gradio() -> Any:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when it is imported
    try:
        import gradio
    except ImportError as error:
        raise ImportError(
            f"the app is made of Gradio, which is not installed ({error}); run: pip install 'tf-neural-style[app]'"
        ) from error
    return gradio


def _private() -> dict[str, Any]:
    """How the page is served: to this machine, from this machine."""
    import gradio

    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}  # none from the web
    return {
        "server_name": HOST,
        "prevent_thread_lock": True,
        "quiet": True,
        "share": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "footer_links": [],
        "theme": gradio.themes.Default(primary_hue="amber", **fonts),
        "css": CSS,
    }


def _inputs(gradio: Any) -> list[Any]:
    """What is asked for, in the order of the painter's arguments."""
    from neural_style.recipes import RECIPES
    from neural_style.transfer.controls import COLORS

    content = gradio.Image(
        label="Content", type="filepath", image_mode=None, sources=["upload", "clipboard"], height=220
    )
    styles = gradio.Gallery(
        label="Style, or several", interactive=True, columns=2, height=220, object_fit="cover", fit_columns=False
    )
    weights = gradio.Textbox(
        label="Weights of the styles", placeholder="1, 2: the second counts double; alike if empty"
    )
    strength = gradio.Slider(0.0, 1.0, 0.5, step=0.05, label="Strength", info="0 keeps the content, 1 is all style")
    scale = gradio.Slider(0.25, 3.0, 1.0, step=0.05, label="Stroke size", info="2 for strokes twice as large")
    color = gradio.Dropdown(list(COLORS), value="style", label="Colors", info="the style's, the content's, or matched")
    size = gradio.Slider(128, 2048, 512, step=32, label="Size", info="long side in pixels; time grows with its square")
    with gradio.Accordion("More", open=False):
        recipe = gradio.Dropdown(list(RECIPES), value="default", label="Recipe")
        steps = gradio.Number(None, label="Steps", precision=0, minimum=1, info="the recipe's if empty")
    return [content, styles, weights, strength, scale, color, size, recipe, steps]


def _painter(gradio: Any, stops: dict[str, threading.Event]) -> Callable[..., Iterator[tuple[Any, ...]]]:
    def paint(request: Any, content: Any, styles: Any, weights: Any, *settings: Any) -> Iterator[tuple[Any, ...]]:
        """Paint, and show the picture as it comes."""
        named = dict(zip(("strength", "style_scale", "color", "size", "recipe", "steps"), settings, strict=True))
        ended = stops[str(request.session_hash)] = threading.Event()
        busy = gradio.Button(interactive=False), gradio.Button(interactive=True)
        idle = gradio.Button(interactive=True), gradio.Button(interactive=False)
        unsaved = gradio.DownloadButton(interactive=False)
        try:
            if content is None:
                raise ValueError("give a content: the picture to paint")
            styles = _blend(styles, weights)
            yield _bar(0.0, "getting ready"), None, unsaved, *busy
            for picture, share, words in _paint(content, styles, named, ended):
                if share < 1.0:
                    yield _bar(share, words), picture, unsaved, *busy
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"{Path(content).stem}-painted.png"
                picture.save(path)
                yield _bar(1.0, words), picture, gradio.DownloadButton(value=str(path), interactive=True), *idle
        except (NeuralStyleError, ValueError, TypeError, OSError, MemoryError) as error:
            yield f'<p role="alert">{html.escape(str(error))}</p>', gradio.skip(), unsaved, *idle
        finally:
            ended.set()  # also where the page was closed

    paint.__annotations__["request"] = gradio.Request  # by which Gradio knows what to hand over
    return paint


def _stopper(gradio: Any, stops: dict[str, threading.Event]) -> Callable[..., None]:
    def stop(request: Any) -> None:
        """End the run of this page with the picture so far."""
        if (ended := stops.get(str(request.session_hash))) is not None:
            ended.set()

    stop.__annotations__["request"] = gradio.Request
    return stop


def _paint(
    content: str, styles: list[tuple[str, float]], settings: dict[str, Any], ended: threading.Event
) -> Iterator[tuple[Any, float, str]]:
    """The picture, the share of the work and words about both: now and then, and last of the finished picture.

    The run has a thread of its own, so that what is shown never holds it up.
    """
    from neural_style.api import paint
    from neural_style.callbacks import TimeLeft

    news: queue.SimpleQueue[Any] = queue.SimpleQueue()
    left, shown = TimeLeft(), 0.0

    def watch(step: Any) -> None:
        nonlocal shown
        seconds = left(step)
        if step.seconds - shown > SHOWN_EVERY and step.progress < 1.0:
            shown = step.seconds
            width, height = step.scale
            words = f"step {step.step} of {step.steps}, {width} x {height}"
            news.put((step.image(), step.progress, words if seconds is None else f"{words}, {seconds:.0f} s left"))
        if ended.is_set():
            raise StopIteration

    def run() -> None:
        try:
            news.put(paint(content, styles, callbacks=[watch], **settings))
        except BaseException as error:
            news.put(error)

    threading.Thread(target=run, name="neural_style-app", daemon=True).start()
    while isinstance(told := news.get(), tuple):
        yield told
    if isinstance(told, BaseException):
        raise told
    width, height = told.image.size
    how = "done" if told.stopped_by == "steps" else "stopped"
    seconds = told.settings["seconds"]
    yield told.image, 1.0, f"{how}: {width} x {height}, {len(told.history)} steps, {seconds:.0f} s"


def _blend(styles: Sequence[tuple[str, Any]] | None, weights: str | None) -> list[tuple[str, float]]:
    """Styles with their weights, alike where none are given."""
    if not styles:
        raise ValueError("give a style: one picture, or several")
    parts = (weights or "").replace(",", " ").split()
    try:
        shares = [float(part) for part in parts] or [1.0] * len(styles)
    except ValueError:
        raise ValueError(f"weights are numbers, one for each style, not {weights!r}") from None
    if len(shares) != len(styles):
        raise ValueError(f"{len(styles)} styles need as many weights, not {len(shares)}")
    return [(path, share) for (path, _), share in zip(styles, shares, strict=True)]


def _bar(share: float, words: str) -> str:
    return f'<progress value="{share:.3f}" max="1" aria-label="progress"></progress><p>{html.escape(words)}</p>'
