"""Writing: conversion to Pillow, destinations, and files that are complete or absent."""

import os
import pathlib
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neural_style import images
from neural_style.errors import ImageError
from neural_style.images.writing import save_elsewhere
from tests.images.samples import HEIGHT, WIDTH


@settings(max_examples=60, deadline=None, derandomize=True)
@given(hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(0, 1, width=32)))
def test_to_pil_rounds_to_the_nearest_level(pixels):
    assert np.abs(np.asarray(images.to_pil(pixels), float) - pixels * 255.0).max() <= 0.5001


def test_to_pil_modes_and_shapes(colors):
    pixels = images.load(colors)
    assert np.array_equal(np.asarray(images.to_pil(pixels)), colors)
    assert np.array_equal(np.asarray(images.to_pil(pixels[0])), colors)
    image = images.to_pil(pixels, np.full((1, HEIGHT, WIDTH, 1), 0.5, np.float32))
    assert image.mode == "RGBA" and image.getpixel((0, 0))[3] == 128
    with pytest.raises(ImageError, match="does not fit"):
        images.to_pil(pixels, np.ones((3, 3)))


def test_rounding_errors_are_clipped_and_other_values_refused(tmp_path):
    noisy = np.full((2, 2, 3), 1.0000002, np.float32)
    assert images.to_pil(noisy).getpixel((0, 0)) == (255, 255, 255)
    for wrong in (np.full((2, 2, 3), np.nan), np.full((2, 2, 3), 2.0)):
        with pytest.raises(ImageError, match="array"):
            images.save(wrong, tmp_path / "out.png")
    assert not list(tmp_path.iterdir())


def save_black(path):
    images.save(np.zeros((2, 2, 3)), path)


@pytest.mark.parametrize("check", [images.check_writable, save_black])
def test_unusable_destinations_are_refused(tmp_path, check):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link.png").symlink_to("file")
    os.mkfifo(tmp_path / "pipe.png")
    for name, reason in {
        "out.bmp": "unknown output format '.bmp'; use one of .png", "out": "no suffix",
        "missing/out.png": "create it first",
        "folder.png": "a folder of that name", "file/out.png": "does not exist", "out\0.png": "not a usable",
        "link.png": "another suffix", "pipe.png": "a pipe", "n" * 300 + ".png": "too long",
    }.items():  # fmt: skip
        with pytest.raises(ImageError, match=reason):
            check(tmp_path / name)
    with pytest.raises(TypeError, match="expected a path"):
        check(3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png", "link.png", "pipe.png"]


def test_wrong_bits_are_refused(tmp_path):
    with pytest.raises(ValueError, match="8 or 16, got 12"):
        images.save(np.zeros((2, 2, 3)), tmp_path / "out.png", bits=12)
    with pytest.raises(ImageError, match="use .png or .tif"):
        images.save(np.zeros((2, 2, 3)), tmp_path / "out.jpg", bits=16)


def test_check_writable_leaves_nothing_behind(tmp_path):
    images.check_writable(tmp_path / "new.png")
    assert not list(tmp_path.iterdir())
    (tmp_path / "old.png").write_bytes(b"old")
    images.check_writable(str(tmp_path / "old.png"))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write anywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ImageError, match="cannot be written to"):
        images.check_writable(tmp_path / "out.png")
    tmp_path.chmod(0o700)


def test_folder_without_write_permission(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    for call in (images.check_writable, save_black):
        with monkeypatch.context() as patch, pytest.raises(ImageError, match="written to .*denied"):
            patch.setattr(os, "open", refuse)
            call(tmp_path / "out.png")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", ["replace", "fsync"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_save_keeps_the_old_file(tmp_path, monkeypatch, name, error, bits):
    path = tmp_path / "out.png"
    path.write_bytes(b"the old one")

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        expected = ImageError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(expected, match="No space" if expected is ImageError else None):
            images.save(np.zeros((2, 2, 3)), path, bits=bits)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"the old one"]


def test_saving_follows_a_link_and_respects_the_umask(tmp_path):
    real = tmp_path / "real.png"
    link = tmp_path / "link.png"
    link.symlink_to(real)
    images.save(np.zeros((2, 2, 3)), link)
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert link.is_symlink() and real.stat().st_mode == plain.stat().st_mode


def test_a_replaced_image_keeps_its_permissions(tmp_path):
    path = tmp_path / "out.png"
    save_black(path)
    path.chmod(0o600)
    save_black(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_image_that_cannot_be_saved_goes_beside_under_a_new_name(tmp_path):
    (tmp_path / "out.png").mkdir()
    for number in (2, 3):
        place = save_elsewhere(np.ones((2, 2, 3)), tmp_path / "out.png")
        assert place == str(tmp_path / f"out-{number}.png")
        assert images.load(place).mean() == 1.0
    assert save_elsewhere(np.ones((2, 2, 3)), tmp_path / ("n" * 250 + ".webp")) == str(tmp_path / f"{'n' * 100}-2.webp")
    assert save_elsewhere(np.ones((2, 2, 3)), tmp_path / "out.xyz") == str(tmp_path / "out-4.png")


def test_an_image_goes_to_the_nearest_folder_in_which_it_can_be_written(tmp_path, monkeypatch):
    for name in ("current", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "current")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    gone = tmp_path / "gone" / "too" / "out.png"
    assert save_elsewhere(np.ones((2, 2, 3)), gone) == str(tmp_path / "out-2.png")
    create, full = os.open, [str(tmp_path)]

    def refuse(path, *arguments):
        if os.path.dirname(os.path.abspath(path)) in full:
            raise OSError(28, "No space left on device")
        return create(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    assert save_elsewhere(np.ones((2, 2, 3)), gone) == os.path.join(".", "out-2.png")
    full.append(str(tmp_path / "current"))
    place = save_elsewhere(np.ones((2, 2, 3)), gone)
    assert place.startswith(str(tmp_path / "temporary" / "neural_style-"))
    assert os.stat(os.path.dirname(place)).st_mode & 0o777 == 0o700
    full.append(os.path.dirname(place))
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix: os.path.dirname(place))
    with pytest.raises(ImageError, match="elsewhere either .*No space"):
        save_elsewhere(np.ones((2, 2, 3)), gone)


def test_undecodable_file_names(tmp_path):
    path = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png"))
    try:
        images.save(np.zeros((2, 2, 3)), path)
    except ImageError:
        pytest.skip("this file system takes only Unicode names")
    assert images.load(path).shape == (1, 2, 2, 3)
    path.write_bytes(b"")
    with pytest.raises(ImageError) as caught:
        images.load(path)
    str(caught.value).encode()
