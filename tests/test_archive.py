"""Archives: no altered bit is read, nothing is unpickled, and no array is larger than the file."""

import io
import zipfile

import numpy as np
import pytest

from neural_style import _archive
from neural_style._archive import DamagedError, opened, write
from neural_style.errors import CheckpointError

ARRAYS = {"canvas": np.arange(6.0), "matches/0": np.array(3, np.int32)}


@pytest.fixture
def path(tmp_path):
    with (tmp_path / "file.npz").open("w+b") as handle:
        write(handle, {"format": 7, "name": "ö"}, ARRAYS)
    return tmp_path / "file.npz"


def test_what_was_written_is_read_by_numpy_as_well(path):
    with opened(path) as (about, stored):
        assert about == {"format": 7, "name": "ö"}
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(stored[name], array)
    with np.load(path, allow_pickle=False) as stored:
        assert set(stored) == {"about", *ARRAYS}


def read(path, **options):
    with opened(path, **options) as (about, stored):
        return about, {name: stored[name] for name in stored.headers}


def test_every_altered_bit_and_every_cut_is_damage(path, monkeypatch):
    """Also in names, in lengths and in the checksum itself: each bit of each byte, and every 17th length."""
    data = path.read_bytes()
    flipped = (data[:i] + bytes([data[i] ^ 1 << bit]) + data[i + 1 :] for i in range(len(data)) for bit in range(8))
    monkeypatch.setattr(_archive, "open_regular", io.BytesIO)  # a thousand files take seconds
    for altered in (*flipped, *(data[:length] for length in range(0, len(data), 17)), data + b"x"):
        with pytest.raises(DamagedError):
            read(altered, unchecked=(6,))


def test_a_former_format_needs_no_checksum(path):
    header = np.frombuffer(b'{"format": 6}', np.uint8)
    np.savez(path, about=header, **ARRAYS)
    assert read(path, unchecked=(6,))[0] == {"format": 6}
    with pytest.raises(DamagedError, match="checksum is missing"):
        read(path)


@pytest.mark.parametrize("data", [b"", b"PK", b"\x93NUMPY\x01\x00v\x00{}", b"\x80\x04\x95.", b"junk" * 100])
def test_foreign_files_are_damage(path, data):
    path.write_bytes(data)
    with pytest.raises(DamagedError):
        read(path, unchecked=(6,))


def test_a_single_array_is_no_archive(path):
    with path.open("wb") as handle:
        np.save(handle, np.zeros(3))
    with pytest.raises(DamagedError):
        read(path)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ValueError("not finite"), DamagedError),
        (KeyError("losses"), DamagedError),
        (zipfile.BadZipFile("overlap"), DamagedError),
        (CheckpointError("another run"), CheckpointError),
        (MemoryError(), MemoryError),
        (LookupError("unknown encoding"), LookupError),  # its module could not be loaded for want of memory
        (PermissionError(13, "denied"), PermissionError),
        (OSError(22, "Invalid argument"), OSError),  # with the right checksum, the content is not to blame
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_only_what_cannot_be_understood_is_damage(path, error, raised):
    with pytest.raises(raised), opened(path):
        raise error


def test_what_cannot_be_opened_is_not_damage(path, tmp_path):
    for place in (tmp_path / "missing", tmp_path):
        with pytest.raises(OSError, match=r"No such file|a folder"):
            read(place)


# --- larger than the file ----------------------------------------------------------------------------


def test_compressed_arrays_are_not_expanded(path):
    np.savez_compressed(path, about=np.zeros(10**6, np.uint8))
    assert path.stat().st_size < 10_000
    with pytest.raises(DamagedError, match="it is compressed"):
        read(path)


@pytest.mark.parametrize("shape", [(100,), (10**12,), (10**6, 10**6)])
def test_a_shape_without_its_data_is_not_allocated(path, shape):
    with zipfile.ZipFile(path, "w") as archive, archive.open("canvas.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": shape})
        member.write(bytes(100))
    with pytest.raises(DamagedError, match="bytes would become"):
        read(path)


def test_objects_are_not_unpickled(path):
    np.savez(path, about=np.array([{}], object))
    with pytest.raises(DamagedError, match="Python objects, which are never read"):
        read(path)
