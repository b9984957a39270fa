"""The method of TensorFlow's tutorial "Neural style transfer", expressed with this library.

It uses one scale, starts from the content, and minimizes raw losses by Adam with a large epsilon in 1000 steps. Many
first implementations of style transfer do this, so `quality.py` uses it as a baseline. Deviations: VGG16 instead of
VGG19, on which the content layer block5_conv2 becomes block4_conv2; epsilon is added after the bias correction.

    python benchmarks/tutorial.py photo.jpg painting.jpg out.png --weights vgg16.npz

paints one picture. The weights are those of `VGG16`, with the layer block5_conv2, which the bundled ones lack.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import ClassVar

import tensorflow as tf

from neural_style import VGG16, StyleTransfer
from neural_style.losses import Context, Features, Gram, Loss, Statistic
from neural_style.optimizers import Adam
from neural_style.recipes import MOMENTS, Recipe
from neural_style.scales import SingleScale


@dataclasses.dataclass(frozen=True)
class RawGram(Gram):
    """Mean squared difference of mean outer products, on features of pixels in [0, 255]."""

    name: str = "raw_gram"

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        pairs = [(statistic[layer].gram(), target[layer].gram()) for layer in self.layers]
        return tf.add_n([tf.reduce_mean(tf.math.squared_difference(*pair)) for pair in pairs]) / len(pairs)


@dataclasses.dataclass(frozen=True)
class RawContent(Loss):
    """Mean squared difference of features."""

    layers: tuple[str, ...] = ("block5_conv2",)
    name: str = "raw_content"
    uses_content: ClassVar[bool] = True

    def statistic(self, features: Features, context: Context) -> Statistic:
        (layer,) = self.layers
        distances = tf.math.squared_difference(features[layer], context.content[layer])
        return tf.reduce_sum(distances), tf.cast(tf.size(distances), tf.float32)

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        return statistic[0] / statistic[1]


@dataclasses.dataclass(frozen=True)
class RawVariation(Loss):
    """Sum of the absolute differences of neighboring pixels in [0, 1]."""

    layers: tuple[str, ...] = ("image",)
    name: str = "raw_variation"

    def statistic(self, features: Features, context: Context) -> Statistic:
        return tf.image.total_variation(features["image"])

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        return tf.reduce_sum(statistic)


TUTORIAL = Recipe(
    name="tutorial",
    citation="TensorFlow tutorials, 'Neural style transfer'.",
    content=1e4 * RawContent(),
    style=1e-2 * RawGram() + 30.0 * RawVariation(),
    scales=SingleScale(1000),
    optimizer=Adam(learning_rate=0.02, beta_1=0.99, beta_2=0.999, epsilon=0.1, tail=0.0),
)

SINGLE = dataclasses.replace(
    MOMENTS,
    name="single",
    scales=TUTORIAL.scales,
    optimizer=dataclasses.replace(TUTORIAL.optimizer, epsilon=Adam.epsilon),
    final_optimizer=None,
)
"""The losses of the recipe `moments` minimized with the tutorial's method, but with a small epsilon.

The tutorial's epsilon would dominate the far smaller gradients of these losses.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content")
    parser.add_argument("style")
    parser.add_argument("output")
    parser.add_argument("--size", type=int, default=512, help="long side (%(default)s)")
    parser.add_argument("--weights", default="imagenet", help="of VGG16 (%(default)s)")
    options = parser.parse_args()
    transfer = StyleTransfer(
        TUTORIAL.loss(), VGG16(options.weights), optimizer=TUTORIAL.optimizer, scales=TUTORIAL.scales
    )
    transfer.run(options.content, options.style, size=options.size).save(options.output)


if __name__ == "__main__":
    main()
