"""Outputs of a batch: no image is written over another, and none over an input. Nothing is painted here."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neural_style.batch import jobs, jobs_in, stylize_many
from neural_style.transfer.result import Result


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with subfolders, and the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "2025/a.jpg", "2026/a.jpg", "2026/b.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def painted(monkeypatch):
    """The jobs that were painted: a run takes no time and gives a gray image."""
    done = []

    def paint(content, style, **options):
        done.append(content)
        return Result(np.full((4, 4, 3), 0.5, np.float32), [], {})

    monkeypatch.setattr(jobs, "stylize_result", paint)
    return done


def outputs(*arguments, **options):
    return [os.fspath(job.output) for job in jobs_in(*arguments, **options)]


def errors(*arguments, **options):
    return [outcome.error for outcome in stylize_many(*arguments, **options)]


# --- names -------------------------------------------------------------------------------------------


def test_subfolders_are_kept(photos):
    assert outputs("photos", None, "out", pattern="**/*") == [
        "out/2025/a.png", "out/2026/a.png", "out/2026/b.png", "out/a.png",
    ]  # fmt: skip
    assert outputs("photos", None, "out", pattern="*/a.*", suffix=".jpg") == ["out/2025/a.jpg", "out/2026/a.jpg"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.jpg", "a.tif", "a.jpg.bmp"], ["a.jpg.png", "a.jpg.bmp.png", "a.tif.png"]),
        (["a.jpg", "a.jpg.bmp"], ["a.png", "a.jpg.bmp.png"]),
        (["a.jpg", "A.tif"], ["A.tif.png", "a.jpg.png"]),
        (["a.jpg", "a.png", "a.png.png"], ["a.jpg.png", "a.png.png", "a.png.png.png"]),
        (["a.jpg", "b.jpg"], ["a.png", "b.png"]),
    ],
)
def test_no_two_images_of_a_folder_have_one_output(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).touch()
    found = [job.output.name for job in jobs_in(tmp_path, None, "out")]
    assert found == expected
    assert len(set(map(str.casefold, found))) == len(names)


def test_hidden_folders_are_ignored_and_a_pattern_stays_in_its_folder(photos):
    (photos / ".trash").mkdir()
    (photos / "a.jpg").rename(photos / ".trash" / "a.jpg")
    assert len(outputs("photos", None, "out", pattern="**/*.jpg")) == 2
    assert outputs("photos", None, "out", pattern=".trash/*") == ["out/.trash/a.png"]
    with pytest.raises(ValueError, match="leads out of the folder"):
        jobs_in("photos", None, "out", pattern="../*.jpg")


@pytest.mark.parametrize("suffix", [".gif", "png", "", "/x.png"])
def test_a_suffix_that_is_no_formats_is_refused(photos, suffix):
    with pytest.raises(ValueError, match=r"use one of \.png"):
        jobs_in("photos", None, "out", suffix=suffix)


# --- the output folder and the input folder ----------------------------------------------------------


@pytest.mark.parametrize("output", ["photos", "photos/.", "link", "photos/2025/..", "other/back"])
def test_results_do_not_go_among_the_images(photos, output):
    os.symlink("photos", "link")
    os.mkdir("other")
    os.symlink(photos, "other/back")
    with pytest.raises(ValueError, match="choose another output folder"):
        jobs_in("photos", None, output)
    with pytest.raises(ValueError, match="choose another output folder"):
        jobs_in(output, None, "photos", pattern="*.jpg")


def test_folders_that_are_mounted_twice_are_one(photos, painted, monkeypatch):
    """A link whose path is not resolved looks like such a folder: another path, the same number."""
    os.symlink("photos", "mounted")
    monkeypatch.setattr(os.path, "realpath", lambda path, **_: os.path.abspath(path))
    with pytest.raises(ValueError, match="choose another output folder"):
        jobs_in("photos", None, "mounted")
    assert jobs_in("mounted", None, "photos/out")
    twice = [("photos/a.jpg", None, "photos/new.png"), ("photos/a.jpg", None, "mounted/new.png")]
    assert [error is None for error in errors(twice)] == [True, False]


def test_results_in_a_subfolder_are_not_painted_by_the_next_call(photos):
    Image.new("RGB", (4, 4)).save(photos / "2025" / "painted.png")
    assert outputs("photos", None, "photos/2025", pattern="**/*") == [
        "photos/2025/2026/a.png", "photos/2025/2026/b.png", "photos/2025/a.png",
    ]  # fmt: skip


def test_an_output_folder_above_is_refused_only_where_results_fall_back_into_the_folder(photos):
    assert outputs("photos/2026", None, "photos") == ["photos/a.png", "photos/b.png"]
    (photos / "photos").mkdir()
    Image.new("RGB", (4, 4)).save(photos / "photos" / "c.png")
    with pytest.raises(ValueError, match="choose another output folder"):
        jobs_in("photos", None, ".", pattern="**/*")


# --- any jobs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, iter])
def test_of_two_jobs_with_one_output_the_second_fails(photos, painted, kind):
    os.symlink("out", "link")
    work = [("photos/a.jpg", None, "out/a.png"), ("photos/2025/a.jpg", None, "link/../out/a.png")]
    for _ in range(2):
        first, second = errors(kind(work), record="r.jsonl")
        assert first is None
        assert "is also the output of job 0" in second
    assert len(painted) == 1


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("b.png", "the content of job 1"),
        ("hard.png", "the content of job 1"),
        ("link.png", "the content of job 1"),
        ("style.png", "a style of job 0"),
        ("mask.png", "a file of the option masks"),
        ("start.png", "a file of the option init"),
        ("r.png", "the record"),
    ],
)
def test_an_output_that_the_batch_reads_is_refused(photos, painted, name, owner):
    for each in ("b.png", "style.png", "mask.png", "start.png"):
        Image.new("RGB", (4, 4), "red").save(each)
    os.link("b.png", "hard.png")
    os.symlink("b.png", "link.png")
    before = Path(name).read_bytes() if os.path.exists(name) else None
    work = [("photos/a.jpg", [("style.png", 1.0)], name), ("b.png", "style.png", "out/b.png")]
    first, second = errors(work, masks=["mask.png"], init="start.png", record="r.png")
    assert second is None
    assert f"is {owner} and would be replaced" in first
    assert before is None or Path(name).read_bytes() == before
    assert painted == ["b.png"]


def test_open_files_and_images_are_inputs_too(photos, painted):
    with open("photos/a.jpg", "rb") as handle, Image.open("photos/2026/b.png") as image:
        found = errors([(handle, None, "photos/a.jpg"), (image, None, "photos/2026/b.png")])
    assert all("would be replaced" in error for error in found)
    assert painted == []


@pytest.mark.parametrize("kind", [list, iter])
def test_an_output_is_not_the_input_of_a_later_job(photos, painted, kind):
    chain = [("photos/a.jpg", None, "b.png"), ("b.png", None, "c.png")]
    found = errors(kind(chain))
    refused = 0 if kind is list else 1  # the jobs of an iterator are not known before
    assert [error is None for error in found] == [number != refused for number in range(2)]
    assert "job" in found[refused]


def test_what_cannot_be_written_is_reported_before_it_is_painted(photos, painted):
    os.mkdir("folder.png")
    os.mkfifo("pipe.png")
    os.mkfifo("other.png")
    os.symlink("other.png", "link.png")
    (photos.parent / "notes.txt").touch()
    os.symlink("notes.txt", "notes.png")
    names = ["a.bmp", "b.gif", "cpng", "folder.png", "pipe.png", "link.png", "notes.png", "n" * 260 + ".png"]
    found = errors([("photos/a.jpg", None, name) for name in names])
    assert painted == []
    reasons = ["'.bmp'", "'.gif'", "no suffix", "a folder", "a pipe", "a pipe", "another suffix", "too long"]
    for error, reason in zip(found, reasons, strict=True):
        assert reason in error


def test_an_image_that_cannot_be_written_at_last_is_kept_and_its_place_reported(photos, painted, monkeypatch):
    paint = jobs.stylize_result

    def delete_and_paint(*arguments, **options):
        os.rmdir("out/deep")
        os.rmdir("out")
        return paint(*arguments, **options)

    monkeypatch.setattr(jobs, "stylize_result", delete_and_paint)
    (error,) = errors([("photos/a.jpg", None, "out/deep/a.png")])
    assert "does not exist" in error
    assert error.endswith(f"the image was saved as '{photos.parent}/a-2.png' instead")
    with Image.open("a-2.png") as kept:
        assert kept.size == (4, 4)
