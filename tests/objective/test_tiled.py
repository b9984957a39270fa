"""A tiled evaluation gives what an untiled one gives, in less memory."""

import dataclasses
import os
import subprocess
import sys
import textwrap
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_style import stylize
from neural_style.features import VGG16, KerasExtractor, ReceptiveField
from neural_style.losses import (
    Content,
    Context,
    Custom,
    Gram,
    Laplacian,
    Loss,
    Moments,
    Range,
    Temporal,
    TotalVariation,
    custom,
)
from neural_style.objective import TiledObjective, is_tileable, objective_for
from neural_style.optimizers import LBFGS, Adam
from neural_style.scales import CoarseToFine, SingleScale
from neural_style.transfer.style_transfer import StyleTransfer


@dataclasses.dataclass(frozen=True)
class Small:
    """Two random 3x3 convolutions with a pooling between: quick, and as odd as VGG about its edges."""

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
class Strided(Small):
    """A strided convolution whose own padding depends on whether the picture's side is odd."""

    @property
    def layers(self):
        return {"deep": ReceptiveField(2, 3)}

    def __call__(self, image, layers):
        kernel = np.random.default_rng(3).normal(0, 0.5, (3, 3, 3, 4)).astype(np.float32)
        return {"deep": tf.nn.conv2d(image, kernel, 2, "SAME")}


@dataclasses.dataclass(frozen=True)
class MeanColor(Loss):
    """A loss on the pixels that does not say how far it reaches."""

    name: str = "mean_color"
    layers: ClassVar = ("image",)
    uses_style: ClassVar = True

    def statistic(self, features, context):
        image = features["image"]
        return {"sum": tf.reduce_sum(image, axis=[0, 1, 2]), "count": tf.cast(tf.size(image), tf.float32)}

    def compare(self, statistic, target):
        mean, goal = (each["sum"] / each["count"] for each in (statistic, target))
        return tf.reduce_sum((mean - goal) ** 2)


class Broken(MeanColor):
    """Its gradient is not a number."""

    def compare(self, statistic, target):
        return tf.sqrt(tf.nn.relu(statistic["sum"][0] - statistic["sum"][0]))


def first_mean(features, content, style):
    return tf.reduce_mean(features["shallow"])


SMALL = ("shallow", "deep", "deeper")
LOSSES = {
    "content": Content(("deep", "image")),
    "gram": Gram(SMALL),
    "covariance": Moments(SMALL),
    "deviation": Moments(SMALL, layer_weights=(3.0, 1.0, 1.0), spread="deviation"),
    "wasserstein": Moments(("shallow", "deep"), spread="wasserstein"),
    "shifted gram": Gram(SMALL, shift=-1.0),
    "total_variation": TotalVariation(),
    "total_variation_1": TotalVariation(exponent=1.0),
    "range": Range(0.4, 0.6),
    "laplacian": Laplacian(pool=4),
    "large laplacian": Laplacian(pool=9),
    "mean_color": MeanColor(),
    "pixels": Moments(("image",)),
    "mixed": Gram(("image", "deep")),
}


