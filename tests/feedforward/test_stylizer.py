"""One pass: what holds for any trained weights, whatever the content, the style, the sizes and the controls."""

import functools

import numpy as np
import pytest

from neural_style import StyleTarget, StyleTransfer, images
from neural_style.errors import ImageError, WeightsUnavailableError
from neural_style.feedforward import OnePass, geometry, stylizer
from neural_style.losses import Gram
from neural_style.scales import SingleScale
from neural_style.transfer.controls import COLOR_MODES, Controls
from tests import tiny

OTHER = tiny.picture(5, 40, 28)
LEFT = np.zeros((48, 64), bool)
LEFT[:, :32] = True
HALF = np.zeros((56, 56), bool)
HALF[:, :28] = True


def one_pass(strength=0.5):
    return OnePass(strength, precision="float32")


def paint(content, style, strength=0.5, **options):
    pixels = one_pass(strength).run(content, style, **{"size": None, **options}).pixels
    assert pixels.dtype == np.float32
    assert np.isfinite(pixels).all()
    assert 0.0 <= pixels.min() <= pixels.max() <= 1.0
    return pixels


def flat(color, height=40, width=56):
    return np.full((height, width, 3), color, np.uint8)


# --- strength ----------------------------------------------------------------------------------------


def test_at_strength_0_the_content_stays(content, style):
    np.testing.assert_array_equal(paint(content, style, 0.0), content / np.float32(255.0))
    small = images.resize(images.load(content), (32, 24))[0]
    np.testing.assert_array_equal(paint(content, style, 0.0, size=32), small)


def test_a_low_strength_changes_little(content, style):
    """Also of the finest detail, which no decoder gives back."""
    grain = np.random.default_rng(2).integers(0, 50, content.shape)
    fine = np.clip(content.astype(int) + grain, 0, 255).astype(np.uint8)
    changes = [np.abs(paint(fine, style, strength) - fine / np.float32(255.0)).mean() for strength in (0.01, 0.1)]
    assert changes[0] < 0.03
    assert changes[0] < changes[1]


def test_strength_changes_the_image_and_is_recorded(content, style):
    weak, strong = (one_pass(strength).run(content, style, size=48) for strength in (0.25, 1.0))
    assert not np.array_equal(weak.pixels, strong.pixels)
    assert [each.settings["strength"] for each in (weak, strong)] == [0.25, 1.0]


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        OnePass(strength)


# --- result ------------------------------------------------------------------------------------------


def test_the_result_says_how_it_was_made(content, style):
    result = one_pass().run(content, style, size=32)
    assert result.image.size == (32, 24)
    assert (result.history, result.stopped_by, result.alpha) == ([], "steps", None)
    expected = {"quality": "instant", "strength": 0.5, "precision": "float32", "size": (32, 24), "color": "style"}
    assert {name: result.settings[name] for name in expected} == expected
    assert result.settings["seconds"] > 0.0


def test_equal_calls_give_equal_bits(content, style):
    first = paint(content, [style, OTHER])
    paint(OTHER, style, 1.0)
    np.testing.assert_array_equal(paint(content, [style, OTHER]), first)


def test_the_style_makes_a_difference(content, style):
    assert np.abs(paint(content, style) - paint(content, OTHER)).mean() > 0.01


def test_the_representation_shows_the_settings():
    assert repr(one_pass(0.25)) == "OnePass(0.25, precision='float32')"


def test_bfloat16_gives_the_same_colors(content, style):
    """Not the same pixels: where two patches are about as near, the other one may be taken."""
    rounded = OnePass(0.5, precision="bfloat16").run(content, style, size=None).pixels
    for moment in (np.mean, np.std):
        found = [moment(pixels, axis=(0, 1)) for pixels in (rounded, paint(content, style))]
        np.testing.assert_allclose(*found, atol=0.05)


@pytest.mark.parametrize(
    ("given", "message"), [({"precision": "int8"}, "precision"), ({"weights": "nowhere.npz"}, r"nowhere\.npz")]
)
def test_other_settings_are_refused_by_name(given, message):
    with pytest.raises((ValueError, WeightsUnavailableError), match=message):
        OnePass(**given)


@pytest.mark.parametrize("lacking", ["content", "style"])
def test_a_run_without_content_or_style_is_refused(content, style, lacking):
    given = {"content": content, "style": style} | {lacking: None}
    with pytest.raises(ValueError, match="one pass needs a content and a style"):
        one_pass().run(**given)


