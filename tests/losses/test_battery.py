"""A battery of tests that every loss must pass, with a row per loss."""

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
    """A loss, and the same loss in plain NumPy, as a function of the maps of canvas, content and style."""

    loss: Loss
    in_numpy: Callable
    zero_at: str = "same"  # where the loss is 0: if all three images are the same, or if they are constant
    pastes_back: bool = True
    nudge: float = 0.01  # step of finite differences; smaller for a gradient that changes quickly


def distance(value, goal):
    return np.sum((value - goal) ** 2) / np.sum(goal**2)


def content_loss(canvas, content, style):
    return np.mean([distance(canvas[layer], content[layer]) for layer in BOTH])


def vectors(features):
    return features.reshape(-1, features.shape[-1])


def gram(features):
    return vectors(features).T @ vectors(features) / len(vectors(features))


def mean_and_covariance(features):
    return vectors(features).mean(axis=0), np.cov(vectors(features), rowvar=False, bias=True)


def gram_loss(canvas, content, style):
    return np.mean([distance(gram(canvas[layer]), gram(style[layer])) for layer in BOTH])


def weighted_gram_loss(canvas, content, style):
    shallow, deep = (distance(gram(canvas[layer]), gram(style[layer])) for layer in BOTH)
    return (3.0 * shallow + 1.0 * deep) / 4.0


def shifted_gram_loss(canvas, content, style):
    return np.mean([distance(gram(canvas[layer] - 1.0), gram(style[layer] - 1.0)) for layer in BOTH])


def moments(distance_of):
    def loss(canvas, content, style):
        pairs = [(mean_and_covariance(canvas[x]), mean_and_covariance(style[x])) for x in BOTH]
        return np.mean([distance_of(*ours, *goal) for ours, goal in pairs])

    return loss


def covariance_distance(mean, covariance, mean_goal, covariance_goal):
    minimum = (0.05 * np.sum(mean_goal**2)) ** 2
    spread = np.sum((covariance - covariance_goal) ** 2) / max(np.sum(covariance_goal**2), minimum)
    return distance(mean, mean_goal) + spread


def deviation_distance(mean, covariance, mean_goal, covariance_goal):
    deviation, goal = np.sqrt(np.diag(covariance)), np.sqrt(np.diag(covariance_goal))
    spread = np.sum((deviation - goal) ** 2) / max(np.sum(goal**2), 0.05 * np.sum(mean_goal**2))
    return distance(mean, mean_goal) + spread


def wasserstein_distance(mean, covariance, mean_goal, covariance_goal):
    root = sqrtm(covariance_goal)
    cross = np.trace(sqrtm(root @ covariance @ root)).real
    spread = np.trace(covariance) + np.trace(covariance_goal) - 2.0 * cross
    energy = np.sum(mean_goal**2) + np.trace(covariance_goal)
    return (np.sum((mean - mean_goal) ** 2) + spread) / energy


def total_variation(exponent):
    def loss(canvas, content, style):
        x = canvas["image"][0]
        total = 0.0
        for row in range(x.shape[0]):
            for column in range(x.shape[1]):
                for down, right, weight in ((1, 0, 1.0), (0, 1, 1.0), (1, 1, 0.5), (1, -1, 0.5)):
                    if row + down < x.shape[0] and 0 <= column + right < x.shape[1]:
                        total += weight * np.sum(np.abs(x[row + down, column + right] - x[row, column]) ** exponent)
        return total / (3.0 * x.size)

    return loss


def range_loss(canvas, content, style):
    x = canvas["image"]
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


def laplacian_loss(pool):
    def loss(canvas, content, style):
        ours, goal = (laplacian(features["image"], pool) for features in (canvas, content))
        return np.sum((ours - goal) ** 2) / np.sum(goal**2)

    return loss


def resized(maps, shape):
    """Bilinear, with pixel centers at halves and clamped edges: (rows, columns, channels) -> (*shape, channels)."""
    for axis, count in enumerate(shape):
        size = maps.shape[axis]
        places = np.clip((np.arange(count) + 0.5) * size / count - 0.5, 0, size - 1)
        low = np.floor(places).astype(int)
        high = np.minimum(low + 1, size - 1)
        share = (places - low).reshape([-1 if i == axis else 1 for i in range(3)])
        maps = (1 - share) * maps.take(low, axis) + share * maps.take(high, axis)
    return maps


def columns(features, layers, stride):
    shape = np.max([features[layer].shape[1:3] for layer in layers], axis=0) // stride
    return vectors(np.concatenate([resized(features[layer][0], shape) for layer in layers], axis=-1))


def cosines(ours, theirs):
    lengths = np.linalg.norm(ours, axis=1)[:, None] * np.linalg.norm(theirs, axis=1)
    return ours @ theirs.T / lengths


