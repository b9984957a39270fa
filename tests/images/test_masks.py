"""Masks: sources, coverage, the guides of each layer, and label images."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from neural_style.errors import ImageError
from neural_style.images import masks
from neural_style.objective import crop_guides
from tests import tiny


def ramp(height=6, width=8):
    return np.tile(np.linspace(0.0, 1.0, width, dtype=np.float32), (height, 1))


# --- sources -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bool", "int64", "uint8", "bytes", "uint16", "float", "pil", "bilevel", "path"])
def test_every_source_of_a_mask_is_read(kind, tmp_path):
    half = ramp() > 0.5
    levels = np.where(half, 255, 0).astype(np.uint8)
    Image.fromarray(levels).save(tmp_path / "mask.png")
    given = {
        "bool": half,
        "int64": half.astype(np.int64),
        "uint8": half.astype(np.uint8),
        "bytes": (tmp_path / "mask.png").read_bytes(),
        "uint16": np.where(half, 65535, 0).astype(np.uint16),
        "float": half.astype(np.float64),
        "pil": Image.fromarray(levels),
        "bilevel": Image.fromarray(levels).convert("1"),
        "path": tmp_path / "mask.png",
    }[kind]
    np.testing.assert_array_equal(masks.read_mask(given), half[None, ..., None].astype(np.float32))


def test_gray_values_are_kept_and_colors_become_luma():
    np.testing.assert_allclose(masks.read_mask(ramp())[0, ..., 0], ramp(), atol=1e-6)
    green = np.zeros((2, 2, 3))
    green[..., 1] = 1.0
    np.testing.assert_allclose(masks.read_mask(green), 0.7152, atol=1e-6)


def test_transparent_pixels_are_outside_the_mask():
    image = np.full((2, 4, 4), 255, np.uint8)
    image[:, :2, 3] = 0
    np.testing.assert_array_equal(masks.read_mask(image)[0, 0, :, 0], [0, 0, 1, 1])


def test_a_mask_that_is_empty_or_unreadable_is_refused(tmp_path):
    with pytest.raises(ValueError, match="mask 2 is 0 everywhere"):
        masks.mask_shares([np.ones((4, 4)), np.zeros((4, 4))], (8, 8))
    with pytest.raises(ImageError, match=r"missing\.png"):
        masks.read_mask(tmp_path / "missing.png")
    with pytest.raises(TypeError):
        masks.read_mask(object())
    with pytest.raises(ImageError, match="expected \\[0, 1\\]"):
        masks.read_mask(np.full((4, 4), 7.0))


def saved(levels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(levels).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_file_of_levels_0_and_1_is_read_as_black_and_white(dtype):
    half = ramp() > 0.5
    np.testing.assert_array_equal(masks.read_mask(saved(half.astype(dtype)))[0, ..., 0], half)
    np.testing.assert_array_equal(masks.read_mask(saved(np.ones((4, 4), dtype))), 1.0)


NUMBERS = {
    "1 and 2, as OpenCV's and pets' trimaps": ((1, 2), np.uint8, "levels 1, 2 of 255"),
    "one class": ((0, 15), np.uint8, "levels 15 of 255"),
    "of 16 bits": ((0, 2, 3), np.uint16, "levels 2, 3 of 65535"),
    "and 255 for no class": ((0, 1, 255), np.uint8, "levels 1 of 255"),
    "more than a few": (tuple(range(21)), np.uint8, r"levels 1, 2, 3, 4, 5, 6, \.\.\. of 255"),
    "of an array of wide integers": ((0, 2), np.int64, "levels 2 of 255"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_class_numbers_are_refused_and_not_taken_for_dark_grays(case):
    numbers, dtype, shown = NUMBERS[case]
    labels = np.resize(np.array(numbers, dtype), (6, 7))
    sources = [labels] if dtype == np.int64 else [labels, saved(labels)]
    for source in sources:
        with pytest.raises(ValueError, match=f"mask 2 has the {shown}, which look like class numbers"):
            masks.read_mask(source, "mask 2")


def test_faint_masks_of_floats_and_masks_saved_as_jpeg_stay_as_they_are():
    faint = np.where(ramp() > 0.5, 0.1, 0.0)
    np.testing.assert_allclose(masks.read_mask(faint)[0, ..., 0], faint, atol=1e-6)
    disk = (np.hypot(*(np.mgrid[:40, :40] - 20.0)) < 12).astype(np.float32)
    np.testing.assert_allclose(masks.read_mask(saved((255 * disk).astype(np.uint8), "JPEG"))[0, ..., 0], disk, atol=0.2)


def test_flat_colors_are_refused_with_what_reads_them():
    red = np.zeros((4, 6, 3), np.uint8)
    red[:, 3:, 0] = 128
    for source in (red, saved(red)):
        with pytest.raises(ValueError, match=r"2 flat colors \(#000000, #800000\).*label_masks"):
            masks.read_mask(source)


def test_a_mask_that_changes_no_level_covers_nothing():
    with pytest.raises(ValueError, match=r"mask 1 covers nothing: its largest value is 0\.001"):
        masks.mask_shares([np.full((4, 4), 0.001)], (8, 8), "content")
    speck = np.zeros((200, 200), bool)
    speck[7, 7] = True
    with pytest.raises(ValueError, match="mask 1 covers nothing at 4x4 pixels"):
        masks.mask_shares([speck], (4, 4), "content")


# --- coverage ----------------------------------------------------------------------------------------


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.integers(0, 3),
)
def test_masks_that_add_up_to_one_still_do_at_any_size(height, width, size, seed):
    mask = np.random.default_rng(seed).random((1, height, width, 1)).astype(np.float32)
    pair = masks.resize_mask(np.concatenate([mask, 1.0 - mask], axis=-1), size)
    assert pair.shape == (1, size[1], size[0], 2)
    np.testing.assert_allclose(pair.sum(axis=-1), 1.0, atol=1e-5)
    assert pair.min() >= 0.0


def test_away_from_its_edge_a_resized_mask_is_exactly_zero_or_one():
    mask = np.zeros((1, 100, 100, 1), np.float32)
    mask[:, :, 50:] = 1.0
    for side in (37, 64, 173):
        resized = masks.resize_mask(mask, (side, side))[0, 0, :, 0]
        assert (resized[: side // 2 - 3] == 0.0).all()
        assert (resized[side // 2 + 3 :] == 1.0).all()


def test_masks_of_different_sizes_share_where_they_overlap():
    everywhere, right = np.ones((3, 5)), np.zeros((20, 20))
    right[:, 10:] = 1.0
    shares = masks.mask_shares([everywhere, right], (40, 30))
    np.testing.assert_allclose(shares[0, 0, 0], [1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(shares[0, 0, -1], [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0, atol=1e-6)


def test_the_uncovered_share_is_reported_in_percent():
    mask = np.ones((10, 10))
    mask[:, 6:] = 0.0
    with pytest.raises(ValueError, match=r"leave 40 % of the image uncovered.*background='content'"):
        masks.mask_shares([mask], (10, 10))
    shares = masks.mask_shares([mask], (10, 10), "content")
    np.testing.assert_array_equal(masks.coverage(shares)[0, ..., 0], mask)


def test_masks_say_how_much_they_cover(caplog):
    mask = np.zeros((10, 10))
    mask[:, :4] = 1.0
    with caplog.at_level("INFO", "neural_style"):
        shares = masks.mask_shares([mask, 1.0 - mask], (10, 10))
    assert masks.covered_shares(shares) == pytest.approx([0.4, 0.6])
    assert "the masks cover 40 %, 60 % of the image" in caplog.text
    options = {"size": 32, "steps": 1, "background": "content"}
    assert tiny.transfer().run(tiny.CONTENT, tiny.STYLE, masks=mask, **options).settings["coverage"] == [
        pytest.approx(0.4, abs=0.02)
    ]


def test_little_coverage_is_warned_about_and_none_is_reported_in_full():
    dot = np.zeros((40, 40), bool)
    dot[3:6, 3:6] = True
    with pytest.warns(UserWarning, match=r"the masks cover 0\.56 % of the image"):
        masks.mask_shares([dot], (40, 40), "content")
    with pytest.raises(ValueError, match="leave 100 % of the image uncovered"):
        masks.mask_shares([np.full((4, 4), 0.5)], (4, 4))
    with pytest.raises(ValueError, match="masks of different sizes leave a seam"):
        masks.mask_shares([np.eye(1, 2, 0), np.repeat(np.eye(1, 2, 1), 20, axis=1)], (80, 60))


def test_a_soft_mask_over_a_background_stays_soft():
    shares = masks.mask_shares([ramp()], (8, 6), "content")
    np.testing.assert_allclose(masks.coverage(shares)[0, ..., 0], ramp(), atol=1e-6)


# --- guides ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 48), (71, 53), (33, 47), (16, 31)])
def test_guides_fit_the_maps_of_a_network_whose_poolings_halve_and_floor(vgg16, size):
    width, height = size
    layers = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
    maps = vgg16(tf.zeros([1, height, width, 3]), layers)
    strides = {layer: vgg16.layers[layer].stride for layer in layers}
    shares = np.random.default_rng(0).random((1, height, width, 2)).astype(np.float32)
    for layer, guide in crop_guides(masks.guides_per_layer(shares, strides), maps).items():
        assert guide.shape == (*maps[layer].shape[:3], 2)
        stride, (rows, columns) = strides[layer], maps[layer].shape[1:3]
        for row, column in ((0, 0), (rows - 1, columns - 1), (rows // 2, 0)):
            block = shares[0, row * stride : (row + 1) * stride, column * stride : (column + 1) * stride]
            assert block.shape[:2] == (stride, stride)
            np.testing.assert_allclose(guide[0, row, column], block.mean(axis=(0, 1)), rtol=1e-4)


def test_a_mask_that_overlaps_no_cell_of_a_layer_is_refused():
    shares = np.zeros((1, 40, 71, 1), np.float32)
    shares[:, :, 66:] = 1.0  # past the last whole cell of 16 pixels
    assert masks.guides_per_layer(shares, {"shallow": 4})["shallow"].any()
    with pytest.raises(ValueError, match="at 71x40 pixels no cell of 'deep' lies in a mask"):
        masks.guides_per_layer(shares, {"shallow": 4, "deep": 16})


def test_cells_cut_off_by_the_border_are_included():
    guide = masks.guides_per_layer(np.ones((1, 5, 7, 1), np.float32), {"padded": 2, "image": 1})
    assert guide["padded"].shape == (1, 3, 4, 1)
    assert guide["image"].shape == (1, 5, 7, 1)
    np.testing.assert_array_equal(guide["padded"], 1.0)


# --- label images ------------------------------------------------------------------------------------


def doodle(*stripes):
    """An image of vertical stripes: (columns, color), 4 pixels high."""
    return np.concatenate([np.full((4, wide, 3), color, np.uint8) for wide, color in stripes], axis=1)


SKY, SEA = (90, 160, 255), (0, 40, 90)


def test_each_color_is_a_region_the_largest_first():
    labels = doodle((2, SEA), (5, SKY), (1, SEA))
    sky, sea = masks.label_masks(labels)
    np.testing.assert_array_equal(sky, np.all(labels == SKY, axis=-1))
    np.testing.assert_array_equal(sea, ~sky)


def test_regions_of_content_and_style_are_matched_by_color(tmp_path):
    labels, style_labels = doodle((2, SEA), (5, SKY)), doodle((3, SKY), (1, (9, 9, 9)), (4, SEA))
    Image.fromarray(labels).save(tmp_path / "labels.png")
    pairs = masks.label_masks(tmp_path / "labels.png", style_labels)
    for color, (mask, style_mask) in zip((SKY, SEA), pairs, strict=True):
        np.testing.assert_array_equal(mask, np.all(labels == color, axis=-1))
        np.testing.assert_array_equal(style_mask, np.all(style_labels == color, axis=-1))


def test_each_region_is_painted_in_its_own_part_of_the_style():
    labels, style_labels = doodle((4, SEA), (4, SKY)), doodle((3, SKY), (3, SEA))
    pairs = masks.label_masks(labels, style_labels)
    painted, by_hand = (
        tiny.transfer().run(tiny.CONTENT, [tiny.STYLE] * 2, size=32, steps=4, masks=masks).pixels
        for masks in (pairs, [(np.eye(1, 2, 1), np.eye(1, 2, 0)), (np.eye(1, 2, 0), np.eye(1, 2, 1))])
    )
    assert np.abs(painted - by_hand).mean() < 0.02
    plain = tiny.transfer().run(tiny.CONTENT, tiny.STYLE, size=32, steps=4).pixels
    assert np.abs(painted - plain).mean() > 0.001


def test_unusable_labels_are_refused():
    with pytest.raises(ValueError, match="the style's label image lacks #00285a, which the content's"):
        masks.label_masks(doodle((2, SEA), (5, SKY)), doodle((2, SKY)))
    with pytest.raises(ValueError, match="a label image has at most 32 colors, and this has 40"):
        masks.label_masks(doodle(*((1, (i, i, i)) for i in range(40))))
