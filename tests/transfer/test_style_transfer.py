"""Runs end to end on the network that ships: what comes out, how a run ends, and what is refused at the door."""

import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from neural_style import recipes, stylize_result
from neural_style.errors import DivergenceError
from neural_style.features import KerasExtractor
from neural_style.losses import Content, Context, Gram, Moments, TotalVariation, custom
from neural_style.objective import objective_for
from neural_style.optimizers import Adam
from neural_style.scales import CoarseToFine, SingleScale
from neural_style.transfer import loop
from neural_style.transfer.style_transfer import StyleTransfer
from tests.networks import Edges

SMALL = CoarseToFine(smallest=32, steps=4, decay=1.0, min_steps=2)
SHALLOW = ("block1_conv1", "block2_conv1")


@pytest.fixture(scope="module")
def transfer(vgg16):
    """The default recipe, though over 48 and 64 pixels and in five steps."""
    return StyleTransfer(None, vgg16, scales=SMALL)


@pytest.fixture(scope="module")
def shallow(vgg16):
    """Two shallow layers: quick, and fit for the smallest pictures."""
    return StyleTransfer(0.1 * Content(SHALLOW[1:]) + Gram(SHALLOW), vgg16, scales=SingleScale(3))


def objective_of(transfer):
    return objective_for(tuple(term.loss for term in transfer.settings.loss), transfer.settings.extractor)


@pytest.fixture(scope="module")
def floats(content):
    return content / np.float32(255.0)


def gap(first, second):
    return float(np.abs(first - second).mean())


# --- what comes out ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(vgg16, content, style, floats):
    """For rising strengths the distance from the content and from the style."""
    layers = tuple(dict.fromkeys((*Content().layers, *Moments().layers)))

    def maps(pixels):
        return vgg16(tf.constant(pixels[None], tf.float32), layers)

    held, wanted = maps(floats), maps(style / np.float32(255.0))

    def measure(strength):
        loss = recipes.DEFAULT.loss(strength)
        painted = maps(StyleTransfer(loss, vgg16).run(content, style, size=64, steps=15).pixels)
        kept, liked = Content(), Moments()
        return (
            float(kept.compare(kept.statistic(painted, Context(held)), None)),
            float(liked.compare(liked.statistic(painted, Context()), liked.statistic(wanted, Context()))),
        )

    return [measure(strength) for strength in (0.1, 0.3, 0.9)]


def test_strength_moves_away_from_the_content_step_by_step(measured):
    distances = [from_content for from_content, _ in measured]
    assert 0 < distances[0] < distances[1] < distances[2]


def test_strength_moves_towards_the_style_step_by_step(measured):
    distances = [from_style for _, from_style in measured]
    assert distances[0] > distances[1] > distances[2] > 0


def test_strength_zero_leaves_the_content_untouched(vgg16, content, style, floats):
    result = StyleTransfer(recipes.DEFAULT.loss(0.0), vgg16, scales=SMALL).run(content, style, size=64)
    np.testing.assert_allclose(result.pixels, floats, atol=1e-6)
    assert {step.scale for step in result.history} == {(64, 48)}
    assert len(result.history) == 5


def test_its_own_style_leaves_a_picture_nearly_alone(vgg16, content, style, floats):
    transfer = StyleTransfer(None, vgg16, scales=SingleScale(15))
    alone, foreign = (transfer.run(content, picture, size=64).pixels for picture in (content, style))
    assert gap(alone, floats) < 0.03
    assert gap(alone, floats) < 0.3 * gap(foreign, floats)


def test_a_run_makes_its_loss_smaller(transfer, content, style):
    result = transfer.run(content, style, size=64, steps=20)
    last_scale = [step.loss for step in result.history if step.scale == step.size]
    assert last_scale[-1] < last_scale[0]


def test_the_result_has_the_size_asked_for_and_valid_pixels(transfer, content, style):
    result = transfer.run(content, style, size=64)
    assert result.pixels.shape == (48, 64, 3)
    assert result.pixels.dtype == np.float32
    assert 0.0 <= result.pixels.min() < result.pixels.max() <= 1.0
    assert result.image.size == (64, 48)
    assert result.stopped_by == "steps"