def nearest_neighbor(anchor):
    def loss(canvas, content, style):
        ours, kept, theirs = (columns(features, BOTH, 2) for features in (canvas, content, style))
        query = (1 - anchor) * ours + anchor * kept
        found = np.argmax(cosines(query - query.mean(axis=0), theirs - theirs.mean(axis=0)), axis=1)
        return np.mean([1 - cosines(ours, theirs)[i, j] for i, j in enumerate(found)])

    return loss


def all_patches(maps, size):
    rows, wide, _ = maps.shape
    places = [(row, column) for row in range(rows - size + 1) for column in range(wide - size + 1)]
    return np.array([maps[row : row + size, column : column + size].ravel() for row, column in places])


def patches(canvas, content, style):
    values = []
    for layer in BOTH:
        ours, theirs = (all_patches(features[layer][0], 2) for features in (canvas, style))
        found = theirs[np.argmax(cosines(ours, theirs), axis=1)]
        values.append(np.sum((ours - found) ** 2) / len(ours) / (np.sum(theirs**2) / len(theirs)))
    return np.mean(values)


def larger_cost(distances):
    return max(distances.min(axis=1).mean(), distances.min(axis=0).mean())


def relaxed_emd(canvas, content, style):
    return larger_cost(1 - cosines(columns(canvas, BOTH, 1), columns(style, BOTH, 1)))


def palette(canvas, content, style):
    ours, theirs = vectors(canvas["image"]), vectors(style["image"])
    distances = np.linalg.norm(ours[:, None] - theirs, axis=-1)
    return larger_cost(distances) / np.sqrt(np.mean(np.sum(theirs**2, axis=1)))


def entropic_cost(ours, theirs, epsilon):
    """The cost of the converged transport plan, including its entropy."""
    costs = 0.5 * np.sum((ours[:, None] - theirs) ** 2, axis=-1)
    source, sink = np.zeros(len(ours)), np.zeros(len(theirs))
    for _ in range(500):
        source = -epsilon * (logsumexp((sink - costs) / epsilon, axis=1) - np.log(len(theirs)))
        sink = -epsilon * (logsumexp((source[:, None] - costs) / epsilon, axis=0) - np.log(len(ours)))
    shares = np.exp((source[:, None] + sink - costs) / epsilon) / costs.size
    np.testing.assert_allclose(shares.sum(axis=1), 1 / len(ours), rtol=1e-9)
    return np.sum(shares * costs) + epsilon * np.sum(shares * np.log(shares * costs.size))


def sinkhorn(canvas, content, style):
    values = []
    for layer in BOTH:
        ours, theirs = (vectors(features[layer]) for features in (canvas, style))
        scale = np.sqrt(np.mean(np.sum(theirs**2, axis=1)))
        ours, theirs = ours / scale, theirs / scale
        own = entropic_cost(ours, ours, 0.25) + entropic_cost(theirs, theirs, 0.25)
        values.append(entropic_cost(ours, theirs, 0.25) - 0.5 * own)
    return np.mean(values)


def attention_gram(canvas, content, style):
    values = []
    for layer in BOTH:
        grams = []
        for maps in (vectors(features[layer]) for features in (canvas, style)):
            means = softmax(5.0 * cosines(maps, maps), axis=1) @ maps
            grams.append(means.T @ means / len(means))
        values.append(distance(*grams))
    return (2.0 * values[0] + values[1]) / 3.0


def self_similarity(canvas, content, style):
    shares = []
    for features in (canvas, content):
        distances = 1 - cosines(columns(features, BOTH, 1), columns(features, BOTH, 1))
        shares.append(distances / distances.sum(axis=0))
    return 0.5 * np.mean(np.sum(np.abs(shares[0] - shares[1]), axis=0))


def sorted_distance(ours, theirs):
    """Squared distance between sorted columns, the second interpolated at the quantiles of the first."""
    places = (np.arange(len(ours)) + 0.5) * len(theirs) / len(ours) - 0.5
    goal = [np.interp(places, np.arange(len(theirs)), column) for column in np.sort(theirs, axis=0).T]
    return np.mean((np.sort(ours, axis=0) - np.transpose(goal)) ** 2) / np.mean(theirs**2)


def histogram(canvas, content, style):
    return np.mean([sorted_distance(vectors(canvas[layer]), vectors(style[layer])) for layer in BOTH])


SLICED = SlicedWasserstein(BOTH, directions=9, seed=4)