def picture(height, width, seed=0):
    random = np.random.default_rng(seed)
    coarse = random.random((1, height // 8 + 2, width // 8 + 2, 3))
    smooth = np.asarray(tf.image.resize(coarse, (height, width)))
    return tf.constant(np.clip(0.85 * smooth + 0.15 * random.random(smooth.shape), 0, 1), tf.float32)


def both(losses, extractor, tile, size, *, guides=None, previous=None, **settings):
    """The untiled and the tiled evaluation of one canvas."""
    width, height = size
    content, canvas, style = picture(height, width), picture(height, width, 1), picture(height + 9, width - 4, 2)
    weights = tf.range(1.0, len(losses) + 1)
    guides = guides or {}
    style_guides = {layer: tf.ones_like(_map(extractor, style, layer)[..., :1]) * [[0.3, 0.7]] for layer in guides}
    found = []
    for objective in (
        objective_for(losses, extractor),
        TiledObjective(losses, extractor, tile, **{"whole": 0, **settings}),
    ):
        targets = objective.target(style, style_guides)
        found.append(objective.evaluate(canvas, objective.content(content), targets, weights, guides, previous))
    return found


def _map(extractor, image, layer):
    return image if layer == "image" else extractor(image, [layer])[layer]


def assert_same(untiled, tiled, loss=1e-5, gradient=1e-4):
    np.testing.assert_allclose(tiled.loss, untiled.loss, rtol=loss)
    np.testing.assert_allclose(tiled.terms, untiled.terms, rtol=loss, atol=loss * float(untiled.loss))
    largest = np.abs(untiled.gradient).max()
    assert largest > 0
    assert np.abs(tiled.gradient.numpy() - untiled.gradient.numpy()).max() <= gradient * largest


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_the_same_in_tiles(name):
    assert_same(*both((LOSSES[name],), Small(), 16, (71, 53)))


@settings(max_examples=12)
@given(
    width=st.integers(24, 90),
    height=st.integers(24, 90),
    tile=st.integers(1, 60),
    pooling=st.sampled_from(["max", "average"]),
    keep=st.sampled_from([0.0, float("inf")]),
)
def test_any_size_and_tile_give_the_same(width, height, tile, pooling, keep):
    losses = (LOSSES["content"], LOSSES["covariance"], LOSSES["total_variation"], LOSSES["mixed"])
    assert_same(*both(losses, Small(pooling), tile, (width, height), keep=keep))


@pytest.mark.parametrize("size", [(64, 48), (71, 53), (66, 51)])
def test_padding_that_depends_on_parity_is_met(size):
    assert_same(*both((Gram(("deep",)), Content(("deep",))), Strided(), 16, size))


def test_guides_are_cut_with_the_picture():
    width, height = 70, 50
    losses = (Moments(SMALL), Content(("deep",)))
    guides = {}
    for layer, field in Small().layers.items():
        rows, columns = height // field.stride, width // field.stride
        left = tf.tile(tf.linspace(0.0, 1.0, columns)[None, None, :, None], [1, rows, 1, 1])
        guides[layer] = tf.concat([left, 1.0 - left], axis=-1)
    assert_same(*both(losses, Small(), 16, (width, height), guides=guides))


def test_the_previous_frame_is_cropped_to_each_tile():
    previous = tf.concat(
        [picture(53, 71, 5), tf.linspace(tf.zeros([1, 53, 1]), tf.ones([1, 53, 1]), 71, axis=2)], axis=-1
    )
    losses = (Temporal(), Gram(SMALL))
    assert_same(*both(losses, Small(), 16, (71, 53), previous=previous))


@dataclasses.dataclass(frozen=True)
class Annealed(MeanColor):
    """A loss whose statistic depends on the number of the step."""

    def statistic(self, features, context):
        sums = super().statistic(features, context)
        share = 1.0 if context.step is None else 1.0 / (1.0 + tf.cast(context.step, tf.float32))
        return {"sum": share * sums["sum"], "count": sums["count"]}


def test_losses_read_the_number_of_the_step_whole_and_tiled():
    canvas, style = picture(40, 50), picture(30, 30, 1)
    losses = (Annealed(name="annealed"), Gram(SMALL))
    objectives = objective_for(losses, Small()), TiledObjective(losses, Small(), 16, whole=0)
    for objective in objectives:
        targets = objective.target(style, {})
        terms = [
            objective.evaluate(
                canvas, objective.content(canvas), targets, tf.ones([2]), {}, step=tf.constant(step)
            ).terms
            for step in range(3)
        ]
        expected = [
            Annealed().compare(Annealed().statistic({"image": canvas}, Context(step=step)), targets[0])
            for step in range(3)
        ]
        np.testing.assert_allclose([each[0] for each in terms], expected, rtol=1e-4)
    assert objectives[0].evaluate.traces == 1


@pytest.mark.parametrize(("pooling", "size"), [("max", (149, 117)), ("average", (160, 112))])
def test_vgg16_gives_the_same_in_tiles(pooling, size):
    losses = (Content(), Moments(), TotalVariation())
    assert_same(*both(losses, VGG16(pooling=pooling), 96, size))


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize("size", [(512, 384), (517, 389)])
@pytest.mark.parametrize("tile", [128, 256])
def test_vgg16_gives_the_same_in_tiles_at_full_size(pooling, size, tile):
    spreads = [Moments(spread=spread, name=spread) for spread in ("covariance", "deviation", "wasserstein")]
    losses = (Content(), Gram(), *spreads, TotalVariation())
    assert_same(*both(losses, VGG16(pooling=pooling), tile, size))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_reduced_precision_is_the_same_in_tiles(precision):
    """Each cell is computed from the same numbers in the same way, so it is no less exact than float32."""
    losses = (Content(("deep",)), Moments(SMALL))
    assert_same(*both(losses, Small(precision=precision), 16, (71, 53)), gradient=1e-2)


def test_one_trace_serves_every_size_and_tile():
    losses = (Content(("deep",), name="traced"), Gram(SMALL, name="traced"))
    for tile, size in ((16, (64, 48)), (24, (71, 53)), (40, (90, 66))):
        both(losses, Small(), tile, size)
    objective = TiledObjective(losses, Small(), 16, whole=0)
    (group,) = objective._groups(picture(48, 64))
    programs = group.programs
    assert [programs.statistics.traces, programs.pull_back.traces, programs.target.traces] == [1, 1, 1]


def test_a_picture_no_larger_than_a_window_is_taken_whole():
    losses = (Content(("deep",)), Gram(SMALL))
    objective = TiledObjective(losses, Small(), 32)
    image = picture(40, 40)
    assert isinstance(objective.content(image), dict)
    assert isinstance(objective.content(picture(60, 60)), list)


def test_a_loss_that_does_not_add_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'first_mean'.*does not add up.*tile=None"):
        TiledObjective((Gram(("deep",)), custom(first_mean, ["shallow"])), Small(), 16)
    assert not is_tileable([custom(first_mean, ["shallow"])], Small())
    assert is_tileable([Gram(("deep",))], Small())
    assert not Custom.additive


def test_an_extractor_without_radii_is_refused():
    import keras

    pixels = keras.Input((None, None, 3))
    model = keras.Model(pixels, keras.layers.Conv2D(2, 3, padding="same", name="only")(pixels))
    with pytest.raises(ValueError, match=r"receptive field of 'only'.*unknown.*fields="):
        TiledObjective((Gram(("only",)),), KerasExtractor(model), 16)
    told = KerasExtractor(model, fields={"only": ReceptiveField(1, 1)})
    assert_same(*both((Gram(("only",)),), told, 16, (40, 30)))


def test_a_tile_has_a_size():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        TiledObjective((TotalVariation(),), Small(), 0)


SCALES = CoarseToFine(smallest=32, steps=8, decay=1.0, min_steps=6, min_side=16)


def as_bytes(image):
    return (np.asarray(image)[0] * 255).astype(np.uint8)


def test_a_finished_picture_shows_no_seam():
    """The same but for the last digits, which an optimiser of many steps may carry on a little."""
    loss = Content(("deep",)) + Moments(SMALL) + 0.1 * TotalVariation()
    content, style = as_bytes(picture(60, 80)), as_bytes(picture(50, 50, 2))
    options = {"extractor": Small(), "scales": SCALES}
    untiled, tiled = (StyleTransfer(loss, tile=tile, **options).run(content, style, size=80) for tile in (None, 16))
    assert tiled.settings["tile"] == 16
    assert untiled.settings["tile"] is None
    assert np.abs(tiled.pixels - untiled.pixels).max() < 3 / 255
    assert np.abs(untiled.pixels - content / 255).max() > 20 / 255


@pytest.mark.parametrize("optimizer", [Adam(), LBFGS()])
def test_every_optimizer_paints_in_tiles(optimizer):
    styles = [(as_bytes(picture(50, 50, 2)), 2.0), (as_bytes(picture(40, 30, 3)), 1.0)]
    loss = 0.1 * Content(("deep",)) + Gram(SMALL)
    transfer = StyleTransfer(loss, Small(), optimizer=optimizer, scales=SingleScale(8), tile=16)
    result = transfer.run(as_bytes(picture(60, 80)), styles, size=80)
    assert result.history[-1].loss < 0.8 * result.history[0].loss


def test_stylize_takes_a_tile():
    content, style = as_bytes(picture(60, 80)), as_bytes(picture(50, 50, 2))
    assert stylize(content, style, size=70, steps=1, extractor="vgg16", tile="auto").size == (70, 52)


@pytest.mark.parametrize("tile", [0, -1, True, 1.5, "512"])
def test_a_tile_is_a_number_of_pixels_or_auto(tile):
    with pytest.raises(ValueError, match="tile is a positive number of pixels, 'auto' or None"):
        StyleTransfer(Gram(SMALL), Small(), tile=tile)


def test_a_transfer_refuses_what_does_not_add_before_it_reads_a_picture():
    with pytest.raises(ValueError, match="first_mean"):
        StyleTransfer(custom(first_mean, ["shallow"]), Small(), tile=16)


def test_the_term_to_blame_is_found_in_tiles():
    losses = (Gram(SMALL), Broken())
    objective = TiledObjective(losses, Small(), 16, whole=0)
    canvas, style = picture(48, 64), picture(48, 64, 1)
    targets = objective.target(style, {})

    def only(objective, index):
        alone = objective.only(index)
        found = alone.evaluate(canvas, alone.content(canvas), (targets[index],), tf.ones([1]), {})
        return found.gradient.numpy()

    good, bad = (only(objective, index) for index in (0, 1))
    assert np.isfinite(good).all()
    assert not np.isfinite(bad).all()
    untiled = only(objective_for(losses, Small()), 0)
    np.testing.assert_allclose(good, untiled, atol=1e-4 * np.abs(good).max())


def test_two_devices_share_the_tiles():
    """In a process of its own: the number of devices is fixed once TensorFlow has started."""
    program = """
        import time
        import tensorflow as tf
        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
        from neural_style.objective import map_over_devices
        from tests.objective import test_tiled
        def where(_):
            time.sleep(0.1)
            return tf.zeros([]).device[-5:]
        assert set(map_over_devices(where, range(6))) == {"CPU:0", "CPU:1"}
        losses = tuple(test_tiled.LOSSES[name] for name in ("content", "covariance", "total_variation"))
        test_tiled.assert_same(*test_tiled.both(losses, test_tiled.Small(), 16, (71, 53)))
        first, second = (test_tiled.both(losses, test_tiled.Small(), 16, (71, 53))[1] for _ in range(2))
        assert (first.gradient.numpy() == second.gradient.numpy()).all()
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
