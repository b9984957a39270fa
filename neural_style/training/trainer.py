"""Training of a network's parameters: Adam, rounds, a learning-rate schedule, and a saved state that resumes.

Nothing here depends on what the network is. To train another one:

1. List its arrays in a `Layout`, and write the network as a function of one parameter vector and a batch;
   `Layout.arrays` gives the arrays of a vector.
2. Write `losses(parameters, batch)`, which returns scalars by name, and `weight(name)`; make a `Trainer` of them.
3. Write `make_batches(run, generator)`, which returns the batches of a round. `neural_style.training.data` has random
   crops of images.
4. Begin with `load_run(path)` or, if there is no such file, `Run(Trainer.start(parameters))`, and call `train`.

`neural_style.training.distill` and `neural_style.training.decoders` are examples of all four, and
`neural_style.training.command` has what they share. Everything random in a round comes from the seed and the round's
number, and the run is saved after each round, so an interrupted training ends with the same bits.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from neural_style import _atomic
from neural_style.errors import DivergenceError
from neural_style.optimizers.adam import adam_moments

__all__ = ["Layout", "Plan", "Run", "Trainer", "learning_rate", "load_run", "save_run", "train"]

BETA_1, BETA_2, EPSILON = 0.9, 0.99, 1e-8
MAX_NORM = 1.0  # longer gradients are clipped to this norm
SLOWEST = 0.999  # largest decay of the running mean of the parameters

State = dict[str, tf.Tensor]


class Layout:
    """Arrays of a network within one vector of parameters.

    Args:
        shapes: of the arrays by name, in order.

    Example:
        >>> layout = Layout({"kernel": (2, 3), "bias": (3,)})
        >>> vector = layout.vector({"kernel": np.ones((2, 3)), "bias": np.zeros(3)})
        >>> layout.arrays(vector)["kernel"].shape
        TensorShape([2, 3])
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]

    def arrays(self, vector: Any) -> dict[str, tf.Tensor]:
        """The arrays of a vector, by name."""
        parts = tf.split(vector, self.sizes)
        return {name: tf.reshape(part, shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def vector(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """The vector of these arrays, float32."""
        return np.concatenate([np.ravel(arrays[name]) for name in self.shapes]).astype(np.float32)

    def repeat(self, values: Sequence[float]) -> np.ndarray:
        """A vector of float32 with one value for all elements of an array.

        Args:
            values: one for each array, in order.
        """
        return np.repeat(np.array(values, np.float32), self.sizes)


class Trainer:
    """One training step, compiled: Adam with clipped gradients, and a running mean of the parameters.

    Args:
        losses: from parameters, float32 (n,), and a batch (arrays in dicts and tuples) to scalars by name.
        weight: from the name of a loss to its weight in the total.
        rates: factor of the learning rate for each parameter, float32 (n,).
    """

    def __init__(
        self,
        losses: Callable[[tf.Tensor, Any], dict[str, tf.Tensor]],
        weight: Callable[[str], float],
        rates: np.ndarray,
    ) -> None:
        self.weight, self._losses = weight, losses
        self._rates = tf.constant(rates, tf.float32)
        self.step = tf.function(self._step, autograph=False)
        self.measure = tf.function(losses, autograph=False)

    @staticmethod
    def start(parameters: np.ndarray) -> State:
        """The state before the first step.

        Returns:
            `first` and `now`, the parameters before training and now; `kept`, their running mean, which is the result;
            and `mean` and `square`, Adam's running means. All are float32 (n,).
        """
        zeros = tf.zeros([len(parameters)])
        first = tf.constant(parameters, tf.float32)
        return {"first": first, "now": first, "kept": first, "mean": zeros, "square": zeros}

    def _step(self, state: State, batch: Any, rate: tf.Tensor, count: tf.Tensor) -> tuple[State, dict[str, tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(state["now"])
            losses = self._losses(state["now"], batch)
            total = tf.add_n([self.weight(name) * value for name, value in losses.items()])
        gradient = tf.clip_by_norm(tape.gradient(total, state["now"]), MAX_NORM)
        mean, square, correction, root = adam_moments(gradient, state["mean"], state["square"], count, BETA_1, BETA_2)
        now = state["now"] - rate * self._rates * (mean / correction / (root + EPSILON))
        decay = tf.minimum(SLOWEST, (1.0 + count) / (10.0 + count))
        kept = decay * state["kept"] + (1.0 - decay) * now
        return state | {"now": now, "kept": kept, "mean": mean, "square": square}, losses | {"total": total}


@dataclasses.dataclass(frozen=True)
class Plan:
    """Length and rate of a training.

    Attributes:
        rounds: number of rounds; each has batches of its own.
        epochs: passes over the batches of a round, each in an order of its own.
        rate: highest learning rate.
        seed: source of everything random.
    """

    rounds: int
    epochs: int
    rate: float
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Run:
    """State of a training after some rounds.

    Attributes:
        state: of the `Trainer`.
        constants: arrays that the training made at its start and needs again, saved along.
        round: rounds done.
        steps: steps done.
        seconds: time taken so far, validation left out.
        history: one record for each validation, the first from before round 1.
        planned: rounds planned, at each round: the learning rate decreases toward that end.
    """

    state: State
    constants: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    round: int = 0
    steps: int = 0
    seconds: float = 0.0
    history: tuple[dict[str, Any], ...] = ()
    planned: tuple[int, ...] = ()


def learning_rate(fraction: float, peak: float) -> float:
    """The learning rate after a fraction of the training.

    It rises over the first hundredth, then decreases along half a cosine to a fiftieth of the peak.

    Args:
        fraction: share of all steps that is done, in [0, 1].
        peak: highest rate.

    Example:
        >>> [round(learning_rate(fraction, 1.0), 2) for fraction in (0.0, 0.01, 0.5, 1.0)]
        [0.05, 1.0, 0.51, 0.02]
    """
    return peak * min(1.0, fraction / 0.01 + 0.05) * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * fraction)))


def train(
    run: Run,
    trainer: Trainer,
    make_batches: Callable[[Run, np.random.Generator], Sequence[Any]],
    validate: Callable[[Run], dict[str, Any]],
    plan: Plan,
    path: Path,
) -> Run:
    """Train to the end of a plan, validating and saving after each round.

    Args:
        run: where to begin.
        trainer: makes the steps.
        make_batches: the batches of the next round; all that is random in them comes from the generator.
        validate: a record for `Run.history`.
        plan: rounds, epochs, rate and seed; rounds may be more than at an earlier call.
        path: file the run is saved to.

    Raises:
        DivergenceError: a loss is not finite.
    """
    if not run.history:
        run = dataclasses.replace(run, history=(validate(run),))
    while run.round < plan.rounds:
        began = time.perf_counter()
        run = _train_round(run, trainer, make_batches, plan)
        run = dataclasses.replace(run, seconds=run.seconds + time.perf_counter() - began)
        run = dataclasses.replace(run, history=(*run.history, validate(run)))
        save_run(path, run)
    return run


def _train_round(
    run: Run,
    trainer: Trainer,
    make_batches: Callable[[Run, np.random.Generator], Sequence[Any]],
    plan: Plan,
) -> Run:
    generator = np.random.default_rng([plan.seed, run.round + 1])
    batches = make_batches(run, generator)
    order = [index for _ in range(plan.epochs) for index in generator.permutation(len(batches))]
    state, steps = run.state, run.steps
    bar = tqdm(order, desc=f"round {run.round + 1} of {plan.rounds}", mininterval=5.0)
    for position, index in enumerate(bar):
        rate = learning_rate((run.round + position / len(order)) / plan.rounds, plan.rate)
        steps += 1
        state, losses = trainer.step(state, batches[index], tf.constant(rate), tf.constant(float(steps)))
        if not math.isfinite(float(losses["total"])):
            raise DivergenceError(f"the loss is {float(losses['total'])} at step {steps}; lower the learning rate")
    return dataclasses.replace(run, state=state, round=run.round + 1, steps=steps, planned=(*run.planned, plan.rounds))


def save_run(path: Path, run: Run) -> None:
    """Write a run to an `.npz` file, whole or not at all."""
    arrays: dict[str, Any] = dict(run.constants)
    arrays |= {f"state/{name}": value.numpy() for name, value in run.state.items()}
    position = {name: getattr(run, name) for name in ("round", "steps", "seconds", "history", "planned")}
    text = np.frombuffer(json.dumps(position).encode(), np.uint8)
    _atomic.write_whole(path, lambda stream: np.savez(stream, position=text, **arrays))


def load_run(path: Path) -> Run | None:
    """Read a run that `save_run` wrote; None if there is no such file."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        position = json.loads(stored["position"].tobytes())
        arrays = {name: stored[name] for name in stored.files if name != "position"}
    state = {name.removeprefix("state/"): tf.constant(v) for name, v in arrays.items() if name.startswith("state/")}
    constants = {name: value for name, value in arrays.items() if not name.startswith("state/")}
    history, planned = (tuple(position.pop(name, ())) for name in ("history", "planned"))
    return Run(state, constants, **position, history=history, planned=planned)
