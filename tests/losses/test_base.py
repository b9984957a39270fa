"""Arithmetic and names of losses, and losses from functions."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_style import losses
from neural_style.losses import Content, Gram, Loss, Moments, Sum, Term, TotalVariation, custom
from neural_style.losses.base import ByLayer
from neural_style.objective import WholeObjective

PARTS = (Content(("deep",)), Gram(("shallow",)), TotalVariation())


def value(loss, network, images):
    objective = WholeObjective([term.loss for term in loss.terms], network).eager()
    weights = tf.constant([term.weight for term in loss.terms], tf.float32)
    target, content = objective.target(images.style, {}), objective.content(images.content)
    return objective.evaluate(images.canvas, content, target, weights, {}).loss.numpy()


@settings(max_examples=15)
@given(weights=st.lists(st.floats(0.0, 100.0), min_size=3, max_size=3), order=st.permutations(range(3)))
def test_sums_commute_in_value(network, images, weights, order):
    terms = [weight * part for weight, part in zip(weights, PARTS, strict=True)]
    straight = value(terms[0] + terms[1] + terms[2], network, images)
    shuffled = value(terms[order[0]] + (terms[order[1]] + terms[order[2]]), network, images)
    assert shuffled == pytest.approx(straight, rel=1e-5, abs=1e-30)


def test_a_sum_is_the_weighted_sum_of_its_parts(network, images):
    values = [value(part, network, images) for part in PARTS]
    total = 2.0 * PARTS[0] + PARTS[1] + 0.5 * PARTS[2]
    assert value(total, network, images) == pytest.approx(2.0 * values[0] + values[1] + 0.5 * values[2], rel=1e-5)


@given(first=st.floats(0.0, 1e3), second=st.floats(0.0, 1e3))
def test_weights_multiply(first, second):
    [term] = first * (second * Gram())
    assert term == Term(second * first, Gram())
    assert first * Gram() == Gram() * first


def test_the_builtin_sum_adds_losses():
    assert sum(PARTS) == PARTS[0] + PARTS[1] + PARTS[2] == Sum([Term(1.0, part) for part in PARTS])


def test_a_weight_reaches_every_term_of_a_sum():
    assert [term.weight for term in 2.0 * (3.0 * PARTS[0] + PARTS[1])] == [6.0, 2.0]


def test_terms_of_the_same_name_are_numbered():
    assert (Gram() + Moments() + Content() + Gram()).names == ("style", "style_2", "content", "style_3")


def test_names_never_clash():
    names = (Gram(name="a") + Gram(name="a") + Gram(name="a_2")).names
    assert len(set(names)) == 3


def test_layers_are_listed_once_in_order():
    loss = Gram(("a", "b")) + TotalVariation() + Content(("b", "c"))
    assert loss.layers == ("a", "b", "image", "c")


def test_layers_may_be_a_list_or_a_single_name():
    assert Content(["deep"]) == Content(("deep",)) == Content("deep")
    assert hash(Gram(["deep"], layer_weights=[2.0])) == hash(Gram(("deep",), layer_weights=(2.0,)))


def test_the_representation_of_a_sum_evaluates_to_an_equal_sum():
    loss = 0.1 * Content(("deep",)) + Gram(("shallow",), name="strokes") + 3 * TotalVariation()
    assert eval(repr(loss), vars(losses).copy()) == loss


def test_equal_sums_are_equal_keys():
    first, second = (0.5 * Content() + Gram() for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != Content() + Gram()


@pytest.mark.parametrize("stranger", ["style", None, 1, [1.0]])
def test_a_loss_adds_to_losses_only(stranger):
    with pytest.raises(TypeError):
        Gram() + stranger
    with pytest.raises(TypeError):
        stranger + Gram()


@pytest.mark.parametrize("factor", ["2", None, True, Gram()])
def test_a_loss_is_weighted_by_numbers_only(factor):
    with pytest.raises(TypeError):
        factor * Gram()


def test_a_loss_from_a_function_has_its_name():
    def darkness(features, content, style):
        return tf.reduce_mean(features["image"])

    assert custom(darkness, ["image"]).name == "darkness"
    assert custom(darkness, ["image"], name="gloom").name == "gloom"
    assert custom(darkness, ["image"]).layers == ("image",)
    assert not custom(darkness, ["image"]).additive


def test_a_function_receives_the_features_of_all_three_images(network, images):
    seen = {}

    def record(features, content, style):
        seen.update(features=features, content=content, style=style)
        return tf.constant(0.0)

    value(custom(record, ["image"]), network, images)
    for name, image in zip(("features", "content", "style"), images, strict=True):
        np.testing.assert_array_equal(seen[name]["image"], image)


def test_a_statistic_with_the_former_parameters_is_refused_with_the_new_ones():
    with pytest.raises(
        TypeError, match=r"Old\.statistic must take \(self, features, context\), not .*guides.*context\.content"
    ):

        class Old(Loss):
            def statistic(self, features, content, guides): ...

    with pytest.raises(TypeError, match=r"OldByLayer\.of_layer must take \(self, layer, features, context\)"):

        class OldByLayer(ByLayer):
            def of_layer(self, layer, features, content, guides): ...


def test_a_statistic_may_have_parameters_with_defaults():
    class Lenient(Loss):
        def statistic(self, features, context, *, axis=None): ...

    assert Lenient.additive.fget(None)
