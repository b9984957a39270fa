"""A problem that is solved to be painted on: its canvas, and an interruption that is passed on."""

import dataclasses

import numpy as np
import pytest

from neural_style.optimizers import Adam
from neural_style.transfer.controls import Controls
from neural_style.transfer.inputs import read_inputs
from neural_style.transfer.loop import optimize, solve
from neural_style.transfer.problem import make_problem
from tests import tiny


def problem(color="style", optimizer=None):
    settings = tiny.transfer(optimizer=optimizer).settings
    return make_problem(settings, read_inputs(tiny.CONTENT, tiny.STYLE, Controls(color=color), size=32), steps=6)


def test_the_canvas_is_the_image_before_it_is_rendered():
    canvas = solve(problem())
    assert (canvas.shape, canvas.dtype) == ((1, 24, 32, 3), np.float32)
    np.testing.assert_array_equal(canvas[0], optimize(problem()).pixels)
    np.testing.assert_array_equal(solve(problem("content")), canvas)
    assert not np.array_equal(optimize(problem("content")).pixels, canvas[0])


@dataclasses.dataclass(frozen=True)
class Interrupted(Adam):
    """Ctrl-C is pressed at the second step."""

    def step(self, evaluate, canvas, state, progress):
        if progress.done == 1:
            raise KeyboardInterrupt
        return super().step(evaluate, canvas, state, progress)


def test_an_interruption_is_passed_on():
    """Other methods would take the canvas for a finished one."""
    with pytest.raises(KeyboardInterrupt):
        solve(problem(optimizer=Interrupted()))
