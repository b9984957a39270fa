"""Styles without their pictures: they paint what the picture paints, and are kept, mixed and refused."""

import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from neural_style import KerasExtractor, StyleTarget, StyleTransfer, _archive, stylize
from neural_style.errors import CheckpointError
from neural_style.losses import Content, Gram, Moments, TotalVariation, custom
from neural_style.objective import objective_for
from neural_style.scales import SingleScale
from neural_style.transfer.styles import style_target
from neural_style.transfer.styles.image_style import ImageStyle
from tests import tiny
from tests.tiny import CONTENT, LOSS, STYLE, TINY

OTHER = tiny.picture(5, 40, 28)


@pytest.fixture(scope="module")
def transfer():
    return tiny.transfer()


@pytest.fixture(scope="module")
def target(transfer):
    return transfer.target(STYLE, size=32)


def paint(transfer, style, content=CONTENT, **options):
    return transfer.run(content, style, **{"size": 32, "steps": 6, **options}).pixels


# --- as good as the picture --------------------------------------------------------------------------


def test_a_target_paints_what_its_picture_paints(transfer, target):
    np.testing.assert_array_equal(paint(transfer, target), paint(transfer, STYLE))


def test_on_real_features_too_and_after_saving(vgg16, content, style, tmp_path):
    transfer = StyleTransfer(None, vgg16)
    transfer.target(style, size=40).save(tmp_path / "style.npz")
    loaded = StyleTarget.load(tmp_path / "style.npz")
    pictures = [stylize(content, each, extractor=vgg16, size=40, steps=3) for each in (loaded, style)]
    np.testing.assert_array_equal(*map(np.asarray, pictures))


def test_saved_and_loaded_it_is_the_same_to_the_bit(transfer, target, tmp_path):
    mixed = 0.25 * target + 0.75 * transfer.target(OTHER, size=32)
    mixed.save(tmp_path / "target.npz")
    loaded = StyleTarget.load(tmp_path / "target.npz")
    assert repr(loaded) == repr(mixed) == "<StyleTarget of 2 styles at 16, 32 px>"
    np.testing.assert_array_equal(paint(transfer, loaded), paint(transfer, mixed))
    assert [path.name for path in tmp_path.iterdir()] == ["target.npz"]


def test_many_contents_neither_measure_the_style_again_nor_trace(transfer, target, monkeypatch):
    paint(transfer, target)
    objective = objective_for(tuple(term.loss for term in transfer.settings.loss), transfer.settings.extractor)
    traces = [each.traces for each in (objective.evaluate, objective.content, objective.target)]
    monkeypatch.setattr(ImageStyle, "measure", lambda *_: pytest.fail("the style was measured again"))
    calls = []
    real = objective.target._for
    monkeypatch.setattr(objective.target, "_for", lambda arguments: calls.append(arguments) or real(arguments))
    for seed in range(3):
        paint(transfer, target, tiny.picture(seed, 20 + 4 * seed, 32))
    assert [each.traces for each in (objective.evaluate, objective.content, objective.target)] == traces
    assert all(isinstance(arguments[0], tf.TensorSpec) for arguments in calls)


def test_it_goes_wherever_a_picture_does(transfer, target):
    together = paint(transfer, [(target, 1.0), (OTHER, 3.0)])
    np.testing.assert_allclose(together, paint(transfer, [(STYLE, 1.0), (OTHER, 3.0)]), atol=1e-5)
    left = np.zeros((24, 32), bool)
    left[:, :16] = True
    masks = [left, ~left]
    np.testing.assert_allclose(
        paint(transfer, [OTHER, target], masks=masks), paint(transfer, [OTHER, STYLE], masks=masks), atol=1e-5
    )
    np.testing.assert_array_equal(paint(transfer, target, init="recolored"), paint(transfer, STYLE, init="recolored"))


def test_a_loss_whose_statistic_does_not_add_has_targets_too(tmp_path):
    transfer = StyleTransfer(custom(mean_gap, ["shallow"]), TINY, scales=SingleScale(2))
    target = 0.5 * transfer.target(STYLE, size=32) + 0.5 * transfer.target(OTHER, size=32)
    target.save(tmp_path / "target.npz")
    pictures = [paint(transfer, each, steps=2) for each in (StyleTarget.load(tmp_path / "target.npz"), [STYLE, OTHER])]
    np.testing.assert_array_equal(*pictures)


