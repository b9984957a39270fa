"""Atomic writes: complete files, or none."""

import os
import stat
import time

import pytest

from neural_style._atomic import check_place, create_beside, put, put_aside, sweep, write_whole


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


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_replaced_files_permissions_stay_and_nobody_else_reads_the_new_one_before(tmp_path, mode):
    seen = []

    def write(handle):
        seen.extend(mode_of(path) for path in tmp_path.glob("*.part"))

    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(mode)
    write_whole(tmp_path / "file", write)
    assert mode_of(tmp_path / "file") == mode
    assert seen == [0o600]


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root gives files away")
def test_a_replaced_files_owner_stays(tmp_path):
    (tmp_path / "file").touch()
    os.chown(tmp_path / "file", 12345, 23456)
    write_whole(tmp_path / "file", lambda handle: handle.write(b"x"))
    found = (tmp_path / "file").stat()
    assert (found.st_uid, found.st_gid) == (12345, 23456)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_group_that_cannot_be_kept_hands_its_permissions_to_no_other(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(1, "not permitted")

    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o664)
    monkeypatch.setattr(os, "fchown", refuse)
    write_whole(tmp_path / "file", lambda handle: handle.write(b"x"))
    assert mode_of(tmp_path / "file") == 0o604


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_private_file_is_private_whatever_it_replaces_and_so_is_its_backup(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o644)
    write_whole(tmp_path / "file", lambda handle: None, backup=tmp_path / "backup", mode=0o600)
    assert [mode_of(tmp_path / name) for name in ("file", "backup")] == [0o600, 0o600]


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
@pytest.mark.parametrize("name", ["file", "backup"])
def test_only_regular_files_are_replaced(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(OSError, match="a pipe"):
        write_whole(tmp_path / "file", lambda handle: None, backup=tmp_path / "backup")
    assert stat.S_ISFIFO((tmp_path / name).stat().st_mode)
    assert names(tmp_path) == sorted({"file", name})


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_read_only_file_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write to any file
    for act in (check_place, lambda path: write_whole(path, lambda handle: handle.write(b"new"))):
        with pytest.raises(PermissionError, match="read-only"):
            act(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old"
    write_whole(tmp_path / "new", lambda handle: handle.write(b"new"))
    assert names(tmp_path) == ["file", "new"]


def test_a_place_is_checked_without_a_trace(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    for name in ("file", "new"):
        check_place(tmp_path / name)
    assert names(tmp_path) == ["file"]
    for name, reason in {"nowhere/file": "No such", "n" * 300: "too long", "": "a folder"}.items():
        with pytest.raises(OSError, match=reason):
            check_place(tmp_path / name)
    with pytest.raises(OSError, match="too long"):
        check_place(tmp_path / ("n" * 240), prefix=f".{'n' * 240}.")  # its temporary file has a longer name


def test_a_file_put_aside_replaces_none(tmp_path):
    for text in ("first", "second", "third"):
        (tmp_path / "file").write_text(text)
        put_aside(tmp_path / "file")
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["first", "second", "third"]
    assert names(tmp_path) == ["file.aside", "file.aside-2", "file.aside-3"]


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
