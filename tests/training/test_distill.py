"""Distilling a small network: training improves the first fit, and an interrupted run resumes with the same bits."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from neural_style.features import Lite
from neural_style.training import distill, trainer

SMALL = [
    "--rounds",
    "2",
    "--runs",
    "2",
    "--epochs",
    "3",
    "--batch",
    "2",
    "--side",
    "48",
    "--first",
    "8",
    "--held-out",
    "2",
]


def distilled(folder, place, *more):
    weights = place / "weights.npz"
    distill.main([str(folder), "--weights", str(weights), "--checkpoint", str(place / "run.npz"), *SMALL, *more])
    return weights, json.loads(weights.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """A run of two rounds: weights, record, and the saved run after the first."""
    place, copies = tmp_path_factory.mktemp("whole"), []

    def saved(path, *arguments):
        save(path, *arguments)
        copies.append(path.read_bytes())

    save = trainer.save_run
    with pytest.MonkeyPatch.context() as patch:
        for module in (distill, trainer):
            patch.setattr(module, "save_run", saved)
        weights, record = distilled(folder, place)
    assert len(copies) == 3  # after the fit, and after each round
    return weights, record, copies[1]


def test_training_reduces_the_distance_from_the_teacher(whole):
    record = whole[1]
    assert record["last"]["total"] < record["first"]["total"]
    assert record["steps"] == 2 * 2 * 3 * 3
    assert record["images"] == 6


def test_the_result_is_an_extractor(whole):
    network = Lite(whole[0])
    maps = network(tf.zeros([1, 32, 32, 3]), list(network.layers))
    assert all(np.isfinite(value).all() for value in maps.values())


def test_an_interrupted_run_resumes_to_the_same_weights(folder, tmp_path, whole):
    expected, record, after_one_round = whole
    (tmp_path / "run.npz").write_bytes(after_one_round)
    weights, again = distilled(folder, tmp_path)
    assert again["totals"] == record["totals"]
    assert again["sha256"] == record["sha256"]
    assert weights.read_bytes() == expected.read_bytes()


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="has 0 images; there must be more than 24"):
        distill.main([str(tmp_path)])


def test_a_diverging_run_ends_with_the_step_and_the_option(folder, tmp_path):
    with pytest.raises(SystemExit, match=r"the loss is (nan|inf) at step \d+; lower the learning rate \(--rate\)"):
        distilled(folder, tmp_path, "--rate", "1e30", "--rounds", "1")


@pytest.mark.slow
def test_two_minutes_of_training_lower_the_loss(tmp_path):
    """On the manual's images, validated on others of them: what is learned from blots does not generalize."""
    images = Path(__file__).parents[2] / "docs" / "gallery" / "losses"
    more = ["--batch", "4", "--side", "96", "--first", "32", "--held-out", "4"]
    _, record = distilled(images, tmp_path, "--rounds", "3", "--runs", "8", "--epochs", "6", *more)
    assert record["last"]["total"] < 0.9 * record["first"]["total"]
    assert record["last"]["gradient"] < record["first"]["gradient"]
