"""Training the decoders: a few steps lower the loss, an interrupted run resumes with the same bits, the result runs."""

import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

from neural_style.feedforward.network import LAYERS, LEVELS, MULTIPLE, WIDTHS, Network, shapes
from neural_style.training import decoders, trainer
from neural_style.training.data import Crops, image_paths
from neural_style.training.trainer import Layout, load_run

OPTIONS = {
    "rounds": 2,
    "steps": 6,
    "batch": decoders.MIXED + 2,
    "side": 32,
    "rate": 5e-3,
    "held-out": 2,
    "taught-after": 1,
}
BATCH = OPTIONS["batch"]


def trained(folder, place, **changes):
    weights = place / "weights.npz"
    options = [text for name, value in (OPTIONS | changes).items() for text in (f"--{name}", str(value))]
    decoders.main([str(folder), "--weights", str(weights), "--checkpoint", str(place / "run.npz"), *options])
    return weights, json.loads(weights.with_suffix(".json").read_text())


@pytest.fixture(scope="module", autouse=True)
def short_validation():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoders, "VALIDATION_BATCHES", 1)
        yield


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """A run of two rounds: weights, record, and the saved run after the first and the last."""
    place, copies = tmp_path_factory.mktemp("whole"), []

    def saved(path, *arguments):
        save(path, *arguments)
        copies.append(path.read_bytes())

    save = trainer.save_run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "save_run", saved)
        weights, record = trained(folder, place)
    assert len(copies) == 2
    return weights, record, copies


@pytest.fixture(scope="module")
def crops(folder):
    return Crops(image_paths(folder), 32)


# --- the command -------------------------------------------------------------------------------------


def test_training_lowers_the_loss(whole):
    record = whole[1]
    assert record["last"]["total"] < 0.9 * record["first"]["total"]
    assert len(record["totals"]) == 3


def test_the_record_says_how_the_weights_were_made(whole):
    weights, record, _ = whole
    assert (record["steps"], record["images"], record["rounds_planned"]) == (12, 6, [2, 2])
    assert record["settings"] == {name.replace("-", "_"): value for name, value in OPTIONS.items()} | {"seed": 0}
    assert record["precision"] in ("float32", "bfloat16")
    assert set(record["first"]) == set(record["last"]) > {"step", "seconds", "total", "pixels", "mixed"}
    assert record["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_the_weights_are_small_and_a_network_reads_them(whole):
    assert whole[0].stat().st_size < 2e6
    network = Network(whole[0])
    image = tf.zeros([1, 4 * MULTIPLE, 5 * MULTIPLE, 3])
    for level in LEVELS:
        decoded = network.decode(level, network.encoder(image, [LAYERS[level]])[LAYERS[level]])
        assert decoded.shape == image.shape
        assert np.isfinite(decoded).all()


def test_the_saved_run_has_what_resuming_needs(whole, tmp_path):
    (tmp_path / "run.npz").write_bytes(whole[2][-1])
    run = load_run(tmp_path / "run.npz")
    assert (run.round, run.steps, run.planned, len(run.history)) == (2, 12, (2, 2), 3)
    assert set(run.state) == {"first", "now", "kept", "mean", "square"}
    assert {name: value.shape for name, value in run.constants.items()} == {
        f"moments{level}": (2, WIDTHS[level]) for level in LEVELS
    }


def test_an_interrupted_run_resumes_to_the_same_bits(folder, tmp_path, whole):
    expected, record, (after_one_round, _) = whole
    (tmp_path / "run.npz").write_bytes(after_one_round)
    weights, again = trained(folder, tmp_path)
    assert again["totals"] == record["totals"]
    assert again["sha256"] == record["sha256"]
    assert weights.read_bytes() == expected.read_bytes()


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="has 0 images; there must be more than 48"):
        decoders.main([str(tmp_path)])


def test_a_diverging_run_ends_with_the_step_and_the_option(folder, tmp_path):
    with pytest.raises(SystemExit, match=r"the loss is (nan|inf) at step \d+; lower the learning rate \(--rate\)"):
        trained(folder, tmp_path, rate=1e30, rounds=1)


# --- its parts ---------------------------------------------------------------------------------------


def test_entries_are_decoded_most_of_the_time():
    entries = decoders._entries(np.random.default_rng(1), 4000)
    assert entries.shape == (4000, len(LEVELS) - 1)
    assert entries.mean() == pytest.approx(decoders.DECODED, abs=0.03)


def test_a_map_is_made_of_its_own_nearest_vectors():
    maps = tf.constant(np.random.default_rng(2).normal(size=(2, 5, 6, 8)), tf.float32)
    np.testing.assert_array_equal(decoders._chosen(maps, decoders._nearest(maps, maps)), maps)


def test_the_nearest_patch_is_found_where_it_moved_to():
    """The middle of a map that is moved by a row and a column."""
    maps = np.random.default_rng(3).normal(size=(1, 7, 8, 8)).astype(np.float32)
    nearest = decoders._nearest(tf.constant(maps), tf.constant(np.roll(maps, (1, 1), axis=(1, 2)))).numpy()
    expected = (np.arange(7)[:, None] + 1) * 8 + np.arange(8) + 1
    np.testing.assert_array_equal(nearest.reshape(7, 8)[1:5, 1:6], expected[1:5, 1:6])