def mean_gap(features, content, style):
    return (tf.reduce_mean(features["shallow"]) - tf.reduce_mean(style["shallow"])) ** 2


def test_a_target_has_masks_and_strokes_of_its_own(transfer):
    left = np.zeros((8, 8))
    left[:, :4] = 1.0
    made = transfer.target([STYLE, OTHER], size=32, style_masks=[left, None], style_scale=0.5)
    run = paint(transfer, [STYLE, OTHER], style_masks=[left, None], style_scale=0.5)
    np.testing.assert_array_equal(paint(transfer, made), run)


# --- arithmetic --------------------------------------------------------------------------------------


def test_a_mixture_is_the_blend_of_the_pictures(transfer, target):
    other = transfer.target(OTHER, size=32)
    np.testing.assert_array_equal(
        paint(transfer, 0.3 * target + 0.7 * other), paint(transfer, [(STYLE, 0.3), (OTHER, 0.7)])
    )


def test_only_the_ratio_counts_and_sums_work(transfer, target):
    other = transfer.target(OTHER, size=32)
    np.testing.assert_array_equal(paint(transfer, 5 * target), paint(transfer, target))
    np.testing.assert_allclose(
        paint(transfer, sum([target * 6, 2 * other])), paint(transfer, 0.75 * target + 0.25 * other), atol=1e-6
    )
    np.testing.assert_array_equal(paint(transfer, target + 0 * other), paint(transfer, target))


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf")])
def test_weights_out_of_range_are_refused(target, factor):
    with pytest.raises(ValueError, match="at least 0 and finite"):
        _ = factor * target


def test_what_is_no_weight_and_no_target_is_refused(target):
    for wrong in (lambda: target + 1, lambda: "2" * target, lambda: target * True):
        with pytest.raises(TypeError):
            wrong()


def test_nothing_of_a_style_paints_nothing(transfer, target):
    with pytest.raises(ValueError, match="every weight of this style target is 0"):
        paint(transfer, 0.0 * target)


# --- sizes -------------------------------------------------------------------------------------------


def test_at_another_size_the_nearest_in_the_logarithm_serves(transfer):
    large = tiny.picture(6, 80, 64)  # enough of it for every size to differ
    alone, sizes = StyleTransfer(LOSS, TINY, scales=SingleScale(4)), transfer.target(large, size=64)
    assert sizes.sizes == (16, 32, 64)
    at_32 = alone.target(large, size=32)
    for size, same in ((44, True), (47, False)):  # 45.3 is the geometric mean of 32 and 64
        pictures = [paint(alone, each, size=size, steps=4) for each in (sizes, at_32)]
        assert np.array_equal(*pictures) is same


def test_targets_without_a_size_in_common_do_not_mix(target):
    lone = StyleTransfer(LOSS, TINY, scales=SingleScale(1)).target(OTHER, size=50)
    with pytest.raises(ValueError, match=r"no size in common: \(16, 32\) and \(50,\)"):
        _ = target + lone


# --- refused -----------------------------------------------------------------------------------------


def test_another_loss_or_extractor_is_refused_by_name(transfer, target, vgg16, content):
    with pytest.raises(ValueError, match=r"was made for Gram\(.*cannot be used with Moments\("):
        StyleTransfer(Moments(("shallow",)), TINY, scales=SingleScale(1)).run(content, target, size=32)
    with pytest.raises(ValueError, match=r"made with Tiny\(\) and cannot be used with VGG16\("):
        StyleTransfer(Gram(("block1_conv1",)), vgg16, scales=SingleScale(1)).run(content, target, size=32)
    with pytest.raises(ValueError, match="different extractors cannot be mixed"):
        _ = target + StyleTransfer(Gram(("block1_conv1",)), vgg16, scales=SingleScale(1)).target(STYLE, size=32)


def keras_network(seed):
    kernel = keras.initializers.HeNormal(seed)
    image = keras.Input((None, None, 3))
    deep = keras.layers.Conv2D(4, 3, padding="same", name="deep", kernel_initializer=kernel)(image)
    return KerasExtractor(keras.Model(image, deep, name="mine"))


