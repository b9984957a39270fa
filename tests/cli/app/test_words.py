"""Errors in the page's own words."""

import shutil

import numpy as np
import pytest

from neural_style import samples, stylize
from neural_style.cli.app.words import Problem, check_image, explain
from neural_style.errors import DivergenceError

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
FILES = {
    "text": (b"not an image", "The photo is not an image."),
    "empty": (b"", "The photo is not an image."),
    "document": (b"%PDF-1.4", "The photo is not an image."),
    "cut": (samples.path("cat").read_bytes()[:3000], "The photo is damaged."),
}


@pytest.mark.parametrize(("data", "said"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_painted_is_called_by_what_it_is(tmp_path, data, said):
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(Problem) as problem:
        check_image(str(path), "The photo")
    assert str(problem.value).startswith(said)
    assert str(tmp_path) not in str(problem.value)


def test_a_kind_that_needs_a_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    (tmp_path / "photo.heic").write_bytes(HEIC)
    with pytest.raises(Problem, match=r"The photo is of a kind that cannot be read here \(HEIC\)"):
        check_image(str(tmp_path / "photo.heic"), "The photo")


def test_an_image_too_large_is_called_so(tmp_path, monkeypatch):
    from neural_style import images

    path = shutil.copy(samples.path("cat"), tmp_path)
    load = images.load
    monkeypatch.setattr(images, "load", lambda source, size: load(source, size=size, max_pixels=100))
    with pytest.raises(Problem, match="The style is too large"):
        check_image(str(path), "The style")


def failure(**options):
    image = np.zeros((32, 48, 3), np.uint8)
    with pytest.raises(ValueError, match=".") as raised:
        stylize(image, image, **options)
    return raised.value


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 4, "extractor": "vgg16"}, "The image is too small"),
        ({"size": 4, "quality": "instant"}, "The image is too small"),
        ({"quality": "instant", "recipe": "gatys2016"}, "One pass follows the default recipe only."),
        ({"quality": "instant", "steps": 3}, "One pass takes no steps."),
    ],
)
def test_errors_of_the_library_become_advice_for_the_page(options, said):
    assert explain(failure(**options)).startswith(said)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("3 GiB; pass tile='auto'"), "There is not enough memory for this size. Choose a smaller size."),
        (DivergenceError("the loss is nan"), "The painting became unstable."),
        (OSError("cannot write '/tmp/neural_style-x/files/out.png'; free some space"), "Something went wrong: cannot"),
        (KeyError(), "Something went wrong: KeyError"),
    ],
)
def test_no_message_shows_a_path_or_advice_of_the_library(error, said):
    text = explain(error)
    assert text.startswith(said)
    assert "/" not in text and "tile" not in text
