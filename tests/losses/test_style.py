"""Sums over positions, Gram matrices and moments: invariants, guides, and agreement with NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neural_style.losses import Context, Gram, Moments, gram_matrix, position_sums
from neural_style.losses.style import covariance_distance

maps = hnp.arrays(
    np.float32,
    st.tuples(st.just(1), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)),
    elements=st.floats(-10, 10, width=32),
)


@pytest.fixture
def features():
    return np.random.default_rng(5).normal(1.0, 2.0, (1, 6, 5, 4)).astype(np.float32)


@pytest.fixture
def guide():
    """Soft weights of two regions."""
    return np.random.default_rng(6).random((1, 6, 5, 2)).astype(np.float32)


@given(features=maps)
def test_a_gram_matrix_is_symmetric_and_positive(features):
    gram = gram_matrix(features).numpy()
    np.testing.assert_allclose(gram, gram.T, rtol=1e-6, atol=1e-6)
    assert np.linalg.eigvalsh(gram.astype(np.float64)).min() >= -1e-4


@given(features=maps, seed=st.integers(0, 1000))
def test_a_gram_matrix_is_invariant_to_position(features, seed):
    vectors = features.reshape(-1, features.shape[-1])
    shuffled = np.random.default_rng(seed).permutation(vectors).reshape(features.shape)
    np.testing.assert_allclose(gram_matrix(shuffled), gram_matrix(features), rtol=1e-5, atol=1e-4)


@given(features=maps)
def test_a_gram_matrix_equals_numpy(features):
    vectors = features.reshape(-1, features.shape[-1]).astype(np.float64)
    np.testing.assert_allclose(gram_matrix(features), vectors.T @ vectors / len(vectors), rtol=1e-5, atol=1e-4)


def test_sums_give_numpys_moments(features):
    sums = position_sums(features)
    vectors = features.reshape(-1, 4)
    np.testing.assert_allclose(sums.mean()[0], vectors.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(sums.covariance()[0], np.cov(vectors.T, bias=True), rtol=1e-4, atol=1e-5)
    assert sums.count.numpy().tolist() == [30.0]


def test_guided_sums_equal_numpy(features, guide):
    sums = position_sums(features, guide)
    vectors = features.reshape(-1, 4).astype(np.float64)
    for region, weights in enumerate(guide.reshape(-1, 2).T.astype(np.float64)):
        np.testing.assert_allclose(sums.outer[region], (vectors * weights[:, None]).T @ vectors, rtol=1e-5)
        np.testing.assert_allclose(sums.total[region], weights @ vectors, rtol=1e-5)
        np.testing.assert_allclose(sums.count[region], weights.sum(), rtol=1e-5)
        centered = vectors - np.average(vectors, axis=0, weights=weights)
        covariance = (centered * weights[:, None]).T @ centered / weights.sum()
        np.testing.assert_allclose(sums.covariance()[region], covariance, rtol=1e-4, atol=1e-4)


def test_a_guide_of_ones_changes_nothing(features):
    plain, guided = position_sums(features), position_sums(features, np.ones((1, 6, 5, 1), np.float32))
    for value, goal in zip(guided, plain, strict=True):
        np.testing.assert_allclose(value, goal, rtol=1e-5)


def test_binary_guides_split_a_map(features):
    left = np.zeros((1, 6, 5, 1), np.float32)
    left[:, :, :2] = 1.0
    sums = position_sums(features, np.concatenate([left, 1.0 - left], axis=-1))
    for region, part in enumerate((features[:, :, :2], features[:, :, 2:])):
        np.testing.assert_allclose(sums.gram()[region], gram_matrix(part), rtol=1e-5)


@pytest.mark.parametrize(
    "loss", [Gram(("a",)), *(Moments(("a",), spread=s) for s in ("covariance", "wasserstein", "deviation"))]
)
def test_regions_count_by_their_share(loss, features, guide):
    target = {"a": position_sums(features[:, ::-1] * 0.5 + 1.0, guide)}
    sums = loss.statistic({"a": features}, Context(guides={"a": guide}))
    distances = loss.distance(sums["a"], target["a"]).numpy()
    share = guide.sum(axis=(0, 1, 2)) / guide.sum()
    assert distances.shape == (2,)
    assert float(loss.compare(sums, target)) == pytest.approx(float(share @ distances), rel=1e-5)


def test_the_gradient_of_moments_is_that_of_automatic_differentiation(features, guide):
    loss, x = Moments(("a",)), tf.constant(features)
    target = {"a": position_sums(features[:, ::-1] * 0.5 + 1.0, guide)}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        sums = loss.statistic({"a": x}, Context(guides={"a": guide}))
        value = loss.compare(sums, target)
        plain = covariance_distance(*sums["a"].moments(), *target["a"].moments())
        expected = tf.reduce_sum(plain * sums["a"].count) / tf.reduce_sum(sums["a"].count)
    assert float(value) == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(tape.gradient(value, x), tape.gradient(expected, x), rtol=1e-4, atol=1e-6)


def test_an_empty_region_counts_for_nothing(features):
    guide = np.zeros((1, 6, 5, 2), np.float32)
    guide[..., 0] = 1.0
    loss = Moments(("a",))
    target = {"a": position_sums(tf.concat([features, features], -1)[..., 2:6], np.ones((1, 6, 5, 2), np.float32))}
    alone = {"a": type(target["a"])(*(part[:1] for part in target["a"]))}
    with tf.GradientTape() as tape:
        x = tf.constant(features)
        tape.watch(x)
        value = loss.compare(loss.statistic({"a": x}, Context(guides={"a": guide})), target)
    expected = loss.compare(loss.statistic({"a": features}, Context()), alone)
    assert float(value) == pytest.approx(float(expected), rel=1e-5)
    assert np.isfinite(tape.gradient(value, x)).all()


def test_moments_detect_a_spread_that_the_mean_hides_in_a_gram_matrix():
    rng = np.random.default_rng(1)
    calm, wild = (rng.normal(10.0, spread, (1, 20, 20, 3)).astype(np.float32) for spread in (1.0, 3.0))

    def evaluate(loss):
        return float(loss.compare(loss.statistic({"a": wild}, Context()), loss.statistic({"a": calm}, Context())))

    assert evaluate(Gram(("a",))) < 0.01
    assert evaluate(Moments(("a",))) > 0.5


@pytest.mark.parametrize("spread", ["covariance", "deviation", "wasserstein"])
def test_a_constant_style_gives_a_bounded_loss(spread, features):
    """A constant style, or one so small that a deep layer has a single cell."""
    loss = Moments(("a",), spread=spread)
    target = loss.statistic({"a": features[:, :1, :1]}, Context())
    with tf.GradientTape() as tape:
        x = tf.constant(features)
        tape.watch(x)
        value = loss.compare(loss.statistic({"a": x}, Context()), target)
    assert 0.1 < float(value) < 1000
    assert np.isfinite(tape.gradient(value, x)).all()


@given(features=maps, shift=st.floats(-2, 2, width=32))
def test_a_shifted_gram_is_that_of_shifted_features(features, shift):
    goal = np.ones_like(features)
    shifted, plain = Gram(("a",), shift=shift), Gram(("a",))
    expected = plain.distance(position_sums(features + shift), position_sums(goal + shift + 3))
    found = shifted.distance(position_sums(features), position_sums(goal + 3))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", [Gram, Moments])
@pytest.mark.parametrize(
    ("weights", "message"),
    [((1.0,), "2 layers need one weight each, not 1"), ((1.0, -1.0), "at least 0"), ((0.0, 0.0), "not all 0")],
)
def test_layer_weights_are_checked(kind, weights, message):
    with pytest.raises(ValueError, match=message):
        kind(("a", "b"), layer_weights=weights)


def test_an_unknown_spread_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'covariance', 'wasserstein', 'deviation', not 'variance'"):
        Moments(spread="variance")
