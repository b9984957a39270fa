"""ImageNet weights from Keras's cache or a server: the right file, or a clear refusal that leaves nothing behind."""

import concurrent.futures
import contextlib
import hashlib
import http.server
import os
import pwd
import threading
import time

import pytest

from neural_style.errors import NeuralStyleError, WeightsUnavailableError
from neural_style.features import VGG19, downloads, registry
from neural_style.features.weights import load_weights
from tests.features.published import NAMES, assert_same, small_arrays, write_as_published


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
        file = downloads.KerasFile(url, hashlib.md5(published).hexdigest(), len(published))
        monkeypatch.setitem(downloads.KERAS_FILES, "vgg19", file)
        return file

    return at


# --- Keras's cache -----------------------------------------------------------------------------------


def test_a_cached_file_with_the_right_hash_is_used(cache, listed, published):
    file = listed("http://127.0.0.1:9/models/vgg19.h5")
    cache.mkdir(parents=True)
    (cache / file.name).write_bytes(published)
    assert_same(load_weights("vgg19", "imagenet", NAMES), small_arrays())


def test_a_cached_file_with_another_hash_is_refused_and_left_alone(cache, listed):
    file = listed("http://127.0.0.1:9/models/vgg19.h5")
    cache.mkdir(parents=True)
    (cache / file.name).write_bytes(b"half a file")
    with pytest.raises(WeightsUnavailableError, match="damaged"):
        VGG19()
    assert (cache / file.name).read_bytes() == b"half a file"


def test_the_offline_variable_forbids_every_attempt(cache, monkeypatch):
    monkeypatch.setattr(downloads.urllib.request.OpenerDirector, "open", lambda *_, **__: pytest.fail("went online"))
    with pytest.raises(WeightsUnavailableError, match="NEURAL_STYLE_OFFLINE is set") as caught:
        VGG19()
    assert isinstance(caught.value, NeuralStyleError)
    assert isinstance(caught.value, OSError)


def test_a_user_without_a_home_folder_has_no_cache(monkeypatch):
    """As in a container with a user id that its list of users lacks."""
    for name in ("KERAS_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[f"getpwuid(): uid not found: {number}"])
    with pytest.raises(WeightsUnavailableError, match="this user has no home folder. Set KERAS_HOME"):
        VGG19()
    with pytest.warns(UserWarning, match="vgg16|VGG16"):
        assert registry._default().network == "vgg16"


def test_a_redirect_is_followed_within_http(online, listed, published):
    def answer(handler):
        if handler.path == "/models/vgg19.h5":
            handler.send_response(302)
            handler.send_header("Location", "/elsewhere.h5")
            handler.end_headers()
        else:
            send(handler, published)

    with serving(answer) as url:
        listed(url)
        assert_same(load_weights("vgg19", "imagenet", NAMES), small_arrays())


def test_the_refusal_says_where_to_put_what(cache):
    with pytest.raises(WeightsUnavailableError) as caught:
        VGG19()
    for part in (str(cache), "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "MD5", "weights=PATH", "'vgg16'"):
        assert part in str(caught.value)


# --- the network -------------------------------------------------------------------------------------


@pytest.fixture
def online(cache, monkeypatch):
    """Downloads are allowed, from this machine only."""
    monkeypatch.setenv("NEURAL_STYLE_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(downloads, "STALL_SECONDS", 0.5)
    return cache


def test_a_failing_connection_is_reported(online, monkeypatch):
    def refuse(*_, **__):
        raise downloads.urllib.error.URLError("no route to host")

    monkeypatch.setattr(downloads.urllib.request.OpenerDirector, "open", refuse)
    with pytest.raises(WeightsUnavailableError, match="no route to host"):
        VGG19()


def test_a_hanging_connection_is_given_up(online, monkeypatch):
    release = threading.Event()

    def hang(*_, **__):
        release.wait(60)
        raise OSError("too late")

    monkeypatch.setattr(downloads.urllib.request.OpenerDirector, "open", hang)
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
            assert_same(load_weights("vgg19", "imagenet", NAMES), small_arrays())
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
def test_a_bad_download_is_reported_and_leaves_nothing_behind(online, listed, published, answer, reason, monkeypatch):
    monkeypatch.setattr(downloads, "TOTAL_SECONDS", 1.0)
    with serving(lambda handler: answer(handler, published)) as url:
        listed(url)
        with pytest.raises(WeightsUnavailableError, match=f"downloading failed.*({reason})"):
            VGG19()
    assert not online.exists() or not list(online.iterdir())


def test_an_encrypted_address_may_not_lead_to_an_open_one():
    """It is refused while the redirect is read: no request is made from which the open address could learn."""

    def follow(asked, answered):
        request = downloads.urllib.request.Request(asked)
        return downloads._StaySecure().redirect_request(request, None, 302, "Found", {}, answered)

    assert follow("https://here.example/a.h5", "https://there.example/a.h5").full_url == "https://there.example/a.h5"
    assert follow("http://here.example/a.h5", "http://there.example/a.h5").type == "http"
    for answered in ("http://there.example/a.h5", "ftp://there.example/a.h5", "HTTP://there.example/a.h5"):
        with pytest.raises(OSError, match="which is not https"):
            follow("https://here.example/a.h5", answered)
    assert all(file.url.startswith("https://") for file in downloads.KERAS_FILES.values())


def test_stale_partial_files_are_deleted(online, listed, published):
    with serving(lambda handler: send(handler, published)) as url:
        file = listed(url)
        online.mkdir(parents=True)
        stale, fresh = online / f".{file.name}.a.part", online / f".{file.name}.b.part"
        for path in (stale, fresh):
            path.write_bytes(b"half")
        os.utime(stale, (time.time() - 7200,) * 2)
        load_weights("vgg19", "imagenet", NAMES)
    assert (stale.exists(), fresh.exists()) == (False, True)


def test_two_at_once_do_not_disturb_each_other(online, listed, published):
    together = threading.Barrier(2, timeout=10)

    def answer(handler):
        together.wait()  # neither is done before both have begun
        send(handler, published)

    with serving(answer) as url, concurrent.futures.ThreadPoolExecutor(2) as pool:
        file = listed(url)
        for arrays in pool.map(lambda _: load_weights("vgg19", "imagenet", NAMES), range(2)):
            assert_same(arrays, small_arrays())
    assert [path.name for path in online.iterdir()] == [file.name]