def test_what_is_no_image_is_refused(content):
    with pytest.raises(ImageError, match=r"missing\.png"):
        one_pass().run(content, "missing.png")


# --- sizes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 8), (17, 33), (9, 300), (61, 19)])
def test_every_size_with_a_cell_in_each_layer_is_painted(style, shape):
    pixels = np.random.default_rng(6).integers(0, 256, (*shape, 3), np.uint8)
    assert paint(pixels, style, 0.7).shape == (*shape, 3)


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (7, 300)])
def test_smaller_images_are_refused_with_the_least_size(style, shape):
    pixels = np.random.default_rng(6).integers(0, 256, (*shape, 3), np.uint8)
    with pytest.raises(ValueError, match=f"one pass needs at least 8 pixels on each side, not {shape[1]}x{shape[0]}"):
        paint(pixels, style)


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (60, 2)])
def test_styles_of_every_size_are_painted_with(content, shape):
    paint(content, np.random.default_rng(6).integers(0, 256, (*shape, 3), np.uint8))


def test_tiles_give_the_whole_image(style, monkeypatch):
    wide = np.concatenate([tiny.picture(seed, 40, 80) for seed in range(3)], axis=1)
    options = {"masks": [np.arange(240)[None].repeat(40, 0) < 100], "background": "content"}
    whole = paint(wide, style, 0.4, **options)
    monkeypatch.setattr(stylizer, "TILE", 64)
    tiled, windows, tiles = one_pass(0.4), [], geometry.tiles
    tiled._programs = stylizer._Programs(tiled._programs.network)  # programs keep the side of their tiles
    monkeypatch.setattr(geometry, "tiles", lambda *geometry: windows.append(tiles(*geometry)) or windows[-1])
    found = tiled.run(wide, style, size=None, **options).pixels
    assert max(map(len, windows)) > 1
    np.testing.assert_allclose(found, whole, atol=2e-3)


def test_all_sizes_share_one_trace(content, style):
    programs = one_pass()._programs
    for size, strength in ((24, 0.2), (33, 0.5), (64, 1.0)):
        paint(content, style, strength, size=size)
    paint(OTHER, [style, content], masks=[LEFT, ~LEFT], style_masks=[HALF, None])
    functions = [programs.begin, programs.paint, programs.move]
    assert max(function.experimental_get_tracing_count() for function in functions) == 1


# --- sketch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "decoded"),
    [
        ((64, 48), [(64, 48)]),
        ((128, 96), [(64, 48), (128, 96)]),
        ((256, 192), [(128, 96), (256, 192)]),
        ((512, 512), [(256, 256), (512, 512)]),
        ((1024, 768), [(256, 192), (512, 384), (1024, 768)]),
    ],
)
def test_the_last_scales_are_decoded_and_all_large_ones(size, decoded):
    assert one_pass()._decoded(size) == decoded