def test_history_tells_every_step(transfer, content, style):
    result = transfer.run(content, style, size=64)
    assert [step.step for step in result.history] == [1, 2, 3, 4, 5]
    assert {step.steps for step in result.history} == {5}
    assert [step.scale for step in result.history] == [(48, 32)] * 3 + [(64, 48)] * 2
    assert {step.size for step in result.history} == {(64, 48)}
    progress = [step.progress for step in result.history]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    for step in result.history:
        assert set(step.terms) == {"content", "nearest", "moments", "strokes"}
        assert sum(step.terms.values()) == pytest.approx(step.loss, rel=1e-5)


def test_settings_are_plain_and_say_what_was_run(transfer, content, style):
    settings = json.loads(json.dumps(transfer.run(content, style, size=64, steps=2, seed=3).settings))
    assert settings["seed"] == 3
    assert settings["size"] == [64, 48]
    assert settings["scales"][-1][:2] == [64, 48]
    assert "VGG16" in settings["extractor"]
    assert settings["versions"]["tensorflow"] == tf.__version__


def test_a_result_survives_pickling(shallow, content, style):
    result = shallow.run(content, style, size=32)
    copy = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(copy.pixels, result.pixels)
    assert copy.history == result.history


def test_transparency_is_carried_over(shallow, content, style):
    alpha = np.full((*content.shape[:2], 1), 255, np.uint8)
    alpha[:, :32] = 0
    result = shallow.run(np.concatenate([content, alpha], axis=-1), style, size=64)
    assert result.image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(result.image)[..., 3:], alpha)


# --- same in, same out -------------------------------------------------------------------------------


@pytest.mark.parametrize("init", ["content", "noise"])
def test_equal_calls_give_equal_bits_also_in_other_threads(transfer, content, style, init):
    def run():
        return transfer.run(content, style, size=48, steps=4, init=init, seed=5).pixels

    with ThreadPoolExecutor(2) as pool:
        elsewhere = [pool.submit(run) for _ in range(2)]
        here = run()
        for other in elsewhere:
            np.testing.assert_array_equal(other.result(), here)


def test_another_seed_gives_other_noise(shallow, content, style):
    first, second = (shallow.run(content, style, size=32, init="noise", seed=seed).pixels for seed in (1, 2))
    assert gap(first, second) > 0.05


def test_the_hosts_random_state_is_neither_read_nor_moved(shallow, content, style):
    pictures = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002
        tf.random.set_seed(seed)
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        pictures.append(shallow.run(content, style, size=32, init="noise").pixels)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(*pictures)


def test_inputs_are_left_as_they_were(shallow, floats, style):
    given = floats.copy(), style.copy()
    shallow.run(*given, size=32)
    np.testing.assert_array_equal(given[0], floats)
    np.testing.assert_array_equal(given[1], style)


def test_sizes_strengths_and_objects_share_one_trace(vgg16, content, style):
    def loss(strength):
        return (1.0 - strength) * Content(SHALLOW[1:], name="held") + strength * Gram(SHALLOW, name="shared")

    first = StyleTransfer(loss(0.2), vgg16, scales=SingleScale(1))
    for size in (32, 40, 53):
        first.run(content, style, size=size)
    evaluate = objective_of(first).evaluate
    assert evaluate.traces == 1
    second = StyleTransfer(loss(0.7), vgg16, optimizer=Adam(0.5), scales=SingleScale(2))
    second.run(style, content, size=45)
    assert objective_of(second).evaluate is evaluate
    assert evaluate.traces == 1


# --- sizes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_size", "style_size", "expected"),
    [((301, 203), (97, 640), (64, 43)), ((8, 8), (200, 3), (64, 64)), ((37, 53), (1, 1), (45, 64))],
)
def test_pictures_of_any_shape_work(transfer, content_size, style_size, expected):
    pictures = [Image.effect_noise(size, 60).convert("RGB") for size in (content_size, style_size)]
    result = transfer.run(*pictures, size=64, steps=2)
    assert result.image.size == expected


@pytest.mark.parametrize("size", [33, 47, 63])
def test_odd_sizes_come_out_exactly(shallow, content, style, size):
    assert max(shallow.run(content, style, size=size, steps=1).image.size) == size


def test_no_size_means_the_contents_own(shallow, content, style):
    assert shallow.run(content, style, size=None, steps=1).image.size == (64, 48)


def test_a_picture_too_small_for_its_layers_is_refused_with_the_number_needed(transfer, style):
    tiny = np.zeros((3, 3, 3), np.uint8)
    with pytest.raises(ValueError, match="3x3 is too small: the layers used need 4 pixels a side"):
        transfer.run(tiny, style, size=None)


# --- how a run ends ----------------------------------------------------------------------------------


