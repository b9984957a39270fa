"""The trainer: any network, here a linear one, learns by Adam, and an interrupted training ends with the same bits."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.errors import DivergenceError
from neural_style.training.trainer import Layout, Plan, Run, Trainer, learning_rate, load_run, save_run, train

LAYOUT = Layout({"matrix": (3, 2), "offset": (2,)})
GOAL = {"matrix": np.array([[1.0, 0.0], [0.5, -1.0], [0.0, 0.3]]), "offset": np.array([0.2, -0.4])}
PLAN = Plan(rounds=3, epochs=4, rate=0.1, seed=5)


def losses(parameters, batch):
    x, y = batch
    arrays = LAYOUT.arrays(parameters)
    error = x @ arrays["matrix"] + arrays["offset"] - y
    return {"square": tf.reduce_mean(tf.square(error)), "size": tf.reduce_mean(tf.square(parameters))}


def make_batches(run, generator):
    xs = [generator.normal(size=(16, 3)) for _ in range(5)]
    return [(np.float32(x), np.float32(x @ GOAL["matrix"] + GOAL["offset"])) for x in xs]


@pytest.fixture
def trainer():
    return Trainer(losses, {"square": 1.0, "size": 1e-4}.__getitem__, np.ones(8, np.float32))


def start():
    return Run(Trainer.start(np.zeros(8, np.float32)), {"constant": np.arange(3.0)})


@pytest.fixture
def trained(trainer, tmp_path):
    """A function that trains until a number of rounds is saved, then is interrupted."""

    def until(rounds, run=None):
        held_out = make_batches(None, np.random.default_rng(99))[0]
        path = tmp_path / "run.npz"

        def validate(run):
            if run.round > rounds:
                raise InterruptedError
            return {"square": float(trainer.measure(run.state["kept"], held_out)["square"])}

        try:
            return train(run or start(), trainer, make_batches, validate, PLAN, path)
        except InterruptedError:
            return load_run(path)

    return until


def test_it_learns(trained):
    run = trained(3)
    assert (run.round, run.steps, run.planned) == (3, 3 * 4 * 5, (3, 3, 3))
    assert run.history[-1]["square"] < 0.05 * run.history[0]["square"]
    assert len(run.history) == 4
    np.testing.assert_array_equal(run.state["first"], np.zeros(8))


@pytest.mark.parametrize("rounds", [1, 2])
def test_an_interrupted_training_ends_with_the_same_bits(trained, rounds):
    whole = trained(3)
    half = trained(rounds)
    assert half.round == rounds
    again = trained(3, half)
    assert again.history == whole.history
    assert again.steps == whole.steps
    for name, value in whole.state.items():
        np.testing.assert_array_equal(again.state[name], value)


def test_a_saved_run_is_read_back(tmp_path, trained):
    run = trained(3)
    save_run(tmp_path / "copy.npz", run)
    found = load_run(tmp_path / "copy.npz")
    for name in ("round", "steps", "seconds", "history", "planned"):
        assert getattr(found, name) == getattr(run, name)
    for ours, theirs in ((found.state, run.state), (found.constants, run.constants)):
        assert list(ours) == list(theirs)
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert load_run(tmp_path / "nowhere.npz") is None


def test_a_step_is_adams_with_each_parameters_rate_and_a_clipped_gradient():
    rates = np.linspace(0.1, 1.0, 8).astype(np.float32)
    trainer = Trainer(
        lambda parameters, batch: {"sum": 100.0 * tf.reduce_sum(batch * parameters)}, lambda _: 1.0, rates
    )
    goal = np.arange(1.0, 9.0, dtype=np.float32)
    state, found = trainer.step(Trainer.start(np.ones(8, np.float32)), goal, tf.constant(0.01), tf.constant(1.0))
    np.testing.assert_allclose(1.0 - state["now"], 0.01 * rates, rtol=1e-4)  # the first step of Adam has unit length
    np.testing.assert_allclose(state["mean"], 0.1 * goal / np.linalg.norm(goal), rtol=1e-5)
    np.testing.assert_allclose(state["kept"], 2 / 11 + 9 / 11 * state["now"], rtol=1e-6)
    assert float(found["total"]) == float(found["sum"]) == 3600.0


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path):
    trainer = Trainer(lambda parameters, _: {"log": tf.reduce_sum(tf.math.log(-parameters))}, lambda _: 1.0, np.ones(8))
    run = Run(Trainer.start(np.ones(8)))
    with pytest.raises(DivergenceError, match="the loss is nan at step 1; lower the learning rate"):
        train(run, trainer, lambda run, generator: [np.zeros(1)], lambda run: {}, PLAN, tmp_path / "run.npz")


def test_the_rate_rises_and_falls():
    rates = [learning_rate(fraction, 2.0) for fraction in np.linspace(0.0, 1.0, 101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[1] == pytest.approx(2.0, rel=1e-3)
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] == pytest.approx(0.04)


def test_a_layout_takes_arrays_apart_and_together():
    vector = LAYOUT.vector(GOAL)
    assert vector.dtype == np.float32
    for name, value in LAYOUT.arrays(vector).items():
        np.testing.assert_allclose(value, GOAL[name])
    np.testing.assert_array_equal(LAYOUT.repeat([1.0, 2.0]), [1.0] * 6 + [2.0] * 2)
