"""Atomic writes: complete files, or none."""

import os
import stat
import time

import pytest

from neural_style._atomic import create_beside, put, sweep, write_whole


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_has_the_content_that_was_written(tmp_path):
    write_whole(tmp_path / "new", lambda handle: handle.write(b"whole"))
    assert (tmp_path / "new").read_bytes() == b"whole"
    assert names(tmp_path) == ["new"]


def test_a_bare_name_is_written_to_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_whole("new", lambda handle: handle.write(b"whole"))
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_unchanged(tmp_path, error):
    def write(handle):
        handle.write(b"half")
        raise error

    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(error):
        write_whole(tmp_path / "old", write, backup=tmp_path / "backup")
    assert (tmp_path / "old").read_bytes() == b"old"
    assert names(tmp_path) == ["old"]


def test_the_old_file_is_complete_while_the_new_one_is_written(tmp_path):
    seen = []

    def write(handle):
        handle.write(b"new")
        seen.append((tmp_path / "file").read_bytes())

    (tmp_path / "file").write_bytes(b"old")
    write_whole(tmp_path / "file", write)
    assert seen == [b"old"]
    assert (tmp_path / "file").read_bytes() == b"new"


def test_the_old_file_becomes_the_backup(tmp_path):
    for text in (b"first", b"second", b"third"):
        write_whole(tmp_path / "file", lambda handle, text=text: handle.write(text), backup=tmp_path / "backup")
    assert ((tmp_path / "file").read_bytes(), (tmp_path / "backup").read_bytes()) == (b"third", b"second")
    assert names(tmp_path) == ["backup", "file"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", lambda handle: handle.write(b"x"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_temporary_file_is_created_beside_its_target_and_renamed_to_it(tmp_path):
    target = tmp_path / "file"
    temporary, handle = create_beside(target, ".mine.")
    (name,) = names(tmp_path)
    assert name.startswith(".mine.") and name.endswith(".part")
    assert temporary == str(tmp_path / name)
    put(temporary, handle, target, lambda handle: handle.write(b"whole"))
    assert names(tmp_path) == ["file"]


def test_only_old_temporary_files_with_the_prefix_are_deleted(tmp_path):
    for name in (".mine.a.part", ".mine.b.part", ".mine.a", ".other.a.part"):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - 100,) * 2)
    os.utime(tmp_path / ".mine.b.part")
    sweep(tmp_path / "mine", ".mine.", seconds=50.0)
    assert names(tmp_path) == [".mine.a", ".mine.b.part", ".other.a.part"]
    sweep(tmp_path / "nowhere" / "mine", ".mine.", seconds=50.0)  # no such folder, and no error
