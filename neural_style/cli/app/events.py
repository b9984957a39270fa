"""What happens when a visitor clicks: functions from values of the page's fields to changes of the page."""

from __future__ import annotations

import html
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neural_style import samples
from neural_style.cli.app.export import as_command, as_python, file_name
from neural_style.cli.app.form import STYLES, Form
from neural_style.cli.app.history import Entry, History, Texts, write_entry
from neural_style.cli.app.painting import run
from neural_style.cli.app.presets import PAIRS, PRESETS
from neural_style.cli.app.waiting import Line
from neural_style.cli.app.words import Problem, check_image, explain

__all__ = ["OUTPUTS", "PRESET_FIELDS", "Events"]

OUTPUTS = ("status", "painting", "compare", "download", "start", "stop", "history", "command", "python", "masks")
"""Parts of the page that a painting changes."""

PRESET_FIELDS = ("strength", "style_scale", "color", "quality", "size")

SECONDS_BETWEEN_LOOKS = 1.0
"""How often who waits is shown their place in the line."""

MAX_SESSIONS = 64
"""Whose last preview is remembered."""

EDITOR_SIDE = 512
"""Long side in pixels of the photo that is brushed over."""


class Events:
    """The functions behind the page, and what they share: the line, the history, and who is painting.

    Args:
        gradio: the module.
    """

    def __init__(self, gradio: Any) -> None:
        self._gradio = gradio
        self._line, self._history = Line(), History()
        self._stops: dict[str, threading.Event] = {}  # of the sessions that wait or paint
        self._previewed: dict[str, object] = {}  # what each session's preview shows

    def paint(self, request: Any, visitor: str | None, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Paint, and show the image as it develops."""
        form, session = Form(*values), str(request.session_hash)
        stopped = self._stops[session] = threading.Event()
        self._previewed.pop(session, None)
        try:
            form.check()
            with self._line.place() as ticket:
                yield self._changes(status=_progress_bar(0.0, "Preparing"), **self._buttons(busy=True))
                yield from self._wait(ticket, stopped)
                for image, share, text in run(form, stopped):
                    if share < 1.0:
                        yield self._changes(status=_progress_bar(share, text), painting=image)
            visitor = self._history.visitor(visitor)
            entry = self._entry(self._history.new_folder(), image, form, text)
            self._history.add(visitor, entry)
            yield self._changes(**self._shown(entry), history=self._thumbnails(visitor), **self._buttons(busy=False))
        except Exception as error:
            yield self._changes(status=_alert(explain(error)), **self._buttons(busy=False))
        finally:
            stopped.set()  # also if the page was closed
            if self._stops.get(session) is stopped:
                del self._stops[session]

    def preview(self, request: Any, wanted: bool, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Paint a small image in one pass, if there is something to paint and the visitor wants it."""
        form, session = Form(*values).preview(), str(request.session_hash)
        if not wanted or not form.is_ready or session in self._stops or self._previewed.get(session) == form.key:
            yield self._changes()
            return
        try:
            form.check()
            yield self._changes(status=_progress_bar(None, "Preview"))
            *_, (image, _, text) = run(form, threading.Event())
            if session in self._stops:  # Paint was pressed meanwhile
                yield self._changes()
                return
            caption = f"Preview in {text.split(', ')[-1]}. Press Paint for full quality."
            with tempfile.TemporaryDirectory() as folder:
                yield self._changes(**self._shown(self._entry(Path(folder) / "preview", image, form, caption)))
            self._remember(session, form)
        except Problem as problem:
            yield self._changes(status=_note(explain(problem)))  # the visitor is not done yet
        except Exception as error:
            yield self._changes(status=_alert(explain(error)))

    def stop(self, request: Any) -> None:
        """End the run of this page and keep its current image."""
        if (stopped := self._stops.get(str(request.session_hash))) is not None:
            stopped.set()

    def load(self, visitor: str | None) -> tuple[Any, ...]:
        """The visitor's name, to be kept by the browser, and what they have painted before."""
        visitor = self._history.visitor(visitor)
        entries = self._history.of(visitor)
        changed = {**self._shown(entries[0]), "history": self._thumbnails(visitor)} if entries else {}
        return visitor, *self._changes(**changed)

    def show(self, event: Any, visitor: str | None) -> tuple[Any, ...]:
        """Show a painting of the history again."""
        entries = self._history.of(self._history.visitor(visitor))
        return self._changes(**self._shown(entries[event.index])) if event.index < len(entries) else self._changes()

    def choose_pair(self, event: Any) -> tuple[str, str]:
        """The photo and the style of an example."""
        photo, painting = PAIRS[event.index]
        return str(samples.path(photo)), str(samples.path(painting))

    def choose_painting(self, event: Any, slot: int) -> tuple[Any, ...]:
        """A painting of the shelf, in one of the fields for styles."""
        path = str(samples.path(samples.names("painting")[event.index]))
        return tuple(path if number == slot else self._gradio.skip() for number in range(1, STYLES + 1))

    def choose_preset(self, name: str) -> tuple[Any, ...]:
        """The values of `PRESET_FIELDS` in a preset."""
        return tuple(PRESETS[name][field] for field in PRESET_FIELDS)

    def check_upload(self, path: str | None) -> tuple[Any, str]:
        """Empty a field whose file is not an image, and say so beside it."""
        try:
            if path is not None:
                check_image(path, "This file")
        except Problem as problem:
            return None, _alert(str(problem))
        return self._gradio.skip(), ""

    def open_editor(self, photo: str | None, where: str) -> Any:
        """The photo, to brush over, if styles do not go everywhere."""
        if where == "everywhere":
            return self._gradio.ImageEditor(visible=False)
        if not photo:
            return self._gradio.ImageEditor(value=None, visible=True)
        from neural_style import images

        background = images.to_pil(images.load(photo, size=EDITOR_SIDE))
        background.thumbnail((EDITOR_SIDE, EDITOR_SIDE))
        return self._gradio.ImageEditor(
            value={"background": background, "layers": [], "composite": background}, visible=True
        )

    def _remember(self, session: str, form: Form) -> None:
        self._previewed[session] = form.key
        for oldest in list(self._previewed)[:-MAX_SESSIONS]:
            self._previewed.pop(oldest, None)

    def _wait(self, ticket: object, stopped: threading.Event) -> Iterator[tuple[Any, ...]]:
        """Wait in the line, and show how many are ahead."""
        while (others := self._line.position(ticket)) and not stopped.is_set():
            count = "one painting is" if others == 1 else f"{others} paintings are"
            yield self._changes(status=_progress_bar(None, f"Waiting: {count} ahead of yours"))
            self._line.wait(SECONDS_BETWEEN_LOOKS)
        if stopped.is_set():
            raise Problem("Stopped before it was your turn.")

    def _entry(self, folder: Path, image: Any, form: Form, caption: str) -> Entry:
        masks = form.masks()
        names = [f"mask_{number}.png" for number in range(1, len(masks) + 1)]
        texts = Texts(caption, as_command(form, names), as_python(form, names))
        return write_entry(folder, image, str(form.photo), masks, file_name(form), texts)

    def _shown(self, entry: Entry) -> dict[str, Any]:
        """What the page shows of a painting."""
        return {
            "status": _note(entry.texts.caption),
            "painting": str(entry.view),
            "compare": (str(entry.before), str(entry.view)),
            "download": self._gradio.DownloadButton(
                f"Download {entry.painting.name}", value=str(entry.painting), interactive=True
            ),
            "command": entry.texts.command,
            "python": entry.texts.python,
            "masks": self._gradio.Files(value=[str(path) for path in entry.masks], visible=bool(entry.masks)),
        }

    def _thumbnails(self, visitor: str) -> Any:
        shown = [str(entry.thumbnail) for entry in self._history.of(visitor)]
        return self._gradio.Gallery(shown, visible=True, selected_index=None)

    def _buttons(self, *, busy: bool) -> dict[str, Any]:
        return {
            "start": self._gradio.Button(interactive=not busy),
            "stop": self._gradio.Button(interactive=busy),
            **({"download": self._gradio.DownloadButton("Download", interactive=False)} if busy else {}),
        }

    def _changes(self, **changed: Any) -> tuple[Any, ...]:
        """The values of `OUTPUTS`; what is not given stays as it is."""
        return tuple(changed.get(name, self._gradio.skip()) for name in OUTPUTS)


def _progress_bar(share: float | None, text: str) -> str:
    value = "" if share is None else f' value="{share:.3f}" max="1"'
    return f'<progress{value} aria-label="progress"></progress><p>{html.escape(text)}</p>'


def _alert(text: str) -> str:
    return f'<p role="alert">{html.escape(text)}</p>'


def _note(text: str) -> str:
    return f'<p role="status">{html.escape(text)}</p>'
