"""Style vectors assigned to positions: matches and loss agree with NumPy, whole and in tiles, with masks and blends."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from neural_style import StyleTarget, StyleTransfer
from neural_style.losses import AssignedNeighbor, Content, Gram, Sum
from neural_style.losses.assigned import _middle
from neural_style.objective import TiledObjective, WholeObjective, objective_for
from neural_style.optimizers import LBFGS, Adam
from neural_style.scales import CoarseToFine, SingleScale
from neural_style.transfer.checkpoint import Checkpoint
from neural_style.transfer.problem import Evaluator
from tests import tiny
from tests.networks import Smooth, ThreeLevels

LAYERS = ("shallow", "deep", "deeper")
WEIGHTS = (0.2, 1.0, 0.5)
LOSS = AssignedNeighbor(LAYERS, layer_weights=WEIGHTS, grid="deep", refresh=3, max_vectors=60)
NETWORK = ThreeLevels()
SCALES = CoarseToFine(smallest=32, steps=8, decay=0.0, min_side=16, grid=8)


def image(seed, height, width):
    return tf.constant(np.random.default_rng(seed).uniform(0.1, 0.9, (1, height, width, 3)), tf.float32)


CANVAS, CONTENT, STYLE = image(1, 40, 56), image(2, 40, 56), image(3, 36, 44)


def on_grid(maps):
    """Maps at the cells of the second, in NumPy: means of 2x2 of the first, the third repeated."""
    shallow, deep, deeper = (maps[layer].numpy()[0] for layer in LAYERS)
    rows, columns = deep.shape[:2]
    means = shallow[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, -1).mean(axis=(1, 3))
    repeated = deeper[np.minimum(np.arange(rows) // 2, len(deeper) - 1)]
    return means, deep, repeated[:, np.minimum(np.arange(columns) // 2, deeper.shape[1] - 1)]


def style_vectors(style, most):
    maps = on_grid(NETWORK(style, LAYERS))
    step = int(np.ceil(np.sqrt(maps[1].shape[0] * maps[1].shape[1] / most)))
    return [each[::step, ::step].reshape(-1, each.shape[-1]) for each in maps]


def matched(canvas, content, style, anchor):
    """Cosine of each cell's query with each style vector, by the formula of the docstring."""
    ours, kept = (np.concatenate(on_grid(NETWORK(each, LAYERS)), axis=-1) for each in (canvas, content))
    query = ((1 - anchor) * ours + anchor * kept).reshape(-1, ours.shape[-1])
    vectors = np.concatenate(style, axis=-1)
    spread = query.std(axis=0)
    gain = np.minimum((vectors.std(axis=0) + 1e-3) / (spread + 0.1 * spread.mean() + 1e-3), 3.0)
    query, vectors = (query - query.mean(axis=0)) * gain, vectors - vectors.mean(axis=0)
    return unit(query) @ unit(vectors).T


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def expected_loss(canvas, index, style):
    maps = [NETWORK(canvas, LAYERS)[layer].numpy()[0] for layer in LAYERS]
    maps[0] = on_grid(NETWORK(canvas, LAYERS))[0]
    distances = []
    for x, vectors, factor in zip(maps, style, (1, 1, 2), strict=True):
        goal = unit(vectors)[index]
        rows, columns = min(x.shape[0], goal.shape[0] // factor), min(x.shape[1], goal.shape[1] // factor)
        x = np.repeat(np.repeat(unit(x[:rows, :columns]), factor, axis=0), factor, axis=1)
        goal = goal[: rows * factor, : columns * factor]
        distances.append(np.mean(1.0 - np.sum(x * goal, axis=-1)))
    return np.average(distances, weights=WEIGHTS)


def evaluated(objective, loss=LOSS, canvas=CANVAS, content=CONTENT, style=STYLE):
    """Matches, and the evaluation with them, of one loss with one style."""
    (vectors,) = objective.target(style, {})
    kept = objective.content(content)
    (index,) = objective.match(canvas, kept, [(vectors,)])
    assignment = loss.assignment(index, tf.ones(index.shape), [vectors])
    return index, objective.evaluate(canvas, kept, (None,), tf.ones([1]), {}, assignments=(assignment,))


def test_matches_and_loss_agree_with_numpy():
    index, found = evaluated(WholeObjective([LOSS], NETWORK))
    style = style_vectors(STYLE, LOSS.max_vectors)
    cosines = matched(CANVAS, CONTENT, style, LOSS.anchor)
    ours = index.numpy().ravel()
    assert index.shape == (1, 20, 28, 1)
    chosen = cosines[np.arange(len(ours)), ours]
    assert np.all(chosen > cosines.max(axis=1) - 0.02)  # matched in reduced precision where that is native
    assert np.mean(ours == cosines.argmax(axis=1)) > 0.8
    expected = expected_loss(CANVAS, index.numpy()[0, ..., 0], style)
    assert float(found.loss) == pytest.approx(expected, rel=1e-4)


def test_its_gradient_agrees_with_finite_differences():
    network, loss = Smooth(), AssignedNeighbor(("shallow", "deep"), layer_weights=(1.0, 2.0), grid="deep")
    canvas, content = image(1, 12, 16), image(2, 12, 16)
    objective = WholeObjective([loss], network)
    (vectors,) = objective.target(STYLE, {})
    (index,) = objective.match(canvas, objective.content(content), [(vectors,)])
    assignments = (loss.assignment(index, tf.ones(index.shape), [vectors]),)

    def at(x):
        return objective.evaluate(x, {}, (None,), tf.ones([1]), {}, assignments=assignments)

    direction = tf.constant(np.random.default_rng(5).normal(size=canvas.shape), tf.float32)
    step = 1e-3
    difference = (at(canvas + step * direction).loss - at(canvas - step * direction).loss) / (2 * step)
    along = tf.reduce_sum(at(canvas).gradient * direction)
    assert float(along) == pytest.approx(float(difference), rel=0.03)
    assert abs(float(along)) > 1e-4


@pytest.mark.parametrize("size", [(16, 24), (19, 30)])
def test_the_middle_of_wide_cells_and_its_gradient_agree_with_numpy(size):
    maps = tf.random.stateless_uniform([1, *size, 3], seed=[1, 2])
    rows, columns = size[0] // 4, size[1] // 4
    upstream = tf.random.stateless_uniform([1, rows, columns, 3], seed=[3, 4])
    with tf.GradientTape() as tape:
        tape.watch(maps)
        found = _middle(maps, 4)
    cells = maps.numpy()[0, : 4 * rows, : 4 * columns].reshape(rows, 4, columns, 4, 3)
    np.testing.assert_allclose(found[0], cells[:, 1:3, :, 1:3].mean(axis=(1, 3)), rtol=1e-6)
    expected = np.zeros((1, *size, 3), np.float32)
    for row, column in np.ndindex(2, 2):
        expected[0, 1 + row : 4 * rows : 4, 1 + column : 4 * columns : 4] = upstream[0] / 4
    np.testing.assert_allclose(tape.gradient(found, maps, upstream), expected)


@pytest.mark.parametrize("tile", [8, 20])
@pytest.mark.parametrize("size", [(40, 56), (43, 53)])
def test_tiles_have_the_matches_and_the_gradient_of_the_whole(tile, size):
    canvas, content = image(1, *size), image(2, *size)
    whole, tiled = objective_for((LOSS,), NETWORK), TiledObjective([LOSS], NETWORK, tile, whole=0)
    for layer in LAYERS:
        np.testing.assert_allclose(tiled.target(STYLE, {})[0][layer], whole.target(STYLE, {})[0][layer], rtol=1e-5)
    (one, found), (other, expected) = (evaluated(each, LOSS, canvas, content) for each in (tiled, whole))
    assert np.mean(one.numpy() == other.numpy()) > 0.99
    (vectors,) = whole.target(STYLE, {})
    assignments = (LOSS.assignment(other, tf.ones(other.shape), [vectors]),)
    found = tiled.evaluate(canvas, tiled.content(content), (None,), tf.ones([1]), {}, assignments=assignments)
    assert float(found.loss) == pytest.approx(float(expected.loss), rel=1e-5)
    largest = np.abs(expected.gradient).max()
    assert np.abs(found.gradient.numpy() - expected.gradient.numpy()).max() <= 1e-4 * largest


def test_a_style_is_at_distance_zero_from_itself():
    loss = dataclasses.replace(LOSS, max_vectors=10_000, anchor=0.0)
    _, found = evaluated(WholeObjective([loss], NETWORK), loss, canvas=STYLE, content=STYLE)
    assert float(found.loss) == pytest.approx(0.0, abs=1e-3)


def test_a_style_mask_leaves_vectors_out():
    left = tf.concat([tf.ones([1, 18, 11, 1]), tf.zeros([1, 18, 11, 1])], axis=2)
    guides = {"deep": left}
    loss = dataclasses.replace(LOSS, max_vectors=10_000)
    whole, tiled = objective_for((loss,), NETWORK), TiledObjective([loss], NETWORK, 8, whole=0)
    (vectors,), (in_tiles,) = whole.target(STYLE, guides), tiled.target(STYLE, guides)
    assert vectors["deep"].shape[2] == 18 * 11
    np.testing.assert_allclose(in_tiles["deep"], vectors["deep"], rtol=1e-5)


def test_it_has_no_value_before_the_first_matching():
    objective = WholeObjective([LOSS], NETWORK)
    with pytest.raises(ValueError, match="has no matches yet"):
        objective.eager().evaluate(CANVAS, {}, (None,), tf.ones([1]), {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": "other"}, "grid must be one of the layers"),
        ({"anchor": 1.5}, "anchor must be between 0"),
        ({"refresh": 0}, "refresh"),
        ({"layer_weights": (1.0,)}, "3 layers need one weight each"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AssignedNeighbor(LAYERS, **{"layer_weights": WEIGHTS, "grid": "deep", **options})


# --- runs --------------------------------------------------------------------------------------------


PHOTO, PAINTING, OTHER = tiny.picture(1, 48, 64), tiny.picture(2, 52, 44), tiny.picture(5, 40, 28)


def transfer(optimizer="lbfgs", **options):
    return StyleTransfer(
        0.1 * Content(("deep",)) + LOSS + Gram(("deep",)), NETWORK, optimizer=optimizer, scales=SCALES, **options
    )


@pytest.mark.parametrize("optimizer", [LBFGS(), Adam()], ids=["lbfgs", "adam"])
def test_a_run_ends_nearer_to_the_style(optimizer):
    result = transfer(optimizer).run(PHOTO, PAINTING, size=64, steps=24)
    first, last = result.history[0].terms["nearest"], result.history[-1].terms["nearest"]
    assert last < 0.8 * first


@pytest.mark.parametrize("stop", range(1, 16))
def test_a_run_stopped_at_any_step_resumes_with_the_same_bits(tmp_path, stop):
    def end(step):
        if step.step == stop:
            raise StopIteration

    run = {"size": 64, "steps": 16}
    whole = transfer().run(PHOTO, PAINTING, **run)
    kept = Checkpoint(tmp_path / "run.npz", every_steps=1)
    transfer().run(PHOTO, PAINTING, checkpoint=kept, callbacks=[end], **run)
    resumed = transfer().run(PHOTO, PAINTING, checkpoint=kept, **run)
    np.testing.assert_array_equal(resumed.pixels, whole.pixels)
    assert [step.loss for step in resumed.history] == [step.loss for step in whole.history]


def test_a_tiled_run_is_close_to_an_untiled_one():
    whole = transfer().run(PHOTO, PAINTING, size=128, steps=12)
    tiled = transfer(tile=16).run(PHOTO, PAINTING, size=128, steps=12)
    assert tiled.settings["tile"] == 16
    assert np.abs(tiled.pixels - whole.pixels).mean() < 0.01


def test_each_region_is_matched_with_its_own_style():
    red, green = (np.tile(np.uint8(color), (40, 40, 1)) for color in ([200, 30, 30], [30, 200, 30]))
    noise = np.random.default_rng(0).integers(-20, 20, (40, 40, 3))
    red, green = (np.clip(each.astype(int) + noise, 0, 255).astype(np.uint8) for each in (red, green))
    left = np.zeros((48, 64))
    left[:, :32] = 1.0
    loss = AssignedNeighbor(("image",), layer_weights=None, grid="image", refresh=3, anchor=0.0)
    painter = StyleTransfer(loss, NETWORK, optimizer=Adam(0.1), scales=SingleScale(30))
    pixels = painter.run(PHOTO, [red, green], size=64, masks=[left, 1.0 - left]).pixels
    assert pixels[:, :28, 0].mean() > pixels[:, :28, 1].mean() + 0.2
    assert pixels[:, 36:, 1].mean() > pixels[:, 36:, 0].mean() + 0.2


def test_what_no_mask_covers_is_matched_as_the_content_has_it():
    seen = []

    class Watched(WholeObjective):
        def match(self, canvas, *others):
            seen.append(canvas)
            return tuple(None for _ in self.losses)

    cover = tf.concat([tf.ones([1, 40, 28, 1]), tf.zeros([1, 40, 28, 1])], axis=2)
    parts = {"content": {}, "targets": (None,), "weights": tf.ones([1]), "guides": {}}
    evaluator = Evaluator(objective_for((Content(("deep",)),), NETWORK), Sum(Content(("deep",)).terms), **parts)
    watched = Watched.__new__(Watched)
    watched.losses = evaluator.objective.losses
    dataclasses.replace(evaluator, objective=watched, image=CONTENT, cover=cover).match(CANVAS)
    np.testing.assert_array_equal(seen[0][:, :, 28:], CONTENT[:, :, 28:])
    np.testing.assert_array_equal(seen[0][:, :, :28], CANVAS[:, :, :28])


def test_a_blend_of_equal_styles_is_the_style():
    run = {"size": 64, "steps": 9}
    one, two = transfer().run(PHOTO, PAINTING, **run), transfer().run(PHOTO, [(PAINTING, 1.0), (PAINTING, 3.0)], **run)
    np.testing.assert_allclose(two.pixels, one.pixels, atol=2e-3)


def test_a_saved_target_paints_what_its_style_paints(tmp_path):
    made, run = transfer(), {"size": 64, "steps": 9}
    made.target(PAINTING, size=64).save(tmp_path / "style.npz")
    kept = StyleTarget.load(tmp_path / "style.npz")
    np.testing.assert_array_equal(made.run(PHOTO, kept, **run).pixels, made.run(PHOTO, PAINTING, **run).pixels)
    mixed = 0.5 * kept + 0.5 * made.target(OTHER, size=64)
    np.testing.assert_allclose(
        made.run(PHOTO, mixed, **run).pixels, made.run(PHOTO, [PAINTING, OTHER], **run).pixels, atol=1e-5
    )


def test_textures_need_no_content():
    result = StyleTransfer(LOSS, NETWORK, scales=SingleScale(24)).run(None, PAINTING, size=(64, 48))
    assert result.history[-1].terms["nearest"] < 0.8 * result.history[0].terms["nearest"]


def test_rotated_copies_are_searched_as_well():
    turned = np.rot90(PAINTING).copy()
    values = []
    for angles in ((0.0,), (0.0, 90.0, 180.0, 270.0)):
        loss = dataclasses.replace(LOSS, angles=angles, max_vectors=10_000)
        result = StyleTransfer(loss, NETWORK, scales=SingleScale(1)).run(PHOTO, PAINTING, init=turned, size=64)
        values.append(result.history[0].terms["nearest"])
    assert values[1] <= values[0] + 1e-4
