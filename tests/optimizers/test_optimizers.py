"""Adam on a canvas: the algorithm of the paper, equal to Keras's, inside [0, 1]."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neural_style.optimizers import LBFGS, Adam, Evaluation, Progress, Spectrum, named_optimizer

SHAPE = (1, 4, 5, 3)


@pytest.fixture
def start():
    return np.random.default_rng(0).uniform(0.4, 0.6, SHAPE).astype(np.float32)


@pytest.fixture
def goal():
    return np.random.default_rng(1).uniform(0.3, 0.7, SHAPE).astype(np.float32)


@pytest.fixture
def evaluate(goal):
    """A bowl whose curvature differs by five orders of magnitude between pixels."""
    steepness = np.logspace(-3, 2, goal.size).reshape(SHAPE).astype(np.float32)

    def at(canvas):
        loss = 0.5 * tf.reduce_sum(steepness * (canvas - goal) ** 2)
        return Evaluation(loss, loss[None], steepness * (canvas - goal))

    return at


def run(optimizer, evaluate, start, steps):
    canvas = tf.constant(start)
    state = optimizer.start(canvas)
    for i in range(steps):
        canvas, state, _ = optimizer.step(evaluate, canvas, state, Progress(i, steps))
    return canvas.numpy()


@pytest.mark.parametrize("settings", [{}, {"learning_rate": 0.005, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}])
def test_it_is_the_algorithm_of_the_paper(evaluate, start, settings):
    optimizer = Adam(**settings)
    theta, mean, square = start.astype(np.float64), 0.0, 0.0
    for i in range(12):
        gradient = np.float64(evaluate(theta.astype(np.float32)).gradient)
        mean = optimizer.beta_1 * mean + (1 - optimizer.beta_1) * gradient
        square = optimizer.beta_2 * square + (1 - optimizer.beta_2) * gradient**2
        unbiased_mean, unbiased_square = (
            mean / (1 - optimizer.beta_1 ** (i + 1)),
            square / (1 - optimizer.beta_2 ** (i + 1)),
        )
        theta -= optimizer.rate(i / 12) * unbiased_mean / (np.sqrt(unbiased_square) + optimizer.epsilon)
    np.testing.assert_allclose(run(optimizer, evaluate, start, 12), theta, atol=2e-5)


def test_it_equals_keras(evaluate, start):
    ours = Adam(learning_rate=0.01, beta_1=0.9, beta_2=0.99, epsilon=1e-12, tail=0.0)
    theirs = keras.optimizers.Adam(0.01, 0.9, 0.99, epsilon=1e-12)
    variable = keras.Variable(start)
    for _ in range(12):
        theirs.apply([evaluate(variable.value).gradient], [variable])
    np.testing.assert_allclose(run(ours, evaluate, start, 12), variable.numpy(), atol=2e-5)


def test_it_reaches_the_bottom_of_a_bowl(evaluate, start, goal):
    reached = run(Adam(learning_rate=0.01), evaluate, start, 200)
    assert np.abs(reached - goal).max() < 0.01


def test_the_canvas_stays_between_zero_and_one():
    def uphill(canvas):
        sign = tf.constant([1.0, -1.0, 0.0])
        return Evaluation(tf.constant(1.0), tf.ones([1]), sign * tf.ones_like(canvas))

    reached = run(Adam(learning_rate=0.3), uphill, np.full(SHAPE, 0.5, np.float32), 5)
    np.testing.assert_array_equal(reached, np.broadcast_to(np.float32([0.0, 1.0, 0.5]), SHAPE))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_the_loss_does_not_matter(evaluate, start, scale):
    def scaled(canvas):
        loss, terms, gradient = evaluate(canvas)
        return Evaluation(scale * loss, scale * terms, scale * gradient)

    np.testing.assert_allclose(run(Adam(), scaled, start, 8), run(Adam(), evaluate, start, 8), atol=1e-4)


def test_the_returned_evaluation_is_that_before_the_step(evaluate, start):
    optimizer, canvas = Adam(), tf.constant(start)
    _, _, evaluation = optimizer.step(evaluate, canvas, optimizer.start(canvas), Progress(0, 1))
    np.testing.assert_array_equal(evaluation.loss, evaluate(canvas).loss)


def test_one_optimizer_serves_two_runs_at_once(evaluate, start):
    optimizer = Adam()
    alone = run(optimizer, evaluate, start, 4)
    canvases = [tf.constant(start), tf.constant(start[:, ::-1, :, :].copy())]
    states = [optimizer.start(canvas) for canvas in canvases]
    for i in range(4):
        for j in (0, 1):
            canvases[j], states[j], _ = optimizer.step(evaluate, canvases[j], states[j], Progress(i, 4))
    np.testing.assert_array_equal(canvases[0], alone)


def test_the_rate_is_constant_and_then_decays_to_its_fraction():
    adam = Adam(learning_rate=0.02, tail=0.4, final_rate=0.1)
    assert [adam.rate(fraction) for fraction in (0.0, 0.3, 0.6)] == pytest.approx([0.02] * 3)
    assert adam.rate(0.8) == pytest.approx(0.02 * 0.1**0.5)
    assert adam.rate(1.0) == pytest.approx(0.002)
    assert Adam(learning_rate=0.02, tail=0.0).rate(1.0) == 0.02


def test_it_is_a_value():
    assert eval(repr(Adam(learning_rate=0.5)), {"Adam": Adam}) == Adam(learning_rate=0.5)
    with pytest.raises(AttributeError):
        Adam().learning_rate = 1.0


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_an_average_is_the_weighted_mean_of_the_canvases_and_changes_none_before_the_last(evaluate, start, steps):
    canvas, canvases = tf.constant(start), []
    plain = Adam(learning_rate=0.05)
    state = plain.start(canvas)
    for i in range(steps):
        canvas, state, _ = plain.step(evaluate, canvas, state, Progress(i, steps))
        canvases.append(canvas.numpy())
    weights = 0.7 ** np.arange(steps)[::-1]
    expected = np.tensordot(weights / weights.sum(), canvases, axes=1)
    averaged = run(Adam(learning_rate=0.05, average=0.7), evaluate, start, steps)
    np.testing.assert_allclose(averaged, expected, atol=1e-6)


@pytest.mark.parametrize("average", [-0.1, 1.0])
def test_an_average_outside_its_range_is_refused(average):
    with pytest.raises(ValueError, match="average must be at least 0 and below 1"):
        Adam(average=average)


@pytest.mark.parametrize("optimizer", [Adam(average=0.5), LBFGS(memory=3)])
def test_with_rate_multiplies_the_learning_rate_alone(optimizer):
    slower = optimizer.with_rate(0.25)
    assert slower.learning_rate == 0.25 * optimizer.learning_rate
    assert slower.with_rate(4.0) == optimizer


@pytest.mark.parametrize(
    "optimizer",
    [
        Adam(),
        Adam(average=0.5),
        LBFGS(memory=3),
        LBFGS(memory=1),
        LBFGS(memory=0),
        LBFGS(memory=2, spectrum=Spectrum()),
    ],
)
def test_state_bytes_is_the_size_of_the_largest_state(optimizer, evaluate, start):
    canvas = tf.constant(np.tile(start, (1, 8, 8, 1)))
    steepness = tf.random.stateless_uniform(canvas.shape, [1, 2])

    def at(canvas):
        loss = 0.5 * tf.reduce_sum(steepness * (canvas - 0.3) ** 2)
        return Evaluation(loss, loss[None], steepness * (canvas - 0.3))

    state, sizes = optimizer.start(canvas), []
    for i in range(6):
        canvas, state, _ = optimizer.step(at, canvas, state, Progress(i, 6))
        sizes.append(sum(value.dtype.size * int(tf.size(value)) for value in state.values()))
    assert max(sizes) == pytest.approx(optimizer.state_bytes(32 * 40), abs=16)  # L-BFGS keeps loss and terms, too


def test_the_last_step_is_the_one_before_all_are_done():
    assert [Progress(done, 3).is_last for done in range(3)] == [False, False, True]
    assert [Progress(done, 4).fraction for done in range(4)] == [0.0, 0.25, 0.5, 0.75]


def test_a_scale_that_restarts_halfway_still_ends_with_the_average(evaluate, start):
    """As after a step to a value that is not finite: the state is new, and the steps continue."""
    optimizer, canvas = Adam(learning_rate=0.05, average=0.7), tf.constant(start)
    state, canvases = optimizer.start(canvas), []
    plain, at, inner = Adam(learning_rate=0.05), tf.constant(start), optimizer.start(canvas)
    for done in (6, 7, 8):
        canvas, state, _ = optimizer.step(evaluate, canvas, state, Progress(done, 9))
        at, inner, _ = plain.step(evaluate, at, inner, Progress(done, 9))
        canvases.append(at.numpy())
    weights = 0.7 ** np.arange(3)[::-1]
    np.testing.assert_allclose(canvas, np.tensordot(weights / weights.sum(), canvases, axes=1), atol=1e-6)


def test_names_and_optimizers_are_accepted_and_other_objects_refused_with_what_they_lack():
    assert named_optimizer("adam") == Adam()
    assert named_optimizer(LBFGS(memory=2)) == LBFGS(memory=2)
    with pytest.raises(ValueError, match="no optimizer is called 'sgd'; there are adam, lbfgs"):
        named_optimizer("sgd")
    with pytest.raises(
        TypeError, match="'lbfgs' or an object with start, step, .*, not a 'Adam' object, which lacks start, step"
    ):
        named_optimizer(keras.optimizers.Adam())
    with pytest.raises(TypeError, match="not the class LBFGS$"):
        named_optimizer(LBFGS)