def test_a_network_of_other_weights_is_refused(content):
    loss, scales = Gram(("deep",)), SingleScale(1)
    made = StyleTransfer(loss, keras_network(1), scales=scales).target(STYLE, size=32)
    StyleTransfer(loss, keras_network(1), scales=scales).run(content, made, size=32)
    with pytest.raises(ValueError, match=r"another network, or other weights"):
        StyleTransfer(loss, keras_network(2), scales=scales).run(content, made, size=32)


def test_what_does_not_read_the_style_may_change(target):
    other = StyleTransfer(2.0 * Content(("shallow",)) + LOSS + TotalVariation(), TINY, scales=tiny.TWO_SCALES)
    assert paint(other, target).shape == (24, 32, 3)


def test_precision_is_no_part_of_it(vgg16, content, style):
    loss, scales = Gram(("block1_conv1",)), SingleScale(1)
    target = StyleTransfer(loss, vgg16, scales=scales, precision="float32").target(style, size=32)
    StyleTransfer(loss, vgg16, scales=scales, precision="bfloat16").run(content, target, size=32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style_masks": [np.ones((4, 4))]}, "no image to mask"),
        ({"style_scale": 2.0}, "no image to scale"),
        ({"color": "match"}, "changes the style image"),
    ],
)
def test_what_needs_the_picture_is_refused(transfer, target, options, message):
    with pytest.raises(ValueError, match=message):
        paint(transfer, target, **options)


def test_a_target_is_made_from_pictures(transfer, target):
    with pytest.raises(ValueError, match="to mix targets, write"):
        transfer.target(target, size=32)


def flipped(data, name):
    """The data with one bit of a member's name altered, in the directory at its end."""
    place = data.rindex(name)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("damage", ["cut", "text", "other", "bit", "former"])
def test_a_file_that_is_no_target_is_refused_by_name(target, tmp_path, damage, monkeypatch):
    path = tmp_path / "target.npz"
    target.save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "text":
        path.write_text("hello")
    elif damage == "other":
        np.savez(path, pixels=np.zeros(3))
    elif damage == "bit":
        path.write_bytes(flipped(path.read_bytes(), b"0/mean.npy"))
    else:
        monkeypatch.setattr(style_target, "FORMAT", 1)
        target.save(path)
        monkeypatch.undo()
    with pytest.raises(
        ValueError, match=r"target\.npz' (is not a style target, or is damaged|has format 1; this version reads)"
    ):
        StyleTarget.load(path)


def test_a_file_that_would_unfold_is_refused(target, tmp_path):
    path = tmp_path / "target.npz"
    target.save(path)
    with np.load(path) as stored:
        np.savez_compressed(path, **dict(stored))
    with pytest.raises(ValueError, match=r"not a style target.*it is compressed: [\d,]+ bytes would become"):
        StyleTarget.load(path)


def test_a_target_of_the_former_format_is_read(target, tmp_path, monkeypatch):
    def write_former(handle, about, arrays):
        np.savez(handle, about=np.frombuffer(json.dumps({**about, "format": 2}).encode(), np.uint8), **arrays)

    monkeypatch.setattr(_archive, "write", write_former)
    target.save(tmp_path / "target.npz")
    assert repr(StyleTarget.load(tmp_path / "target.npz")) == repr(target)


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
def test_a_target_is_neither_read_from_nor_written_to_a_pipe(target, tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "link.npz").symlink_to("pipe.npz")
    for name in ("pipe.npz", "link.npz"):
        for use in (target.save, StyleTarget.load):
            with pytest.raises(OSError, match="a pipe, not a regular file"):
                use(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.npz", "pipe.npz"]


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        StyleTarget.load(tmp_path / "missing.npz")


def test_a_target_is_an_input_of_a_checkpoint(transfer, target, tmp_path):
    first = paint(transfer, target, checkpoint=tmp_path / "run.npz")
    np.testing.assert_array_equal(paint(transfer, target, checkpoint=tmp_path / "run.npz"), first)
    with pytest.raises(CheckpointError, match="style differs"):
        paint(transfer, transfer.target(OTHER, size=32), checkpoint=tmp_path / "run.npz")
