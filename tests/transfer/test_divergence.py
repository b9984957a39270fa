"""Losses that stop being finite: a run goes back and steps more gently, or says which term it was."""

import dataclasses
import logging

import numpy as np
import pytest
import tensorflow as tf

from neural_style.errors import DivergenceError
from neural_style.losses import Loss, TotalVariation
from neural_style.optimizers import Adam
from neural_style.scales import SingleScale
from neural_style.transfer.loop import MAX_SETBACKS
from neural_style.transfer.style_transfer import StyleTransfer
from tests.tiny import CONTENT, STYLE, TINY


@dataclasses.dataclass(frozen=True)
class Cliff(Loss):
    """The picture's mean goes to `goal`; beyond `edge` there is no number."""

    goal: float
    edge: float
    name: str = "cliff"
    layers: tuple[str, ...] = ("image",)

    def statistic(self, features, context):
        return tf.reduce_mean(features["image"])

    def compare(self, statistic, target):
        return (statistic - self.goal) ** 2 + 1e-9 * tf.sqrt(self.edge - statistic)


@dataclasses.dataclass(frozen=True)
class Distance(Loss):
    """A plain norm of the difference from the content: where that is zero, its slope is no number."""

    name: str = "distance"
    layers: tuple[str, ...] = ("image",)
    uses_content = True

    def statistic(self, features, context):
        return tf.reduce_sum((features["image"] - context.content["image"]) ** 2)

    def compare(self, statistic, target):
        return tf.sqrt(statistic)


GRAY = np.full((8, 8, 3), 102, np.uint8)  # a mean of 0.4
NARROW = Cliff(goal=0.6, edge=0.62) + 0.001 * TotalVariation()
STEPS = 40


def transfer(loss, rate=0.15):
    return StyleTransfer(loss, TINY, optimizer=Adam(learning_rate=rate), scales=SingleScale())


def paint(loss=NARROW, rate=0.15, content=GRAY, steps=STEPS, **options):
    return transfer(loss, rate).run(content, STYLE, size=None, steps=steps, **options)


def test_a_step_over_the_edge_is_taken_back_and_made_smaller(caplog):
    result = paint()
    assert result.stopped_by == "steps"
    assert [step.step for step in result.history] == list(range(1, STEPS + 1))
    assert np.isfinite([step.loss for step in result.history]).all()
    assert result.pixels.mean() == pytest.approx(0.6, abs=0.02)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert 1 <= len(warnings) <= MAX_SETBACKS
    assert "the loss is nan at step 3 (from cliff); returning" in warnings[0].getMessage()


def test_a_gentle_run_is_never_taken_back(caplog):
    assert np.isfinite(paint(rate=0.005).pixels).all()
    assert caplog.records == []


def test_a_setback_survives_a_checkpoint(tmp_path, caplog):
    expected = paint()
    for number in range(1, 12):
        path = tmp_path / f"{number}.npz"

        def stop(step, number=number):
            if step.step == number:
                raise StopIteration

        paint(checkpoint=path, callbacks=[stop])
        np.testing.assert_array_equal(paint(checkpoint=path).pixels, expected.pixels)


def test_where_smaller_steps_do_not_help_the_term_is_named(caplog):
    with pytest.raises(DivergenceError, match=r"the loss is nan at step 7 \(from cliff\) after .* 5 times") as caught:
        paint(Cliff(goal=0.9, edge=0.4001) + TotalVariation())
    assert isinstance(caught.value, ArithmeticError)
    assert "Lower the learning rate" in str(caught.value)
    assert len(caplog.records) == MAX_SETBACKS == 5


def test_a_first_look_that_is_no_number_fails_at_once(caplog):
    with pytest.raises(DivergenceError, match=r"the loss is nan at step 1 \(from cliff\)\. Lower"):
        paint(Cliff(goal=0.6, edge=0.3) + TotalVariation())
    assert caplog.records == []


def test_a_gradient_that_is_no_number_is_found_and_its_term_named():
    with pytest.raises(DivergenceError, match=r"gradient that is not finite.* at step 1 \(from distance\)"):
        paint(0.5 * TotalVariation() + Distance(), content=CONTENT)


def test_a_gradient_hidden_by_clipping_never_paints_black():
    noisy = np.random.default_rng(0).random((8, 8, 3)).astype(np.float32)
    result = paint(Distance() + TotalVariation(), content=GRAY, init=noisy, rate=0.3)
    assert np.isfinite(result.pixels).all()
    assert result.pixels.min() > 0.01


def test_an_infinite_loss_counts_as_one_that_is_no_number():
    @dataclasses.dataclass(frozen=True)
    class Steep(Cliff):
        def compare(self, statistic, target):
            return tf.exp(1e3 * statistic)

    with pytest.raises(DivergenceError, match="the loss is inf at step 1"):
        paint(Steep(goal=0.0, edge=1.0))


def test_a_diverged_run_keeps_its_last_good_canvas(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(DivergenceError):
        paint(Cliff(goal=0.9, edge=0.4001), checkpoint=path)
    with np.load(path, allow_pickle=False) as stored:
        assert np.isfinite(stored["canvas"]).all()
    with pytest.raises(DivergenceError, match="at step 7"):
        paint(Cliff(goal=0.9, edge=0.4001), checkpoint=path)
