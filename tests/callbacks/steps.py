"""Steps of a run that was never made."""

import numpy as np

from neural_style.transfer.result import Step


def make_step(number, *, steps=100, loss=1.0, scale=(8, 6), size=(8, 6)):
    pixels = np.full((1, scale[1], scale[0], 3), number / steps, np.float32)
    return Step(number, steps, scale, size, number / steps, loss, {"style": loss}, 0.1 * number, lambda: pixels)
