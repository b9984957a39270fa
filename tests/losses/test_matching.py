"""Losses that search: the matching itself, and invariances of the losses."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from neural_style.losses import Context, NearestNeighbor, Patches, RelaxedEMD, SelfSimilarity, sampling
from neural_style.losses.sampling import hypercolumns, match, subsample, unit

LOSSES = [
    NearestNeighbor(("a",), stride=1),
    Patches(("a",), size=2),
    RelaxedEMD(("a",), stride=1),
    RelaxedEMD(("a",), stride=1, metric="euclidean"),
]


def evaluate(loss, features, style):
    statistics = (loss.statistic({"a": tf.constant(maps, tf.float32)}, Context()) for maps in (features, style))
    return float(loss.compare(*statistics))


@pytest.fixture
def features():
    return np.random.default_rng(5).normal(1.0, 2.0, (1, 6, 5, 4)).astype(np.float32)


@pytest.fixture
def style():
    return np.random.default_rng(6).normal(1.0, 2.0, (1, 7, 8, 4)).astype(np.float32)


@given(sizes=st.tuples(st.integers(1, 30), st.integers(1, 30)), block=st.integers(1, 200), seed=st.integers(0, 99))
def test_matches_by_blocks_equal_those_of_the_whole_matrix(sizes, block, seed):
    rng = np.random.default_rng(seed)
    vectors, others = (rng.normal(size=(size, 3)).astype(np.float32) for size in sizes)
    before = sampling.BLOCK
    try:
        sampling.BLOCK = block
        found = match(tf.constant(vectors), tf.constant(others))
    finally:
        sampling.BLOCK = before
    products = vectors.astype(np.float64) @ others.T
    np.testing.assert_array_equal(found.forward, products.argmax(axis=1))
    np.testing.assert_array_equal(found.backward, products.argmax(axis=0))


def test_subsampling_selects_the_same_vectors_each_time(style):
    vectors = style.reshape(-1, 4)
    kept = subsample(tf.constant(vectors), 10).numpy()
    assert kept.shape == (10, 4)
    assert {tuple(row) for row in kept} <= {tuple(row) for row in vectors}
    assert len({tuple(row) for row in kept}) == 10
    np.testing.assert_array_equal(subsample(tf.constant(vectors), 10), kept)
    np.testing.assert_array_equal(subsample(tf.constant(vectors), 1000), vectors)


def test_unit_vectors_have_length_one_except_for_zero(features):
    lengths = np.linalg.norm(unit(tf.constant(features.reshape(-1, 4)), tf.constant(10.0)), axis=1)
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-5)
    assert not np.any(unit(tf.zeros([3, 4]), tf.constant(0.0)))


def test_hypercolumns_stack_maps_of_all_sizes_on_one_grid(vgg16):
    layers = ("block1_conv1", "block3_conv1")
    maps = vgg16(tf.random.stateless_uniform([1, 32, 48, 3], [1, 2]), layers)
    assert hypercolumns(maps, layers, 4).shape == (1, 8, 12, 64 + 256)
    assert hypercolumns(maps, layers, 1, max_vectors=100).shape[1:3] == (8, 12)
    assert hypercolumns(maps, layers, 1000).shape[1:3] == (1, 1)
    np.testing.assert_allclose(hypercolumns(maps, layers, 4)[..., 64:], maps["block3_conv1"], rtol=1e-5)


def test_with_stride_four_every_pixel_has_a_gradient(vgg16, content):
    image = tf.constant(content[None, :32, :32] / 255.0, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = tf.reduce_sum(tf.square(hypercolumns(vgg16(image, ["block1_conv1"]), ["block1_conv1"], 4)))
    assert (np.abs(tape.gradient(value, image)).sum(axis=-1) > 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_an_image_of_parts_of_the_style_has_distance_zero(loss, style):
    piece = style[:, 1:5, 2:7]
    if isinstance(loss, RelaxedEMD):  # all of the style has to occur as well
        assert evaluate(loss, piece, style) > 0.01
    elif isinstance(loss, Patches):  # patches are matched without centering
        assert evaluate(loss, piece, style) == pytest.approx(0.0, abs=1e-6)
    assert evaluate(loss, style[:, ::-1] if not isinstance(loss, Patches) else style, style) == pytest.approx(
        0.0, abs=2e-6
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_its_order_of_magnitude_is_one(loss, features, style):
    assert 0.01 < evaluate(loss, features, style) < 3


@pytest.mark.parametrize("loss", LOSSES)
def test_fewer_style_vectors_do_not_decrease_the_loss(loss, features, style):
    few = type(loss)(**{**vars(loss), "max_vectors": 4})
    if not isinstance(loss, RelaxedEMD):
        assert evaluate(few, features, style) > evaluate(loss, features, style)
    assert np.isfinite(evaluate(few, features, style))


def test_the_nearest_neighbor_loss_is_invariant_to_the_scale_of_the_features(features, style):
    loss = NearestNeighbor(("a",), stride=1)
    assert evaluate(loss, 50 * features, 50 * style) == pytest.approx(evaluate(loss, features, style), rel=1e-4)


def test_a_map_smaller_than_a_patch_is_padded(features, style):
    loss = Patches(("a",), size=3)
    assert evaluate(loss, features[:, :1, :2], style[:, :2, :1]) > 0
    assert evaluate(loss, features[:, :1, :1], features[:, :1, :1]) == pytest.approx(0.0, abs=1e-6)


def test_patches_depend_on_the_order_of_vectors_unlike_single_vectors(style):
    shuffled = np.random.default_rng(0).permutation(style.reshape(-1, 4)).reshape(style.shape)
    assert evaluate(Patches(("a",), size=1), shuffled, style) == pytest.approx(0.0, abs=1e-6)
    assert evaluate(Patches(("a",), size=2), shuffled, style) > 0.1


def test_self_similarity_is_invariant_to_rotation_and_scale_of_the_features(features):
    loss = SelfSimilarity(("a",), stride=1)

    def distance(canvas):
        context = Context({"a": tf.constant(features)})
        return float(loss.compare(loss.statistic({"a": tf.constant(canvas)}, context), None))

    rotated = features @ np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0].astype(np.float32)
    assert distance(features) == 0.0
    assert distance(rotated) < 1e-5
    assert distance(3 * features) < 1e-5
    assert 0.1 < distance(features[:, ::-1]) <= 1.0


def test_self_similarity_in_bounded_memory(vgg16):
    loss = SelfSimilarity(("block1_conv1",), stride=1, max_vectors=50)
    maps = vgg16(tf.random.stateless_uniform([1, 64, 48, 3], [1, 2]), loss.layers)
    ours, theirs = loss.statistic(maps, Context(maps))
    assert ours.shape == theirs.shape
    assert 25 <= ours.shape[0] <= 60


@pytest.mark.parametrize("loss", [NearestNeighbor(), Patches(), RelaxedEMD(), SelfSimilarity()])
@pytest.mark.parametrize("flat", [0.0, 0.5])
def test_a_constant_or_tiny_image_gives_a_finite_gradient(loss, vgg16, content, flat):
    image = tf.constant(content[None, :32, :32] / 255.0, tf.float32)
    other = vgg16(tf.fill([1, 32, 32, 3] if loss.uses_content else [1, 16, 16, 3], flat), loss.layers)
    target = None if loss.uses_content else loss.statistic(other, Context())
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = loss.compare(loss.statistic(vgg16(image, loss.layers), Context(other)), target)
    assert 0 < float(value) < 1000
    assert np.isfinite(tape.gradient(value, image)).all()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (NearestNeighbor, {"stride": 0}, "stride must be at least 1, not 0"),
        (NearestNeighbor, {"max_vectors": 0}, "max_vectors must be at least 1"),
        (Patches, {"size": 0}, "size must be at least 1"),
        (Patches, {"stride": -1}, "stride must be at least 1"),
        (RelaxedEMD, {"metric": "manhattan"}, "metric must be 'cosine' or 'euclidean', not 'manhattan'"),
        (SelfSimilarity, {"max_vectors": 0}, "max_vectors must be at least 1"),
    ],
)
def test_invalid_arguments_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**options)


@pytest.mark.parametrize("loss", [NearestNeighbor(("deep",)), SelfSimilarity(("deep",))])
def test_a_tiled_run_is_refused(loss):
    from tests.tiny import transfer

    with pytest.raises(ValueError, match="needs the whole image at once"):
        transfer(1.0 * loss, tile=16)


@pytest.mark.parametrize(
    "loss", [NearestNeighbor(("deep",), stride=1, anchor=0.5), Patches(("deep",)), RelaxedEMD(("deep",))]
)
def test_styles_can_be_mixed_and_saved_as_targets(loss, tmp_path):
    from neural_style import StyleTarget
    from tests.tiny import CONTENT, STYLE, transfer

    made = transfer(1.0 * loss)
    kept = made.target(STYLE, size=32)
    kept.save(tmp_path / "style.npz")
    again = StyleTarget.load(tmp_path / "style.npz")
    expected, found = (made.run(CONTENT, style, size=32, steps=4).pixels for style in (STYLE, again))
    np.testing.assert_array_equal(found, expected)
    blend = made.run(CONTENT, 0.5 * again + 0.5 * made.target(CONTENT, size=32), size=32, steps=4)
    assert np.isfinite(blend.history[-1].loss)
    assert np.abs(blend.pixels - expected).max() > 1e-3
