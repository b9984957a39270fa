"""Small extractors for tests; other processes can import them as well."""

import dataclasses

import numpy as np
import tensorflow as tf

from neural_style.features import ReceptiveField


class Tiny:
    """Two convolutions with ReLU and random filters, which are the same in every process."""

    layers = {"shallow": ReceptiveField(stride=1, radius=1), "deep": ReceptiveField(stride=2, radius=3)}  # noqa: RUF012

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


class Smooth:
    """Two convolutions of 4 and 5 channels without kinks, so that finite differences are accurate."""

    layers = {"shallow": ReceptiveField(1, 1), "deep": ReceptiveField(2, 3)}  # noqa: RUF012

    def __init__(self):
        rng = np.random.default_rng(11)
        self.shallow = tf.constant(rng.normal(0.0, 0.5, (3, 3, 3, 4)), tf.float32)
        self.deep = tf.constant(rng.normal(0.0, 0.4, (3, 3, 4, 5)), tf.float32)

    def __call__(self, image, layers):
        shallow = tf.nn.softplus(tf.nn.conv2d(image - 0.5, self.shallow, 1, "SAME"))
        maps = {"shallow": shallow, "deep": tf.nn.conv2d(shallow, self.deep, 2, "SAME")}
        return {name: maps[name] for name in layers}


@dataclasses.dataclass(frozen=True)
class ThreeLevels:
    """Three random 3x3 convolutions with pooling between them: fast, and with the border effects of VGG."""

    pooling: str = "max"
    precision: str = "float32"

    @property
    def layers(self):
        return {"shallow": ReceptiveField(1, 1), "deep": ReceptiveField(2, 3), "deeper": ReceptiveField(4, 7)}

    def __call__(self, image, layers):
        pool = tf.nn.max_pool2d if self.pooling == "max" else tf.nn.avg_pool2d
        random = np.random.default_rng(3)
        maps, x = {}, tf.cast(image - 0.4, self.precision)
        for name, channels in (("shallow", 4), ("deep", 6), ("deeper", 5)):
            x = x if name == "shallow" else pool(x, 2, 2, "VALID")
            kernel = random.normal(0, 0.5, (3, 3, x.shape[-1], channels)).astype(np.float32)
            x = tf.nn.relu(tf.nn.conv2d(x, tf.cast(kernel, self.precision), 1, "SAME") + 0.1)
            maps[name] = x
        return {name: maps[name] for name in layers}


@dataclasses.dataclass(frozen=True)
class Strided:
    """A strided convolution whose padding depends on whether the side of the image is odd."""

    @property
    def layers(self):
        return {"deep": ReceptiveField(2, 3)}

    def __call__(self, image, layers):
        kernel = np.random.default_rng(3).normal(0, 0.5, (3, 3, 3, 4)).astype(np.float32)
        return {"deep": tf.nn.conv2d(image, kernel, 2, "SAME")}


class Pixels:
    """The image itself as the only layer."""

    def __init__(self, layer="pixels"):
        self.layers = {layer: ReceptiveField(1, 0)}

    def __call__(self, image, layers):
        return dict.fromkeys(layers, image)


class Edges:
    """Horizontal and vertical edges of each color."""

    layers = {"edges": ReceptiveField(stride=1, radius=1)}  # noqa: RUF012

    def __call__(self, image, layers):
        edges = tf.image.sobel_edges(image)
        return {name: tf.concat([edges[..., 0], edges[..., 1]], axis=-1) for name in layers}


class Wrapped:
    """Another extractor without anything beyond the required interface; it counts the calls."""

    def __init__(self, network):
        self.network, self.layers, self.calls = network, network.layers, 0

    def __call__(self, image, layers):
        self.calls += 1
        return self.network(image, layers)
