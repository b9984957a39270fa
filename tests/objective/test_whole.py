"""The whole objective: a true gradient, one trace for all sizes, and a check of the extractor's layers."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from neural_style.features import named_extractor
from neural_style.features.base import DifferentiableExtractor
from neural_style.losses import Content, Context, Gram, Loss, Moments, Range, TotalVariation, custom
from neural_style.objective import WholeObjective, crop_guides, memory, objective_for
from tests.networks import Wrapped

LOSS = 0.1 * Content() + Gram(name="gram") + Moments() + 0.5 * TotalVariation()


def random_image(seed, height, width):
    return tf.constant(np.random.default_rng(seed).random((1, height, width, 3)), tf.float32)


def losses(loss):
    return tuple(term.loss for term in loss.terms)


@pytest.fixture(scope="module")
def objective(vgg16):
    return WholeObjective(losses(LOSS), vgg16)


@pytest.fixture
def evaluate(objective):
    def at(canvas, weights=tuple(term.weight for term in LOSS.terms)):
        content = objective.content(random_image(2, *canvas.shape[1:3]))
        return objective.evaluate(
            canvas, content, objective.target(random_image(3, 32, 48), {}), tf.constant(weights), {}
        )

    return at


def test_the_whole_gradient_agrees_with_finite_differences(evaluate):
    canvas = random_image(1, 32, 32)
    gradient = evaluate(canvas).gradient
    rng = np.random.default_rng(4)
    along = gradient / tf.norm(gradient)
    for direction in (along, along + 0.02 * tf.constant(rng.normal(size=canvas.shape), tf.float32)):
        step = 0.02 / tf.norm(direction)
        expected = (evaluate(canvas + step * direction).loss - evaluate(canvas - step * direction).loss) / (2 * step)
        slope = tf.reduce_sum(gradient * direction)
        assert float(slope) == pytest.approx(float(expected), rel=0.02)


@dataclasses.dataclass(frozen=True)
class Odd(Loss):
    """An additive loss of two layers at once, with things in its statistic that have no gradient."""

    layers: tuple[str, ...] = ("block1_conv1", "block3_conv1")
    name: str = "odd"

    def statistic(self, features, context):
        shallow, deep = (tf.reduce_mean(features[layer]) for layer in self.layers)
        return shallow * deep, tf.size(features[self.layers[0]]), 2.0, None

    def compare(self, statistic, target):
        return (statistic[0] / tf.cast(statistic[1], tf.float32) * statistic[2]) ** 2


def deepest_mean(features, content, style):
    return tf.reduce_mean(features["block3_conv1"] - style["block3_conv1"][:, :1, :1]) ** 2 / 1e3


MIXED = (
    Content(("block3_conv1",))
    + 30.0 * Odd()
    + Gram(("image", "block1_conv1"), name="gram")
    + Moments(("block1_conv2",))
) + (custom(deepest_mean, ["block3_conv1"]) + TotalVariation() + Moments(("block1_conv2",), name="again"))


@pytest.mark.parametrize("network", ["vgg16", "lite", "without its own backward pass"])
@pytest.mark.parametrize("loss", [MIXED, TotalVariation() + Range(), custom(deepest_mean, ["block3_conv1"])])
def test_the_gradient_equals_automatic_differentiation_for_every_kind_of_loss(network, loss):
    extractor = named_extractor("vgg16" if network.startswith("without") else network)
    if network.startswith("without"):
        extractor = Wrapped(extractor)
        assert not isinstance(extractor, DifferentiableExtractor)
    terms = (1.0 * loss).terms
    objective = WholeObjective([term.loss for term in terms], extractor)
    canvas, content = random_image(1, 30, 26), objective.content(random_image(2, 30, 26))
    targets = objective.target(random_image(3, 20, 24), {})
    with tf.GradientTape() as tape:
        tape.watch(canvas)
        features = objective.features(canvas, objective.layers)
        values = [
            term.weight * term.loss.compare(term.loss.statistic(features, Context(content.maps)), target)
            for term, target in zip(terms, targets, strict=True)
        ]
        total = tf.add_n(values)
    expected = tape.gradient(total, canvas)
    found = objective.evaluate(canvas, content, targets, tf.constant([term.weight for term in terms]), {})
    assert float(found.loss) == pytest.approx(float(total), rel=1e-4)
    assert float(tf.norm(found.gradient - expected)) <= 1e-3 * float(tf.norm(expected))


def test_an_extractor_with_its_own_backward_pass_keeps_fewer_maps(vgg16):
    bytes_of = []
    for network in (vgg16.with_precision("bfloat16"), Wrapped(vgg16.with_precision("bfloat16"))):
        bytes_of.append(memory._map_bytes(losses(Content() + Moments()), network)[0])
    assert bytes_of[0] < 0.8 * bytes_of[1]


def test_terms_are_the_weighted_parts_of_the_loss(evaluate):
    canvas = random_image(1, 32, 32)
    plain, weighted = evaluate(canvas, (1.0, 1.0, 1.0, 1.0)), evaluate(canvas, (2.0, 0.0, 1.0, 0.5))
    np.testing.assert_allclose(weighted.terms, plain.terms * [2.0, 0.0, 1.0, 0.5], rtol=1e-5)
    assert float(weighted.loss) == pytest.approx(float(np.sum(weighted.terms)), rel=1e-5)


def test_all_sizes_and_weights_share_one_trace(vgg16):
    objective = WholeObjective(losses(LOSS), vgg16)
    for height, width in ((32, 32), (33, 47), (48, 16)):
        canvas = random_image(1, height, width)
        target = objective.target(random_image(3, width, height), {})
        weights = tf.constant([1.0, 2.0, 3.0, float(height)])
        objective.evaluate(canvas, objective.content(canvas), target, weights, {})
    assert (objective.content.traces, objective.target.traces, objective.evaluate.traces) == (1, 1, 1)


def test_equal_losses_on_one_extractor_share_an_objective(vgg16):
    assert objective_for(losses(LOSS), vgg16) is objective_for(losses(3.0 * LOSS), vgg16)
    assert objective_for(losses(LOSS), vgg16) is not objective_for(losses(Content() + Gram()), vgg16)


def test_the_extractor_computes_only_the_layers_that_are_read(objective):
    assert objective.content_layers == ("block4_conv2",)
    assert set(objective.style_layers) == set(Gram().layers)
    assert set(objective.layers) == {"block4_conv2", *Gram().layers, "image"}


def test_the_image_itself_is_passed_on_unchanged(objective):
    image = random_image(1, 16, 16)
    assert objective.features(image, ["image"])["image"] is image


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_losses_receive_float32_for_every_precision(vgg16, precision):
    objective = WholeObjective([Gram(("block1_conv1",))], vgg16.with_precision(precision))
    assert objective.features(random_image(1, 16, 16), ["block1_conv1"])["block1_conv1"].dtype == tf.float32


@pytest.mark.parametrize(
    ("loss", "side"), [(Content(), 8), (Gram(), 16), (Gram(("block1_conv1",)), 1), (TotalVariation(), 1)]
)
def test_the_smallest_side_is_that_of_the_deepest_layer(vgg16, loss, side):
    assert WholeObjective([loss], vgg16).smallest_side == side


def test_a_layer_the_extractor_lacks_is_refused_at_once(vgg16):
    with pytest.raises(ValueError, match="no layer 'block9_conv1'; it has block1_conv1"):
        WholeObjective([Gram(("block9_conv1",))], vgg16)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (5, [0, 1, 2, 3, 4]),
        (4, [0, 1, 2, 3]),  # an incomplete cell at the end
        (3, [1, 2, 3]),  # a convolution without padding
        (2, [1, 2]),
        (6, [0, 1, 2, 3, 4, 4]),
        (7, [0, 0, 1, 2, 3, 4, 4]),  # a padding layer
        (11, [0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 4]),
    ],
)
def test_guides_lie_on_the_middle_of_maps(cells, expected):
    guide = tf.range(5.0)[None, :, None, None] + tf.zeros([1, 5, 3, 1])
    found = crop_guides({"layer": guide, "other": guide}, {"layer": tf.zeros([1, cells, 3, 8])})
    assert list(found) == ["layer"]
    assert found["layer"][0, :, 1, 0].numpy().tolist() == expected
    assert found["layer"].shape == (1, cells, 3, 1)
