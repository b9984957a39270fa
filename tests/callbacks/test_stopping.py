"""EarlyStopping: when it stops a run."""

from neural_style.callbacks import EarlyStopping
from tests.callbacks.steps import make_step


def steps_until_stop(stopping, losses, **options):
    for number, loss in enumerate(losses, 1):
        try:
            stopping(make_step(number, loss=loss, **options))
        except StopIteration:
            return number
    return None


def test_a_constant_loss_stops_the_run():
    assert steps_until_stop(EarlyStopping(patience=5), [3.0, 2.0, 1.0] + [1.0] * 20) == 8


def test_a_decreasing_loss_does_not_stop_the_run():
    assert steps_until_stop(EarlyStopping(patience=3), [0.9**i for i in range(50)]) is None


def test_improvements_below_the_threshold_do_not_count():
    slow = [1.0 - 1e-4 * i for i in range(50)]
    assert steps_until_stop(EarlyStopping(patience=5, min_improvement=0.01), slow) == 6
    assert steps_until_stop(EarlyStopping(patience=5, min_improvement=0.0), slow) is None


def test_only_steps_at_the_final_size_count():
    stopping = EarlyStopping(patience=5)
    assert steps_until_stop(stopping, [1.0] * 50, scale=(4, 3)) is None
    assert steps_until_stop(stopping, [2.0] * 50) == 6


def test_a_callback_can_be_reused():
    stopping = EarlyStopping(patience=5)
    assert steps_until_stop(stopping, [1.0] * 50) == 6
    assert steps_until_stop(stopping, [2.0] * 50) == 6
