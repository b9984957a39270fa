"""What is minimised: a true gradient, one trace for all sizes, and a handshake with the extractor."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.losses import Content, Gram, Moments, TotalVariation
from neural_style.objective import Objective, objective_for

LOSS = 0.1 * Content() + Gram(name="gram") + Moments() + 0.5 * TotalVariation()


def picture(seed, height, width):
    return tf.constant(np.random.default_rng(seed).random((1, height, width, 3)), tf.float32)


def losses(loss):
    return tuple(term.loss for term in loss.terms)


@pytest.fixture(scope="module")
def objective(vgg16):
    return Objective(losses(LOSS), vgg16)


@pytest.fixture
def evaluate(objective):
    def at(canvas, weights=tuple(term.weight for term in LOSS.terms)):
        content = objective.content(picture(2, *canvas.shape[1:3]))
        return objective.evaluate(canvas, content, objective.target(picture(3, 32, 48), {}), tf.constant(weights), {})

    return at


def test_the_whole_gradient_agrees_with_finite_differences(evaluate):
    canvas = picture(1, 32, 32)
    gradient = evaluate(canvas).gradient
    rng = np.random.default_rng(4)
    along = gradient / tf.norm(gradient)
    for direction in (along, along + 0.02 * tf.constant(rng.normal(size=canvas.shape), tf.float32)):
        step = 0.02 / tf.norm(direction)
        expected = (evaluate(canvas + step * direction).loss - evaluate(canvas - step * direction).loss) / (2 * step)
        slope = tf.reduce_sum(gradient * direction)
        assert float(slope) == pytest.approx(float(expected), rel=0.02)


def test_terms_are_the_weighted_parts_of_the_loss(evaluate):
    canvas = picture(1, 32, 32)
    plain, weighted = evaluate(canvas, (1.0, 1.0, 1.0, 1.0)), evaluate(canvas, (2.0, 0.0, 1.0, 0.5))
    np.testing.assert_allclose(weighted.terms, plain.terms * [2.0, 0.0, 1.0, 0.5], rtol=1e-5)
    assert float(weighted.loss) == pytest.approx(float(np.sum(weighted.terms)), rel=1e-5)


def test_any_sizes_and_weights_cause_one_trace(vgg16):
    objective = Objective(losses(LOSS), vgg16)
    for height, width in ((32, 32), (33, 47), (48, 16)):
        canvas = picture(1, height, width)
        target = objective.target(picture(3, width, height), {})
        weights = tf.constant([1.0, 2.0, 3.0, float(height)])
        objective.evaluate(canvas, objective.content(canvas), target, weights, {})
    assert (objective.content.traces, objective.target.traces, objective.evaluate.traces) == (1, 1, 1)


def test_equal_losses_on_one_extractor_share_an_objective(vgg16):
    assert objective_for(losses(LOSS), vgg16) is objective_for(losses(3.0 * LOSS), vgg16)
    assert objective_for(losses(LOSS), vgg16) is not objective_for(losses(Content() + Gram()), vgg16)


def test_the_extractor_is_asked_only_for_what_is_read(objective):
    assert objective.content_layers == ("block4_conv2",)
    assert set(objective.style_layers) == set(Gram().layers)
    assert set(objective.layers) == {"block4_conv2", *Gram().layers, "image"}


def test_the_image_is_handed_on_untouched(objective):
    image = picture(1, 16, 16)
    assert objective.features(image, ["image"])["image"] is image


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_losses_see_float32_whatever_the_extractor_computes_in(vgg16, precision):
    objective = Objective([Gram(("block1_conv1",))], vgg16.with_precision(precision))
    assert objective.features(picture(1, 16, 16), ["block1_conv1"])["block1_conv1"].dtype == tf.float32


@pytest.mark.parametrize(
    ("loss", "side"), [(Content(), 8), (Gram(), 16), (Gram(("block1_conv1",)), 1), (TotalVariation(), 1)]
)
def test_the_smallest_side_is_that_of_the_deepest_layer(vgg16, loss, side):
    assert Objective([loss], vgg16).smallest_side == side


def test_a_layer_the_extractor_lacks_is_refused_at_once(vgg16):
    with pytest.raises(ValueError, match="no layer 'block9_conv1'; it has block1_conv1"):
        Objective([Gram(("block9_conv1",))], vgg16)
