"""What the commands that train have in common: options, images, validation, and the files they write.

A command writes two files: the weights, and beside them a record in JSON of how they were made.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neural_style import _atomic
from neural_style.errors import DivergenceError
from neural_style.training.data import Crops, hold_out, image_paths
from neural_style.training.quantize import PRETRAINED
from neural_style.training.trainer import Plan, Run, Trainer, train

__all__ = ["carry_out", "main", "option_parser", "publish", "validate", "validation_generator"]

VALIDATION_SEED = 2**31


def option_parser(network: str, command: str, description: str, **defaults: float) -> argparse.ArgumentParser:
    """A parser of the options that every training has; a command adds its own.

    Args:
        network: whose weights are made, as `"lite"`; it names their file.
        command: name of the module that is run.
        description: one sentence for its help.
        defaults: of `rounds`, `batch`, `side`, `rate` and `held_out`.
    """
    parser = argparse.ArgumentParser(prog=f"python -m neural_style.training.{command}", description=description)
    parser.add_argument("images", type=Path, nargs="+", help="folders of images, short side at least --side")
    parser.add_argument(
        "--weights", type=Path, default=PRETRAINED / f"{network}.npz", help="file to write (%(default)s)"
    )
    checkpoint = Path(f"{command}.npz")
    parser.add_argument(
        "--checkpoint", type=Path, default=checkpoint, help="saved run, continued if it exists (%(default)s)"
    )
    parser.add_argument("--rounds", type=int, help="(%(default)s)")
    parser.add_argument("--batch", type=int, help="images in a batch (%(default)s)")
    parser.add_argument("--side", type=int, help="of an image in pixels, a multiple of 16 (%(default)s)")
    parser.add_argument("--rate", type=float, help="highest learning rate (%(default)s)")
    parser.add_argument("--held-out", type=int, help="images to validate on (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.set_defaults(**defaults)
    return parser


def main(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    run: Callable[[argparse.Namespace, Crops, Crops], None],
) -> None:
    """Read the options and the images, and run the training.

    Args:
        parser: from `option_parser`.
        arguments: of the command; None for those of the process.
        run: called with the options, crops to train on and crops to validate on.

    Raises:
        SystemExit: there are too few images, or the loss is not finite.
    """
    options = parser.parse_args(arguments)
    paths = [path for folder in options.images for path in image_paths(folder)]
    if len(paths) <= options.held_out:
        folders = ", ".join(map(str, options.images))
        raise SystemExit(f"{folders} has {len(paths)} images; there must be more than {options.held_out}")
    seen, held_out = hold_out(paths, options.held_out)
    crops, unseen = Crops(seen, options.side), Crops(held_out, options.side)
    print(f"{len(crops)} images to train on, {len(unseen)} to validate on", flush=True)
    try:
        run(options, crops, unseen)
    except DivergenceError as error:
        raise SystemExit(f"{error} (--rate)") from error


def validation_generator(options: argparse.Namespace) -> np.random.Generator:
    """The source of the validation batches, which are the same however often a run is continued."""
    return np.random.default_rng([options.seed, VALIDATION_SEED])


def carry_out(
    options: argparse.Namespace,
    run: Run,
    trainer: Trainer,
    make_batches: Callable[[Run, np.random.Generator], Sequence[Any]],
    validation: Sequence[Any],
    *,
    epochs: int = 1,
    digits: int,
) -> Run:
    """Train as the options say, validating after each round.

    Args:
        options: from `option_parser`.
        run: where to begin.
        trainer: makes the steps.
        make_batches: see `trainer.train`.
        validation: batches of the held-out images.
        epochs: passes over the batches of a round.
        digits: of the losses in the record.
    """
    return train(
        run,
        trainer,
        make_batches=make_batches,
        validate=lambda run: validate(trainer, validation, run, digits),
        plan=Plan(options.rounds, epochs, options.rate, options.seed),
        path=options.checkpoint,
    )


def validate(trainer: Trainer, batches: Sequence[Any], run: Run, digits: int) -> dict[str, Any]:
    """The losses of the mean weights on held-out images, which are printed, as a record for `Run.history`.

    Args:
        trainer: measures the losses.
        batches: of the held-out images.
        run: whose weights are measured.
        digits: that the losses are rounded to.
    """
    found = [trainer.measure(run.state["kept"], batch) for batch in batches]
    means = {name: round(float(np.mean([float(each[name]) for each in found])), digits) for name in found[0]}
    total = round(sum(trainer.weight(name) * value for name, value in means.items()), 4)
    short = " ".join(f"{name.replace('block', '').replace('_conv', '.')} {value:.4f}" for name, value in means.items())
    print(f"step {run.steps} after {run.seconds / 60:.1f} min: {total:.4f} = {short}", flush=True)
    return {"step": run.steps, "seconds": round(run.seconds), "total": total, **means}


def publish(
    options: argparse.Namespace, run: Run, arrays: Mapping[str, np.ndarray], *, images: int, precision: str
) -> None:
    """Write the weights, and beside them a record of the run.

    Args:
        options: from `option_parser`; each number among them is a setting in the record.
        run: the finished run.
        arrays: the weights by name.
        images: how many there were to train on.
        precision: of the convolutions in training.
    """
    stored: dict[str, Any] = dict(arrays)
    _atomic.write_whole(options.weights, lambda stream: np.savez(stream, **stored))
    digest = hashlib.sha256(options.weights.read_bytes()).hexdigest()
    record = {
        "sha256": digest,
        "steps": run.steps,
        "hours": round(run.seconds / 3600, 2),
        "images": images,
        "rounds_planned": run.planned,  # at each round; the learning rate decreases toward that end
        "settings": {name: value for name, value in vars(options).items() if isinstance(value, int | float)},
        "precision": precision,
        "first": run.history[0],
        "last": run.history[-1],
        "totals": [each["total"] for each in run.history],
    }
    text = json.dumps(record, indent=2) + "\n"
    _atomic.write_whole(options.weights.with_suffix(".json"), lambda stream: stream.write(text.encode()))
    print(f"{options.weights}: {options.weights.stat().st_size / 1e6:.2f} MB, SHA-256 {digest}")
