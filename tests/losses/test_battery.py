"""One battery, a row per loss: what every loss must do, whatever it measures."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from scipy.linalg import sqrtm
from scipy.signal import convolve2d
from scipy.special import logsumexp, softmax

from neural_style import losses
from neural_style.losses import (
    AttentionGram,
    Content,
    Context,
    Gram,
    Histogram,
    Laplacian,
    Loss,
    Moments,
    NearestNeighbor,
    Patches,
    Range,
    RelaxedEMD,
    SelfSimilarity,
    Sinkhorn,
    SlicedWasserstein,
    Temporal,
    TotalVariation,
    custom,
)
from neural_style.objective import WholeObjective
from neural_style.optimizers import Adam, Progress

BOTH = ("shallow", "deep")


class Row(NamedTuple):
    """A loss, and what plain NumPy says it is worth for maps of the painted, the kept and the wanted picture."""

    loss: Loss
    in_numpy: Callable
    at_best: str = "same"  # where the loss is 0: when all three pictures are the same, or when they are flat
    pastes_back: bool = True
    nudge: float = 0.01  # how far a pixel is moved to measure a slope; less where the slope is soon another


def distance(value, goal):
    return np.sum((value - goal) ** 2) / np.sum(goal**2)


def content(painted, kept, wanted):
    return np.mean([distance(painted[layer], kept[layer]) for layer in BOTH])


def vectors(features):
    return features.reshape(-1, features.shape[-1])


def gram(features):
    return vectors(features).T @ vectors(features) / len(vectors(features))


def mean_and_covariance(features):
    return vectors(features).mean(axis=0), np.cov(vectors(features), rowvar=False, bias=True)


def grams(painted, kept, wanted):
    return np.mean([distance(gram(painted[layer]), gram(wanted[layer])) for layer in BOTH])


def weighted_grams(painted, kept, wanted):
    shallow, deep = (distance(gram(painted[layer]), gram(wanted[layer])) for layer in BOTH)
    return (3.0 * shallow + 1.0 * deep) / 4.0


def shifted_grams(painted, kept, wanted):
    return np.mean([distance(gram(painted[layer] - 1.0), gram(wanted[layer] - 1.0)) for layer in BOTH])


def over_layers(apart):
    def whole(painted, kept, wanted):
        pairs = [(mean_and_covariance(painted[x]), mean_and_covariance(wanted[x])) for x in BOTH]
        return np.mean([apart(*ours, *goal) for ours, goal in pairs])

    return whole


def covariances_apart(mean, covariance, mean_goal, covariance_goal):
    least = (0.05 * np.sum(mean_goal**2)) ** 2
    spread = np.sum((covariance - covariance_goal) ** 2) / max(np.sum(covariance_goal**2), least)
    return distance(mean, mean_goal) + spread


def deviations_apart(mean, covariance, mean_goal, covariance_goal):
    deviation, goal = np.sqrt(np.diag(covariance)), np.sqrt(np.diag(covariance_goal))
    spread = np.sum((deviation - goal) ** 2) / max(np.sum(goal**2), 0.05 * np.sum(mean_goal**2))
    return distance(mean, mean_goal) + spread


def gaussians_apart(mean, covariance, mean_goal, covariance_goal):
    root = sqrtm(covariance_goal)
    cross = np.trace(sqrtm(root @ covariance @ root)).real
    spread = np.trace(covariance) + np.trace(covariance_goal) - 2.0 * cross
    energy = np.sum(mean_goal**2) + np.trace(covariance_goal)
    return (np.sum((mean - mean_goal) ** 2) + spread) / energy


def total_variation(exponent):
    def total(painted, kept, wanted):
        x = painted["image"][0]
        total = 0.0
        for row in range(x.shape[0]):
            for column in range(x.shape[1]):
                for down, right, weight in ((1, 0, 1.0), (0, 1, 1.0), (1, 1, 0.5), (1, -1, 0.5)):
                    if row + down < x.shape[0] and 0 <= column + right < x.shape[1]:
                        total += weight * np.sum(np.abs(x[row + down, column + right] - x[row, column]) ** exponent)
        return total / (3.0 * x.size)

    return total


def out_of_range(painted, kept, wanted):
    x = painted["image"]
    return np.mean(np.where(x < 0.2, 0.2 - x, np.where(x > 0.35, x - 0.35, 0.0)) ** 2)


def laplacian(image, pool):
    gray = image[0].mean(axis=-1)
    rows, wide = (side - pool + 1 for side in gray.shape)
    means = [[gray[i : i + pool, j : j + pool].mean() for j in range(wide)] for i in range(rows)]
    return convolve2d(
        means,
        np.kron([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.eye(1, pool * pool).reshape(pool, pool))[
            : 2 * pool + 1, : 2 * pool + 1
        ],
        mode="valid",
    )


def outlines(pool):
    def apart(painted, kept, wanted):
        ours, goal = (laplacian(features["image"], pool) for features in (painted, kept))
        return np.sum((ours - goal) ** 2) / np.sum(goal**2)

    return apart


def resized(maps, shape):
    """Bilinear, pixel centres at halves, edges held: (rows, columns, channels) -> (*shape, channels)."""
    for axis, count in enumerate(shape):
        there = maps.shape[axis]
        places = np.clip((np.arange(count) + 0.5) * there / count - 0.5, 0, there - 1)
        low = np.floor(places).astype(int)
        high = np.minimum(low + 1, there - 1)
        share = (places - low).reshape([-1 if i == axis else 1 for i in range(3)])
        maps = (1 - share) * maps.take(low, axis) + share * maps.take(high, axis)
    return maps


def columns(features, layers, every):
    shape = np.max([features[layer].shape[1:3] for layer in layers], axis=0) // every
    return vectors(np.concatenate([resized(features[layer][0], shape) for layer in layers], axis=-1))


def cosines(ours, theirs):
    lengths = np.linalg.norm(ours, axis=1)[:, None] * np.linalg.norm(theirs, axis=1)
    return ours @ theirs.T / lengths


def at_the_nearest(anchor):
    def apart(painted, kept, wanted):
        ours, held, theirs = (columns(features, BOTH, 2) for features in (painted, kept, wanted))
        asked = (1 - anchor) * ours + anchor * held
        found = np.argmax(cosines(asked - asked.mean(axis=0), theirs - theirs.mean(axis=0)), axis=1)
        return np.mean([1 - cosines(ours, theirs)[i, j] for i, j in enumerate(found)])

    return apart


def patches_of(maps, size):
    rows, wide, _ = maps.shape
    places = [(row, column) for row in range(rows - size + 1) for column in range(wide - size + 1)]
    return np.array([maps[row : row + size, column : column + size].ravel() for row, column in places])


def at_the_best_patch(painted, kept, wanted):
    values = []
    for layer in BOTH:
        ours, theirs = (patches_of(features[layer][0], 2) for features in (painted, wanted))
        found = theirs[np.argmax(cosines(ours, theirs), axis=1)]
        values.append(np.sum((ours - found) ** 2) / len(ours) / (np.sum(theirs**2) / len(theirs)))
    return np.mean(values)


def relaxed(distances):
    return max(distances.min(axis=1).mean(), distances.min(axis=0).mean())


def transported(painted, kept, wanted):
    return relaxed(1 - cosines(columns(painted, BOTH, 1), columns(wanted, BOTH, 1)))


def palettes(painted, kept, wanted):
    ours, theirs = vectors(painted["image"]), vectors(wanted["image"])
    apart = np.linalg.norm(ours[:, None] - theirs, axis=-1)
    return relaxed(apart) / np.sqrt(np.mean(np.sum(theirs**2, axis=1)))


def entropic_cost(ours, theirs, epsilon):
    """The cost of the plan that is left when nothing changes any more, with its entropy."""
    costs = 0.5 * np.sum((ours[:, None] - theirs) ** 2, axis=-1)
    here, there = np.zeros(len(ours)), np.zeros(len(theirs))
    for _ in range(500):
        here = -epsilon * (logsumexp((there - costs) / epsilon, axis=1) - np.log(len(theirs)))
        there = -epsilon * (logsumexp((here[:, None] - costs) / epsilon, axis=0) - np.log(len(ours)))
    shares = np.exp((here[:, None] + there - costs) / epsilon) / costs.size
    np.testing.assert_allclose(shares.sum(axis=1), 1 / len(ours), rtol=1e-9)
    return np.sum(shares * costs) + epsilon * np.sum(shares * np.log(shares * costs.size))


def divergences(painted, kept, wanted):
    values = []
    for layer in BOTH:
        ours, theirs = (vectors(features[layer]) for features in (painted, wanted))
        scale = np.sqrt(np.mean(np.sum(theirs**2, axis=1)))
        ours, theirs = ours / scale, theirs / scale
        own = entropic_cost(ours, ours, 0.25) + entropic_cost(theirs, theirs, 0.25)
        values.append(entropic_cost(ours, theirs, 0.25) - 0.5 * own)
    return np.mean(values)


def attended(painted, kept, wanted):
    values = []
    for layer in BOTH:
        grams = []
        for maps in (vectors(features[layer]) for features in (painted, wanted)):
            means = softmax(5.0 * cosines(maps, maps), axis=1) @ maps
            grams.append(means.T @ means / len(means))
        values.append(distance(*grams))
    return (2.0 * values[0] + values[1]) / 3.0


def likeness(painted, kept, wanted):
    shares = []
    for features in (painted, kept):
        distances = 1 - cosines(columns(features, BOTH, 1), columns(features, BOTH, 1))
        shares.append(distances / distances.sum(axis=0))
    return 0.5 * np.mean(np.sum(np.abs(shares[0] - shares[1]), axis=0))


def in_order(ours, theirs):
    """Squared distance of sorted columns, those of the style at the quantiles of ours."""
    places = (np.arange(len(ours)) + 0.5) * len(theirs) / len(ours) - 0.5
    goal = [np.interp(places, np.arange(len(theirs)), column) for column in np.sort(theirs, axis=0).T]
    return np.mean((np.sort(ours, axis=0) - np.transpose(goal)) ** 2) / np.mean(theirs**2)


def histograms(painted, kept, wanted):
    return np.mean([in_order(vectors(painted[layer]), vectors(wanted[layer])) for layer in BOTH])


SLICED = SlicedWasserstein(BOTH, directions=9, seed=4)


def slices(painted, kept, wanted):
    pairs = [(vectors(painted[layer]), vectors(wanted[layer])) for layer in BOTH]
    axes = [SLICED.directions_of(ours.shape[1]) for ours, _ in pairs]
    return np.mean([in_order(ours @ axis, theirs @ axis) for (ours, theirs), axis in zip(pairs, axes, strict=True)])


def brightness(features, content, style):
    ours, theirs = (tf.reduce_mean(maps["image"]) for maps in (features, style))
    return (ours - theirs) ** 2 + tf.reduce_mean((features["deep"] - content["deep"]) ** 2)


def brightness_in_numpy(painted, kept, wanted):
    means = painted["image"].mean() - wanted["image"].mean()
    return means**2 + np.mean((painted["deep"] - kept["deep"]) ** 2)


def trusted(shape):
    """How far each pixel of the frame before is held to: from not at all at the left to all at the right."""
    return np.broadcast_to(np.linspace(0.0, 1.0, shape[2])[:, None], (*shape[:3], 1)).astype(np.float32)


def held(painted, kept, wanted):
    return np.mean(trusted(kept["image"].shape) * (painted["image"] - kept["image"]) ** 2)


def previous_of(loss, kept):
    """The kept picture as the previous frame, for a loss that reads one."""
    return tf.concat([kept, trusted(kept.shape)], axis=-1) if loss.uses_previous else None


ROWS = {
    "content": Row(Content(BOTH), content),
    "gram": Row(Gram(BOTH), grams),
    "weighted gram": Row(Gram(BOTH, layer_weights=(3.0, 1.0)), weighted_grams),
    "shifted gram": Row(Gram(BOTH, shift=-1.0), shifted_grams),
    "moments": Row(Moments(BOTH), over_layers(covariances_apart)),
    "deviations": Row(Moments(BOTH, spread="deviation"), over_layers(deviations_apart)),
    "wasserstein": Row(Moments(BOTH, spread="wasserstein"), over_layers(gaussians_apart)),
    "sliced wasserstein": Row(SLICED, slices, nudge=0.0005),
    "histogram": Row(Histogram(BOTH), histograms, nudge=0.0005),
    "nearest neighbor": Row(NearestNeighbor(BOTH, stride=2), at_the_nearest(0), nudge=0.002),
    "anchored neighbor": Row(NearestNeighbor(BOTH, stride=2, anchor=0.7), at_the_nearest(0.7), nudge=0.002),
    "patches": Row(Patches(BOTH, size=2), at_the_best_patch, nudge=0.0005),
    "relaxed emd": Row(RelaxedEMD(BOTH, stride=1), transported, nudge=0.002),
    "palette": Row(RelaxedEMD(("image",), stride=1, metric="euclidean"), palettes, nudge=0.0002),
    "sinkhorn": Row(Sinkhorn(BOTH, blur=0.5), divergences),
    "attention": Row(AttentionGram(BOTH, layer_weights=(2.0, 1.0), sharpness=5.0), attended),
    "self-similarity": Row(SelfSimilarity(BOTH, stride=1), likeness, nudge=0.002),
    "total variation": Row(TotalVariation(), total_variation(2), at_best="flat"),
    "total variation, 1.25": Row(TotalVariation(exponent=1.25), total_variation(1.25), at_best="flat", nudge=0.002),
    "total variation, 1": Row(TotalVariation(exponent=1.0), total_variation(1), at_best="flat", nudge=0.0005),
    "range": Row(Range(0.2, 0.35), out_of_range, at_best="flat"),
    "temporal": Row(Temporal(), held),
    "laplacian": Row(Laplacian(pool=1), outlines(1)),
    "laplacian of means": Row(Laplacian(pool=2), outlines(2)),
    "custom": Row(custom(brightness, ["image", "deep"]), brightness_in_numpy, pastes_back=False),
}


@pytest.fixture(params=ROWS)
def row(request):
    return ROWS[request.param]


@pytest.fixture(scope="module")
def objective_of(network):
    made = {}

    def of(loss):
        return made.setdefault(loss, WholeObjective([loss], network))

    return of


@pytest.fixture
def evaluate(row, objective_of, kept, wanted):
    """From a canvas to loss and gradient, compiled, against the kept and the wanted picture."""
    objective = objective_of(row.loss)

    def at(canvas, kept=kept, wanted=wanted):
        target, previous = objective.target(wanted, {}), previous_of(row.loss, kept)
        return objective.evaluate(canvas, objective.content(kept), target, tf.ones([1]), {}, previous)

    return at


def test_it_is_zero_at_its_target(row, evaluate, kept):
    best = kept if row.at_best == "same" else tf.fill([1, 8, 6, 3], 0.3)
    assert evaluate(best, best, best).loss.numpy() == pytest.approx(0.0, abs=2e-6)


def test_it_agrees_with_numpy(row, evaluate, objective_of, painted, kept, wanted):
    objective = objective_of(row.loss)
    maps = [
        {name: value.numpy().astype(np.float64) for name, value in objective.features(x, row.loss.layers).items()}
        for x in (painted, kept, wanted)
    ]
    expected = row.in_numpy(*maps)
    assert expected > 1e-3
    assert evaluate(painted).loss.numpy() == pytest.approx(expected, rel=2e-4)


def test_its_gradient_agrees_with_finite_differences(row, evaluate, painted):
    gradient = evaluate(painted).gradient.numpy().ravel()
    step = row.nudge
    expected = np.empty_like(gradient)
    for i in range(gradient.size):
        nudge = np.zeros(gradient.size, np.float32)
        nudge[i] = step
        nudge = nudge.reshape(painted.shape)
        expected[i] = (evaluate(painted + nudge).loss - evaluate(painted - nudge).loss) / (2 * step)
    assert np.linalg.norm(expected) > 1e-3
    assert np.linalg.norm(gradient - expected) < 0.01 * np.linalg.norm(expected)


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_its_gradient_is_finite_on_flat_pictures(evaluate, painted, level):
    flat = tf.fill([1, 8, 6, 3], level)
    for canvas, target in ((flat, painted), (painted, flat), (flat, flat)):
        assert np.isfinite(evaluate(canvas, target, target).gradient).all()


def test_three_small_steps_make_it_smaller(evaluate, painted):
    optimizer = Adam(learning_rate=0.003)
    canvas, state = painted, optimizer.start(painted)
    for i in range(3):
        canvas, state, _ = optimizer.step(evaluate, canvas, state, Progress(i, 3))
    assert evaluate(canvas).loss < evaluate(painted).loss


def test_eager_equals_compiled(row, evaluate, objective_of, painted, kept, wanted):
    functions = objective_of(row.loss).eager()
    target, previous = functions.target(wanted, {}), previous_of(row.loss, kept)
    eager = functions.evaluate(painted, functions.content(kept), target, tf.ones([1]), {}, previous)
    compiled = evaluate(painted)
    np.testing.assert_allclose(eager.loss, compiled.loss, rtol=1e-5)
    scale = np.abs(compiled.gradient).max()
    np.testing.assert_allclose(eager.gradient, compiled.gradient, rtol=1e-4, atol=1e-5 * scale)


def test_pictures_of_other_sizes_need_no_new_trace(row, evaluate, objective_of, painted, kept, wanted):
    evaluate(painted)
    before = objective_of(row.loss).evaluate.traces
    larger = [tf.concat([picture, picture[:, ::-1]], axis=1) for picture in (painted, kept, wanted)]
    assert np.isfinite(evaluate(*larger).loss)
    assert objective_of(row.loss).evaluate.traces == before


@pytest.mark.parametrize("loss", [pytest.param(row.loss, id=name) for name, row in ROWS.items() if row.pastes_back])
def test_its_representation_pastes_back(loss):
    assert eval(repr(loss), vars(losses).copy()) == loss


@pytest.mark.parametrize(
    "loss",
    [pytest.param(row.loss, id=name) for name, row in ROWS.items() if row.loss.additive and row.loss.support is None],
)
def test_statistics_of_two_halves_add_up(loss, network, painted, kept):
    """Cut the maps, not the picture: what a cell sees is the extractor's affair."""

    def statistic(part):
        maps, held = ({k: v[:, part] for k, v in network(x, BOTH).items()} for x in (painted, kept))
        return loss.statistic(maps, Context(held))

    whole = statistic(slice(None))
    parts = tf.nest.map_structure(lambda a, b: a + b, statistic(slice(0, 3)), statistic(slice(3, None)))
    tf.nest.assert_same_structure(whole, parts)
    for value, goal in zip(tf.nest.flatten(parts), tf.nest.flatten(whole), strict=True):
        np.testing.assert_allclose(value, goal, rtol=1e-5)


def test_it_scales(row, evaluate, objective_of, painted, kept, wanted):
    objective = objective_of(row.loss)
    weights = tf.constant([term.weight for term in (3.0 * row.loss).terms])
    target, previous = objective.target(wanted, {}), previous_of(row.loss, kept)
    scaled = objective.evaluate(painted, objective.content(kept), target, weights, {}, previous)
    np.testing.assert_allclose(scaled.loss, 3.0 * evaluate(painted).loss, rtol=1e-5)
    np.testing.assert_allclose(scaled.gradient, 3.0 * evaluate(painted).gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_its_weight_is_at_least_zero_and_finite(row, weight):
    with pytest.raises(ValueError, match="at least 0 and finite"):
        weight * row.loss


def test_it_is_immutable_and_hashable(row):
    with pytest.raises(AttributeError):
        row.loss.name = "other"
    assert hash(row.loss) == hash(row.loss)
