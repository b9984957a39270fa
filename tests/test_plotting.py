"""Plots: their content, independence of pyplot, and the error if Matplotlib is missing."""

import re
import subprocess
import sys

import matplotlib.figure
import matplotlib.image
import numpy as np
import pytest

from neural_style import plotting
from neural_style.callbacks import Timelapse
from neural_style.errors import ImageError
from tests import tiny


@pytest.fixture(scope="module")
def timelapse():
    return Timelapse(count=6)


@pytest.fixture(scope="module")
def result(timelapse):
    return tiny.transfer().run(tiny.CONTENT, tiny.STYLE, size=32, steps=6, callbacks=[timelapse])


def drawn(figure, tmp_path):
    """The figure as a notebook displays it."""
    (tmp_path / "drawn.png").write_bytes(figure._repr_png_())
    return matplotlib.image.imread(tmp_path / "drawn.png")


def test_images_are_shown_side_by_side(result, tmp_path):
    figure = plotting.show(tiny.CONTENT, tiny.STYLE, result)
    assert [axes.get_title() for axes in figure.axes] == ["content", "style", "result"]
    np.testing.assert_array_equal(figure.axes[2].get_images()[0].get_array(), np.asarray(result.image))
    heights = {round(axes.get_window_extent().height) for axes in figure.axes if drawn(figure, tmp_path).std() > 0.1}
    assert len(heights) == 1


def test_several_styles_show_their_weights_and_none_is_omitted(result):
    titles = [axes.get_title() for axes in plotting.show(None, [(tiny.STYLE, 0.7), tiny.STYLE], result.image).axes]
    assert titles == ["style 1, weight 0.7", "style 2", "result"]
    with pytest.raises(ImageError):
        plotting.show("nowhere.png", None, result)


def test_large_images_are_reduced_before_they_are_drawn():
    large = np.zeros((3000, 2000, 3), np.uint8)
    shown = plotting.show(None, None, large, height=2.0).axes[0].get_images()[0].get_array()
    assert max(shown.shape) <= 2 * 2.0 * plotting.DPI


def test_every_term_is_a_line_over_the_steps_and_adds_up(result):
    axes = plotting.plot_history(result).axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines() if not line.get_label().startswith("_")}
    assert list(lines) == ["loss", *result.history[0].terms]
    terms = np.array([lines[name] for name in result.history[0].terms])
    np.testing.assert_allclose(np.nansum(terms, axis=0), lines["loss"], rtol=1e-4)
    assert axes.get_yscale() == "log"


def test_sizes_are_marked_where_they_begin(result):
    axes = plotting.plot_history(result).axes[0]
    assert [text.get_text() for text in axes.texts] == ["16x16", "32x24"]
    borders = [line.get_xdata()[0] for line in axes.get_lines() if line.get_linestyle() == ":"]
    change = next(step.step for step in result.history if step.scale == (32, 24))
    assert borders == [change - 0.5]


def test_a_history_can_be_drawn_on_given_axes(result):
    figure = matplotlib.figure.Figure()
    axes = figure.add_subplot()
    assert plotting.plot_history(result.history, axes=axes) is figure
    with pytest.raises(ValueError, match="no steps"):
        plotting.plot_history([])


def test_the_evolution_runs_from_the_first_snapshot_to_the_last(timelapse, result):
    figure = plotting.plot_evolution(timelapse, count=3)
    assert [axes.get_title().split("\n")[0] for axes in figure.axes] == ["step 1", "step 3", "step 6"]
    one = plotting.plot_evolution(timelapse.frames, count=1)
    assert [axes.get_title() for axes in one.axes] == ["step 6\n32x24"]
    with pytest.raises(ValueError, match="there are 0"):
        plotting.plot_evolution(Timelapse())


def test_pyplot_is_never_loaded_and_the_extra_is_named():
    code = (
        "import sys, numpy as np\n"
        "from neural_style import plotting\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plotting.show(None, None, np.zeros((8, 8, 3), np.uint8))._repr_png_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'tensorflow' not in sys.modules\n"
        "sys.modules['matplotlib'] = None\n"
        "try:\n    plotting.show(None, None, np.zeros((8, 8, 3), np.uint8))\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("matplotlib is not installed")
    assert re.search(r"run: pip install 'matplotlib>=[\d.]+'\n$", done.stdout)
    assert done.stderr == ""
