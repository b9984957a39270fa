"""Frames on disk: written and read unchanged, and nothing but frames of this call is read or removed."""

import os

import numpy as np
import pytest
from PIL import Image

from neural_style import CheckpointError
from neural_style.video.store import LABEL, FrameStore, identify

SIZE = (12, 8)
NOISE = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)


def store_in(folder, **arguments):
    return FrameStore(folder / "out.mp4.frames", identify(arguments), SIZE)


def test_frames_come_back_bit_for_bit(tmp_path):
    store = store_in(tmp_path)
    store.save(3, NOISE)
    assert [store.has(number) for number in (2, 3)] == [False, True]
    np.testing.assert_array_equal(store.load(3), NOISE)
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32, 1).repeat(3, axis=2)
    wide = FrameStore(tmp_path / "wide.frames", {}, (32, 8))
    wide.save(0, ramp)
    np.testing.assert_array_equal(wide.load(0), ramp)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_frames_are_for_their_owner_alone(tmp_path):
    store_in(tmp_path / "new")
    modes = [path.stat().st_mode & 0o077 for path in (tmp_path / "new", tmp_path / "new" / "out.mp4.frames")]
    assert modes[0] != 0 and modes[1] == 0


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 8\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize("content", [EPS, b"", b"no image", b"%PDF-1.4\n", b"BLP2" + bytes(200), b"8BPS" + bytes(200)])
def test_kept_frames_are_opened_by_the_package_s_reader_only(tmp_path, monkeypatch, content):
    opened = []
    monkeypatch.setattr(Image, "open", lambda *given, **formats: opened.append(formats) or 1 / 0)
    store = store_in(tmp_path)
    (tmp_path / "out.mp4.frames" / "000000.png").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"000000\.png'.*delete this file"):
        store.load(0)
    assert opened == []


def test_a_frame_of_another_size_is_refused(tmp_path):
    store = store_in(tmp_path)
    Image.new("RGB", (8, 12)).save(tmp_path / "out.mp4.frames" / "000000.png")
    with pytest.raises(CheckpointError, match=r"000000\.png': \(8, 12\) pixels, not \(12, 8\)"):
        store.load(0)


def test_a_folder_without_frames_is_removed_on_leaving(tmp_path):
    with pytest.raises(ZeroDivisionError), store_in(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), store_in(tmp_path) as store:
        store.save(0, NOISE)
        raise ZeroDivisionError
    assert {path.name for path in tmp_path.glob("*/*")} == {LABEL, "000000.png"}


def test_only_frames_are_removed(tmp_path):
    store = store_in(tmp_path)
    store.save(0, NOISE)
    for name in ("notes.txt", "photo.png", "12.png"):
        (tmp_path / "out.mp4.frames" / name).write_text("mine")
    store.remove()
    assert {path.name for path in tmp_path.glob("*/*")} == {"notes.txt", "photo.png", "12.png"}


def test_a_link_to_a_folder_is_followed_and_left(tmp_path):
    (tmp_path / "disk").mkdir()
    os.symlink(tmp_path / "disk", tmp_path / "out.mp4.frames")
    with store_in(tmp_path) as store:
        store.save(0, NOISE)
        store.remove()
    assert list((tmp_path / "disk").iterdir()) == []


def test_frames_that_cannot_be_removed_are_a_warning(tmp_path):
    store = store_in(tmp_path)
    (tmp_path / "out.mp4.frames" / "000000.png").mkdir()
    with pytest.warns(UserWarning, match="could not be deleted"):
        store.remove()


@pytest.mark.parametrize("label", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"null"])
def test_a_damaged_label_is_refused(tmp_path, label):
    store_in(tmp_path).save(0, NOISE)
    (tmp_path / "out.mp4.frames" / LABEL).write_bytes(label)
    with pytest.raises(CheckpointError, match=r"made_of\.json' is damaged; delete its folder"):
        store_in(tmp_path)
    assert (tmp_path / "out.mp4.frames" / "000000.png").exists()
