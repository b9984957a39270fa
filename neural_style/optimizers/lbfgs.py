"""Limited-memory BFGS on one canvas, with bounds."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
import tensorflow as tf

from neural_style._arguments import checked, count, real, whole
from neural_style._tracing import function
from neural_style.optimizers.base import CANVAS, PIXEL_BYTES, Evaluation, Progress, State
from neural_style.optimizers.spectrum import Spectrum

__all__ = ["LBFGS"]


@dataclasses.dataclass(frozen=True)
class LBFGS:
    r"""Limited-memory BFGS with the canvas held in [0, 1].

    The two-loop recursion of Nocedal (1980; Nocedal and Wright, 2006, algorithm 7.4) on the pixels that are free to
    move: those at a bound whose gradient points outward stay. The step is projected into the box and shortened
    until the loss has decreased sufficiently (Armijo's rule along the projection arc, Bertsekas, 1976). A pair (s, y)
    is formed from the projected step, and kept only when its curvature is positive, so the approximation stays
    positive definite. Most steps take one evaluation.

    Deviations: where no length satisfies the rule, the pairs are discarded and the canvas stays; the last step at a
    scale takes the first length without evaluating the loss there, which no step would use.

    Args:
        learning_rate: length of the first trial along the quasi-Newton direction.
        memory: pairs to keep; each takes twice the memory of the canvas.
        first_move: distance that the pixel with the largest gradient moves in the first trial, while there is no pair,
            in units of the range [0, 1].
        max_move: largest distance that a pixel moves in one step, in the same units.
        tries: lengths to try in one step.
        spectrum: preconditioner; None for none.

    Raises:
        ValueError: `memory` is negative, `tries` less than 1, or another argument not above 0.

    Example:
        >>> import numpy as np
        >>> from neural_style import StyleTransfer
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> StyleTransfer(extractor="vgg16", optimizer=LBFGS(memory=5)).run(content, style, size=48, steps=2).image.size
        (48, 32)
    """

    learning_rate: float = 1.0
    memory: int = 10
    first_move: float = 0.05
    max_move: float = 0.5
    tries: int = 8
    spectrum: Spectrum | None = None

    def __post_init__(self) -> None:
        checked(self, memory=functools.partial(whole, at_least=0), tries=count)
        lengths = ("learning_rate", "first_move", "max_move")
        checked(self, **dict.fromkeys(lengths, functools.partial(real, above=0)))

    def start(self, canvas: tf.Tensor) -> State:
        none = tf.zeros([0, *canvas.shape[1:]])
        return {"s": none, "y": none}

    def step(
        self,
        evaluate: Callable[[tf.Tensor], Evaluation],
        canvas: tf.Tensor,
        state: State,
        progress: Progress,
    ) -> tuple[tf.Tensor, State, Evaluation]:
        here = _recall(state) or evaluate(canvas)
        s, y = state["s"], state["y"]
        direction, slope = self._direction(canvas, here.gradient, s, y)
        length = self.learning_rate
        for _ in range(self.tries):
            goal = tf.clip_by_value(canvas + length * direction, 0.0, 1.0)
            if progress.is_last and len(s):
                return goal, {"s": s, "y": y}, here
            there = evaluate(goal)
            pair = _pair(canvas, goal, here.gradient, there.gradient)
            fall = float(here.loss) - float(there.loss)
            if fall >= -1e-4 * float(pair.along) and float(pair.along) < 0:
                return goal, self._remember(s, y, pair, there), here
            length *= _shorten(length * slope, -fall)
        return canvas, self.start(canvas) | _keep(here), here

    def with_rate(self, factor: float) -> Self:
        return dataclasses.replace(self, learning_rate=self.learning_rate * factor)

    def renew(self, state: State) -> State:
        return {"s": state["s"], "y": state["y"]}

    def state_bytes(self, pixels: int) -> int:
        return (2 * max(1, self.memory) + 1) * PIXEL_BYTES * pixels  # the pairs, and the gradient at the last trial

    def _direction(self, canvas: tf.Tensor, gradient: tf.Tensor, s: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, float]:
        """Search direction, (1, height, width, 3), and the slope along it, negative where a pixel is free."""
        free = _free(canvas, gradient)
        gradient, mask, spectrum = gradient * free, free, self._spectrum_for(canvas)
        if spectrum is not None:
            gradient, mask = spectrum.of_gradient(gradient), tf.ones([1, 1, 1, 1])
        products = _products(mask, gradient, s, y).numpy().astype(np.float64)
        weights = _two_loops(products)
        slope = float(weights @ products[-1])
        direction = _combine(mask, gradient, s, y, tf.constant(weights, tf.float32))
        if spectrum is not None:
            direction = free * spectrum.to_move(direction)
        largest = float(tf.reduce_max(tf.abs(direction)))
        if largest == 0.0:
            return direction, 0.0
        limit = self.max_move if len(s) else self.first_move
        factor = limit / largest if not len(s) or largest > limit else 1.0
        return direction * factor, slope * factor

    def _remember(self, s: tf.Tensor, y: tf.Tensor, pair: _Pair, there: Evaluation) -> State:
        if float(pair.curvature) > 1e-6 * float(pair.size):
            move, change, spectrum = pair.s, pair.y, self._spectrum_for(pair.s)
            if spectrum is not None:
                move, change = spectrum.of_move(move), spectrum.of_gradient(change)
            s = tf.concat([s[-self.memory + 1 :] if self.memory > 1 else s[:0], move], axis=0)
            y = tf.concat([y[-self.memory + 1 :] if self.memory > 1 else y[:0], change], axis=0)
        return {"s": s, "y": y} | _keep(there)

    def _spectrum_for(self, canvas: tf.Tensor) -> Spectrum | None:
        is_small = self.spectrum is not None and max(canvas.shape[1:3]) < self.spectrum.min_side
        return None if is_small else self.spectrum


class _Pair(NamedTuple):
    """A move, the change of the gradient over it, and the inner products that decide whether it is kept."""

    s: tf.Tensor
    y: tf.Tensor
    along: tf.Tensor  # gradient . s
    curvature: tf.Tensor  # s . y
    size: tf.Tensor  # |s| |y|


def _keep(evaluation: Evaluation) -> State:
    return {"loss": evaluation.loss, "terms": evaluation.terms, "gradient": evaluation.gradient}


def _recall(state: State) -> Evaluation | None:
    return Evaluation(state["loss"], state["terms"], state["gradient"]) if "loss" in state else None


def _shorten(change: float, rise: float) -> float:
    """Factor to the minimum of the parabola with this slope and rise, clipped to [0.1, 0.5]."""
    if not np.isfinite(rise):
        return 0.1
    return float(np.clip(-change / (2.0 * (rise - change)) if rise > change else 0.5, 0.1, 0.5))


def _two_loops(products: np.ndarray) -> np.ndarray:
    """The two-loop recursion on coefficients, from inner products alone (Chen et al., 2014).

    Args:
        products: float64 (2 k + 1, 2 k + 1), inner products of s_1..s_k, y_1..y_k and the gradient.

    Returns:
        Coefficients of the direction in terms of these vectors, (2 k + 1,).
    """
    k = len(products) // 2
    weights = np.zeros(2 * k + 1)
    weights[-1] = -1.0
    usable = [i for i in range(k) if products[i, k + i] > 0]
    alphas = np.zeros(k)
    for i in reversed(usable):
        alphas[i] = products[i] @ weights / products[i, k + i]
        weights[k + i] -= alphas[i]
    if usable:
        last = usable[-1]
        weights *= products[last, k + last] / products[k + last, k + last]
    for i in usable:
        beta = products[k + i] @ weights / products[i, k + i]
        weights[i] += alphas[i] - beta
    return weights


_PAIRS = tf.TensorSpec([None, None, None, 3])
_MASK = tf.TensorSpec([1, None, None, None])


@function([CANVAS, CANVAS])
def _free(canvas: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """1 where a value may move downhill without leaving [0, 1], else 0."""
    stuck = ((canvas <= 0.0) & (gradient > 0.0)) | ((canvas >= 1.0) & (gradient < 0.0))
    return 1.0 - tf.cast(stuck, tf.float32)


@function([_MASK, CANVAS, _PAIRS, _PAIRS])
def _products(mask: tf.Tensor, gradient: tf.Tensor, s: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Inner products of s, y and gradient over the free pixels, (2 k + 1, 2 k + 1)."""
    vectors = tf.concat([s, y, gradient], axis=0) * mask
    flat = tf.reshape(vectors, [tf.shape(vectors)[0], -1])
    return tf.matmul(flat, flat, transpose_b=True)


@function([_MASK, CANVAS, _PAIRS, _PAIRS, tf.TensorSpec([None])])
def _combine(mask: tf.Tensor, gradient: tf.Tensor, s: tf.Tensor, y: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    vectors = tf.concat([s, y, gradient], axis=0)
    return tf.einsum("k,khwc->hwc", weights, vectors)[None] * mask


@function([CANVAS] * 4)
def _pair(canvas: tf.Tensor, goal: tf.Tensor, before: tf.Tensor, after: tf.Tensor) -> _Pair:
    s, y = goal - canvas, after - before
    size = tf.norm(s) * tf.norm(y)
    return _Pair(s, y, tf.reduce_sum(before * s), tf.reduce_sum(s * y), size)
