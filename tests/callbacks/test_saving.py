"""SaveEvery: which steps are saved, and under which names."""

import pytest
from PIL import Image

from neural_style.callbacks import SaveEvery
from neural_style.errors import ImageError
from tests.callbacks.steps import make_step


def test_images_are_saved_at_regular_intervals_at_the_canvas_size(tmp_path):
    save = SaveEvery(tmp_path / "out.png", 20)
    for number in range(1, 101):
        save(make_step(number))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["out-0020.png", "out-0040.png", "out-0060.png", "out-0080.png", "out-0100.png"]
    with Image.open(tmp_path / "out-0040.png") as saved:
        assert saved.size == (8, 6)
        assert saved.getpixel((0, 0)) == (102, 102, 102)


def test_step_numbers_have_enough_digits_for_a_long_run(tmp_path):
    SaveEvery(str(tmp_path / "out.jpg"), 5)(make_step(5, steps=123_456))
    assert [path.name for path in tmp_path.iterdir()] == ["out-000005.jpg"]


def test_an_image_that_cannot_be_saved_does_not_end_the_run(tmp_path):
    (tmp_path / "folder").mkdir()
    save = SaveEvery(tmp_path / "folder" / "out.png", 20)
    (tmp_path / "folder").rmdir()
    with pytest.warns(UserWarning, match="an image of the run could not be saved: .*out-0020.png.*does not exist"):
        save(make_step(20))


@pytest.mark.parametrize("name", ["nowhere/out.png", "out.xyz", "n" * 250 + ".png"])
def test_an_unwritable_path_is_refused_before_the_run(tmp_path, name):
    with pytest.raises(ImageError):
        SaveEvery(tmp_path / name, 5)


def test_an_interval_below_one_step_is_refused(tmp_path):
    with pytest.raises(ValueError, match="every must be at least 1, not 0"):
        SaveEvery(tmp_path / "out.png", 0)