@pytest.mark.parametrize(("size", "width", "height"), [(256, 64, 48), (512, 128, 96)])
def test_a_large_image_begins_with_a_sketch(content, style, size, width, height):
    """An optimized canvas, from which the strength takes effect and which masks and a background restrict."""
    inputs = stylizer.read_inputs(content, style, Controls(masks=[LEFT], background="content"), size=size)
    given, changes = images.resize(inputs.content, (width, height)), []
    for strength in (0.25, 0.6):
        sketch = one_pass(strength)._sketched(inputs)
        assert sketch.shape == given.shape
        np.testing.assert_array_equal(sketch[:, :, 5 * width // 8 :], given[:, :, 5 * width // 8 :])
        changes.append(np.abs(sketch - given)[:, :, : 3 * width // 8].mean())
    assert changes[0] > 0.01
    assert changes[1] > max(0.02, changes[0])


def test_a_small_image_begins_without_a_sketch(content, style):
    inputs = stylizer.read_inputs(content, style, Controls(), size=128)
    assert one_pass()._sketched(inputs) is None


def test_an_image_that_begins_with_a_sketch_is_reproduced_and_made_of_a_target(content, style):
    options = {"masks": [LEFT, ~LEFT], "background": None, "size": 256}
    first = paint(content, [style, OTHER], **options)
    np.testing.assert_array_equal(paint(content, [style, OTHER], **options), first)
    assert not np.array_equal(paint(content, style, size=256), first)
    plain = paint(content, style, size=512)
    np.testing.assert_array_equal(paint(content, one_pass().target(style, size=512), size=512), plain)


# --- saved styles ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def targets(style):
    return [one_pass().target(each, size=64) for each in (style, OTHER)]


def test_a_target_paints_what_its_image_paints(content, style, targets, tmp_path):
    expected = paint(content, style)
    np.testing.assert_array_equal(paint(content, targets[0]), expected)
    targets[0].save(tmp_path / "style.npz")
    np.testing.assert_array_equal(paint(content, StyleTarget.load(tmp_path / "style.npz")), expected)


def test_a_target_keeps_what_a_sketch_needs_only_where_one_may_be_made(content, style):
    """It also serves a canvas whose sketch is larger than any size that was measured for it, and smaller."""
    made = one_pass().target(style, size=300)
    assert made.sizes == (64, 144, 300)
    (sample,) = made.samples
    by_loss = {sample.losses[key]: set(found) for key, found in sample.statistics.items()}
    sketched = {repr(term.loss) for term in stylizer.SKETCH.style}
    assert sketched | {repr(loss) for loss in stylizer.LOSSES} == set(by_loss)
    for loss, sides in by_loss.items():
        assert sides == ({64, 144} if loss in sketched else {64, 144, 300}), loss
    for size in (512, 200):
        assert paint(content, made, size=size).std() > 0.02


def test_targets_mix_as_styles_do(content, style, targets):
    mixed = 0.3 * targets[0] + 0.7 * targets[1]
    np.testing.assert_array_equal(paint(content, mixed), paint(content, [(style, 0.3), (OTHER, 0.7)]))
    np.testing.assert_array_equal(paint(content, targets[0] + 0 * targets[1]), paint(content, style))


def test_targets_go_into_the_regions_of_masks(content, style, targets):
    options = {"masks": [LEFT, ~LEFT]}
    np.testing.assert_allclose(
        paint(content, [targets[0], OTHER], **options), paint(content, [style, OTHER], **options), atol=1e-3
    )


def test_a_target_has_masks_and_strokes_of_its_own(content, style):
    options = {"style_masks": [HALF], "style_scale": 0.7}
    made = one_pass().target(style, size=64, **options)
    np.testing.assert_array_equal(paint(content, made), paint(content, style, **options))
    for name, value in options.items():
        with pytest.raises(ValueError, match=r"a StyleTarget has no image to (mask|scale): pass"):
            paint(content, made, **{name: value})


def test_one_target_serves_every_strength_and_precision(content, targets):
    for strength, precision in ((0.0, "float32"), (0.2, "float32"), (1.0, "bfloat16")):
        assert np.isfinite(OnePass(strength, precision=precision).run(content, targets[0], size=32).pixels).all()


def test_a_target_for_losses_is_refused_and_cannot_be_mixed_in(content, targets):
    transfer = tiny.transfer()
    for_losses = transfer.target(OTHER, size=32)
    with pytest.raises(ValueError, match=r"was made with Tiny\(\) and cannot be used with VGG16\(.* and Lite\("):
        paint(content, for_losses)
    with pytest.raises(ValueError, match=r"was made with VGG16\(.* and Lite\(.* and cannot be used with Tiny\("):
        transfer.run(content, targets[0], size=32)
    with pytest.raises(ValueError, match="targets of different extractors cannot be mixed"):
        _ = targets[0] + for_losses


def test_a_target_for_other_losses_on_the_same_network_is_refused_by_what_it_was_made_for(content, style, targets):
    transfer = StyleTransfer(Gram(("block1_conv1",)), one_pass()._programs.encoders, scales=SingleScale(1))
    with pytest.raises(ValueError, match=r"was made for Gram\(.*cannot be used with AssignedNeighbor\("):
        paint(content, transfer.target(style, size=64))
    with pytest.raises(ValueError, match=r"was made for AssignedNeighbor\(.*, Moments\(.*cannot be used with Gram\("):
        transfer.run(content, targets[0], size=64)


def test_a_style_too_small_for_its_strokes_is_reported(style):
    with pytest.warns(UserWarning, match="can be enlarged to 112 pixels, and style_scale=3 asks for 192"):
        one_pass().target(style, size=64, style_scale=3.0)


@pytest.mark.parametrize("size", [0, 2.5])
def test_a_target_needs_a_size(style, size):
    with pytest.raises((ValueError, TypeError), match="size"):
        one_pass().target(style, size=size)


def test_a_target_is_made_from_images(targets):
    with pytest.raises(ValueError, match="to mix targets, write"):
        one_pass().target(targets[0])


# --- several styles and masks ------------------------------------------------------------------------


def test_a_style_of_weight_0_counts_for_nothing(content, style):
    np.testing.assert_array_equal(paint(content, [(style, 1.0), (OTHER, 0.0)]), paint(content, style))


def test_a_style_beside_itself_is_the_style(content, style):
    np.testing.assert_allclose(paint(content, [(style, 1.0), (style, 3.0)]), paint(content, style), atol=1e-3)


def test_weights_lead_from_one_style_to_the_other(content):
    red, blue = flat((230, 20, 20)), flat((20, 20, 230))
    redness = [
        np.subtract(*paint(content, [(red, weight), (blue, 1.0 - weight)], 1.0).mean(axis=(0, 1))[[0, 2]])
        for weight in (0.1, 0.5, 0.9)
    ]
    assert redness[0] < redness[1] < redness[2]


def test_masks_assign_each_style_its_part(content):
    red, blue = flat((230, 20, 20)), flat((20, 20, 230))
    painted = paint(content, [red, blue], 1.0, masks=[LEFT, ~LEFT])
    redness = painted[..., 0] - painted[..., 2]
    assert redness[:, :28].mean() > redness[:, 36:].mean() + 0.2


def test_a_mask_of_everything_is_no_mask(content, style):
    everywhere = np.ones((48, 64))
    np.testing.assert_allclose(paint(content, style, masks=[everywhere]), paint(content, style), atol=1e-3)


def test_a_style_mask_restricts_what_is_painted_with(content):
    both = np.concatenate([flat((230, 20, 20), 56, 28), flat((20, 20, 230), 56, 28)], axis=1)
    painted = [paint(content, both, 1.0, style_masks=[mask]).mean(axis=(0, 1)) for mask in (HALF, ~HALF)]
    assert painted[0][0] - painted[0][2] > painted[1][0] - painted[1][2] + 0.2


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_the_background_stays_exactly(content, style, strength):
    painted = paint(content, style, strength, masks=[LEFT], background="content")
    given = content / np.float32(255.0)
    np.testing.assert_array_equal(painted[~LEFT], given[~LEFT])
    assert not np.array_equal(painted[LEFT], given[LEFT])


def test_masks_that_do_not_fit_are_refused(content, style):
    with pytest.raises(ValueError, match="2 styles need 2 masks, not 1"):
        paint(content, [style, OTHER], masks=[LEFT])


# --- colors, strokes, transparency -------------------------------------------------------------------


@pytest.mark.parametrize("color", COLOR_MODES)
def test_every_color_mode_paints(content, style, color):
    result = one_pass().run(content, style, size=32, color=color)
    assert np.isfinite(result.pixels).all()
    assert result.settings["color"] == color
    assert (color == "style") == np.array_equal(result.pixels, paint(content, style, size=32))


def test_a_palette_of_strength_0_leaves_the_styles(content, style):
    np.testing.assert_array_equal(paint(content, style, color="match", color_strength=0.0), paint(content, style))


def test_the_contents_colors_can_be_kept(style):
    gray = np.repeat(np.random.default_rng(8).integers(0, 256, (40, 48, 1), np.uint8), 3, axis=2)
    assert np.ptp(paint(gray, style, color="content"), axis=-1).max() < 0.01


def test_the_scale_of_the_style_changes_the_strokes(content, style):
    assert not np.array_equal(paint(content, style, size=32, style_scale=1.5), paint(content, style, size=32))


def test_alpha_is_kept(content, style):
    alpha = np.where(LEFT, 255, 60).astype(np.uint8)[..., None]
    result = one_pass().run(np.concatenate([content, alpha], axis=-1), style, size=None)
    np.testing.assert_array_equal(result.alpha, alpha / np.float32(255.0))
    assert result.image.mode == "RGBA"


@pytest.mark.parametrize("strength", [0.3, 1.0])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_images_on_either_side_are_painted(content, style, value, strength):
    plain = flat(value)
    for pair in ((plain, style), (content, plain), (plain, plain)):
        paint(*pair, strength)


def test_grayscale_images_are_read(content, style):
    assert paint(content[..., 0], style).shape == (48, 64, 3)
    assert paint(content, style[..., 0]).shape == (48, 64, 3)


def test_the_cache_can_be_cleared(monkeypatch):
    held = functools.lru_cache(lambda weights, precision: {})
    monkeypatch.setattr(stylizer, "_programs", held)
    OnePass()
    assert held.cache_info().currsize == 1
    stylizer.clear_cache()
    assert held.cache_info().currsize == 0