def sliced_wasserstein(canvas, content, style):
    pairs = [(vectors(canvas[layer]), vectors(style[layer])) for layer in BOTH]
    axes = [SLICED.directions_of(ours.shape[1]) for ours, _ in pairs]
    projected = [(ours @ axis, theirs @ axis) for (ours, theirs), axis in zip(pairs, axes, strict=True)]
    return np.mean([sorted_distance(ours, theirs) for ours, theirs in projected])


def brightness(features, content, style):
    ours, theirs = (tf.reduce_mean(maps["image"]) for maps in (features, style))
    return (ours - theirs) ** 2 + tf.reduce_mean((features["deep"] - content["deep"]) ** 2)


def brightness_loss(canvas, content, style):
    means = canvas["image"].mean() - style["image"].mean()
    return means**2 + np.mean((canvas["deep"] - content["deep"]) ** 2)


def confidence(shape):
    """Mask of the previous frame: 0 at the left to 1 at the right."""
    return np.broadcast_to(np.linspace(0.0, 1.0, shape[2])[:, None], (*shape[:3], 1)).astype(np.float32)


def temporal(canvas, content, style):
    return np.mean(confidence(content["image"].shape) * (canvas["image"] - content["image"]) ** 2)


def previous_of(loss, content):
    """The content as the previous frame, for a loss that reads one."""
    return tf.concat([content, confidence(content.shape)], axis=-1) if loss.uses_previous else None


