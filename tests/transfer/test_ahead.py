"""Content and style of later scales, measured beside the run: the same values, errors that arrive, nothing in tiles."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from neural_style.transfer import loop
from neural_style.transfer.ahead import Ahead
from neural_style.transfer.style_transfer import StyleTransfer
from tests import tiny
from tests.networks import Tiny


@pytest.fixture
def problem(monkeypatch):
    """The problem of a run on two scales, or of one with other options."""

    def pose(**options):
        problems = []
        monkeypatch.setattr(loop, "Ahead", lambda problem, first: problems.append(problem) or Ahead(problem, first))
        tiny.transfer(**options).run(tiny.CONTENT, tiny.STYLE, size=32, steps=2)
        return problems[0]

    return pose


def test_later_scales_are_measured_as_they_are_without_it(problem):
    posed = problem()
    ahead = Ahead(posed, 0)
    for number, stage in enumerate(posed.stages):
        found, expected = ahead.evaluator(number), posed.evaluator(stage)
        tf.nest.map_structure(np.testing.assert_array_equal, found.content, expected.content)
        tf.nest.map_structure(np.testing.assert_array_equal, found.targets, expected.targets)
    ahead.close()


def test_it_computes_in_a_thread_of_its_own_on_the_device_of_the_caller(problem, monkeypatch):
    posed, seen = problem(), []

    def evaluator(stage):
        seen.append((threading.current_thread().name, tf.zeros([]).device))
        return stage

    monkeypatch.setattr(type(posed), "evaluator", lambda self, stage: evaluator(stage))
    with tf.device("/CPU:0"):
        here = tf.zeros([]).device
        ahead = Ahead(posed, 0)
    assert [ahead.evaluator(number) for number in (0, 1)] == list(posed.stages[:2])
    ahead.close()
    (own, _), (thread, device) = seen
    assert own == threading.current_thread().name
    assert thread.startswith("neural_style-ahead")
    assert device == here


def test_no_thread_is_left_when_all_is_measured(problem):
    for _ in range(20):
        problem()
        assert not [each for each in threading.enumerate() if each.name.startswith("neural_style-ahead")]


def test_in_tiles_each_scale_is_measured_when_it_begins(problem):
    posed = problem(tile=16)
    ahead = Ahead(posed, 0)
    assert not ahead._found
    assert ahead.evaluator(1).objective.tile == 16
    ahead.close()


class FailsWhenLarge(Tiny):
    def __call__(self, image, layers):
        if image.shape[1] is None:  # compiled for all sizes
            tf.debugging.assert_less(tf.shape(image)[1], 20, message="no memory for this")
        return super().__call__(image, layers)


def test_an_error_while_measuring_reaches_the_caller():
    steps = []
    transfer = StyleTransfer(tiny.LOSS, FailsWhenLarge(), scales=tiny.TWO_SCALES)
    with pytest.raises(tf.errors.InvalidArgumentError, match="no memory for this"):
        transfer.run(tiny.CONTENT, tiny.STYLE, size=32, steps=20, callbacks=[steps.append])
    assert {step.scale for step in steps} == {(16, 16)}  # the scale before it was finished
    join()


def join():
    """Wait until no thread of a run is left."""
    for thread in threading.enumerate():
        if thread.name.startswith("neural_style-ahead"):
            thread.join(30)
            assert not thread.is_alive()


class Slow(Tiny):
    """Waits for an event where a larger image is measured."""

    def __init__(self):
        super().__init__()
        self.may_go_on, self.went_on = threading.Event(), []

    def __call__(self, image, layers):
        def wait(size):
            if size > 20:
                self.went_on.append(self.may_go_on.wait(20))
            return np.float32(0.0)

        return super().__call__(image + tf.numpy_function(wait, [tf.shape(image)[1]], tf.float32), layers)


def test_a_run_that_is_stopped_does_not_wait_for_it():
    def stop(step):
        raise StopIteration

    network = Slow()
    transfer = StyleTransfer(tiny.LOSS, network, scales=tiny.TWO_SCALES)
    result = transfer.run(tiny.CONTENT, tiny.STYLE, size=32, steps=20, callbacks=[stop])
    assert result.stopped_by == "callback"
    network.may_go_on.set()
    join()
    assert network.went_on
    assert all(network.went_on)  # False where the run has waited for it in vain
