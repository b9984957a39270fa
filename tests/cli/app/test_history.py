"""Paintings that are kept for who painted them, for a while."""

import gc
import os

import numpy as np
import pytest
from PIL import Image

from neural_style import samples
from neural_style.cli.app import history
from neural_style.cli.app.history import History, Texts, write_entry

TEXTS = Texts("done", "neural-style", "stylize")
PHOTO = str(samples.path("astronaut"))


@pytest.fixture
def kept(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return History()


def add(kept, visitor, caption="done"):
    masks = [np.zeros((4, 6), np.uint8)]
    entry = write_entry(
        kept.new_folder(), Image.new("RGB", (48, 32)), PHOTO, masks, "a_b.png", TEXTS._replace(caption=caption)
    )
    kept.add(visitor, entry)
    return entry


def sizes(*paths):
    found = []
    for path in paths:
        with Image.open(path) as image:
            found.append(image.size)
    return found


def test_an_entry_holds_all_that_the_page_shows(kept):
    entry = add(kept, "me")
    assert entry.painting.name == "a_b.png"
    assert sizes(entry.painting, entry.view, entry.before, entry.thumbnail) == [(48, 32)] * 4
    assert sizes(*entry.masks) == [(6, 4)]
    assert kept.of("me") == [entry]
    assert kept.of("you") == []


def test_what_is_shown_of_a_large_painting_is_small(tmp_path):
    entry = write_entry(tmp_path / "entry", Image.new("RGB", (3200, 320)), PHOTO, [], "a.png", TEXTS)
    found = sizes(entry.painting, entry.view, entry.before, entry.thumbnail)
    assert found == [(3200, 320), (1600, 160), (1600, 160), (192, 19)]


def test_the_newest_is_first_and_the_oldest_makes_room(kept, monkeypatch):
    monkeypatch.setattr(history, "MAX_ENTRIES", 2)
    entries = [add(kept, "me", str(number)) for number in range(3)]
    assert [entry.texts.caption for entry in kept.of("me")] == ["2", "1"]
    assert [entry.painting.exists() for entry in entries] == [False, True, True]


def test_who_has_been_away_longest_makes_room(kept, monkeypatch):
    monkeypatch.setattr(history, "MAX_VISITORS", 2)
    first, _, _ = add(kept, "a"), add(kept, "b"), add(kept, "a")
    add(kept, "c")
    assert [len(kept.of(visitor)) for visitor in "abc"] == [2, 0, 1]
    assert first.painting.exists()


def test_paintings_are_kept_for_a_day(kept, monkeypatch):
    entry = add(kept, "me")
    monkeypatch.setattr("time.monotonic", lambda: entry.made + history.MAX_SECONDS + 1)
    assert kept.of("me") == []
    assert not entry.painting.exists()


def test_all_is_removed_in_the_end_and_nobody_else_can_read_it(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = History()
    folder = add(kept, "me").painting.parent.parent
    assert folder.parent == tmp_path
    assert os.name == "nt" or folder.stat().st_mode & 0o077 == 0
    del kept
    gc.collect()
    assert not folder.exists()


def test_visitors_are_named_by_what_nobody_can_guess():
    names = History()
    assert names.visitor(None) != names.visitor(None)
    known = names.visitor(None)
    assert names.visitor(known) == known
    for strange in ("../../etc", "", 7, "G" * 32):
        assert names.visitor(strange) != strange
