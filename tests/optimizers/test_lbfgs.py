"""L-BFGS on a canvas: SciPy's minimum on convex, curved and real problems, inside the box, with state to save."""

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from neural_style.losses import Content, Gram
from neural_style.objective import objective_for
from neural_style.optimizers import LBFGS, Adam, Evaluation, Progress


class Task:
    """A function of a canvas that counts its evaluations."""

    def __init__(self, function):
        self.function = function
        self.evaluations = 0

    def __call__(self, canvas):
        self.evaluations += 1
        with tf.GradientTape() as tape:
            tape.watch(canvas)
            loss = self.function(canvas)
        return Evaluation(loss, loss[None], tape.gradient(loss, canvas))


def quadratic(shape, seed=0):
    """A tilted bowl whose lowest point lies outside the box."""
    generator = np.random.default_rng(seed)
    n = int(np.prod(shape))
    factor = generator.normal(size=(n, n))
    matrix = tf.constant(factor @ factor.T / n + 0.05 * np.eye(n), tf.float32)
    goal = tf.constant(generator.uniform(-0.3, 1.3, n), tf.float32)

    def value(canvas):
        difference = tf.reshape(canvas, [-1]) - goal
        return 0.5 * tf.tensordot(difference, tf.linalg.matvec(matrix, difference), 1)

    return value


def rosenbrock(canvas):
    """The curved valley, its [-2, 2] laid over the box."""
    x = 4.0 * tf.reshape(canvas, [-1]) - 2.0
    return tf.reduce_sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def scipy_minimum(task, start, steps=200):
    def value(x):
        evaluation = task(tf.constant(x.reshape(start.shape), tf.float32))
        return float(evaluation.loss), evaluation.gradient.numpy().ravel().astype(np.float64)

    bounds = [(0.0, 1.0)] * start.size
    return scipy.optimize.minimize(
        value, start.ravel(), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}
    )


def run(optimizer, task, start, steps, state=None, done=0, of=None):
    """Make `steps` steps after the first `done`, of as many as `of` says, or of these alone."""
    canvas = tf.constant(start)
    state = optimizer.start(canvas) if state is None else state
    losses = []
    for i in range(steps):
        canvas, state, evaluation = optimizer.step(task, canvas, state, Progress(done + i, of or steps))
        losses.append(float(evaluation.loss))
    return canvas, state, losses


def test_the_last_step_does_not_evaluate_where_it_ends():
    task, start = Task(quadratic((1, 4, 5, 3))), np.full((1, 4, 5, 3), 0.5, np.float32)
    canvas, _, losses = run(LBFGS(), task, start, 6)
    assert task.evaluations == 6  # the start, and the ends of five steps
    assert float(task(canvas).loss) < losses[-1]


def test_a_single_step_is_checked_since_no_pair_vouches_for_its_length():
    task = Task(lambda x: 1e4 * tf.reduce_sum((x - 0.5) ** 2))
    canvas, _, (loss,) = run(LBFGS(first_move=0.9), task, np.full((1, 2, 2, 3), 0.45, np.float32), 1)
    assert task.evaluations > 2
    assert float(task(canvas).loss) < loss


@pytest.mark.parametrize(
    ("function", "shape"), [(quadratic((1, 4, 5, 3)), (1, 4, 5, 3)), (rosenbrock, (1, 2, 2, 3))], ids=["bowl", "valley"]
)
def test_it_ends_where_scipy_ends(function, shape):
    start = np.full(shape, 0.3, np.float32)
    reached, _, losses = run(LBFGS(), Task(function), start, 80)
    theirs = scipy_minimum(Task(function), start)
    np.testing.assert_allclose(reached.numpy().ravel(), theirs.x, atol=1e-3)
    assert losses[-1] <= theirs.fun + 1e-5
    assert np.all(np.diff(losses) <= 1e-6)


def test_most_steps_take_one_evaluation():
    task = Task(quadratic((1, 4, 5, 3)))
    run(LBFGS(), task, np.full((1, 4, 5, 3), 0.3, np.float32), 12)
    assert task.evaluations <= 12 + 6


def test_on_a_real_style_loss_it_gets_as_low_as_scipy_and_lower_than_adam(vgg16, content, style):
    losses = (Content(("block2_conv1",)), Gram(("block1_conv1", "block2_conv1")))
    objective = objective_for(losses, vgg16)
    image, other = (tf.constant(each[None, :32, :32] / np.float32(255)) for each in (content, style))
    kept, target = objective.content(image), objective.target(other, {})
    weights = tf.constant([0.1, 1.0])
    evaluations = []

    def task(canvas):
        evaluations.append(canvas)
        return objective.evaluate(canvas, kept, target, weights, {})

    ours, _, _ = run(LBFGS(), task, image.numpy(), 15)
    budget = len(evaluations)
    adam, _, _ = run(Adam(), task, image.numpy(), budget)
    theirs = scipy_minimum(task, image.numpy(), 15).fun
    assert float(task(ours).loss) < float(task(adam).loss)
    assert float(task(ours).loss) < 1.2 * theirs


def test_stuck_pixels_do_not_stop_the_others():
    goal = tf.constant(np.linspace(-1.0, 2.0, 60, dtype=np.float32).reshape(1, 4, 5, 3))
    reached, _, _ = run(
        LBFGS(), Task(lambda x: tf.reduce_sum((x - goal) ** 2)), np.full((1, 4, 5, 3), 0.5, np.float32), 10
    )
    np.testing.assert_allclose(reached, tf.clip_by_value(goal, 0.0, 1.0), atol=1e-4)


def test_at_the_minimum_it_stays():
    start = np.full((1, 4, 5, 3), 0.5, np.float32)
    reached, _, losses = run(LBFGS(), Task(lambda x: tf.reduce_sum((x - 0.5) ** 2)), start, 3)
    np.testing.assert_array_equal(reached, start)
    assert losses == [0.0, 0.0, 0.0]


def test_the_state_is_plain_tensors_and_a_copy_resumes_with_the_same_bits():
    start, task = np.full((1, 2, 2, 3), 0.3, np.float32), Task(rosenbrock)
    unbroken, _, _ = run(LBFGS(memory=4), task, start, 12)
    half, state, _ = run(LBFGS(memory=4), task, start, 5, of=12)
    copied = {name: tf.constant(value.numpy()) for name, value in state.items()}
    resumed, _, _ = run(LBFGS(memory=4), task, half.numpy(), 7, copied, done=5, of=12)
    np.testing.assert_array_equal(resumed, unbroken)


def test_it_keeps_no_more_pairs_than_its_memory():
    _, state, _ = run(LBFGS(memory=3), Task(rosenbrock), np.full((1, 2, 2, 3), 0.3, np.float32), 9)
    assert state["s"].shape[0] == state["y"].shape[0] == 3
