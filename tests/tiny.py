"""A network of two small convolutions and runs on it that take milliseconds, also for other processes to import."""

import numpy as np
import tensorflow as tf

from neural_style.features import ReceptiveField
from neural_style.losses import Content, Gram, TotalVariation
from neural_style.scales import CoarseToFine
from neural_style.transfer.style_transfer import StyleTransfer

LAYERS = {"shallow": ReceptiveField(stride=1, radius=1), "deep": ReceptiveField(stride=2, radius=3)}


class Tiny:
    """Random filters, the same in every process."""

    layers = LAYERS

    def __init__(self):
        rng = np.random.default_rng(7)
        self.first = tf.constant(rng.normal(0, 0.3, (3, 3, 3, 8)), tf.float32)
        self.second = tf.constant(rng.normal(0, 0.2, (3, 3, 8, 8)), tf.float32)

    def __repr__(self):
        return "Tiny()"

    def __call__(self, image, layers):
        shallow = tf.nn.relu(tf.nn.conv2d(image, self.first, 1, "SAME"))
        deep = tf.nn.relu(tf.nn.conv2d(tf.nn.avg_pool2d(shallow, 2, 2, "VALID"), self.second, 1, "SAME"))
        return {name: {"shallow": shallow, "deep": deep}[name] for name in layers}


TINY = Tiny()
LOSS = 0.1 * Content(("deep",)) + Gram(("shallow", "deep")) + 0.1 * TotalVariation()
TWO_SCALES = CoarseToFine(smallest=16, steps=8, decay=1.0, min_steps=10, min_side=8)
"""For a long side of 32: 16x16, then the size asked for."""


def transfer(loss=LOSS, **options):
    return StyleTransfer(loss, TINY, scales=TWO_SCALES, **options)


def picture(seed, height=24, width=32):
    """Coloured blots, uint8."""
    coarse = np.random.default_rng(seed).random((4, 4, 3))
    fine = np.kron(coarse, np.ones((height // 4, width // 4, 1)))
    return (255 * fine).astype(np.uint8)


CONTENT, STYLE = picture(1), picture(2, 28, 28)


def paint(content=CONTENT, style=STYLE, steps=6):
    """A run for another process to be given."""
    return transfer().run(content, style, size=32, steps=steps)
