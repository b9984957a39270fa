"""The closed forms: what they do to mean and covariance."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from neural_style.feedforward.transform import Affine, Gaussian, apply, gaussian, transport
from neural_style.losses import PositionSums
from neural_style.losses.style import position_sums

seeds = st.integers(0, 2**32 - 1)
widths = st.integers(1, 9)


def a_gaussian(rng, width, rank=None):
    """Random mean and covariance; the eigenvalues are in [0.1, 1.1], and all but `rank` of them 0."""
    axes, _ = np.linalg.qr(rng.normal(size=(width, width)))
    values = (rng.random(width) + 0.1) * (np.arange(width) < (width if rank is None else rank))
    return Gaussian(tf.constant(rng.normal(size=width)), tf.constant((axes * values) @ axes.T))


def moved(statistics, affine):
    """Mean and covariance after an affine map, in float64."""
    matrix, offset = (tensor.numpy().astype(np.float64) for tensor in affine)
    return matrix @ statistics.mean.numpy() + offset, matrix @ statistics.covariance.numpy() @ matrix.T


def a_map(rng, rows=7, columns=6, width=4):
    """Random features in which all channels correlate, float32 (1, rows, columns, width)."""
    axes, _ = np.linalg.qr(rng.normal(size=(width, width)))
    mixed = (rng.normal(size=(1, rows, columns, width)) * rng.uniform(0.5, 1.5, width)) @ axes + rng.normal(size=width)
    return tf.constant(mixed, tf.float32)


# --- transport ---------------------------------------------------------------------------------------


@given(seeds, widths)
def test_transport_moves_mean_and_covariance_to_the_styles(seed, width):
    """Computed in float64; the map itself is rounded to float32."""
    rng = np.random.default_rng(seed)
    content, style = (a_gaussian(rng, width) for _ in range(2))
    mean, covariance = moved(content, transport(content, style))
    np.testing.assert_allclose(mean, style.mean, atol=1e-5)
    np.testing.assert_allclose(covariance, style.covariance, atol=1e-5)


@given(seeds, widths)
def test_transport_is_the_identity_where_nothing_differs(seed, width):
    same = a_gaussian(np.random.default_rng(seed), width)
    matrix, offset = transport(same, same)
    np.testing.assert_allclose(matrix, np.eye(width), atol=1e-6)
    np.testing.assert_allclose(offset, np.zeros(width), atol=1e-5)


@given(seeds, widths)
def test_the_matrix_of_transport_is_symmetric_and_has_no_negative_eigenvalue(seed, width):
    """So it is the gradient of a convex function, and no other map to the style's Gaussian moves vectors less."""
    rng = np.random.default_rng(seed)
    matrix = transport(a_gaussian(rng, width), a_gaussian(rng, width)).matrix.numpy()
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)
    assert np.linalg.eigvalsh(matrix).min() > 0.0


@given(seeds, st.integers(2, 8), st.data())
def test_transport_of_degenerate_covariances_is_finite_and_moves_the_mean(seed, width, data):
    rng = np.random.default_rng(seed)
    ranks = data.draw(st.tuples(st.integers(0, width), st.integers(0, width)))
    content, style = (a_gaussian(rng, width, rank) for rank in ranks)
    mean, covariance = moved(content, transport(content, style))
    assert np.isfinite(covariance).all()
    np.testing.assert_allclose(mean, style.mean, atol=1e-4)


@given(seeds, st.integers(2, 8), st.data())
def test_within_a_subspace_the_covariance_is_moved_whole(seed, width, data):
    """A content and a style of low rank that span the same subspace."""
    rng = np.random.default_rng(seed)
    rank = data.draw(st.integers(1, width))
    axes = np.linalg.qr(rng.normal(size=(width, rank)))[0]
    content, style = (
        Gaussian(each.mean, tf.constant(axes @ small.covariance.numpy() @ axes.T))
        for each, small in ((a_gaussian(rng, width), a_gaussian(rng, rank)) for _ in range(2))
    )
    np.testing.assert_allclose(moved(content, transport(content, style))[1], style.covariance, atol=1e-5)


# --- statistics and maps -----------------------------------------------------------------------------


@given(seeds, st.integers(1, 6), st.integers(1, 3))
def test_sums_over_two_halves_have_the_statistics_of_the_whole(seed, rows, regions):
    rng = np.random.default_rng(seed)
    features, shares = a_map(rng, 2 * rows), tf.constant(rng.random((1, 2 * rows, 6, regions)), tf.float32)
    halves = [position_sums(features[:, part], shares[:, part]) for part in (slice(rows), slice(rows, None))]
    added = PositionSums(*(one + other for one, other in zip(*halves, strict=True)))
    for region in range(regions):
        for found, expected in zip(
            gaussian(added, region), gaussian(position_sums(features, shares), region), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@given(seeds)
def test_mean_and_covariance_agree_with_numpy(seed):
    rng = np.random.default_rng(seed)
    features, weights = a_map(rng), rng.random((1, 7, 6, 2)).astype(np.float32)
    vectors = features.numpy().reshape(-1, 4).astype(np.float64)
    for region in range(2):
        found = gaussian(position_sums(features, tf.constant(weights)), region)
        own = weights[..., region].ravel()
        assert found.mean.dtype == found.covariance.dtype == tf.float64
        np.testing.assert_allclose(found.mean, np.average(vectors, axis=0, weights=own), atol=1e-4)
        np.testing.assert_allclose(found.covariance, np.cov(vectors.T, aweights=own, ddof=0), rtol=1e-3, atol=1e-3)


def test_a_region_without_weight_has_mean_and_covariance_0():
    empty = gaussian(PositionSums(tf.zeros([2, 3, 3]), tf.zeros([2, 3]), tf.zeros([2])), 1)
    assert not any(np.any(part) for part in empty)


@given(seeds)
def test_a_map_is_moved_to_the_mean_and_covariance_of_another(seed):
    rng = np.random.default_rng(seed)
    content, style = a_map(rng, 9, 8), a_map(rng, 8, 7)
    goal = gaussian(position_sums(style))
    found = gaussian(position_sums(apply(content, transport(gaussian(position_sums(content)), goal))))
    spread = float(tf.reduce_max(goal.covariance))
    np.testing.assert_allclose(found.mean, goal.mean, atol=1e-2)
    np.testing.assert_allclose(found.covariance, goal.covariance, atol=1e-2 * spread)


def test_an_affine_map_is_applied_to_each_vector():
    rng = np.random.default_rng(5)
    features, matrix = a_map(rng, 3, 2), rng.normal(size=(4, 4)).astype(np.float32)
    matrix, offset = matrix + matrix.T, rng.normal(size=4).astype(np.float32)
    found = apply(features, Affine(tf.constant(matrix), tf.constant(offset)))
    np.testing.assert_allclose(found, features.numpy() @ matrix + offset, atol=1e-4)
