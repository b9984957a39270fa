"""Weights from this package, from Keras's cache, from a server, from a file: the right ones or a clear refusal."""

import concurrent.futures
import contextlib
import hashlib
import http.server
import os
import re
import threading
import time

import h5py
import numpy as np
import pytest

from neural_style.errors import NeuralStyleError, WeightsUnavailableError
from neural_style.features import VGG19, weights

NAMES = ("block1_conv1", "block1_conv2", "block2_conv1")


def small_arrays(seed=0):
    """Random weights of the first two convolutions."""
    rng = np.random.default_rng(seed)
    shapes = {"block1_conv1": (3, 3, 3, 64), "block1_conv2": (3, 3, 64, 64)}
    return {
        name: (rng.normal(size=shape).astype(np.float32), rng.normal(size=64).astype(np.float32))
        for name, shape in shapes.items()
    }


def write_as_published(path, arrays):
    """The layout of the files Keras publishes."""
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in arrays.items():
            file[f"{name}/{name}_W_1:0"] = kernel
            file[f"{name}/{name}_b_1:0"] = bias
    return path


@pytest.fixture
def published(tmp_path):
    """The bytes of a small file such as Keras publishes."""
    return write_as_published(tmp_path / "published.h5", small_arrays()).read_bytes()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty Keras cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


@pytest.fixture
def listed(monkeypatch, published):
    """Lists the small file in place of VGG19's, at a given address."""

    def at(url):
        file = weights._KerasFile(url, hashlib.md5(published).hexdigest(), len(published))
        monkeypatch.setitem(weights._KERAS_FILES, "vgg19", file)
        return file

    return at


def assert_same(arrays, expected):
    assert list(arrays) == list(expected)
    for name, pair in expected.items():
        for value, goal in zip((arrays[name].kernel32, arrays[name].bias), pair, strict=True):
            np.testing.assert_array_equal(value, goal)


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


# --- Keras's cache -----------------------------------------------------------------------------------


def test_a_cached_file_with_the_right_hash_is_used(cache, listed, published):
    file = listed("http://127.0.0.1:9/models/vgg19.h5")
    cache.mkdir(parents=True)
    (cache / file.name).write_bytes(published)
    assert_same(weights.load_weights("vgg19", "imagenet", NAMES), small_arrays())


def test_a_cached_file_with_another_hash_is_refused_and_left_alone(cache, listed):
    file = listed("http://127.0.0.1:9/models/vgg19.h5")
    cache.mkdir(parents=True)
    (cache / file.name).write_bytes(b"half a file")
    with pytest.raises(WeightsUnavailableError, match="damaged"):
        VGG19()
    assert (cache / file.name).read_bytes() == b"half a file"


def test_the_offline_variable_forbids_every_attempt(cache, monkeypatch):
    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda *_, **__: pytest.fail("went online"))
    with pytest.raises(WeightsUnavailableError, match="NEURAL_STYLE_OFFLINE is set") as caught:
        VGG19()
    assert isinstance(caught.value, NeuralStyleError)
    assert isinstance(caught.value, OSError)


