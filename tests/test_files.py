"""Kinds of files, links, and files of several names. Devices are stood in for by pipes, which anybody may create."""

import io
import os
import stat

import pytest
from PIL import Image

from neural_style import _files
from neural_style._files import FileSet, check_regular, check_replaceable, open_regular, resolve

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes, links and permissions are POSIX's")


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    return tmp_path / "pipe.png"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR | os.O_CREAT | os.O_APPEND])
def test_only_regular_files_are_opened_and_nothing_blocks(tmp_path, pipe, flags):
    link = tmp_path / "link"
    link.symlink_to(pipe)
    for place, kind in ((pipe, "a pipe"), (link, "a pipe"), (tmp_path, "a folder")):
        with pytest.raises(OSError, match=f"it is {kind}, not a regular file"):
            open_regular(place, flags)
    (tmp_path / "file").write_bytes(b"data")
    with open_regular(tmp_path / "file", flags) as handle:
        assert handle.read() == b"data"


def test_special_files_are_not_regular_and_new_names_are_free(tmp_path, pipe):
    for check in (check_regular, check_replaceable):
        check(tmp_path / "new")
        with pytest.raises(OSError, match="a pipe"):
            check(pipe)
        with pytest.raises(IsADirectoryError, match="a folder"):
            check(tmp_path)
        with pytest.raises(OSError, match="too long"):
            check(tmp_path / ("n" * 300))


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root makes devices")
def test_a_device_is_not_replaced(tmp_path):
    try:
        os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except OSError:
        pytest.skip("no devices here")
    for check in (check_regular, check_replaceable, open_regular):
        with pytest.raises(OSError, match="a device"):
            check(tmp_path / "null")


def test_another_users_file_in_a_sticky_folder_cannot_be_replaced(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    tmp_path.chmod(0o1777)
    me = os.geteuid()
    check_replaceable(tmp_path / "file")
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(PermissionError, match="sticky folder"):
        check_replaceable(tmp_path / "file")
    check_replaceable(tmp_path / "new")
    tmp_path.chmod(0o777)
    check_replaceable(tmp_path / "file")


def test_a_mount_point_cannot_be_replaced(tmp_path, monkeypatch):
    (tmp_path / "a file").touch()
    points = _files._mount_points()
    assert b"/" in points or not points
    monkeypatch.setattr(_files, "_mount_points", lambda: {os.fsencode(tmp_path / "a file")})
    with pytest.raises(OSError, match="mount point"):
        check_replaceable(tmp_path / "a file")


def test_a_link_is_followed_to_a_file_or_a_new_name_of_its_suffix(tmp_path):
    (tmp_path / "notes.txt").touch()
    for name in ("real.png", "new.PNG"):
        (tmp_path / "link.png").symlink_to(tmp_path / name)
        assert resolve(tmp_path / "link.png") == str(tmp_path / name)
        (tmp_path / "link.png").unlink()
    (tmp_path / "link.png").symlink_to("notes.txt")
    with pytest.raises(OSError, match="another suffix, .*notes.txt"):
        resolve(tmp_path / "link.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    with pytest.raises(OSError, match="circle"):
        resolve(tmp_path / "circle.png")


@pytest.mark.parametrize("planted", ["link.png", "folder/out.png"])
def test_a_link_that_another_user_planted_in_a_shared_folder_is_not_followed(tmp_path, monkeypatch, planted):
    (tmp_path / "mine").mkdir()
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "link.png").symlink_to(tmp_path / "mine" / "original.png")
    (shared / "folder").symlink_to(tmp_path / "mine")
    shared.chmod(0o1777)
    assert resolve(shared / planted).startswith(str(tmp_path / "mine"))
    monkeypatch.setattr(_files, "_is_planted", lambda link: link.parent == shared)
    with pytest.raises(PermissionError, match="another user's link"):
        resolve(shared / planted)


def test_a_planted_link_is_neither_ours_nor_the_folder_owners(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to("anything")
    tmp_path.chmod(0o1777)
    assert not _files._is_planted(tmp_path / "link")
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert not _files._is_planted(tmp_path / "link")  # of the folder's owner
    if me == 0:
        os.chown(tmp_path, 12345, 12345)
        assert _files._is_planted(tmp_path / "link")
        tmp_path.chmod(0o777)
        assert not _files._is_planted(tmp_path / "link")
        os.chown(tmp_path, 0, 0)


def test_a_file_is_recognized_under_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (4, 4)).save("a.png")
    (tmp_path / "link.png").symlink_to("a.png")
    os.link("a.png", "hard.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "new.png")
    files = FileSet()
    files.add([{"x": tmp_path / "a.png"}, ("new.png", 0.5), None, b"data", 3.0], "mine")
    for name in ("a.png", "sub/../a.png", tmp_path / "a.png", "link.png", "hard.png", "dangling.png", ["b", "a.png"]):
        assert files.find(name) == "mine"
    with open("hard.png", "rb") as handle, Image.open("a.png") as image:
        assert files.find(handle) == files.find(image) == "mine"
    for other in ("b.png", "sub", "bad\0name", None, io.BytesIO(), b"a.png"):
        assert files.find(other) is None


def test_open_files_and_lazily_opened_images_are_files_too(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)
    for source in (path.open("rb"), Image.open(path)):
        with source:
            files = FileSet()
            files.add(source, "it")
            assert files.find(path) == "it"


def test_a_deleted_files_number_is_not_mistaken_for_another_file(tmp_path, monkeypatch):
    (tmp_path / "old").touch()
    files = FileSet()
    files.add(tmp_path / "old", "old")
    (tmp_path / "old").unlink()
    (tmp_path / "new").touch()  # which may get the number of the deleted one
    assert files.find(tmp_path / "new") is None
