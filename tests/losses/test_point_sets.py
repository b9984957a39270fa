"""Losses on point sets: regions, and what transport and attention detect."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style.losses import (
    AttentionGram,
    Context,
    Gram,
    Histogram,
    NearestNeighbor,
    Patches,
    RelaxedEMD,
    Sinkhorn,
    SlicedWasserstein,
)
from neural_style.objective import Several, WholeObjective
from tests.tiny import TINY

LOSSES = [
    AttentionGram(("a",)),
    Histogram(("a",)),
    NearestNeighbor(("a",), stride=1),
    Patches(("a",), size=1),
    RelaxedEMD(("a",), stride=1),
    Sinkhorn(("a",)),
    SlicedWasserstein(("a",)),
]


def maps(seed, shape=(6, 8), mean=1.0):
    return tf.constant(np.random.default_rng(seed).normal(mean, 1.0, (1, *shape, 4)), tf.float32)


def evaluate(loss, features, style, guides=None, style_guides=None):
    statistics = [
        loss.statistic(
            {"a": each}, Context({"a": each}, {} if guide is None else {"a": tf.constant(guide, tf.float32)})
        )
        for each, guide in ((features, guides), (style, style_guides))
    ]
    return float(loss.compare(*statistics))


def columns(*shares):
    """Guides (1, 6, 8, regions) that change from column to column."""
    return np.broadcast_to(np.stack(shares, axis=-1)[None, None], (1, 6, 8, len(shares)))


LEFT, ALL, NONE = np.array([1.0] * 4 + [0.0] * 4), np.ones(8), np.zeros(8)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_guide_over_everything_changes_nothing(loss):
    features, style = maps(1), maps(2, mean=0.0)
    plain = evaluate(loss, features, style)
    assert evaluate(loss, features, style, columns(ALL), columns(ALL)) == pytest.approx(plain, rel=1e-5)
    assert evaluate(loss, features, style, None, columns(ALL)) == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_each_region_is_compared_with_its_own_style(loss):
    ours, theirs, other = maps(1), maps(2, mean=0.0), maps(3, mean=-1.0)
    half = evaluate(loss, ours[:, :, :4], theirs)
    guides = columns(LEFT, 1.0 - LEFT)
    first, second = (
        evaluate(loss, ours, style, guides, columns(*shares))
        for style, shares in ((theirs, (ALL, NONE)), (other, (NONE, ALL)))
    )
    assert first == pytest.approx(0.5 * half, rel=1e-4)
    assert second == pytest.approx(0.5 * evaluate(loss, ours[:, :, 4:], other), rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_the_weight_of_a_region_is_that_of_its_guide(loss):
    ours, theirs = maps(1), maps(2, mean=0.0)
    half = evaluate(loss, ours[:, :, :4], theirs)
    faint = evaluate(loss, ours, theirs, columns(0.25 * LEFT, 1.0 - LEFT), columns(ALL, NONE))
    assert faint == pytest.approx(0.2 * half, rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_styles_of_several_regions_form_one_target(loss):
    """As in a run: two styles, each in its own region, in one evaluation with a gradient everywhere."""
    loss = type(loss)(**{**vars(loss), "layers": ("shallow",)})
    objective = WholeObjective([loss], TINY)
    canvas, *styles = (
        tf.constant(np.random.default_rng(seed).uniform(0, 1, (1, 16, 20, 3)), tf.float32) for seed in (1, 2, 3)
    )
    left = np.zeros((1, 16, 20, 2), np.float32)
    left[:, :, :10, 0] = left[:, :, 10:, 1] = 1.0
    own = [np.zeros((1, 16, 20, 2), np.float32) for _ in styles]
    own[0][..., 0] = own[1][..., 1] = 1.0
    found = [
        objective.target(style, {"shallow": tf.constant(guide)})[0] for style, guide in zip(styles, own, strict=True)
    ]
    target = Several(tuple(found), tf.ones([2]))
    content = objective.content(canvas)
    evaluation = objective.evaluate(canvas, content, (target,), tf.ones([1]), {"shallow": tf.constant(left)})
    assert float(evaluation.loss) > 0.0
    strength = np.abs(evaluation.gradient).sum(axis=(0, 1, 3))
    assert (strength > 0).all() and np.isfinite(strength).all()


def test_the_sinkhorn_divergence_of_a_shift_is_half_its_square():
    """For a shifted point set the plan is the shift itself, whatever the blur (Feydy et al., 2019)."""
    style, move = maps(2), np.array([0.3, -0.2, 0.5, 0.1], np.float32)
    energy = float(tf.reduce_mean(tf.reduce_sum(style**2, axis=-1)))
    expected = 0.5 * float(np.sum(move**2)) / energy
    for blur in (0.3, 0.6):
        found = evaluate(Sinkhorn(("a",), blur=blur, steps=100), style + move, style)
        assert found == pytest.approx(expected, rel=0.02)


def test_sinkhorn_counts_repeated_vectors_unlike_relaxed_emd():
    one, other = np.zeros(4, np.float32), np.full(4, 2.0, np.float32)
    rare, even = (np.stack([one] * count + [other] * (8 - count))[None, None] for count in (7, 4))
    assert evaluate(RelaxedEMD(("a",), stride=1, metric="euclidean"), tf.constant(rare), tf.constant(even)) < 1e-5
    assert evaluate(Sinkhorn(("a",)), tf.constant(rare), tf.constant(even)) > 0.05


def test_sinkhorn_compares_joint_distributions_unlike_histograms():
    rng = np.random.default_rng(4)
    style = rng.normal(size=(1, 8, 8, 2)).astype(np.float32)
    style[..., 1] = style[..., 0]
    shuffled = np.stack([style[..., 0], rng.permutation(style[..., 1].ravel()).reshape(1, 8, 8)], axis=-1)
    assert evaluate(Histogram(("a",)), tf.constant(shuffled), tf.constant(style)) == pytest.approx(0.0, abs=1e-6)
    assert evaluate(Sinkhorn(("a",)), tf.constant(shuffled), tf.constant(style)) > 0.02


def test_with_infinite_sharpness_it_is_the_gram_loss_and_with_zero_that_of_the_mean():
    features, style = maps(1), maps(2, mean=0.0)
    assert evaluate(AttentionGram(("a",), sharpness=1e4), features, style) == pytest.approx(
        evaluate(Gram(("a",)), features, style), rel=1e-3
    )
    means = [np.mean(each, axis=(0, 1, 2)) for each in (features, style)]
    outer = [np.outer(mean, mean) for mean in means]
    expected = np.sum((outer[0] - outer[1]) ** 2) / np.sum(outer[1] ** 2)
    assert evaluate(AttentionGram(("a",), sharpness=0.0), features, style) == pytest.approx(expected, rel=1e-4)


def test_attention_and_sinkhorn_are_invariant_to_position():
    features, style = maps(1), maps(2, mean=0.0)
    shuffled = tf.constant(np.random.default_rng(0).permutation(np.reshape(features, (-1, 4))).reshape(features.shape))
    for loss in (AttentionGram(("a",)), Sinkhorn(("a",))):
        assert evaluate(loss, shuffled, style) == pytest.approx(evaluate(loss, features, style), rel=1e-4)


@pytest.mark.parametrize("loss", [AttentionGram(), Sinkhorn()], ids=lambda loss: loss.name)
@pytest.mark.parametrize("flat", [0.0, 0.5])
def test_a_constant_or_tiny_style_gives_a_finite_gradient(loss, vgg16, content, flat):
    image = tf.constant(content[None, :32, :32] / 255.0, tf.float32)
    target = loss.statistic(vgg16(tf.fill([1, 16, 16, 3], flat), loss.layers), Context())
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = loss.compare(loss.statistic(vgg16(image, loss.layers), Context()), target)
    assert 0 < float(value) < 1000
    assert np.isfinite(tape.gradient(value, image)).all()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (Sinkhorn, {"blur": 0.0}, "blur must be above 0 and finite, not 0.0"),
        (Sinkhorn, {"steps": 0}, "steps must be at least 1, not 0"),
        (Sinkhorn, {"max_vectors": 0}, "max_vectors must be at least 1, not 0"),
        (AttentionGram, {"sharpness": -1.0}, "sharpness must be at least 0 and finite, not -1.0"),
        (AttentionGram, {"max_vectors": 0}, "max_vectors must be at least 1, not 0"),
        (AttentionGram, {"layer_weights": (1.0,)}, "3 layers need one weight each, not 1"),
    ],
)
def test_invalid_arguments_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**options)