class StopAt:
    def __init__(self, number, error):
        self.number = number
        self.error = error
        self.seen = []

    def __call__(self, step):
        self.seen.append(step)
        if step.step == self.number:
            raise self.error


@pytest.mark.parametrize(("error", "reason"), [(StopIteration(), "callback"), (KeyboardInterrupt(), "interrupt")])
@pytest.mark.parametrize("number", [2, 5])
def test_an_early_end_hands_back_the_picture_so_far_at_full_size(
    transfer, content, style, floats, error, reason, number
):
    stop = StopAt(number, error)
    result = transfer.run(content, style, size=64, callbacks=[stop])
    assert result.stopped_by == reason
    assert result.image.size == (64, 48)
    assert [step.step for step in stop.seen] == list(range(1, number + 1))
    assert len(result.history) == number
    assert gap(result.pixels, floats) > 0.005


def test_an_interrupt_before_the_first_step_hands_back_the_start(content, style, monkeypatch):
    """The default recipe has matched the canvas by then, so it has a best canvas, and no loss yet."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_is_finite", interrupt)
    result = stylize_result(content, style, size=32, steps=2, extractor="vgg16")
    assert (result.stopped_by, result.history, result.image.size) == ("interrupt", [], (32, 24))


def test_time_that_is_up_ends_the_run_after_a_step(transfer, content, style):
    result = transfer.run(content, style, size=64, max_seconds=0.0)
    assert result.stopped_by == "time"
    assert len(result.history) == 1
    assert result.image.size == (64, 48)


def test_enough_time_lets_the_run_finish(shallow, content, style):
    assert shallow.run(content, style, size=32, max_seconds=600.0).stopped_by == "steps"


def test_other_errors_of_a_callback_pass_through(shallow, content, style):
    with pytest.raises(ZeroDivisionError):
        shallow.run(content, style, size=32, callbacks=[lambda step: 1 / 0])


def test_no_steps_hand_back_the_start(shallow, content, style, floats):
    result = shallow.run(content, style, size=64, steps=0)
    np.testing.assert_allclose(result.pixels, floats, atol=1e-6)
    assert result.history == []


# --- what it starts from -----------------------------------------------------------------------------


def test_the_run_starts_from_what_was_asked_for(shallow, content, style, floats):
    def start(init):
        return shallow.run(content, style, size=64, steps=0, init=init).pixels

    assert gap(start("content"), floats) < 1e-6
    recolored = start("recolored").reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(recolored, style.reshape(-1, 3).mean(axis=0) / 255.0, atol=0.05)
    assert gap(start(np.full((9, 9, 3), 255, np.uint8)), 1.0) < 1e-6
    assert start("noise").std() == pytest.approx(0.15, abs=0.02)


def test_an_unknown_start_is_refused(shallow, content, style):
    with pytest.raises((ValueError, TypeError), match="nonsense"):
        shallow.run(content, style, size=32, init="nonsense")


# --- several styles ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tints(style):
    """The style in red and in blue."""
    return [np.clip(0.5 * style + tint, 0, 255).astype(np.uint8) for tint in ((120, 40, 0), (0, 40, 120))]


def test_one_style_may_come_in_any_wrapping(shallow, content, style):
    alone = shallow.run(content, style, size=32).pixels
    for wrapped in ([style], [(style, 7.0)], [(style, 1.0), (255 - style, 0.0)], Image.fromarray(style)):
        np.testing.assert_array_equal(shallow.run(content, wrapped, size=32).pixels, alone)


def test_weights_move_the_result_from_one_style_to_the_other(vgg16, content, tints):
    transfer = StyleTransfer(Moments(SHALLOW), vgg16, scales=SingleScale(10))
    redness = []
    for weight in (0.0, 0.5, 1.0):
        pixels = transfer.run(content, [(tints[0], weight), (tints[1], 1.0 - weight)], size=32).pixels
        redness.append(float(pixels[..., 0].mean() - pixels[..., 2].mean()))
    assert redness[0] < redness[1] < redness[2]


def test_only_the_ratio_of_weights_counts(shallow, content, tints):
    first = shallow.run(content, [(tints[0], 1.0), (tints[1], 3.0)], size=32).pixels
    second = shallow.run(content, [(tints[0], 10.0), (tints[1], 30.0)], size=32).pixels
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("styles", "message"),
    [
        ([], "empty list"),
        ([(0, 0.0)], "not all 0"),
        ([(0, 2.0), (1, -1.0)], "a style's weight must be at least 0 and finite, not -1"),
        ([(0, float("nan"))], "a style's weight must be at least 0 and finite, not nan"),
    ],
)
def test_styles_that_make_no_sense_are_refused(shallow, content, style, styles, message):
    pictures = [style, content]
    with pytest.raises(ValueError, match=message):
        shallow.run(content, [(pictures[i], weight) for i, weight in styles])


def test_a_loss_that_is_no_sum_is_compared_with_one_style_after_the_other(vgg16, content, tints):
    transfer = StyleTransfer(custom(brightness, ["image"]), vgg16, scales=SingleScale(1))

    def loss(style):
        return transfer.run(content, style, size=32).history[0].loss

    blended = loss([(tints[0], 1.0), (tints[1], 3.0)])
    assert blended == pytest.approx(0.25 * loss(tints[0]) + 0.75 * loss(tints[1]), rel=1e-5)


# --- losses and extractors of one's own --------------------------------------------------------------


def brightness(features, content, style):
    return (tf.reduce_mean(features["image"]) - tf.reduce_mean(style["image"])) ** 2


def test_a_plain_function_is_a_loss(vgg16, content, floats):
    white = np.full((30, 30, 3), 255, np.uint8)
    loss = 0.01 * Content(SHALLOW[1:]) + 5.0 * custom(brightness, ["image"])
    result = StyleTransfer(loss, vgg16, scales=SingleScale(8)).run(content, white, size=64)
    assert result.pixels.mean() > floats.mean() + 0.03
    assert set(result.history[0].terms) == {"content", "brightness"}


@pytest.mark.parametrize("extractor", ["edges", "keras"])
def test_an_extractor_of_ones_own_paints(extractor, content, style, floats):
    keras.utils.set_random_seed(0)
    picture = keras.Input((None, None, 3))
    model = keras.Model(picture, keras.layers.Conv2D(6, 3, padding="same", name="edges")(picture))
    own = Edges() if extractor == "edges" else KerasExtractor(model)
    transfer = StyleTransfer(Gram(("edges",)) + 0.1 * TotalVariation(), own, scales=SingleScale(10))
    result = transfer.run(content, style, size=64)
    assert result.history[-1].loss < 0.9 * result.history[0].loss
    assert gap(result.pixels, floats) > 0.01


def test_what_is_no_extractor_is_refused():
    with pytest.raises(TypeError, match="list does not"):
        StyleTransfer(Gram(), [])


def test_a_layer_the_extractor_lacks_is_refused_before_any_run():
    with pytest.raises(ValueError, match="no layer 'block1_conv1'; it has edges"):
        StyleTransfer(Gram(("block1_conv1",)), Edges())


def broken(features, content, style):
    return tf.math.log(-1.0 - tf.reduce_mean(features["image"]))


def test_divergence_names_the_guilty_term(vgg16, content, style):
    transfer = StyleTransfer(Content(SHALLOW) + custom(broken, ["image"]), vgg16, scales=SingleScale(3))
    with pytest.raises(DivergenceError, match=r"step 1 \(from broken\)") as caught:
        transfer.run(content, style, size=32)
    assert isinstance(caught.value, ArithmeticError)


# --- where it may run --------------------------------------------------------------------------------


def test_a_run_inside_a_tf_function_is_refused(shallow, content, style):
    @tf.function(autograph=False)
    def inside():
        shallow.run(content, style, size=32)

    with pytest.raises(RuntimeError, match=r"inside a tf\.function|outside tf\.function"):
        inside()


def test_a_run_under_a_hosts_gradient_tape_is_the_same(shallow, content, style):
    alone = shallow.run(content, style, size=32).pixels
    with tf.GradientTape() as tape:
        tape.watch(tf.constant(1.0))
        watched = shallow.run(content, style, size=32).pixels
    np.testing.assert_array_equal(watched, alone)


def test_a_run_leaves_no_thread_behind(shallow, content, style):
    before = set(threading.enumerate())
    shallow.run(content, style, size=32)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("size", [0, -5])
def test_sizes_out_of_range_are_refused(shallow, content, style, size):
    with pytest.raises(ValueError, match="at least 1"):
        shallow.run(content, style, size=size)


def test_the_representation_tells_loss_extractor_and_schedule(shallow):
    for part in ("Gram(", "VGG16(", "LBFGS(", "SingleScale(steps=3)"):
        assert part in repr(shallow)