def test_the_refusal_says_where_to_put_what(cache):
    with pytest.raises(WeightsUnavailableError) as caught:
        VGG19()
    for part in (str(cache), "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "MD5", "weights=PATH", "'vgg16'"):
        assert part in str(caught.value)


# --- the network -------------------------------------------------------------------------------------


@pytest.fixture
def online(cache, monkeypatch):
    """Downloads are allowed, though only as far as this machine."""
    monkeypatch.setenv("NEURAL_STYLE_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(weights, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(weights, "STALL_SECONDS", 0.5)
    return cache


def test_a_failing_connection_is_told(online, monkeypatch):
    def refuse(*_, **__):
        raise weights.urllib.error.URLError("no route to host")

    monkeypatch.setattr(weights.urllib.request, "urlopen", refuse)
    with pytest.raises(WeightsUnavailableError, match="no route to host"):
        VGG19()


def test_a_hanging_connection_is_given_up(online, monkeypatch):
    release = threading.Event()

    def hang(*_, **__):
        release.wait(60)
        raise OSError("too late")

    monkeypatch.setattr(weights.urllib.request, "urlopen", hang)
    began = time.perf_counter()
    try:
        with pytest.raises(WeightsUnavailableError, match=r"no answer within 0\.5 seconds"):
            VGG19()
        assert time.perf_counter() - began < 10
    finally:
        release.set()


@contextlib.contextmanager
def serving(answer):
    """A server on this machine that answers every request with `answer(handler)`; gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/models/vgg19.h5"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(handler, data, length=None):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    handler.wfile.write(data)


def test_a_good_download_lands_in_the_cache_and_is_not_fetched_again(online, listed, published):
    requests = []

    def answer(handler):
        requests.append(handler.path)
        send(handler, published)

    with serving(answer) as url:
        file = listed(url)
        for _ in range(2):
            assert_same(weights.load_weights("vgg19", "imagenet", NAMES), small_arrays())
    assert requests == ["/models/vgg19.h5"]
    assert [path.name for path in online.iterdir()] == [file.name]
    assert (online / file.name).read_bytes() == published


def send_wrong(handler, data):
    send(handler, data[::-1])


def send_half(handler, data):
    send(handler, data[: len(data) // 2], length=len(data))


def send_nothing_there(handler, data):
    handler.send_error(404)


def send_half_and_stall(handler, data):
    send_half(handler, data)
    handler.wfile.flush()
    time.sleep(1.5)


def send_without_end(handler, data):
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(data)


def send_a_trickle(handler, data):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    with contextlib.suppress(OSError):
        for i in range(40):
            handler.wfile.write(data[i : i + 1])
            time.sleep(0.1)


def send_nonsense(handler, data):
    handler.wfile.write(b"what?\r\n")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (send_wrong, "has MD5"),
        (send_half, "has MD5|IncompleteRead"),
        (send_nothing_there, "404"),
        (send_half_and_stall, "timed out"),
        (send_nonsense, "what"),
        (send_without_end, "sends more than the"),
        (send_a_trickle, "bytes came within 1 seconds"),
    ],
)
def test_a_bad_download_is_told_and_leaves_nothing_behind(online, listed, published, answer, reason, monkeypatch):
    monkeypatch.setattr(weights, "TOTAL_SECONDS", 1.0)
    with serving(lambda handler: answer(handler, published)) as url:
        listed(url)
        with pytest.raises(WeightsUnavailableError, match=f"downloading failed.*({reason})"):
            VGG19()
    assert not online.exists() or not list(online.iterdir())


def test_an_encrypted_address_may_not_lead_to_an_open_one():
    weights._check_secure("https://here.example/a.h5", "https://there.example/a.h5")
    with pytest.raises(OSError, match="which is not https"):
        weights._check_secure("https://here.example/a.h5", "http://there.example/a.h5")
    assert all(file.url.startswith("https://") for file in weights._KERAS_FILES.values())


def test_partial_files_of_killed_processes_are_swept(online, listed, published):
    with serving(lambda handler: send(handler, published)) as url:
        file = listed(url)
        online.mkdir(parents=True)
        stale, fresh = online / f".{file.name}.a.part", online / f".{file.name}.b.part"
        for path in (stale, fresh):
            path.write_bytes(b"half")
        os.utime(stale, (time.time() - 7200,) * 2)
        weights.load_weights("vgg19", "imagenet", NAMES)
    assert (stale.exists(), fresh.exists()) == (False, True)


def test_two_at_once_do_not_disturb_each_other(online, listed, published):
    together = threading.Barrier(2, timeout=10)

    def answer(handler):
        together.wait()  # neither is done before both have begun
        send(handler, published)

    with serving(answer) as url, concurrent.futures.ThreadPoolExecutor(2) as pool:
        file = listed(url)
        for arrays in pool.map(lambda _: weights.load_weights("vgg19", "imagenet", NAMES), range(2)):
            assert_same(arrays, small_arrays())
    assert [path.name for path in online.iterdir()] == [file.name]
