"""Paintings of the page, kept on disk for a day: by visitor, so that they are still there after a reload."""

from __future__ import annotations

import dataclasses
import re
import secrets
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

__all__ = ["Entry", "History", "Texts", "write_entry"]

MAX_ENTRIES = 12
"""Paintings of one visitor; an older one makes room."""

MAX_VISITORS = 16
"""Visitors whose paintings are kept; who has been away longest makes room."""

MAX_SECONDS = 86400.0
VIEW_SIDE = 1600
"""Long side in pixels of what the page shows; the download has all of them."""

THUMBNAIL_SIDE = 192


class Texts(NamedTuple):
    """What the page says about a painting: what was done in a few words, and how to do it again; see `export`."""

    caption: str
    command: str
    python: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """A painting with what the page shows of it.

    Args:
        painting: the file to download.
        view: the painting as the page shows it.
        before: the photo in the same size.
        thumbnail: a small one.
        masks: the masks it was painted with.
        texts: what is said about it.
        made: when, in seconds of the monotonic clock.
    """

    painting: Path
    view: Path
    before: Path
    thumbnail: Path
    masks: tuple[Path, ...]
    texts: Texts
    made: float


def write_entry(
    folder: Path, image: Image.Image, photo: str, masks: Sequence[np.ndarray], name: str, texts: Texts
) -> Entry:
    """Write the files of a painting.

    Args:
        folder: where, a folder of its own.
        image: the painting.
        photo: file of the photo.
        masks: uint8 arrays (height, width).
        name: of the painting's file.
        texts: about it.
    """
    from neural_style import images

    folder.mkdir(exist_ok=True)
    paths = [folder / f"mask_{number}.png" for number in range(1, len(masks) + 1)]
    for path, mask in zip(paths, masks, strict=True):
        Image.fromarray(mask).save(path)
    image.save(folder / name)
    view = image.copy()
    view.thumbnail((VIEW_SIDE, VIEW_SIDE))
    view.save(folder / "view.webp", quality=92)
    before = images.to_pil(images.load(photo, size=max(view.size))).resize(view.size)
    before.save(folder / "before.webp", quality=90)
    view.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    view.save(folder / "thumbnail.webp")
    view_path, before_path, thumbnail = (folder / f"{each}.webp" for each in ("view", "before", "thumbnail"))
    return Entry(folder / name, view_path, before_path, thumbnail, tuple(paths), texts, time.monotonic())


class History:
    """The paintings of all visitors, in a folder that is removed with this object, or when the process ends."""

    def __init__(self) -> None:
        self._entries: dict[str, list[Entry]] = {}  # of each visitor, the newest first; who came last is last
        self._lock = threading.Lock()
        self._folder: Path | None = None

    def visitor(self, known: object) -> str:
        """The name of a visitor: the one that a browser has kept, or a new one that nobody can guess."""
        return known if isinstance(known, str) and re.fullmatch("[0-9a-f]{32}", known) else secrets.token_hex(16)

    def new_folder(self) -> Path:
        """A folder for the files of an entry."""
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="neural_style-history-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder / secrets.token_hex(8)

    def add(self, visitor: str, entry: Entry) -> None:
        """Keep a painting, and remove what it takes the room of."""
        with self._lock:
            former = self._entries.pop(visitor, [])
            self._replace({**self._entries, visitor: [entry, *former]})

    def of(self, visitor: str) -> list[Entry]:
        """The paintings of a visitor, the newest first."""
        with self._lock:
            self._replace(self._entries)
            return list(self._entries.get(visitor, []))

    def _replace(self, entries: dict[str, list[Entry]]) -> None:
        """Keep what is recent and has room, and remove the files of the rest."""
        kept = {
            visitor: [each for each in given if _is_recent(each)][:MAX_ENTRIES] for visitor, given in entries.items()
        }
        kept = dict([(visitor, given) for visitor, given in kept.items() if given][-MAX_VISITORS:])
        places = {each.painting.parent for given in kept.values() for each in given}
        for folder in {each.painting.parent for given in entries.values() for each in given} - places:
            shutil.rmtree(folder, ignore_errors=True)
        self._entries = kept


def _is_recent(entry: Entry) -> bool:
    return time.monotonic() - entry.made < MAX_SECONDS
