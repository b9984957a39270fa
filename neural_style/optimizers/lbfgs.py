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
from neural_style.optimizers.spectrum import FACTORS, Spectrum, filtered

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
            found = self._remembered(canvas, goal, here, there, s, y)
            along, curvature, size = found.products.numpy().tolist()
            fall = float(here.loss) - float(there.loss)
            if fall >= -1e-4 * along and along < 0:
                if curvature > 1e-6 * size:
                    s, y = found.s, found.y
                return goal, {"s": s, "y": y} | _keep(there), here
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
        programs, factors = self._programs_for(canvas)
        inverse = factors[1:]
        free, coordinates, products = programs.products(canvas, gradient, s, y, *inverse)
        inner = products.numpy().astype(np.float64)
        weights = _two_loops(inner)
        limit = tf.constant(self.max_move if len(s) else self.first_move)
        direction, factor = programs.combine(free, coordinates, s, y, tf.constant(weights, tf.float32), limit, *inverse)
        return direction, float(weights @ inner[-1]) * float(factor)

    def _remembered(
        self,
        canvas: tf.Tensor,
        goal: tf.Tensor,
        here: Evaluation,
        there: Evaluation,
        s: tf.Tensor,
        y: tf.Tensor,
    ) -> _Remembered:
        programs, factors = self._programs_for(canvas)
        kept = tf.constant(max(0, self.memory - 1))
        return programs.remember(canvas, goal, here.gradient, there.gradient, s, y, kept, *factors)

    def _programs_for(self, canvas: tf.Tensor) -> tuple[_Programs, tuple[tf.Tensor, ...]]:
        """The compiled functions, and the factors of the preconditioner, none without one."""
        spectrum = self._spectrum_for(canvas)
        return _programs(spectrum is not None), () if spectrum is None else spectrum.factors(canvas)

    def _spectrum_for(self, canvas: tf.Tensor) -> Spectrum | None:
        is_small = self.spectrum is not None and max(canvas.shape[1:3]) < self.spectrum.min_side
        return None if is_small else self.spectrum


class _Remembered(NamedTuple):
    """The pairs with that of a move, which is the last, and the inner products that decide whether it is kept.

    Attributes:
        s: the moves.
        y: the changes of the gradient over them.
        products: of the move with the gradient and with the gradient's change, and of the norms of move and change.
    """

    s: tf.Tensor
    y: tf.Tensor
    products: tf.Tensor


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


class _Programs(NamedTuple):
    """The compiled parts of a step, each one call: at small sizes, calls take longer than what they compute."""

    products: Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
    combine: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    remember: Callable[..., _Remembered]


@functools.cache
def _programs(has_spectrum: bool) -> _Programs:
    """The functions without a preconditioner, or with one, whose factors come last."""
    pairs, scalar = tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([], tf.int32)
    factors = [FACTORS] if has_spectrum else []
    return _Programs(
        function([CANVAS, CANVAS, pairs, pairs, *factors])(_products),
        function([CANVAS, CANVAS, pairs, pairs, tf.TensorSpec([None]), tf.TensorSpec([]), *factors])(_combine),
        function([CANVAS] * 4 + [pairs, pairs, scalar, *factors, *factors])(_remember),
    )


def _products(
    canvas: tf.Tensor, gradient: tf.Tensor, s: tf.Tensor, y: tf.Tensor, inverse: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Which pixels are free, the gradient there in the coordinates of the pairs, and all inner products over them.

    A pixel is 1 where it may move downhill without leaving [0, 1], else 0. The products of s, y and the gradient are
    (2 k + 1, 2 k + 1).
    """
    stuck = ((canvas <= 0.0) & (gradient > 0.0)) | ((canvas >= 1.0) & (gradient < 0.0))
    free = 1.0 - tf.cast(stuck, tf.float32)
    gradient = gradient * free if inverse is None else filtered(gradient * free, inverse)
    vectors = tf.concat([s, y, gradient], axis=0)
    if inverse is None:
        vectors *= free
    rows = tf.reshape(tf.transpose(vectors, [1, 0, 2, 3]), [tf.shape(canvas)[1], tf.shape(vectors)[0], -1])
    products = tf.reduce_sum(tf.matmul(rows, rows, transpose_b=True), axis=0)  # in a batch: in a third of the time
    return free, gradient, products


def _combine(
    free: tf.Tensor,
    gradient: tf.Tensor,
    s: tf.Tensor,
    y: tf.Tensor,
    weights: tf.Tensor,
    limit: tf.Tensor,
    inverse: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The direction from the weights of s, y and gradient, and the factor by which it was scaled.

    Args:
        free: from `_products`, and so is the gradient.
        gradient: in the coordinates of the pairs.
        s: moves.
        y: changes of the gradient.
        weights: of all of these, (2 k + 1,).
        limit: the largest move of a pixel. A direction without pairs has no length of its own, and gets this one.
        inverse: the preconditioner's; None without one.
    """
    vectors = tf.concat([s, y, gradient], axis=0)
    direction = tf.einsum("k,khwc->hwc", weights, vectors)[None]
    direction = free * (direction if inverse is None else filtered(direction, inverse))
    largest = tf.reduce_max(tf.abs(direction))
    is_scaled = (tf.shape(s)[0] == 0) | (largest > limit)
    factor = tf.where(is_scaled & (largest > 0.0), limit / tf.maximum(largest, 1e-30), 1.0)
    return direction * factor, factor


def _remember(
    canvas: tf.Tensor,
    goal: tf.Tensor,
    before: tf.Tensor,
    after: tf.Tensor,
    s: tf.Tensor,
    y: tf.Tensor,
    kept: tf.Tensor,
    root: tf.Tensor | None = None,
    inverse: tf.Tensor | None = None,
) -> _Remembered:
    """The last `kept` pairs and that of a move from a canvas to a goal, over which the gradient changed."""
    move, change = goal - canvas, after - before
    products = [
        tf.reduce_sum(before * move),
        tf.reduce_sum(move * change),
        tf.norm(move) * tf.norm(change),
    ]
    if root is not None and inverse is not None:
        move, change = filtered(move, root), filtered(change, inverse)
    first = tf.maximum(0, tf.shape(s)[0] - kept)
    return _Remembered(tf.concat([s[first:], move], axis=0), tf.concat([y[first:], change], axis=0), tf.stack(products))
