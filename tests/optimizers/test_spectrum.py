"""The preconditioner: symmetric and positive, as strong as its curvature says, and worth steps of L-BFGS."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from neural_style import recipes, samples
from neural_style.api import stylize_result
from neural_style.optimizers import LBFGS, Evaluation, Progress, Spectrum
from neural_style.scales import SingleScale

SIDES = st.integers(1, 70)


def canvases(height, width, seed, count=2):
    generator = np.random.default_rng(seed)
    return [tf.constant(generator.normal(size=(1, height, width, 3)), tf.float32) for _ in range(count)]


def product(one, other):
    return float(tf.reduce_sum(one * other))


def preconditioned(spectrum, gradient):
    return spectrum.to_move(spectrum.of_gradient(gradient))


@given(SIDES, SIDES, st.integers(0, 99))
def test_coordinates_keep_the_product_of_a_move_and_a_gradient(height, width, seed):
    spectrum, (move, gradient) = Spectrum(), canvases(height, width, seed)
    inside = product(spectrum.of_move(move), spectrum.of_gradient(gradient))
    assert inside == pytest.approx(product(move, gradient), rel=1e-4, abs=1e-3 * height * width)


@given(SIDES, SIDES, st.integers(0, 99))
def test_it_is_symmetric_and_positive(height, width, seed):
    spectrum, (one, other) = Spectrum(), canvases(height, width, seed)
    assert product(one, preconditioned(spectrum, other)) == pytest.approx(
        product(other, preconditioned(spectrum, one)), rel=1e-4, abs=1e-3 * height * width
    )
    assert product(one, preconditioned(spectrum, one)) > 0


@pytest.mark.parametrize(
    ("axis", "band"), [([1, 1, 1], "luminance"), ([1, 0, -1], "red_blue"), ([1, -2, 1], "magenta_green")]
)
@pytest.mark.parametrize("period", [2, 4, 8, 32, 128, 256])
def test_a_wave_is_divided_by_the_curvature_at_its_frequency(axis, band, period):
    spectrum = Spectrum()
    wave = np.cos(2 * np.pi * np.arange(256) / period)[None, None, :, None] * np.array(axis) * np.ones((1, 4, 1, 1))
    found = preconditioned(spectrum, tf.constant(wave, tf.float32)).numpy()
    peak, height = getattr(spectrum, band)
    q = (max(1 / period, 1 / 128) / peak) ** 2
    share = max(4 * q / (1 + q) ** 2, 0.3 if q > 1 else 0)
    np.testing.assert_allclose(found, wave / (height * share + spectrum.floor), rtol=1e-3, atol=1e-3)


def test_on_the_default_s_losses_it_gets_lower_in_as_many_steps():
    one_size = dataclasses.replace(recipes.get("default"), scales=SingleScale(), extractor="vgg16")
    content, style = samples.path("chenonceau"), samples.path("great_wave")

    def last_loss(spectrum):
        recipe = dataclasses.replace(one_size, final_optimizer=LBFGS(first_move=0.1, spectrum=spectrum))
        result = stylize_result(content, style, recipe=recipe, size=128, steps=8, progress=False)
        return result.history[-1].loss

    assert last_loss(Spectrum()) < 0.97 * last_loss(None)


def test_a_run_can_be_saved_and_continued_with_the_same_bits():
    (goal,) = canvases(24, 40, 5, count=1)

    def evaluate(canvas):
        with tf.GradientTape() as tape:
            tape.watch(canvas)
            loss = tf.reduce_sum(tf.square(tf.nn.avg_pool2d(canvas - goal, 3, 1, "SAME")))
        return Evaluation(loss, loss[None], tape.gradient(loss, canvas))

    optimizer, canvas = LBFGS(spectrum=Spectrum()), tf.fill([1, 24, 40, 3], 0.5)
    state = optimizer.start(canvas)
    for done in range(3):
        canvas, state, _ = optimizer.step(evaluate, canvas, state, Progress(done, 9))
    copied = {name: tf.constant(value.numpy()) for name, value in state.items()}
    one, other = (optimizer.step(evaluate, canvas, each, Progress(3, 9))[0] for each in (state, copied))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("min_side", "is_used"), [(0, True), (40, True), (41, False)])
def test_canvases_below_its_least_side_are_not_preconditioned(min_side, is_used):
    (goal,) = canvases(24, 40, 5, count=1)
    canvas = tf.fill([1, 24, 40, 3], 0.5)

    def evaluate(at):
        return Evaluation(tf.reduce_sum((at - goal) ** 2), tf.zeros([1]), 2.0 * (at - goal))

    def steps(optimizer):
        at, state = canvas, optimizer.start(canvas)
        for done in range(3):
            at, state, _ = optimizer.step(evaluate, at, state, Progress(done, 9))
        return at.numpy()

    found = steps(LBFGS(spectrum=Spectrum(min_side=min_side)))
    assert np.array_equal(found, steps(LBFGS())) != is_used
    assert np.array_equal(found, steps(LBFGS(spectrum=Spectrum()))) == is_used


@pytest.mark.parametrize("wrong", [{"floor": 0.0}, {"luminance": (0.0, 1.0)}, {"red_blue": (0.1, -1.0)}])
def test_numbers_are_above_zero(wrong):
    with pytest.raises(ValueError, match="above 0"):
        Spectrum(**wrong)
