"""Schedules: properties of sizes and steps that hold for every image."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_style.scales import CoarseToFine, Scale, SingleScale, fit

sides = st.integers(1, 5000)
sizes = st.tuples(sides, sides)
schedules = st.builds(
    CoarseToFine, smallest=st.integers(32, 512), factor=st.floats(1.1, 4.0), decay=st.floats(0.0, 3.0)
)


@given(size=sizes, long_side=sides)
def test_fit_gives_the_requested_long_side_and_keeps_the_aspect_ratio(size, long_side):
    fitted = fit(size, long_side)
    assert max(fitted) == long_side
    for side, full in zip(fitted, size, strict=True):
        assert side >= 1
        assert abs(side - max(1.0, full * long_side / max(size))) <= 0.5


@given(size=sizes)
def test_fit_to_its_own_size_changes_nothing(size):
    assert fit(size, max(size)) == size


@given(schedule=schedules, size=sizes, steps=st.integers(0, 2000))
def test_steps_add_up_to_the_requested_number(schedule, size, steps):
    counts = [scale.steps for scale in schedule(size, steps)]
    assert sum(counts) == steps
    assert min(counts) >= 0


@given(schedule=schedules, size=sizes)
def test_the_last_canvas_has_the_final_size_and_none_is_larger(schedule, size):
    scales = schedule(size)
    assert (scales[-1].width, scales[-1].height) == size
    for scale, larger in itertools.pairwise(scales):
        assert scale.width <= larger.width
        assert scale.height <= larger.height


@given(schedule=schedules, size=sizes)
def test_sides_of_coarse_canvases_are_multiples_of_the_grid_and_not_too_short(schedule, size):
    for scale in schedule(size)[:-1]:
        for side, full in zip(scale[:2], size, strict=True):
            assert side % schedule.grid == 0 or side == full
            assert side >= min(schedule.min_side, full)


@given(schedule=schedules, size=sizes)
def test_larger_canvases_get_no_more_steps(schedule, size):
    counts = [scale.steps for scale in schedule(size)]
    assert counts == sorted(counts, reverse=True)
    assert min(counts) >= schedule.min_steps


@given(size=sizes)
def test_canvases_grow_by_about_the_factor(size):
    long_sides = [max(scale[:2]) for scale in CoarseToFine(smallest=128, factor=2.0)(size)]
    for side, larger in itertools.pairwise(long_sides):
        assert 1.2 < larger / side < 3.2


@pytest.mark.parametrize(
    ("size", "long_sides"), [((100, 80), [100]), ((512, 384), [128, 256, 512]), ((1024, 1024), [128, 256, 512, 1024])]
)
def test_doubling_from_128(size, long_sides):
    assert [max(scale[:2]) for scale in CoarseToFine()(size)] == long_sides


def test_a_single_scale_makes_every_step():
    assert SingleScale(7)((40, 30)) == (Scale(40, 30, 7),)
    assert SingleScale(7)((40, 30), 3) == (Scale(40, 30, 3),)


@pytest.mark.parametrize("schedule", [CoarseToFine(), SingleScale()])
def test_a_negative_number_of_steps_is_refused(schedule):
    with pytest.raises(ValueError, match="steps must be at least 0, not -1"):
        schedule((64, 64), -1)


@pytest.mark.parametrize("setting", [{"factor": 1.0}, {"smallest": 0}, {"grid": 0}, {"min_side": 0}, {"min_steps": -1}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match=rf"^{next(iter(setting))} must be at least"):
        CoarseToFine(**setting)


@pytest.mark.parametrize("schedule", [CoarseToFine(smallest=64), SingleScale(3)])
def test_a_schedule_is_a_value(schedule):
    assert eval(repr(schedule), {type(schedule).__name__: type(schedule)}) == schedule
