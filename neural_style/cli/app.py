"""`python -m neural_style app`: the library in a browser, on this machine only.

A cover over `stylize`, built with Gradio. The server listens to this machine only, answers its own page only, sends no
telemetry and loads nothing from other servers. Uploads and paintings lie in a folder that this user alone can open, and
that is removed when the server ends.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neural_style import _optional
from neural_style.cli.access import MAX_BYTES, OwnPageOnly
from neural_style.cli.command import BAD_INPUT, report, run_command
from neural_style.cli.messages import say
from neural_style.errors import NeuralStyleError

if TYPE_CHECKING:
    from neural_style.transfer.result import Step

__all__ = ["build", "main"]

HOST = "127.0.0.1"
PORT = 7860
SECONDS_BETWEEN_UPDATES = 0.7
CSS = "progress {width: 100%; height: 0.75rem; accent-color: #b45309} footer {display: none !important}"

OPTIONS = ("strength", "style_scale", "color", "size", "quality", "recipe", "steps")
"""Arguments of `stylize` that the page sends after content, styles and weights, in the order of its fields."""

Update = tuple[Any, float, str]
"""The image so far, the share of the work that is done, and a line of text."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m neural_style app",
        description="Paint in a browser. Only this machine can open the page; press Ctrl-C to stop.",
    )
    parser.add_argument("--port", type=int, default=PORT, help="port of the server (default: %(default)s)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.set_defaults(debug=False)
    options = parser.parse_args(arguments)
    return run_command(_serve, options, interrupted="interrupted", bad_input=(*BAD_INPUT, OSError))


def _serve(options: argparse.Namespace) -> int:
    with _private_files():
        page = build()
        try:
            _, address, _ = page.launch(server_port=options.port, inbrowser=options.open, **_launch_options())
            report(f"open {address} in a browser; press Ctrl-C to stop", required=False)
            while page.is_running:
                time.sleep(1.0)
        except KeyboardInterrupt:
            say("stopped", sys.stderr)
        finally:
            page.close(verbose=False)
    return 0


@contextlib.contextmanager
def _private_files() -> Iterator[None]:
    """Have all temporary files of this process in one folder, for this user alone, and remove it in the end."""
    mask, place = os.umask(0o077), os.environ.get("GRADIO_TEMP_DIR")
    try:
        with tempfile.TemporaryDirectory(prefix="neural_style-", dir=place, ignore_cleanup_errors=True) as folder:
            tempfile.tempdir = folder  # for uploads that are under way
            os.environ["GRADIO_TEMP_DIR"] = os.path.join(folder, "files")
            yield
    finally:
        os.umask(mask)
        tempfile.tempdir = None
        os.environ.pop("GRADIO_TEMP_DIR", None)
        os.environ.update({} if place is None else {"GRADIO_TEMP_DIR": place})


def build() -> Any:
    """Build the page, a `gradio.Blocks` to launch or to mount in another server.

    What the command adds is not part of the page: the check of requests, the limit of uploads, the private folder.

    Raises:
        ImportError: Gradio is not installed; the text names the extra to install.

    Example:
        >>> build().title  # doctest: +SKIP
        'Neural style'
    """
    gradio = _gradio()
    stops: dict[str, threading.Event] = {}
    with gradio.Blocks(title="Neural style", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        gradio.Markdown("# Neural style\nPaint one image in the style of another. Nothing leaves this machine.")
        with gradio.Row(equal_height=False):
            with gradio.Column(min_width=300):
                inputs = _inputs(gradio)
            with gradio.Column(min_width=300, scale=2):
                with gradio.Row():
                    start = gradio.Button("Paint", variant="primary", elem_id="paint")
                    stop = gradio.Button("Stop and keep", interactive=False, elem_id="stop")
                status = gradio.HTML(elem_id="status")
                shown = gradio.Image(label="Painting", format="png", interactive=False, buttons=["fullscreen"])
                saved = gradio.DownloadButton("Download", interactive=False, elem_id="download")
        outputs, paint = [status, shown, saved, start, stop], _painter(gradio, stops)
        # One image at a time, because two would share the cores; other requests wait in the queue.
        how = {"concurrency_limit": 1, "concurrency_id": "paint", "show_progress": "hidden"}
        start.click(paint, inputs, outputs, api_name="paint", **how)
        # While an image is painted, only the latest position of a control waits.
        moved = [inputs[3 + OPTIONS.index(name)].change for name in ("strength", "style_scale", "color")]
        repaint = _repainter(gradio, paint)
        gradio.on(moved, repaint, inputs, outputs, api_name="repaint", trigger_mode="always_last", **how)
        stop.click(_stopper(gradio, stops), None, None, api_name="stop", queue=False)
    return page


def _gradio() -> Any:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # Gradio reads it when imported
    return _optional.require("gradio", extra="app")


def _launch_options() -> dict[str, Any]:
    """Serve the page to this machine and to itself only, with fonts of this machine."""
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return {
        "server_name": HOST,
        "prevent_thread_lock": True,
        "quiet": True,
        "share": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "max_file_size": MAX_BYTES,
        "app_kwargs": {"middleware": [_optional.require("starlette.middleware", extra="app").Middleware(OwnPageOnly)]},
        "footer_links": [],
        "theme": _gradio().themes.Default(primary_hue="amber", **fonts),
        "css": CSS,
    }


def _inputs(gradio: Any) -> list[Any]:
    """The input fields: content, styles, weights, and those of `OPTIONS`."""
    from neural_style.api import QUALITIES
    from neural_style.recipes import RECIPES
    from neural_style.transfer.controls import COLOR_MODES

    content = gradio.Image(
        label="Content", type="filepath", image_mode=None, sources=["upload", "clipboard"], height=220
    )
    styles = gradio.Gallery(
        label="Style (one or more)", interactive=True, columns=2, height=220, object_fit="cover", fit_columns=False
    )
    example = 'e.g. "1, 2" gives the second style twice the weight; leave empty for equal weights'
    weights = gradio.Textbox(label="Style weights", placeholder=example)
    strength = gradio.Slider(0.0, 1.0, 0.5, step=0.05, label="Strength", info="0 keeps the content, 1 is all style")
    scale = gradio.Slider(0.25, 3.0, 1.0, step=0.05, label="Stroke size", info="2 for strokes twice as large")
    modes = "the style's, the content's, or the style recolored to match the content"
    color = gradio.Dropdown(list(COLOR_MODES), value="style", label="Colors", info=modes)
    size = gradio.Slider(128, 2048, 512, step=32, label="Size", info="long side in pixels; time grows with its square")
    qualities = (
        "fast: mostly on a small network; instant: in one pass, also while you move strength, stroke size or colors"
    )
    quality = gradio.Radio(list(QUALITIES), value="best", label="Quality", info=qualities)
    with gradio.Accordion("More", open=False):
        recipe = gradio.Dropdown(list(RECIPES), value="default", label="Recipe")
        default = "leave empty, or 0, for the recipe's default"
        steps = gradio.Number(None, label="Steps", precision=0, info=default)  # empty, it arrives as None or as 0
    return [content, styles, weights, strength, scale, color, size, quality, recipe, steps]


def _painter(gradio: Any, stops: dict[str, threading.Event]) -> Callable[..., Iterator[tuple[Any, ...]]]:
    busy = gradio.Button(interactive=False), gradio.Button(interactive=True)
    idle = gradio.Button(interactive=True), gradio.Button(interactive=False)
    unsaved = gradio.DownloadButton(interactive=False)

    def paint(request: Any, content: Any, styles: Any, weights: Any, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Paint, and show the image as it develops."""
        options = dict(zip(OPTIONS, values, strict=True))
        options["steps"] = options["steps"] or None
        # What is painted in one pass replaces the image before it, which stays until then.
        begun = tuple(gradio.skip() for _ in range(4)) if options["quality"] == "instant" else (None, unsaved, *busy)
        stopped = stops[str(request.session_hash)] = threading.Event()
        try:
            if content is None:
                raise ValueError("Please upload a photo first.")
            styles = _weighted_styles(styles, weights)
            yield _progress_bar(0.0, "preparing"), *begun
            for image, share, text in _run(content, styles, options, stopped):
                if share < 1.0:
                    yield _progress_bar(share, text), image, unsaved, *busy
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"{Path(content).stem}-painted.png"
                image.save(path)
                saved = gradio.DownloadButton(value=str(path), interactive=True)
                yield _progress_bar(1.0, text), image, saved, *idle
        except (NeuralStyleError, ValueError, TypeError, OSError, MemoryError) as error:
            yield f'<p role="alert">{html.escape(str(error))}</p>', gradio.skip(), unsaved, *idle
        finally:
            stopped.set()  # also if the page was closed

    paint.__annotations__["request"] = gradio.Request  # tells Gradio what to pass
    return paint


def _repainter(gradio: Any, paint: Callable[..., Iterator[tuple[Any, ...]]]) -> Callable[..., Iterator[Any]]:
    def repaint(request: Any, content: Any, styles: Any, weights: Any, *values: Any) -> Iterator[Any]:
        """Paint again once a control has moved, if there is something to paint and one pass does it."""
        if content is None or not styles or values[OPTIONS.index("quality")] != "instant":
            yield tuple(gradio.skip() for _ in range(5))
        else:
            yield from paint(request, content, styles, weights, *values)

    repaint.__annotations__["request"] = gradio.Request  # tells Gradio what to pass
    return repaint


def _stopper(gradio: Any, stops: Mapping[str, threading.Event]) -> Callable[..., None]:
    def stop(request: Any) -> None:
        """End the run of this page and keep its current image."""
        if (stopped := stops.get(str(request.session_hash))) is not None:
            stopped.set()

    stop.__annotations__["request"] = gradio.Request
    return stop


def _run(
    content: str, styles: Sequence[tuple[str, float]], options: Mapping[str, Any], stopped: threading.Event
) -> Iterator[Update]:
    """Run `stylize` in a thread of its own, so that showing the image never delays a step.

    Yields:
        Updates now and then, and last the finished image.
    """
    from neural_style.api import stylize_result

    updates: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run() -> None:
        try:
            updates.put(stylize_result(content, styles, callbacks=[_Watcher(updates.put, stopped)], **options))
        except BaseException as error:
            updates.put(error)

    threading.Thread(target=run, name="neural_style-app", daemon=True).start()
    while isinstance(result := updates.get(), tuple):
        yield result
    if isinstance(result, BaseException):
        raise result
    width, height = result.image.size
    end = "done" if result.stopped_by == "steps" else "stopped"
    seconds = result.settings["seconds"]
    took = f"{seconds:.1f} s" if seconds < 10.0 else f"{seconds:.0f} s"
    yield result.image, 1.0, f"{end}: {width} x {height}, {result.work}, {took}"


class _Watcher:
    """Callback of a run: sends an update now and then, and ends the run once `stopped` is set."""

    def __init__(self, send: Callable[[Update], object], stopped: threading.Event) -> None:
        from neural_style.callbacks import TimeLeft

        self._send, self._stopped = send, stopped
        self._time_left, self._sent_at = TimeLeft(), 0.0

    def __call__(self, step: Step) -> None:
        seconds = self._time_left(step)
        if step.seconds - self._sent_at > SECONDS_BETWEEN_UPDATES and step.progress < 1.0:
            self._sent_at = step.seconds
            width, height = step.scale
            text = f"step {step.step} of {step.steps}, {width} x {height}"
            self._send((step.image(), step.progress, text if seconds is None else f"{text}, {seconds:.0f} s left"))
        if self._stopped.is_set():
            raise StopIteration


def _weighted_styles(styles: Sequence[tuple[str, Any]] | None, weights: str | None) -> list[tuple[str, float]]:
    """The styles of the gallery with their weights, equal if none are given."""
    if not styles:
        raise ValueError("Please upload at least one style.")
    parts = (weights or "").replace(",", " ").split()
    try:
        numbers = [float(part) for part in parts] or [1.0] * len(styles)
    except ValueError:
        raise ValueError(f"Style weights must be numbers, one for each style, not {weights!r}.") from None
    if len(numbers) != len(styles):
        raise ValueError(f"Please give one weight for each style: {len(styles)}, not {len(numbers)}.")
    return [(path, weight) for (path, _), weight in zip(styles, numbers, strict=True)]


def _progress_bar(share: float, text: str) -> str:
    return f'<progress value="{share:.3f}" max="1" aria-label="progress"></progress><p>{html.escape(text)}</p>'
