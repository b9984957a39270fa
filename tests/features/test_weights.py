"""Weights that ship with this package, and weights from a file: loaded exactly, or refused with the reason."""

import concurrent.futures
import io
import os
import re
import zipfile

import h5py
import numpy as np
import pytest

from neural_style.errors import WeightsUnavailableError
from neural_style.features import VGG19, Lite, weights
from tests.features.published import NAMES, assert_same, small_arrays, write_as_published

# --- what ships --------------------------------------------------------------------------------------


def test_bundled_weights_have_the_networks_shapes():
    arrays = weights.load_weights("vgg16", "bundled", ())
    channels = 3
    for name, stored in arrays.items():
        outputs = 64 * 2 ** min(int(name[5]) - 1, 3)
        assert stored.kernel.shape == stored.kernel32.shape == (3, 3, channels, outputs)
        assert stored.bias.shape == stored.scale.shape == (outputs,)
        assert stored.kernel.dtype == np.int8
        assert stored.kernel32.dtype == stored.bias.dtype == np.float32
        channels = outputs
    assert len(arrays) == 11


def test_bundled_weights_are_read_once_also_by_several_threads():
    arrays = weights.load_weights("vgg16", "bundled", ())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(arrays.__getitem__, ["block1_conv2", "block2_conv1"] * 8))
    assert {id(each) for each in found} == {id(arrays["block1_conv2"]), id(arrays["block2_conv1"])}
    assert "block9_conv1" not in arrays
    with pytest.raises(KeyError, match="block9_conv1"):
        arrays["block9_conv1"]


@pytest.mark.parametrize("harm", ["flipped bit", "cut short", "missing"])
def test_a_damaged_bundled_file_is_refused(monkeypatch, tmp_path, harm):
    data = bytearray((weights.resources.files("neural_style.features") / "pretrained" / "vgg16.npz").read_bytes())
    (tmp_path / "pretrained").mkdir()
    copy = tmp_path / "pretrained" / "vgg16.npz"
    monkeypatch.setattr(weights.resources, "files", lambda package: tmp_path)
    copy.write_bytes(data)
    assert len(weights.load_weights("vgg16", "bundled", ())) == 11
    data[len(data) // 2] ^= 1
    if harm == "missing":
        copy.unlink()
    else:
        copy.write_bytes(data if harm == "flipped bit" else data[:-100])
    with pytest.raises(WeightsUnavailableError, match="install neural_style again"):
        weights.load_weights("vgg16", "bundled", ())


def test_no_other_network_is_bundled():
    with pytest.raises(WeightsUnavailableError, match="no weights of vgg19 ship"):
        VGG19("bundled")


# --- files -------------------------------------------------------------------------------------------


def test_as_many_layers_as_the_file_holds_are_read(tmp_path):
    path = write_as_published(tmp_path / "two.h5", small_arrays())
    assert_same(weights.load_weights("vgg19", path, NAMES), small_arrays())
    assert list(VGG19(path).layers) == ["block1_conv1", "block1_conv2"]


def write_npz(path, arrays):
    np.savez(
        path,
        **{f"{name}/{part}": pair[i] for name, pair in arrays.items() for i, part in enumerate(("kernel", "bias"))},
    )


def shallow(shape):
    return {"block1_conv1": (np.zeros(shape, np.float32), np.zeros(shape[-1], np.float32))}


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (shallow((3, 3, 3, 32)), r"kernel of shape \(3, 3, 3, 32\) where \(3, 3, 3, 64\) was expected"),
        ({"block1_conv2": small_arrays()["block1_conv2"]}, "lacks .*block1_conv1"),
        ({}, "lacks .*block1_conv1"),
    ],
)
def test_files_of_another_network_are_refused(tmp_path, suffix, arrays, message):
    path = tmp_path / f"other{suffix}"
    (write_npz if suffix == ".npz" else write_as_published)(path, arrays)
    with pytest.raises(WeightsUnavailableError, match=message):
        weights.load_weights("vgg19", path, NAMES)


