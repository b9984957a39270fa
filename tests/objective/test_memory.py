"""Memory is estimated before a run, and an image that does not fit is refused with one that would."""

import re

import numpy as np
import pytest

from neural_style.losses import Content, Gram, Moments, Temporal, TotalVariation, custom
from neural_style.objective import TiledObjective, WholeObjective, memory
from neural_style.optimizers import LBFGS, Adam
from neural_style.transfer.style_transfer import StyleTransfer

LOSSES = (Content(), Moments(), TotalVariation())
LARGE = (8000, 6000)


def first_mean(features, content, style):
    return features["block1_conv1"][0, 0, 0, 0] ** 2


WHOLE = custom(first_mean, ["block1_conv1"])


@pytest.fixture
def available(monkeypatch):
    """A machine with as much memory as a test says, in GiB."""

    def there_are(gibibytes):
        monkeypatch.setattr(memory, "available_bytes", lambda: None if gibibytes is None else int(gibibytes * 2**30))

    return there_are


def test_untiled_memory_is_proportional_to_the_pixels_and_tiled_memory_to_the_tile(vgg16):
    small, large = (memory.estimate_memory(LOSSES, vgg16, Adam(), size).bytes for size in [(1000, 1000), (4000, 1000)])
    assert (large - memory.FIXED) / (small - memory.FIXED) == pytest.approx(4.0)
    assert 2e9 < small < 5e9  # measured: see the benchmarks
    tiled = [memory.estimate_memory(LOSSES, vgg16, Adam(), (side, side), 512).bytes for side in (2048, 4096)]
    assert tiled[1] - tiled[0] < 250 * (4096**2 - 2048**2)
    assert tiled[0] < 3e9


def test_an_optimizer_with_more_state_takes_more(vgg16):
    adam, lbfgs = (
        memory.estimate_memory(LOSSES, vgg16, optimizer, (1024, 768)).bytes for optimizer in (Adam(), LBFGS())
    )
    assert lbfgs > adam


def test_each_mask_takes_more(vgg16):
    losses = (Content(), Moments(("block1_conv1",)))
    none, one, three = (
        memory.estimate_memory(losses, vgg16, Adam(), (1024, 768), regions=count).bytes for count in (0, 1, 3)
    )
    array = 4 * 64 * 1024 * 768  # of block1_conv1: each region has its own weighted map
    assert one >= none + 0.9 * array
    assert one + 1.9 * array <= three < one + 8 * array


def test_the_previous_frame_is_counted(vgg16):
    alone, held = (
        memory.estimate_memory((Gram(), *rest), vgg16, Adam(), (1024, 768)).bytes for rest in ((), (Temporal(),))
    )
    assert alone <= held < 1.2 * alone


def test_half_precision_takes_about_half(vgg16):
    losses = (Content(),)
    full, half = (memory._map_bytes(losses, extractor)[0] for extractor in (vgg16, vgg16.with_precision("bfloat16")))
    assert 0.4 * full < half < 0.8 * full


def test_auto_takes_the_largest_tiles_that_fit(vgg16, available):
    chosen = {}
    for gibibytes in (1000, 20, 13, None):
        available(gibibytes)
        chosen[gibibytes] = memory.estimate_memory(LOSSES, vgg16, Adam(), LARGE, "auto").tile
    assert chosen[1000] is None
    assert chosen[20] >= 1024
    assert 128 <= chosen[13] < chosen[20]
    assert chosen[None] is not None


def test_auto_evaluates_coarse_scales_untiled(vgg16, available):
    available(20)
    objective = memory.choose_objective(LOSSES, vgg16, Adam(), LARGE, "auto")
    assert isinstance(objective, TiledObjective)
    assert 5e6 < objective.whole < 15e6
    assert objective.keep == 5 * 2**30


def test_small_images_need_no_estimate(vgg16, available, monkeypatch):
    available(8)
    monkeypatch.setattr(memory, "estimate_memory", None)
    assert isinstance(memory.choose_objective(LOSSES, vgg16, Adam(), (512, 384), None), WholeObjective)


def test_the_memory_error_names_a_tile_and_a_size_that_fit(vgg16, available):
    available(16)
    with pytest.raises(
        MemoryError, match=r"8000x6000 untiled needs about \d+\.\d GiB, and 16\.0 GiB are free"
    ) as error:
        memory.choose_objective(LOSSES, vgg16, Adam(), LARGE, None)
    tile, size = (int(re.search(rf"{word}=(\d+)", str(error.value))[1]) for word in ("tile", "size"))
    memory.choose_objective(LOSSES, vgg16, Adam(), LARGE, tile)
    memory.choose_objective(LOSSES, vgg16, Adam(), (size, size * 3 // 4), None)


def test_too_large_tiles_are_refused(vgg16, available):
    available(12)
    with pytest.raises(MemoryError, match=r"in tiles of 4096.*Try tile=\d+ or size=\d+"):
        memory.choose_objective(LOSSES, vgg16, Adam(), LARGE, 4096)


def test_without_tiling_the_memory_error_names_a_size(vgg16, available):
    available(16)
    for tile in (None, "auto"):
        with pytest.raises(MemoryError, match=r"Try size=\d+\."):
            memory.choose_objective((WHOLE,), vgg16, Adam(), LARGE, tile)
    assert isinstance(memory.choose_objective((WHOLE,), vgg16, Adam(), (1024, 768), "auto"), WholeObjective)


def test_if_nothing_fits_the_memory_error_names_no_size(vgg16, available):
    available(0.1)
    with pytest.raises(MemoryError, match="a machine with more memory"):
        memory.choose_objective(LOSSES, vgg16, Adam(), (512, 384), "auto")


def test_a_run_is_refused_before_it_begins(vgg16, available):
    available(1)
    image = np.zeros((1500, 2000, 3), np.uint8)
    with pytest.raises(MemoryError, match="2000x1500 untiled"):
        StyleTransfer(Gram(), vgg16).run(image, image, size=None)


def test_a_transfer_estimates(vgg16, available):
    available(16)
    estimate = StyleTransfer(Gram(), vgg16, tile=512).estimate((4096, 3072))
    assert (estimate.tile, estimate.available, estimate.fits) == (512, 16 * 2**30, True)


def test_an_enormous_size_is_refused_at_once(vgg16, available):
    """The size that fits is found by bisection, and the same as by trying one after another."""
    available(4)
    with pytest.raises(MemoryError, match=r"an image of 1000000000x750000000 untiled needs about .* Try size=\d+\."):
        memory.choose_objective(LOSSES, vgg16, Adam(), (10**9, 75 * 10**7), None)
    demand = memory._Demand(1000.0, 10.0, 100.0)
    for room in (0, memory.FIXED, memory.FIXED + 10**6, memory.FIXED + 10**9, 2**62):
        slow = (side for side in range(4000 // 16 * 16, 0, -16) if demand.of(int(side * side * 0.75)) <= room)
        assert memory._longest_side(demand, (4000, 3000), None, room) == next(slow, 0)
