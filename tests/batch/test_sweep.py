"""Contact sheets: what is varied, in which order, and what the sheet shows."""

import io

import numpy as np
import pytest
from PIL import Image

from neural_style import stylize, sweep
from neural_style.batch import sweep as sweep_module
from neural_style.optimizers import LBFGS, Adam

FAST = {"size": 32, "steps": 2, "extractor": "vgg16"}


def test_every_image_is_the_one_stylize_paints(content, style):
    found = sweep(content, style, strength=[0.2, 0.9], **FAST)
    assert found.settings == [{"strength": 0.2}, {"strength": 0.9}]
    for setting, image in zip(found.settings, found.images, strict=True):
        np.testing.assert_array_equal(np.asarray(image), np.asarray(stylize(content, style, **setting, **FAST)))
    assert repr(found) == "<Sweep of 2 images; strength: 0.2, 0.9>"


def test_qualities_may_be_compared(content, style):
    found = sweep(content, style, quality=["instant"], strength=[0.2, 0.9], size=32)
    assert found.settings == [{"quality": "instant", "strength": 0.2}, {"quality": "instant", "strength": 0.9}]
    for setting, image in zip(found.settings, found.images, strict=True):
        np.testing.assert_array_equal(np.asarray(image), np.asarray(stylize(content, style, size=32, **setting)))


@pytest.fixture
def quick(monkeypatch):
    """Runs replaced by flat images as bright as `strength`; their options."""
    calls = []

    class Painted:
        stopped_by = "steps"

        def __init__(self, options):
            level = round(255 * options.get("strength", 0.5))
            self.image = Image.new("RGB", (40, 30), (level, level, level))

    def paint(**options):
        calls.append(options)
        return Painted(options)

    monkeypatch.setattr(sweep_module, "stylize_result", paint)
    return calls


def test_two_axes_make_a_grid_whose_last_axis_runs_along_the_rows(quick):
    found = sweep("photo", "painting", color=["style", "content"], strength=[0.0, 0.2, 0.4], size=40)
    assert [(call["color"], call["strength"]) for call in quick] == [
        (color, strength) for color in ("style", "content") for strength in (0.0, 0.2, 0.4)
    ]
    assert all((call["content"], call["style"], call["size"]) == ("photo", "painting", 40) for call in quick)
    width, height = found.image.size
    pixels = np.asarray(found.image)
    gap, across, down = sweep_module.GAP, (width - sweep_module.GAP) // 3, (height - sweep_module.GAP) // 2
    assert width == gap + 3 * across
    assert across > 40 + gap  # the captions are wider than the images
    for row in range(2):
        for column, level in enumerate((0, 51, 102)):
            assert (pixels[gap + row * down : gap + row * down + 30, gap + column * across :][:, :40] == level).all()
        caption = pixels[gap + row * down + 31 : gap + (row + 1) * down - gap]
        for column in range(3):
            assert caption[:, gap + column * across :][:, :40].min() < 100  # something is written there


@pytest.mark.parametrize(("progress", "shown"), [(None, True), (True, True), (False, False)])
def test_one_bar_counts_the_images(quick, monkeypatch, progress, shown):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    sweep("photo", "painting", strength=[0.1, 0.2, 0.3], progress=progress)
    assert ("3/3" in terminal.getvalue()) is shown
    assert [call["progress"] for call in quick] == [False] * 3  # no bar of its own for each


def test_a_progress_that_is_no_answer_is_refused_before_any_image(quick):
    with pytest.raises(TypeError, match="progress must be True or False, not 'no'"):
        sweep("photo", "painting", strength=[0.1, 0.2], progress="no")
    assert quick == []


def test_one_axis_is_a_row_and_three_are_rows_of_every_mixture(quick):
    row = sweep("photo", "painting", strength=[0.1, 0.2, 0.3, 0.4]).image
    assert (row.size[0] - sweep_module.GAP) % 4 == 0
    assert row.size[1] < 30 + 3 * sweep_module.GAP + sweep_module.FONT
    cube = sweep("photo", "painting", color=["style", "match"], style_scale=[0.5, 1, 2], strength=[0.1, 0.9])
    assert len(cube.images) == 12
    assert cube.image.size[1] > 6 * (30 + sweep_module.GAP + 3 * sweep_module.FONT)
    assert quick[0]["size"] == 256


def test_lists_that_belong_to_a_run_are_no_axes_and_labeled_images_are(quick):
    found = sweep("photo", {"sky": "a.png", "sea": ["b.png", "c.png"]}, masks=[1, 2], callbacks=[], style_masks=[None])
    assert list(found.axes.items()) == [("style", ["sky", "sea"])]
    assert [call["style"] for call in quick] == ["a.png", ["b.png", "c.png"]]
    assert quick[0]["masks"] == [1, 2]
    sweep("photo", ["a.png", "b.png"], optimizer=[Adam(), LBFGS(), "adam", None])
    assert quick[-1]["style"] == ["a.png", "b.png"]


def test_labels_are_short(quick):
    assert sweep("p", "q", optimizer=[Adam(), LBFGS(), "adam", None]).axes == {
        "optimizer": ["Adam", "LBFGS", "adam", "None"]
    }
    assert sweep("p", "q", strength=[1 / 3]).axes == {"strength": ["0.333333"]}


def test_images_of_several_sizes_share_a_sheet(content, style, tmp_path):
    found = sweep(content, style, size=[24, 32], steps=1, extractor="vgg16")
    assert [image.size for image in found.images] == [(24, 18), (32, 24)]
    found.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as saved, Image.open(io.BytesIO(found._repr_png_())) as shown:
        assert saved.size == shown.size == found.image.size


def test_control_c_ends_the_sweep_with_the_images_so_far(content, style):
    def interrupt(step):
        raise KeyboardInterrupt

    found = sweep(content, style, strength=[0.2, 0.5, 0.9], callbacks=[interrupt], **FAST)
    assert len(found.images) == len(found.settings) == 1
    assert found.image.size[0] > 3 * 32


def test_control_c_while_there_is_no_image_ends_the_sweep_too(quick, monkeypatch):
    paint = sweep_module.stylize_result

    def interrupted(**options):
        if options["strength"] > 0.4:
            raise KeyboardInterrupt
        return paint(**options)

    monkeypatch.setattr(sweep_module, "stylize_result", interrupted)
    assert sweep("photo", "painting", strength=[0.2, 0.5, 0.9]).settings == [{"strength": 0.2}]
    with pytest.raises(KeyboardInterrupt):
        sweep("photo", "painting", strength=[0.5, 0.9])


@pytest.mark.parametrize("options", [{}, {"strength": []}, {"strength": 0.5}])
def test_nothing_to_vary_is_refused(options):
    with pytest.raises(ValueError, match="a sweep varies at least one option"):
        sweep("photo", "painting", **options)


def test_a_checkpoint_is_refused():
    with pytest.raises(ValueError, match="a checkpoint stores one run"):
        sweep("photo", "painting", strength=[0.1, 0.2], checkpoint="run.npz")


def test_an_unknown_option_is_named(content, style):
    with pytest.raises(TypeError, match="strenght"):
        sweep(content, style, strenght=[0.1, 0.2], extractor="vgg16")
