"""Callers' arguments: NumPy's scalars are numbers, text and bools are not, and errors name argument and value."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style._arguments import choice, real, whole


@pytest.mark.parametrize("value", [1, 1.0, np.int64(1), np.float32(1.0), np.array(1), np.uint8(1)])
def test_scalars_of_any_kind_are_numbers(value):
    assert (real("strength", value), whole("size", value)) == (1.0, 1)
    assert (type(real("strength", value)), type(whole("size", value))) == (float, int)


@pytest.mark.parametrize("value", ["0.5", True, None, [1.0], np.bool_(True), 1j])
def test_what_is_no_number_is_named(value):
    for check in (real, whole):
        with pytest.raises(TypeError, match="strength is a .*number, not"):
            check("strength", value)


def test_a_fraction_is_no_whole_number():
    with pytest.raises(TypeError, match=r"size is a whole number, not 512\.5 \(float\)"):
        whole("size", 512.5)


def test_a_long_value_is_shortened():
    with pytest.raises(TypeError) as caught:
        real("strength", "x" * 1000)
    assert len(str(caught.value)) < 120


def test_a_choice_lists_what_there_is():
    assert choice("quality", "fast", ["best", "fast"]) == "fast"
    for value in ("good", None, 3):
        with pytest.raises(ValueError, match=r"quality is one of 'best', 'fast', not"):
            choice("quality", value, ["best", "fast"])


def test_a_scalar_tensor_is_a_number():
    assert real("strength", tf.constant(0.5).numpy()) == 0.5
