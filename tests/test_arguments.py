"""Callers' arguments: NumPy's scalars are numbers, text and bools are not, and errors name argument and value."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style import losses, optimizers, scales
from neural_style._arguments import choice, count, flag, real, whole
from neural_style.callbacks import EarlyStopping, Timelapse
from neural_style.transfer.checkpoint import Checkpoint


@pytest.mark.parametrize("value", [1, 1.0, np.int64(1), np.float32(1.0), np.array(1), np.uint8(1)])
def test_scalars_of_any_kind_are_numbers(value):
    assert (real("strength", value), whole("size", value)) == (1.0, 1)
    assert (type(real("strength", value)), type(whole("size", value))) == (float, int)


@pytest.mark.parametrize("value", ["0.5", True, None, [1.0], np.bool_(True), 1j])
def test_what_is_no_number_is_named(value):
    for check in (real, whole):
        with pytest.raises(TypeError, match="strength must be a .*number, not"):
            check("strength", value)


def test_arrays_and_enormous_numbers_are_no_counts():
    for check in (real, whole, count):
        with pytest.raises(TypeError, match="steps must be a .*number, not"):
            check("steps", np.array([1, 2]))
    with pytest.raises(ValueError, match="steps must be at most 2,147,483,647, not a number of 1329 bits"):
        count("steps", 10**400)
    for value in (10**400, -(10**400)):
        with pytest.raises(ValueError, match="^seconds must be between 0 and 1"):
            real("seconds", value, at_least=0, at_most=1)
    with pytest.raises(ValueError, match="^seconds must be at least 0"):
        real("seconds", -(10**400), at_least=0, finite=False)


def test_text_and_numbers_are_no_flags():
    assert [flag("preview", value) for value in (True, np.False_)] == [True, False]
    for value in ("no", 1, 0.0, None, [True]):
        with pytest.raises(TypeError, match="preview must be True or False, not"):
            flag("preview", value)


def test_a_fraction_is_no_whole_number():
    with pytest.raises(TypeError, match=r"size must be a whole number, not 512\.5 \(float\)"):
        whole("size", 512.5)


RANGES = [
    ({}, "must be finite"),
    ({"at_least": 0}, "must be at least 0 and finite"),
    ({"above": 0}, "must be above 0 and finite"),
    ({"at_least": 0, "below": 1}, "must be at least 0 and below 1"),
    ({"at_least": 0, "at_most": 1}, "must be between 0 and 1"),
    ({"at_least": 0, "finite": False}, "must be at least 0"),
    ({"finite": False}, "must be a number"),
]


@pytest.mark.parametrize(("limits", "expected"), RANGES, ids=[expected for _, expected in RANGES])
def test_a_number_out_of_range_or_not_a_number_is_refused_with_the_range(limits, expected):
    wrong = [float("nan"), np.float32("nan")]
    wrong += [] if "finite" in limits else [float("inf"), -float("inf"), 10**400]
    wrong += [-1, np.int64(-1)] if "at_least" in limits else [0, -0.5] if "above" in limits else []
    wrong += [1, 2.0] if "below" in limits else [1.5] if "at_most" in limits else []
    for value in wrong:
        with pytest.raises(ValueError, match=f"^rate {expected}, not"):
            real("rate", value, **limits)
    assert real("rate", 0.5, **limits) == 0.5


def test_bounds_and_infinity_are_allowed_where_they_are_said_to_be():
    assert [real("rate", value, at_least=0, at_most=1) for value in (0, 1)] == [0.0, 1.0]
    assert real("rate", float("inf"), at_least=0, finite=False) == float("inf")
    assert whole("size", 1, at_least=1) == 1
    for value in (0, -3, 0.0, np.int8(-1)):
        with pytest.raises(ValueError, match="^size must be at least 1, not"):
            whole("size", value, at_least=1)
    for value in (float("nan"), float("inf"), np.nan):
        with pytest.raises(TypeError, match="^size must be a whole number, not"):
            whole("size", value, at_least=1)


def test_a_long_value_is_shortened():
    with pytest.raises(TypeError) as caught:
        real("strength", "x" * 1000)
    assert len(str(caught.value)) < 120


def test_a_choice_lists_what_there_is():
    assert choice("quality", "fast", ["best", "fast"]) == "fast"
    for value in ("good", None, 3):
        with pytest.raises(ValueError, match=r"quality must be one of 'best', 'fast', not"):
            choice("quality", value, ["best", "fast"])


def test_a_scalar_tensor_is_a_number():
    assert real("strength", tf.constant(0.5).numpy()) == 0.5


# --- every number of the public classes ---------------------------------------------------------------

COUNT, FROM_0, ABOVE_0, SHARE, DECAY, ANY, FROM_1 = (
    (0, -1, 1.5),
    (-1, 1.5),
    (0, -1),
    (-0.1, 1.1),
    (-0.1, 1),
    (),
    (0, 0.5),
)  # what is out of range
NUMBERS = {
    losses.Gram: {"shift": ANY},
    losses.SlicedWasserstein: {"directions": COUNT, "seed": FROM_0},
    losses.RelaxedEMD: {"stride": COUNT, "max_vectors": COUNT},
    losses.SelfSimilarity: {"stride": COUNT, "max_vectors": COUNT},
    losses.Sinkhorn: {"blur": ABOVE_0, "steps": COUNT, "max_vectors": COUNT},
    losses.NearestNeighbor: {"stride": COUNT, "max_vectors": COUNT, "anchor": SHARE},
    losses.Patches: {"size": COUNT, "stride": COUNT, "max_vectors": COUNT},
    losses.AttentionGram: {"sharpness": (-1,), "max_vectors": COUNT},
    losses.AssignedNeighbor: {"anchor": SHARE, "refresh": COUNT, "max_vectors": COUNT},
    losses.Laplacian: {"pool": COUNT},
    losses.TotalVariation: {"exponent": FROM_1},
    optimizers.Adam: {
        **dict.fromkeys(("beta_1", "beta_2", "average"), DECAY),
        **{"learning_rate": ABOVE_0, "tail": SHARE, "epsilon": (-1,), "final_rate": (-1,)},
    },
    optimizers.LBFGS: {
        **dict.fromkeys(("learning_rate", "first_move", "max_move"), ABOVE_0),
        **{"memory": FROM_0, "tries": COUNT},
    },
    scales.SingleScale: {"steps": FROM_0},
    scales.CoarseToFine: {
        **dict.fromkeys(("smallest", "grid", "min_side"), COUNT),
        **{"factor": (1.0, -2), "steps": FROM_0, "decay": ANY, "min_steps": FROM_0},
    },
    scales.Relay: {"sketch": FROM_0, "polish": FROM_0},
    EarlyStopping: {"patience": COUNT, "min_improvement": (-1,)},
    Timelapse: {"count": COUNT, "longest": COUNT},
    lambda **options: Checkpoint("run.npz", **options): {"every_steps": COUNT},
}
CASES = [(make, name, wrong) for make, names in NUMBERS.items() for name, wrong in names.items()]


@pytest.mark.parametrize(("make", "name", "wrong"), CASES, ids=[f"{make.__name__}-{name}" for make, name, _ in CASES])
def test_no_public_class_takes_a_number_that_means_nothing(make, name, wrong):
    strange = [float("nan"), float("inf"), np.float32("nan"), True, np.bool_(True), "3", [1.0], 1j]
    for value in (*strange, *wrong, *map(np.float64, wrong)):
        with pytest.raises((TypeError, ValueError), match=rf"^{name} must be "):
            make(**{name: value})


@pytest.mark.parametrize("number", [np.float32(2.0), np.float64(2.0), np.int64(2), np.array(2)])
def test_numbers_of_numpy_are_kept_as_pythons(number):
    made = losses.Sinkhorn(steps=number, blur=number)
    assert repr(made) == repr(losses.Sinkhorn(steps=2, blur=2.0))
    for weighted in (number * losses.Gram(), losses.Gram() * number):
        assert weighted == 2.0 * losses.Gram()


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), np.float32("nan")])
def test_weights_that_mean_nothing_are_refused(weight):
    with pytest.raises(ValueError, match="a loss's weight must be at least 0 and finite, not"):
        weight * losses.Gram()
    with pytest.raises(ValueError, match="a loss's weight must be at least 0 and finite, not"):
        losses.Term(weight, losses.Gram())
    with pytest.raises(ValueError, match="a layer's weight must be at least 0 and finite, not"):
        losses.Gram(("deep",), layer_weights=(weight,))


# --- layers ------------------------------------------------------------------------------------------

BY_LAYER = [losses.Gram, losses.Moments, losses.SlicedWasserstein, losses.Histogram, losses.AttentionGram]
OTHERS = [
    losses.Content, losses.RelaxedEMD, losses.SelfSimilarity, losses.Sinkhorn, losses.NearestNeighbor, losses.Patches,
    lambda layers: losses.custom(len, layers), lambda layers: losses.Custom(len, layers),
]  # fmt: skip


@pytest.mark.parametrize("kind", BY_LAYER)
def test_a_dict_of_layers_gives_their_weights(kind):
    made = kind({"shallow": 0.5, "deep": 9})
    assert made == kind(("shallow", "deep"), layer_weights=(0.5, 9.0))
    with pytest.raises(ValueError, match="pass the weights as the dict .* or as layer_weights, not both"):
        kind({"deep": 1.0}, layer_weights=(1.0,))
    with pytest.raises(TypeError, match="layer_weights must be one number for each layer, in their order"):
        kind(("deep",), layer_weights={"deep": 1.0})


def test_a_dict_of_layers_replaces_weights_that_are_a_default():
    made = losses.AssignedNeighbor({"shallow": 0.5, "deep": 9}, grid="deep")
    assert (made.layers, made.layer_weights) == (("shallow", "deep"), (0.5, 9.0))


@pytest.mark.parametrize("kind", OTHERS)
def test_a_loss_without_layer_weights_refuses_a_dict(kind):
    with pytest.raises(TypeError, match="layers must be names, not a dict"):
        kind({"deep": 0.5})


@pytest.mark.parametrize("kind", [*BY_LAYER, *OTHERS])
def test_layers_are_names_in_an_order(kind):
    for layers in ((), ("deep", "deep")):
        with pytest.raises(ValueError, match="layers must be at least one name, each only once"):
            kind(layers)
    for layers in ({"deep", "shallow"}, (1, 2), b"deep", 3, None):
        with pytest.raises(TypeError, match="layers must be one name or a sequence of names"):
            kind(layers)
