"""Rounding to 8 bits per output channel: small error, each channel for itself, and the file it is written to."""

import numpy as np
import pytest

from neural_style.training import quantize as module
from neural_style.training.quantize import LAYERS, quantize


@pytest.fixture
def kernel():
    """Random weights whose output channels differ in size by a factor of ten thousand."""
    rng = np.random.default_rng(2)
    return (rng.normal(size=(3, 3, 16, 8)) * np.logspace(-3, 1, 8)).astype(np.float32)


def test_every_channel_is_kept_within_a_percent(kernel):
    integers, scale = quantize(kernel)
    squares = [np.square(values).sum(axis=(0, 1, 2)) for values in (integers * scale - kernel, kernel)]
    assert np.sqrt(squares[0] / squares[1]).max() < 0.01


def test_integers_are_symmetric_bytes_and_scales_positive_floats(kernel):
    integers, scale = quantize(kernel)
    assert integers.dtype == np.int8
    assert integers.shape == kernel.shape
    assert integers.min() >= -127
    assert np.abs(integers.astype(int)).max() == 127
    assert scale.dtype == np.float32
    assert scale.shape == (8,)
    assert scale.min() > 0


def test_the_taps_between_two_channels_keep_their_sum(kernel):
    integers, scale = quantize(kernel)
    missing = (integers * scale.astype(np.float64) - kernel).sum(axis=(0, 1)) / scale
    assert np.abs(missing).max() <= 1.5  # half a step, and what clipping the largest weights takes


def test_smooth_maps_come_out_closer_than_with_every_tap_rounded_to_the_nearest(kernel):
    scale = quantize(kernel)[1]
    nearest = np.clip(np.round(kernel / scale), -127, 127)
    errors = [(integers * scale - kernel).sum(axis=(0, 1)) for integers in (quantize(kernel)[0], nearest)]
    assert np.linalg.norm(errors[0] / scale) < 0.5 * np.linalg.norm(errors[1] / scale)


def test_what_is_already_rounded_stays(kernel):
    integers, scale = quantize(kernel)
    again, scale_again = quantize(integers * scale)
    error = np.abs(again * scale_again - integers * scale).max(axis=(0, 1, 2))
    assert np.all(error <= scale)


def test_the_command_writes_a_file_of_all_layers(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(4)
    arrays = {}
    for name in LAYERS:
        arrays[f"{name}/kernel"] = rng.normal(size=(3, 3, 2, 4)).astype(np.float32)
        arrays[f"{name}/bias"] = rng.normal(size=4)
    np.savez(tmp_path / "source.npz", **arrays)
    target = tmp_path / "target.npz"
    monkeypatch.setattr("sys.argv", ["quantize", str(tmp_path / "source.npz"), str(target)])
    module.main()
    assert str(target) in capsys.readouterr().out
    with np.load(target, allow_pickle=False) as stored:
        assert {key.split("/")[0] for key in stored.files} == set(LAYERS)
        for name in LAYERS:
            restored = stored[f"{name}/kernel"] * stored[f"{name}/scale"]
            np.testing.assert_allclose(restored, arrays[f"{name}/kernel"], atol=0.02)
            np.testing.assert_array_equal(stored[f"{name}/bias"], arrays[f"{name}/bias"].astype(np.float32))
