"""Geometry of tiles: cores partition the image, and windows contain the receptive fields of their cells."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_style.features.base import ReceptiveField
from neural_style.objective.tiling import bands, halo_of, spans, tiles

strides = st.sampled_from([1, 2, 4, 8, 16])


@given(length=st.integers(1, 3000), cells=st.integers(1, 40), halo_cells=st.integers(0, 5), stride=strides)
def test_spans_partition_an_axis(length, cells, halo_cells, stride):
    tile, halo = cells * stride, halo_cells * stride
    found = spans(length, tile, halo, stride)
    assert found[0].begin == 0
    assert found[-1].end == length
    assert found[-1].last
    for one, other in itertools.pairwise(found):
        assert one.end == other.begin
        assert not one.last
    for span in found:
        assert 0 < span.end - span.begin < tile + stride
        assert span.begin % stride == span.window_begin % stride == 0
        assert (span.window_end - length) % stride == 0
        assert span.window_begin <= max(0, span.begin - halo)
        assert min(length, span.end + halo) <= span.window_end <= length
        assert span.window_end - span.window_begin < tile + 2 * halo + stride


@pytest.mark.parametrize(("tile", "halo", "stride"), [(512, 64, 16), (256, 64, 16), (128, 48, 8)])
def test_images_of_all_sizes_share_few_windows(tile, halo, stride):
    sizes = {
        span.window_end - span.window_begin
        for length in range(tile + stride, 6000, stride)
        for span in spans(length, tile, halo, stride)
    }
    assert len(sizes) <= 12


@given(length=st.integers(1, 500), stride=strides, cells=st.integers(1, 9))
def test_crops_and_cells_agree(length, stride, cells):
    positions = np.arange(length)
    whole = positions[: length // stride * stride : stride] if length >= stride else positions[:0]
    found = []
    for span in spans(length, cells * stride, 2 * stride, stride):
        window = positions[span.window_begin : span.window_end]
        maps = window[: len(window) // stride * stride : stride]
        begin, end = span.crop(stride)
        found.append(maps[begin:end])
        assert whole[span.cells(stride)].tolist() == maps[begin:end].tolist()
    assert np.concatenate(found).tolist() == whole.tolist()


def test_tiles_cover_an_image_once():
    count = np.zeros((1, 517, 389, 1), int)
    for tile in tiles((389, 517), 128, 64, 16):
        count[:, tile.rows.begin : tile.rows.end, tile.columns.begin : tile.columns.end] += 1
        assert count[tile.window].shape[1:3] <= (128 + 128 + 15, 128 + 128 + 15)
    assert (count == 1).all()


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 20),
    pixels=st.integers(1, 300),
    support=st.sampled_from([None, 0, 1, 3]),
)
def test_bands_count_every_term_once(height, width, pixels, support):
    """A sum of products of rows at distance `support`, evaluated band by band."""
    image = np.random.default_rng(height).integers(0, 9, (1, height, width, 1))
    lag = support or 0

    def statistic(part):
        return int((part[:, lag:] * part[:, : part.shape[1] - lag]).sum()), part.size

    tiled = bands((width, height), pixels, support)
    total = np.sum([tile.sign * np.array(statistic(image[tile.window])) for tile in tiled], axis=0)
    assert total.tolist() == list(statistic(image))


def test_a_halo_fits_the_widest_and_the_deepest_layer():
    assert halo_of([ReceptiveField(1, 1), ReceptiveField(8, 42)]) == (48, 8)
    assert halo_of([]) == (0, 1)
