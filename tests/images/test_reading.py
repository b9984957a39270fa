"""Reading: every kind of source, and the alpha of each."""

import io
import itertools
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from neural_style import images
from neural_style.errors import ImageError
from tests.images.samples import HEIGHT, WIDTH, encoded, levels


class Unseekable(io.RawIOBase):
    """Returns a few bytes at a time and cannot seek, like a socket."""

    def __init__(self, data):
        self.left = data

    def readable(self):
        return True

    def readinto(self, buffer):
        part, self.left = self.left[:1000], self.left[1000:]
        buffer[: len(part)] = part
        return len(part)


class Tensor:
    """An object with `__array__`, as TensorFlow's tensors have."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def test_every_source_gives_the_same_pixels(tmp_path, colors):
    path = tmp_path / "image.png"
    Image.fromarray(colors).save(path)
    data = path.read_bytes()
    late = io.BytesIO(b"something else" + data)
    late.seek(14)
    read_only = colors.copy()
    read_only.flags.writeable = False
    misnamed = tmp_path / "image.jpg"
    misnamed.write_bytes(data)
    wide = colors.astype(np.uint16) * 257
    sources = [
        path, str(path), misnamed, data, bytearray(data), memoryview(data), path.open("rb"), late,
        Unseekable(data), Image.open(path), Image.fromarray(colors), colors, read_only, colors[None],
        colors[::-1, ::-1][::-1, ::-1], np.asfortranarray(colors), wide, wide.astype(">u2"),
        colors / 255.0, np.float32(colors / 255.0), (colors / 255.0).astype(">f8"), Tensor(colors),
    ]  # fmt: skip
    for source in sources:
        assert np.abs(levels(source) - colors).max() < 1e-3, repr(source)[:80]
        if hasattr(source, "close"):
            source.close()


def test_gray_arrays_of_every_shape(colors):
    gray = colors[..., 0]
    expected = np.repeat(gray[..., None], 3, axis=2)
    for source in (gray, gray[..., None], gray[None, ..., None], gray[:, ::-1][:, ::-1]):
        assert np.array_equal(levels(source), expected)
    assert np.abs(levels((gray / 255).astype(np.float16)) - expected).max() < 0.1


def test_tensorflow_tensors(colors):
    tensorflow = pytest.importorskip("tensorflow")
    assert np.array_equal(levels(tensorflow.constant(colors)), colors)
    assert np.array_equal(levels(tensorflow.Variable(colors[None] / 255.0)), colors)
    with pytest.raises(TypeError, match="bfloat16"):
        images.load(tensorflow.zeros((2, 2, 3), tensorflow.bfloat16))

    @tensorflow.function
    def inside(tensor):
        images.load(tensor)

    with pytest.raises(TypeError, match=r"tf\.function"):
        inside(tensorflow.constant(colors))


def test_sources_are_not_modified(colors):
    image = Image.fromarray(np.dstack([colors, colors[..., 0]]))
    image.info["note"] = "kept"
    before, info = image.tobytes(), dict(image.info)
    floats = np.zeros((2, 2, 4), np.float32)
    images.load(floats)[:] = 1
    data = images.read(image)
    data.pixels[:] = 0
    assert image.tobytes() == before and image.info == info and image.mode == "RGBA"
    assert np.all(floats == 0)
    assert images.read(data) is data and images.load(data) is data.pixels


def test_opaque_images_have_no_alpha(colors):
    opaque = np.dstack([colors, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    assert images.read(opaque).alpha is None
    assert images.read(encoded(Image.fromarray(opaque), "PNG")).alpha is None
    assert images.read(colors).alpha is None


def test_hidden_colors_become_the_mean_of_the_visible():
    rgba = np.array([[[255, 0, 0, 255], [0, 255, 0, 85], [9, 99, 199, 0]]], np.uint8)
    for source in (rgba, Image.fromarray(rgba), encoded(Image.fromarray(rgba), "PNG")):
        image = images.read(source)
        assert np.allclose(image.alpha[0, 0, :, 0], [1, 1 / 3, 0])
        assert np.allclose(image.pixels[0, 0, :2], [[1, 0, 0], [0, 1, 0]])
        assert np.allclose(image.pixels[0, 0, 2], [0.75, 0.25, 0])


def test_nothing_visible_is_mid_gray():
    image = images.read(np.zeros((2, 3, 4), np.uint8))
    assert np.all(image.pixels == 0.5) and np.all(image.alpha == 0)


@pytest.mark.parametrize("source", [None, 3, 2.5, [[0.0]], {"a": 1}, object(), np.ndarray, io.StringIO("text")])
def test_unsupported_types_are_refused_by_name(source):
    with pytest.raises(TypeError, match="an image cannot be"):
        images.load(source)


@pytest.mark.parametrize("dtype", [bool, np.int64, np.int8, np.uint32, np.complex64, object, "U3"])
def test_unsupported_dtypes_are_refused_by_name(dtype):
    with pytest.raises(TypeError, match="an image cannot have dtype.*expected uint8"):
        images.load(np.zeros((2, 2, 3), dtype))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 8, 9), np.uint8), r"array: shape \(3, 8, 9\) has its channels first"),
        (np.zeros((1, 8, 9), np.uint8), "channels first"),
        (np.zeros((1, 4, 8, 9), np.float32), "channels first"),
        (np.zeros((8, 9, 2), np.uint8), "2 channels"),
        (np.zeros((0, 9, 3), np.uint8), "empty"),
        (np.zeros((2, 8, 9, 3), np.uint8), "not one image"),
        (np.zeros(9, np.uint8), "not one image"),
        (np.float32(0.5), "not one image"),
        (np.full((2, 2), np.nan), "not finite"),
        (np.full((2, 2), np.inf, np.float16), "not finite"),
        (np.array([[0.0, 255.0]]), "from 0 to 255.*divide by 255"),
        (np.array([[-1.0, 1.0]]), r"from -1 to 1; expected \[0, 1\]; rescale"),
        (np.array([[0.0, 1.0001]]), "rescale or clip"),
        (np.full((2, 2), 1e300), "rescale"),
    ],
)
def test_arrays_that_are_not_an_image_are_refused(array, reason):
    with pytest.raises(ImageError, match=reason):
        images.load(array)


def test_options_are_checked():
    for name, value in itertools.product(("size", "max_pixels", "max_side"), (0, -3)):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got {value}"):
            images.load(b"", **{name: value})
    for name, value in itertools.product(("size", "max_pixels", "max_side"), (1.5, "9", True)):
        with pytest.raises(TypeError, match=f"{name} must be a whole number"):
            images.load(b"", **{name: value})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.dtype(">u2"), np.dtype("<u2")]),
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([3, 4])),
    )
)
def test_any_array_keeps_its_values(array):
    full = np.iinfo(array.dtype).max
    image = images.read(array)
    alpha = array[..., 3] if array.shape[2] == 4 else np.full(array.shape[:2], full, array.dtype)
    visible = alpha > 0
    assert image.pixels.min() >= 0 and image.pixels.max() <= 1
    assert np.abs(image.pixels[0][visible] * full - array[..., :3][visible]).max(initial=0) < 0.01
    assert (image.alpha is None) == bool((alpha == full).all())


def test_import_is_light():
    code = "import sys, neural_style.images; print('tensorflow' in sys.modules)"
    root = pathlib.Path(images.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
