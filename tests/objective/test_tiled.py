"""A tiled evaluation gives the result of an untiled one, in less memory."""

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
from neural_style.objective.whole import ContentFeatures
from neural_style.optimizers import LBFGS, Adam
from neural_style.scales import CoarseToFine, SingleScale
from neural_style.transfer.style_transfer import StyleTransfer
from tests.networks import Strided, ThreeLevels


@dataclasses.dataclass(frozen=True)
class MeanColor(Loss):
    """A loss on the pixels that does not declare its support."""

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


def random_image(height, width, seed=0):
    random = np.random.default_rng(seed)
    coarse = random.random((1, height // 8 + 2, width // 8 + 2, 3))
    smooth = np.asarray(tf.image.resize(coarse, (height, width)))
    return tf.constant(np.clip(0.85 * smooth + 0.15 * random.random(smooth.shape), 0, 1), tf.float32)


def both(losses, extractor, tile, size, *, guides=None, previous=None, **settings):
    """The untiled and the tiled evaluation of one canvas."""
    width, height = size
    content, canvas, style = (
        random_image(height, width),
        random_image(height, width, 1),
        random_image(height + 9, width - 4, 2),
    )
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
def test_every_loss_is_equal_in_tiles(name):
    assert_same(*both((LOSSES[name],), ThreeLevels(), 16, (71, 53)))


@settings(max_examples=12)
@given(
    width=st.integers(24, 90),
    height=st.integers(24, 90),
    tile=st.integers(1, 60),
    pooling=st.sampled_from(["max", "average"]),
    keep=st.sampled_from([0.0, float("inf")]),
)
def test_all_sizes_and_tiles_give_equal_results(width, height, tile, pooling, keep):
    losses = (LOSSES["content"], LOSSES["covariance"], LOSSES["total_variation"], LOSSES["mixed"])
    assert_same(*both(losses, ThreeLevels(pooling), tile, (width, height), keep=keep))


@pytest.mark.parametrize("size", [(64, 48), (71, 53), (66, 51)])
def test_padding_that_depends_on_parity_is_reproduced(size):
    assert_same(*both((Gram(("deep",)), Content(("deep",))), Strided(), 16, size))


def test_guides_are_cropped_to_each_tile():
    width, height = 70, 50
    losses = (Moments(SMALL), Content(("deep",)))
    guides = {}
    for layer, field in ThreeLevels().layers.items():
        rows, columns = height // field.stride, width // field.stride
        left = tf.tile(tf.linspace(0.0, 1.0, columns)[None, None, :, None], [1, rows, 1, 1])
        guides[layer] = tf.concat([left, 1.0 - left], axis=-1)
    assert_same(*both(losses, ThreeLevels(), 16, (width, height), guides=guides))


def test_the_previous_frame_is_cropped_to_each_tile():
    previous = tf.concat(
        [random_image(53, 71, 5), tf.linspace(tf.zeros([1, 53, 1]), tf.ones([1, 53, 1]), 71, axis=2)], axis=-1
    )
    losses = (Temporal(), Gram(SMALL))
    assert_same(*both(losses, ThreeLevels(), 16, (71, 53), previous=previous))


@dataclasses.dataclass(frozen=True)
class Annealed(MeanColor):
    """A loss whose statistic depends on the number of the step."""

    def statistic(self, features, context):
        sums = super().statistic(features, context)
        share = 1.0 if context.step is None else 1.0 / (1.0 + tf.cast(context.step, tf.float32))
        return {"sum": share * sums["sum"], "count": sums["count"]}


def test_losses_read_the_number_of_the_step_whole_and_tiled():
    canvas, style = random_image(40, 50), random_image(30, 30, 1)
    losses = (Annealed(name="annealed"), Gram(SMALL))
    objectives = objective_for(losses, ThreeLevels()), TiledObjective(losses, ThreeLevels(), 16, whole=0)
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
def test_vgg16_is_equal_in_tiles(pooling, size):
    losses = (Content(), Moments(), TotalVariation())
    assert_same(*both(losses, VGG16(pooling=pooling), 96, size))


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize("size", [(512, 384), (517, 389)])
@pytest.mark.parametrize("tile", [128, 256])
def test_vgg16_is_equal_in_tiles_at_full_size(pooling, size, tile):
    spreads = [Moments(spread=spread, name=spread) for spread in ("covariance", "deviation", "wasserstein")]
    losses = (Content(), Gram(), *spreads, TotalVariation())
    assert_same(*both(losses, VGG16(pooling=pooling), tile, size))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_reduced_precision_is_equal_in_tiles(precision):
    """Each cell is computed from the same numbers in the same way, so it is no less exact than float32."""
    losses = (Content(("deep",)), Moments(SMALL))
    assert_same(*both(losses, ThreeLevels(precision=precision), 16, (71, 53)), gradient=1e-2)


def test_one_trace_serves_every_size_and_tile():
    losses = (Content(("deep",), name="traced"), Gram(SMALL, name="traced"))
    for tile, size in ((16, (64, 48)), (24, (71, 53)), (40, (90, 66))):
        both(losses, ThreeLevels(), tile, size)
    objective = TiledObjective(losses, ThreeLevels(), 16, whole=0)
    (group,) = objective._groups(random_image(48, 64))
    programs = group.programs
    assert [programs.statistics.traces, programs.pull_back.traces, programs.target.traces] == [1, 1, 1]


def test_an_image_no_larger_than_a_window_is_evaluated_in_one_piece():
    losses = (Content(("deep",)), Gram(SMALL))
    objective = TiledObjective(losses, ThreeLevels(), 32)
    image = random_image(40, 40)
    assert isinstance(objective.content(image), ContentFeatures)
    assert isinstance(objective.content(random_image(60, 60)), list)


def test_a_loss_that_is_not_additive_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'first_mean'.*does not add up.*tile=None"):
        TiledObjective((Gram(("deep",)), custom(first_mean, ["shallow"])), ThreeLevels(), 16)
    assert not is_tileable([custom(first_mean, ["shallow"])], ThreeLevels())
    assert is_tileable([Gram(("deep",))], ThreeLevels())
    assert not Custom.additive


def test_an_extractor_with_unknown_receptive_fields_is_refused():
    import keras

    pixels = keras.Input((None, None, 3))
    model = keras.Model(pixels, keras.layers.Conv2D(2, 3, padding="same", name="only")(pixels))
    with pytest.raises(ValueError, match=r"receptive field of 'only'.*unknown.*fields="):
        TiledObjective((Gram(("only",)),), KerasExtractor(model), 16)
    extractor = KerasExtractor(model, fields={"only": ReceptiveField(1, 1)})
    assert_same(*both((Gram(("only",)),), extractor, 16, (40, 30)))


def test_a_tile_of_zero_pixels_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        TiledObjective((TotalVariation(),), ThreeLevels(), 0)


SCALES = CoarseToFine(smallest=32, steps=8, decay=1.0, min_steps=6, min_side=16)


def as_bytes(image):
    return (np.asarray(image)[0] * 255).astype(np.uint8)


def test_a_tiled_run_leaves_no_seams():
    """Equal except for the last digits, which an optimizer may amplify a little over many steps."""
    loss = Content(("deep",)) + Moments(SMALL) + 0.1 * TotalVariation()
    content, style = as_bytes(random_image(60, 80)), as_bytes(random_image(50, 50, 2))
    options = {"extractor": ThreeLevels(), "scales": SCALES}
    untiled, tiled = (StyleTransfer(loss, tile=tile, **options).run(content, style, size=80) for tile in (None, 16))
    assert tiled.settings["tile"] == 16
    assert untiled.settings["tile"] is None
    assert np.abs(tiled.pixels - untiled.pixels).max() < 3 / 255
    assert np.abs(untiled.pixels - content / 255).max() > 20 / 255


@pytest.mark.parametrize("optimizer", [Adam(), LBFGS()])
def test_every_optimizer_paints_in_tiles(optimizer):
    styles = [(as_bytes(random_image(50, 50, 2)), 2.0), (as_bytes(random_image(40, 30, 3)), 1.0)]
    loss = 0.1 * Content(("deep",)) + Gram(SMALL)
    transfer = StyleTransfer(loss, ThreeLevels(), optimizer=optimizer, scales=SingleScale(8), tile=16)
    result = transfer.run(as_bytes(random_image(60, 80)), styles, size=80)
    assert result.history[-1].loss < 0.8 * result.history[0].loss


def test_stylize_takes_a_tile():
    content, style = as_bytes(random_image(60, 80)), as_bytes(random_image(50, 50, 2))
    assert stylize(content, style, size=70, steps=1, extractor="vgg16", tile="auto").size == (70, 52)


@pytest.mark.parametrize("tile", [0, -1, True, 1.5, "512"])
def test_an_invalid_tile_is_refused(tile):
    with pytest.raises(ValueError, match="tile must be a positive number of pixels, 'auto' or None"):
        StyleTransfer(Gram(SMALL), ThreeLevels(), tile=tile)


def test_a_transfer_refuses_a_loss_that_is_not_additive_at_construction():
    with pytest.raises(ValueError, match="first_mean"):
        StyleTransfer(custom(first_mean, ["shallow"]), ThreeLevels(), tile=16)


def test_each_loss_can_be_evaluated_alone_in_tiles():
    losses = (Gram(SMALL), Broken())
    objective = TiledObjective(losses, ThreeLevels(), 16, whole=0)
    canvas, style = random_image(48, 64), random_image(48, 64, 1)
    targets = objective.target(style, {})

    def only(objective, index):
        alone = objective.only(index)
        found = alone.evaluate(canvas, alone.content(canvas), (targets[index],), tf.ones([1]), {})
        return found.gradient.numpy()

    good, bad = (only(objective, index) for index in (0, 1))
    assert np.isfinite(good).all()
    assert not np.isfinite(bad).all()
    untiled = only(objective_for(losses, ThreeLevels()), 0)
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
        test_tiled.assert_same(*test_tiled.both(losses, test_tiled.ThreeLevels(), 16, (71, 53)))
        first, second = (test_tiled.both(losses, test_tiled.ThreeLevels(), 16, (71, 53))[1] for _ in range(2))
        assert (first.gradient.numpy() == second.gradient.numpy()).all()
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