def reconstruction_and_parameters(crops):
    reconstruction = decoders.Reconstruction(decoders.standardization(crops, np.random.default_rng(9), 4))
    return reconstruction, tf.constant(decoders.start(reconstruction.layout, np.random.default_rng(9)))


def test_vgg16_compares_only_when_told(crops):
    reconstruction, parameters = reconstruction_and_parameters(crops)
    found = {}
    for taught in (False, True):
        (batch,) = decoders.make_batches(crops, np.random.default_rng(9), 1, BATCH, taught=taught)
        found[taught] = reconstruction.losses(parameters, batch | {"refined": tf.constant(False)})
    names = {"assigned", "nearest", "halved", "kept", "shape"}
    assert {float(found[False][name]) for name in names} == {0.0}
    assert all(0.01 < float(found[True][name]) < 2.0 for name in names)
    assert {name for name in found[True] if float(found[True][name]) != float(found[False][name])} == names


def test_a_smaller_canvas_is_brought_nearer_to_the_style(crops):
    reconstruction, _ = reconstruction_and_parameters(crops)
    content, style = (tf.constant(crops.batch(np.random.default_rng(seed), 2)) for seed in (10, 11))
    refined = reconstruction._refined(content, content, style)
    assert refined.shape == content.shape
    assert 0.0 <= float(tf.reduce_min(refined)) <= float(tf.reduce_max(refined)) <= 1.0
    before, after, goal = (reconstruction._taught(each) for each in (content, refined, style))
    assert float(decoders._nearest_distance(after, goal)) < 0.9 * float(decoders._nearest_distance(before, goal))


def test_distances_of_unit_vectors_are_0_for_equal_ones_and_know_places():
    maps = tf.math.l2_normalize(tf.constant(np.random.default_rng(12).normal(size=(2, 4, 5, 16)), tf.float32), axis=-1)
    moved = tf.roll(maps, 1, axis=2)
    for distance in (decoders._cosine_distance, decoders._nearest_distance, decoders._shape_distance):
        assert float(distance(maps, maps)) == pytest.approx(0.0, abs=1e-5)
    assert float(decoders._nearest_distance(moved, maps)) == pytest.approx(0.0, abs=1e-5)
    assert float(decoders._cosine_distance(moved, maps)) > 0.5
    assert float(decoders._shape_distance(moved, maps)) > 0.5


def test_maps_are_standardized_by_their_own_moments(crops):
    """With the moments of some crops, the maps of others of the same images have about mean 0 and deviation 1."""
    moments = decoders.standardization(crops, np.random.default_rng(4), 32)
    assert {level: [part.shape for part in pair] for level, pair in moments.items()} == {
        level: [(WIDTHS[level],)] * 2 for level in LEVELS
    }
    assert all(part.dtype == np.float32 and (pair[1] > 0).all() for pair in moments.values() for part in pair)
    images = tf.constant(crops.batch(np.random.default_rng(5), 16))
    for level, found in decoders.Reconstruction(moments).maps(images).items():
        assert np.abs(found.numpy().mean(axis=(0, 1, 2))).mean() < 0.3, level
        assert found.numpy().std(axis=(0, 1, 2)).mean() == pytest.approx(1.0, abs=0.3), level


def test_the_same_seed_gives_the_same_moments_start_and_batches(crops):
    found = [
        (
            decoders.standardization(crops, np.random.default_rng(6), 4)[1][0],
            decoders.start(Layout(shapes()), np.random.default_rng(6)),
            decoders.make_batches(crops, np.random.default_rng(6), 1, BATCH)[0]["images"],
        )
        for _ in range(2)
    ]
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_batches_hold_images_in_8_bits_and_what_is_decoded(crops):
    (batch,) = decoders.make_batches(crops, np.random.default_rng(7), 1, BATCH)
    assert (batch["images"].shape, batch["images"].dtype) == ((BATCH, 32, 32, 3), np.uint8)
    assert (batch["decoded"].shape, batch["decoded"].dtype) == ((BATCH - decoders.MIXED, len(LEVELS) - 1), bool)
    assert batch["anchored"].shape == (decoders.MIXED,)
    assert 0.0 <= batch["anchored"].min() <= batch["anchored"].max() <= decoders.MAX_ANCHORED


def test_smaller_canvases_are_optimized_most_of_the_time_where_vgg16_compares(crops):
    shares = {}
    for taught in (False, True):
        batches = decoders.make_batches(crops, np.random.default_rng(13), 60, decoders.MIXED, taught=taught)
        shares[taught] = np.mean([each["refined"] for each in batches])
    assert shares[False] == 0.0
    assert shares[True] == pytest.approx(decoders.REFINED, abs=0.2)


def test_the_start_has_no_biases_and_every_parameter_a_rate():
    layout = Layout(shapes())
    arrays = layout.arrays(decoders.start(layout, np.random.default_rng(8)))
    for name, value in arrays.items():
        assert np.any(value) == name.endswith("kernel"), name
    rates = decoders.rates(layout)
    assert rates.shape == (sum(layout.sizes),)
    assert 0.0 < rates.min() <= rates.max() <= 1.0
