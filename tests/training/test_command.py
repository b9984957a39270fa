"""What the training commands share: options, images of several folders, validation, the record beside the weights."""

import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from neural_style.errors import DivergenceError
from neural_style.training import command
from neural_style.training.quantize import PRETRAINED
from neural_style.training.trainer import Run, Trainer

DEFAULTS = {"rounds": 3, "batch": 2, "side": 16, "rate": 0.1, "held_out": 1}


@pytest.fixture
def parser():
    parser = command.option_parser("small", "smalls", "Train a small network.", **DEFAULTS)
    parser.add_argument("--steps", type=int, default=5)
    return parser


@pytest.fixture
def folders(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.fromarray(np.full((16, 20, 3), 90, np.uint8)).save(tmp_path / name / f"{number}.png")
    return [str(tmp_path / name) for name in ("one", "two")]


@pytest.fixture
def trainer():
    """The square of the only parameter, with weight 2, beside its distance from the batch."""

    def losses(parameters, batch):
        return {"square": parameters[0] ** 2, "block1_conv1": tf.abs(parameters[0] - batch)}

    return Trainer(losses, lambda name: 2.0 if name == "square" else 1.0, np.ones(1))


def test_options_have_a_commands_defaults_and_its_own(parser, folders):
    options = parser.parse_args([*folders, "--batch", "4"])
    assert (options.rounds, options.batch, options.steps, options.seed) == (3, 4, 5, 0)
    assert options.weights == PRETRAINED / "small.npz"
    assert str(options.checkpoint) == "smalls.npz"
    text = " ".join(parser.format_help().split())
    assert text.startswith("usage: python -m neural_style.training.smalls")
    assert "images to validate on (1)" in text


def test_images_of_all_folders_are_split(parser, folders, capsys):
    seen = []
    command.main(parser, folders, lambda options, crops, unseen: seen.extend([len(crops), len(unseen)]))
    assert seen == [3, 1]
    assert capsys.readouterr().out == "3 images to train on, 1 to validate on\n"


def test_too_few_images_are_refused_with_their_folders(parser, folders):
    with pytest.raises(SystemExit, match=r"one, .*two has 4 images; there must be more than 4"):
        command.main(parser, [*folders, "--held-out", "4"], lambda *_: pytest.fail("it ran"))


def test_divergence_ends_the_command_with_the_option(parser, folders):
    def diverge(*_):
        raise DivergenceError("the loss is nan at step 1; lower the learning rate")

    with pytest.raises(SystemExit, match=r"lower the learning rate \(--rate\)"):
        command.main(parser, folders, diverge)


def test_validation_is_of_the_mean_weights_and_rounds(trainer, capsys):
    state = Trainer.start(np.array([5.0])) | {"kept": tf.constant([0.33333])}
    batches = [tf.constant(1.0), tf.constant(2.0)]
    record = command.validate(trainer, batches, Run(state, steps=7, seconds=61.0), digits=3)
    assert record == {"step": 7, "seconds": 61, "total": 1.389, "square": 0.111, "block1_conv1": 1.167}
    assert capsys.readouterr().out == "step 7 after 1.0 min: 1.3890 = square 0.1110 1.1 1.1670\n"


def test_training_follows_the_options(parser, folders, trainer, tmp_path):
    options = parser.parse_args([*folders, "--checkpoint", str(tmp_path / "run.npz"), "--rounds", "2"])
    run = Run(Trainer.start(np.array([5.0])))
    run = command.carry_out(options, run, trainer, lambda *_: [tf.constant(0.0)], [tf.constant(0.0)], digits=2)
    assert (run.round, run.steps, len(run.history)) == (2, 2, 3)
    assert run.history[-1]["total"] < run.history[0]["total"]
    assert (tmp_path / "run.npz").exists()


def test_the_record_lies_beside_the_weights(parser, folders, tmp_path, capsys):
    weights = tmp_path / "small.npz"
    options = parser.parse_args([*folders, "--weights", str(weights)])
    history = ({"total": 2.0}, {"total": 1.0})
    run = Run({}, steps=9, seconds=7200.0, history=history, planned=(3, 3))
    command.publish(options, run, {"kernel": np.arange(3)}, images=12, precision="float32")
    with np.load(weights) as stored:
        np.testing.assert_array_equal(stored["kernel"], [0, 1, 2])
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert json.loads((tmp_path / "small.json").read_text()) == {
        "sha256": digest,
        "steps": 9,
        "hours": 2.0,
        "images": 12,
        "rounds_planned": [3, 3],
        "settings": {**DEFAULTS, "seed": 0, "steps": 5},
        "precision": "float32",
        "first": {"total": 2.0},
        "last": {"total": 1.0},
        "totals": [2.0, 1.0],
    }
    assert digest in capsys.readouterr().out
