"""A network of two small convolutions and runs on it that take milliseconds, also for other processes to import."""

import numpy as np

from neural_style.losses import Content, Gram, TotalVariation
from neural_style.scales import CoarseToFine
from neural_style.transfer.style_transfer import StyleTransfer
from tests.networks import Tiny

TINY = Tiny()
LOSS = 0.1 * Content(("deep",)) + Gram(("shallow", "deep")) + 0.1 * TotalVariation()
TWO_SCALES = CoarseToFine(smallest=16, steps=8, decay=1.0, min_steps=10, min_side=8)
"""For a long side of 32: 16x16, then the size asked for."""


def transfer(loss=LOSS, **options):
    return StyleTransfer(loss, TINY, scales=TWO_SCALES, **options)


def picture(seed, height=24, width=32):
    """Colored blots, uint8."""
    coarse = np.random.default_rng(seed).random((4, 4, 3))
    fine = np.kron(coarse, np.ones((height // 4, width // 4, 1)))
    return (255 * fine).astype(np.uint8)


CONTENT, STYLE = picture(1), picture(2, 28, 28)


def paint(content=CONTENT, style=STYLE, steps=6):
    """A run for another process to be given."""
    return transfer().run(content, style, size=32, steps=steps)
