"""Identity: equal for what computes the same, different for what reads alike, never equal for what is unknown."""

import dataclasses
import functools
import io
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from neural_style import recipes
from neural_style._fingerprint import fingerprint, reason_unidentified
from neural_style.losses import Content, Gram, custom


class Edges:
    def __init__(self, gain):
        self.gain = gain

    def __call__(self, image):
        return self.gain * image


@dataclasses.dataclass
class Point:
    x: float
    y: object


def scaled_by(factor):
    def scale(image):
        return factor * image

    return scale


GAIN = 2.0


def with_a_global(image):
    return GAIN * image


class Offering:
    def __init__(self, name):
        self.lock, self.name = threading.Lock(), name

    def fingerprint(self):
        return self.name


def image(level):
    return Image.new("RGB", (3, 2), (level, 0, 0))


DIFFERENT = {
    "gains": (Edges(1), Edges(3)),
    "closures": (scaled_by(1.0), scaled_by(2.0)),
    "code": (lambda x: x + 1, lambda x: x + 2),
    "defaults": (lambda x=1: x, lambda x=2: x),
    "partials": (functools.partial(max, 1), functools.partial(max, 2)),
    "methods": (Edges(1).__call__, Edges(3).__call__),
    "streams": (io.BytesIO(b"one"), io.BytesIO(b"two")),
    "bytes": (b"one", b"two"),
    "text and bytes": ("one", b"one"),
    "images": (image(1), image(2)),
    "arrays": (np.zeros(3), np.array([0.0, 0.0, 1e-9])),
    "shapes": (np.zeros((2, 3)), np.zeros((3, 2))),
    "types of arrays": (np.zeros(3, np.float32), np.zeros(3, np.int32)),
    "nests": ([[1], [2]], [[1, 2], []]),
    "dataclasses": (Point(1, "a"), Point(1, "b")),
    "losses": (Content(), Gram()),
    "custom losses": (custom(scaled_by(1.0), ["image"]), custom(scaled_by(2.0), ["image"])),
    "classes": (Edges, Point),
    "True and 1": (True, 1),
    "None and text": (None, "None"),
    "variables": (tf.Variable([1.0]), tf.Variable([2.0])),
    "compiled functions": (tf.function(lambda x: x + 1), tf.function(lambda x: x + 2)),
    "recipes": (recipes.get("default"), recipes.get("nnst")),
    "offered": (Offering("a"), Offering("b")),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_what_differs_has_another_fingerprint(kind):
    one, other = DIFFERENT[kind]
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) == fingerprint(one)
    assert reason_unidentified(fingerprint(one)) is None


EQUAL = {
    "numbers": (512, np.int64(512), 512.0, np.float32(512.0)),
    "shares": (0.5, np.float64(0.5), np.float32(0.5)),
    "text": ("a", "".join(["a"])),
    "arrays in any order of memory": (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
    "a tensor": (tf.constant([1.0, 2.0]), np.array([1.0, 2.0], np.float32)),
    "gains": (Edges(1), Edges(1)),
    "closures": (scaled_by(1.0), scaled_by(1.0)),
    "streams": (io.BytesIO(b"one"), io.BytesIO(b"one")),
    "sets": ({"a", "b", "c"}, {"c", "b", "a"}),
    "mappings": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "images": (image(3), image(3)),
    "losses": (0.5 * Content() + Gram(), 0.5 * Content() + Gram()),
    "compiled functions": (tf.function(scaled_by(1.0)), tf.function(scaled_by(1.0))),
    "offered": (Offering("a"), Offering("a")),
}


def network(seed, width=4):
    image = keras.Input((None, None, 3))
    hidden = keras.layers.Conv2D(width, 3, kernel_initializer=keras.initializers.HeNormal(seed))(image)
    return keras.Model(image, keras.layers.ReLU()(hidden))


def test_keras_networks_are_told_by_weights_and_structure_and_not_by_automatic_names():
    assert fingerprint(network(1)) == fingerprint(network(1))
    assert len({fingerprint(each) for each in (network(1), network(2), network(1, width=5))}) == 3


@pytest.mark.parametrize("kind", EQUAL)
def test_what_is_equal_has_one_fingerprint(kind):
    assert len({fingerprint(each) for each in EQUAL[kind]}) == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (threading.Lock(), "lock has no fields"),
        (Edges(threading.Lock()), "lock has no fields"),
        (iter([1]), "list_iterator has no fields"),
        (lambda: LOCK, "lock has no fields"),
    ],
)
def test_what_cannot_be_identified_never_equals_anything(value, reason):
    found = fingerprint(value)
    assert found != fingerprint(value)
    assert reason in reason_unidentified(found)


LOCK = threading.Lock()


class OnceOnly(io.RawIOBase):
    def read(self, size=-1):
        return b""

    def tell(self):
        raise OSError("a pipe")


def test_a_stream_that_can_be_read_only_once_is_not_read():
    assert "can be read only once" in reason_unidentified(fingerprint(OnceOnly()))


def test_a_stream_stands_where_it_stood():
    stream = io.BytesIO(b"abcdef")
    stream.read(2)
    assert fingerprint(stream) == fingerprint(io.BytesIO(b"cdef"))
    assert stream.read() == b"cdef"


def test_a_global_that_a_function_names_counts(monkeypatch):
    before = fingerprint(with_a_global)
    monkeypatch.setitem(with_a_global.__globals__, "GAIN", 3.0)
    assert fingerprint(with_a_global) != before


def test_the_code_of_a_users_class_counts():
    def make(body):
        space = {"__name__": "users"}
        exec(f"class Loss:\n    def compare(self):\n        return {body}", space)
        return space["Loss"]()

    assert fingerprint(make(1)) == fingerprint(make(1)) != fingerprint(make(2))


def test_text_stands_for_a_file_only_where_asked_for(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(b"one")
    text, content = fingerprint(str(path)), fingerprint(str(path), files=True)
    assert content == fingerprint(path) != text
    path.write_bytes(b"two")
    assert fingerprint(str(path)) == text
    assert fingerprint(str(path), files=True) != content


def test_a_folder_or_device_is_never_read(tmp_path):
    for path in (tmp_path, "/dev/zero"):
        assert reason_unidentified(fingerprint(str(path), files=True)) is None


def test_a_circle_ends():
    ring = Point(1, None)
    ring.y = [ring]
    other = Point(2, None)
    other.y = [other]
    assert fingerprint(ring) != fingerprint(other)


def test_another_process_gives_the_same_fingerprints():
    code = (
        "from neural_style._fingerprint import fingerprint; from neural_style import recipes; "
        "from tests.test_fingerprint import Edges, scaled_by; "
        "print(fingerprint(recipes.get('default'), Edges(2), scaled_by(3.0), {'b', 'a', 'c'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    here = fingerprint(recipes.get("default"), Edges(2), scaled_by(3.0), {"b", "a", "c"})
    assert done.stdout.split()[-1] == here


@given(hnp.arrays(np.float32, st.integers(0, 5)), hnp.arrays(np.float32, st.integers(0, 5)))
def test_arrays_are_the_same_if_and_only_if_their_bytes_are(one, other):
    same = one.shape == other.shape and one.tobytes() == other.tobytes()
    assert (fingerprint(one) == fingerprint(other)) == same