ROWS = {
    "content": Row(Content(BOTH), content_loss),
    "gram": Row(Gram(BOTH), gram_loss),
    "weighted gram": Row(Gram(BOTH, layer_weights=(3.0, 1.0)), weighted_gram_loss),
    "shifted gram": Row(Gram(BOTH, shift=-1.0), shifted_gram_loss),
    "moments": Row(Moments(BOTH), moments(covariance_distance)),
    "deviations": Row(Moments(BOTH, spread="deviation"), moments(deviation_distance)),
    "wasserstein": Row(Moments(BOTH, spread="wasserstein"), moments(wasserstein_distance)),
    "sliced wasserstein": Row(SLICED, sliced_wasserstein, nudge=0.0005),
    "histogram": Row(Histogram(BOTH), histogram, nudge=0.0005),
    "nearest neighbor": Row(NearestNeighbor(BOTH, stride=2), nearest_neighbor(0), nudge=0.002),
    "anchored neighbor": Row(NearestNeighbor(BOTH, stride=2, anchor=0.7), nearest_neighbor(0.7), nudge=0.002),
    "patches": Row(Patches(BOTH, size=2), patches, nudge=0.0005),
    "relaxed emd": Row(RelaxedEMD(BOTH, stride=1), relaxed_emd, nudge=0.002),
    "palette": Row(RelaxedEMD(("image",), stride=1, metric="euclidean"), palette, nudge=0.0002),
    "sinkhorn": Row(Sinkhorn(BOTH, blur=0.5), sinkhorn),
    "attention": Row(AttentionGram(BOTH, layer_weights=(2.0, 1.0), sharpness=5.0), attention_gram),
    "self-similarity": Row(SelfSimilarity(BOTH, stride=1), self_similarity, nudge=0.002),
    "total variation": Row(TotalVariation(), total_variation(2), zero_at="flat"),
    "total variation, 1.25": Row(TotalVariation(exponent=1.25), total_variation(1.25), zero_at="flat", nudge=0.002),
    "total variation, 1": Row(TotalVariation(exponent=1.0), total_variation(1), zero_at="flat", nudge=0.0005),
    "range": Row(Range(0.2, 0.35), range_loss, zero_at="flat"),
    "temporal": Row(Temporal(), temporal),
    "laplacian": Row(Laplacian(pool=1), laplacian_loss(1)),
    "laplacian of means": Row(Laplacian(pool=2), laplacian_loss(2)),
    "custom": Row(custom(brightness, ["image", "deep"]), brightness_loss, pastes_back=False),
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
def evaluate(row, objective_of, images):
    """Loss and gradient of a canvas, compiled, with respect to the content and the style."""
    objective = objective_of(row.loss)

    def at(canvas, content=images.content, style=images.style):
        target, previous = objective.target(style, {}), previous_of(row.loss, content)
        return objective.evaluate(canvas, objective.content(content), target, tf.ones([1]), {}, previous)

    return at


def test_it_is_zero_at_its_target(row, evaluate, images):
    best = images.content if row.zero_at == "same" else tf.fill([1, 8, 6, 3], 0.3)
    assert evaluate(best, best, best).loss.numpy() == pytest.approx(0.0, abs=2e-6)


def test_it_agrees_with_numpy(row, evaluate, objective_of, images):
    objective = objective_of(row.loss)
    maps = [
        {name: value.numpy().astype(np.float64) for name, value in objective.features(x, row.loss.layers).items()}
        for x in images
    ]
    expected = row.in_numpy(*maps)
    assert expected > 1e-3
    assert evaluate(images.canvas).loss.numpy() == pytest.approx(expected, rel=2e-4)


def test_its_gradient_agrees_with_finite_differences(row, evaluate, images):
    canvas = images.canvas
    gradient = evaluate(canvas).gradient.numpy().ravel()
    step = row.nudge
    expected = np.empty_like(gradient)
    for i in range(gradient.size):
        nudge = np.zeros(gradient.size, np.float32)
        nudge[i] = step
        nudge = nudge.reshape(canvas.shape)
        expected[i] = (evaluate(canvas + nudge).loss - evaluate(canvas - nudge).loss) / (2 * step)
    assert np.linalg.norm(expected) > 1e-3
    assert np.linalg.norm(gradient - expected) < 0.01 * np.linalg.norm(expected)


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_its_gradient_is_finite_on_constant_images(evaluate, images, level):
    constant = tf.fill([1, 8, 6, 3], level)
    for canvas, target in ((constant, images.canvas), (images.canvas, constant), (constant, constant)):
        assert np.isfinite(evaluate(canvas, target, target).gradient).all()


def test_three_small_steps_decrease_it(evaluate, images):
    optimizer = Adam(learning_rate=0.003)
    canvas, state = images.canvas, optimizer.start(images.canvas)
    for i in range(3):
        canvas, state, _ = optimizer.step(evaluate, canvas, state, Progress(i, 3))
    assert evaluate(canvas).loss < evaluate(images.canvas).loss


def test_eager_equals_compiled(row, evaluate, objective_of, images):
    functions = objective_of(row.loss).eager()
    target, previous = functions.target(images.style, {}), previous_of(row.loss, images.content)
    content = functions.content(images.content)
    eager = functions.evaluate(images.canvas, content, target, tf.ones([1]), {}, previous)
    compiled = evaluate(images.canvas)
    np.testing.assert_allclose(eager.loss, compiled.loss, rtol=1e-5)
    scale = np.abs(compiled.gradient).max()
    np.testing.assert_allclose(eager.gradient, compiled.gradient, rtol=1e-4, atol=1e-5 * scale)


def test_images_of_other_sizes_need_no_new_trace(row, evaluate, objective_of, images):
    evaluate(images.canvas)
    before = objective_of(row.loss).evaluate.traces
    larger = [tf.concat([image, image[:, ::-1]], axis=1) for image in images]
    assert np.isfinite(evaluate(*larger).loss)
    assert objective_of(row.loss).evaluate.traces == before


@pytest.mark.parametrize("loss", [pytest.param(row.loss, id=name) for name, row in ROWS.items() if row.pastes_back])
def test_its_representation_evaluates_to_an_equal_loss(loss):
    assert eval(repr(loss), vars(losses).copy()) == loss


@pytest.mark.parametrize(
    "loss",
    [pytest.param(row.loss, id=name) for name, row in ROWS.items() if row.loss.additive and row.loss.support is None],
)
def test_statistics_of_two_halves_add_up(loss, network, images):
    """The maps are cut, not the image: the receptive fields are those of the extractor."""

    def statistic(part):
        maps, content = ({k: v[:, part] for k, v in network(x, BOTH).items()} for x in (images.canvas, images.content))
        return loss.statistic(maps, Context(content))

    whole = statistic(slice(None))
    parts = tf.nest.map_structure(lambda a, b: a + b, statistic(slice(0, 3)), statistic(slice(3, None)))
    tf.nest.assert_same_structure(whole, parts)
    for value, goal in zip(tf.nest.flatten(parts), tf.nest.flatten(whole), strict=True):
        np.testing.assert_allclose(value, goal, rtol=1e-5)


def test_it_scales(row, evaluate, objective_of, images):
    objective = objective_of(row.loss)
    weights = tf.constant([term.weight for term in (3.0 * row.loss).terms])
    target, previous = objective.target(images.style, {}), previous_of(row.loss, images.content)
    content = objective.content(images.content)
    scaled = objective.evaluate(images.canvas, content, target, weights, {}, previous)
    plain = evaluate(images.canvas)
    np.testing.assert_allclose(scaled.loss, 3.0 * plain.loss, rtol=1e-5)
    np.testing.assert_allclose(scaled.gradient, 3.0 * plain.gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_its_weight_is_at_least_zero_and_finite(row, weight):
    with pytest.raises(ValueError, match="at least 0 and finite"):
        weight * row.loss


def test_it_is_immutable_and_hashable(row):
    with pytest.raises(AttributeError):
        row.loss.name = "other"
    assert hash(row.loss) == hash(row.loss)
