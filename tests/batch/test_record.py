"""The record: only of regular files, never read whole, and never appended to something else."""

import os
import shutil

import pytest

from neural_style.batch import record as module
from neural_style.batch.record import Outcome, Record

DONE = Outcome(0, "a.png", "done", 1.0, None, "1f2e")


def test_outcomes_are_found_again(tmp_path):
    path = tmp_path / "deep" / "r.jsonl"
    Record(path).add(DONE)
    assert Record(path).identity("./a.png") == "1f2e"
    assert Record(path).identity("b.png") is None
    assert path.read_bytes().count(b"\n") == 1


def test_a_deleted_folder_does_not_end_the_batch(tmp_path):
    record = Record(tmp_path / "out" / "r.jsonl")
    shutil.rmtree(tmp_path / "out")
    record.add(DONE)
    assert Record(tmp_path / "out" / "r.jsonl").identity("a.png") == "1f2e"


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
def test_a_record_is_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "r.jsonl").symlink_to("notes.txt")
    for name, kind in (("pipe", "a pipe"), ("link", "a pipe"), (".", "a folder"), ("r.jsonl", "another suffix")):
        with pytest.raises(OSError, match=kind):
            Record(tmp_path / name)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n", b"number,output\n", b"\n\n"])
def test_a_file_of_another_kind_is_not_appended_to(tmp_path, data):
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is not a record"):
        Record(path)
    assert path.read_bytes() == data


def test_an_endless_record_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    Record(path).add(DONE)
    with path.open("ab") as handle:
        handle.truncate(module.MAX_BYTES + 1)  # a hole: it takes no space
    with pytest.raises(ValueError, match="too long for a record"):
        Record(path)


def test_damaged_lines_are_passed_over_and_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 400)
    path = tmp_path / "r.jsonl"
    Record(path).add(DONE)
    with path.open("ab") as handle:
        handle.write(b"\xff\xfe{[]\n" + b"[1]\n" + b"x" * 3000)
    record = Record(path)
    assert record.identity("a.png") == "1f2e"
    record.add(Outcome(1, "b.png", "done", 1.0, None, "77"))
    assert Record(path).identity("b.png") == "77"