@pytest.mark.parametrize("name", ["garbage.npz", "garbage.h5", "garbage"])
def test_files_that_hold_no_weights_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"this is no such thing" * 50)
    with pytest.raises(WeightsUnavailableError, match=re.escape(str(path))):
        VGG19(path)


def test_pickles_are_not_opened(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez(path, **{"block1_conv1/kernel": np.array([{}], object), "block1_conv1/bias": np.zeros(64)})
    with pytest.raises(WeightsUnavailableError, match="could not be read as a weights file"):
        VGG19(path)


def test_links_to_other_files_are_not_followed(tmp_path):
    write_as_published(tmp_path / "secret.h5", small_arrays())
    path = tmp_path / "linking.h5"
    with h5py.File(path, "w") as file:
        file["block1_conv1"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/block1_conv1")
    with pytest.raises(WeightsUnavailableError, match="lacks the convolution block1_conv1"):
        VGG19(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsUnavailableError, match=r"there is no weights file at .*nowhere\.h5"):
        VGG19(tmp_path / "nowhere.h5")


# --- shapes before data ------------------------------------------------------------------------------


def claim(path, shapes, dtype="<f4"):
    """An `.npz` file of headers alone: reading any data would fail in another way."""
    with zipfile.ZipFile(path, "w") as file:
        for name, shape in shapes.items():
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
            file.writestr(f"{name}.npy", header.getvalue())
    return path


def test_the_shapes_of_an_npz_file_are_checked_before_its_data(tmp_path):
    path = claim(
        tmp_path / "bomb.npz",
        {"block1_conv1/kernel": (3, 3, 3, 64), "block1_conv1/bias": (64,), "block1_conv2/kernel": (3, 3, 64, 10**9),
         "block1_conv2/bias": (64,)},
    )  # fmt: skip
    with pytest.raises(WeightsUnavailableError, match=r"shape \(3, 3, 64, 1000000000\) where \(3, 3, 64, 64\)"):
        VGG19(path)
    path = claim(tmp_path / "text.npz", {"block1_conv1/kernel": (3, 3, 3, 64), "block1_conv1/bias": (64,)}, "<U9")
    with pytest.raises(WeightsUnavailableError, match="block1_conv1 is of <U9"):
        VGG19(path)


def test_the_shapes_of_a_small_network_are_checked_before_its_data(tmp_path):
    wide = {"block1_conv1/kernel": (3, 3, 3, 10**9), "block1_conv1/bias": (10**9,)}
    with pytest.raises(WeightsUnavailableError, match="block1_conv1/readout"):
        Lite(claim(tmp_path / "a.npz", wide))
    with pytest.raises(WeightsUnavailableError, match="hold 4,000,000,000 bytes, more than"):
        weights.read_arrays("lite", claim(tmp_path / "b.npz", {"any": (10**9,)}))


def test_the_shapes_of_an_h5_file_are_checked_before_its_data(tmp_path):
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("block1_conv1/kernel", (3, 3, 3, 10**10), "f4")  # never allocated
    with pytest.raises(WeightsUnavailableError, match=r"shape \(3, 3, 3, 10000000000\) where"):
        VGG19(tmp_path / "bomb.h5")


@pytest.mark.parametrize("options", [{"compression": "gzip"}, {"chunks": (3, 3, 3, 6400), "maxshape": (3, 3, 3, None)}])
def test_an_h5_file_that_may_unfold_is_refused(tmp_path, options):
    with h5py.File(tmp_path / "packed.h5", "w") as file:
        file.create_dataset("block1_conv1/kernel", (3, 3, 3, 64), "f4", **options)
    with pytest.raises(WeightsUnavailableError, match="kernel is compressed, or in chunks larger than itself"):
        VGG19(tmp_path / "packed.h5")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("network", [VGG19, Lite])
def test_a_pipe_is_not_waited_for(tmp_path, network):
    os.mkfifo(tmp_path / "weights.npz")
    with pytest.raises(WeightsUnavailableError, match="there is no weights file at"):
        network(tmp_path / "weights.npz")
