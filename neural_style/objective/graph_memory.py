"""Peak memory of a graph by liveness analysis.

Operations are assumed to run in the order of their creation; a tensor lives from the operation that creates it to the
last one that reads it. TensorFlow's executor may run operations earlier, and its allocator fragments memory, so the
measured memory is somewhat larger, see `memory.SLACK`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

__all__ = ["peak_bytes"]

SAME_MEMORY = frozenset(
    ["ExpandDims", "Identity", "IdentityN", "PreventGradient", "Reshape", "Snapshot", "Squeeze", "StopGradient"]
)
IN_PLACE = frozenset(["Add", "AddN", "AddV2", "BiasAdd", "Mul", "RealDiv", "Relu", "ReluGrad", "Sub"])


def peak_bytes(goal: tf.Tensor) -> int:
    """The most bytes alive at once while a tensor is computed.

    Args:
        goal: a tensor of a graph whose shapes are all known.
    """
    order = _in_order(goal)
    owner: dict[tuple[str, int], tuple[str, int]] = {}  # the tensor whose memory a tensor shares
    size: dict[tuple[str, int], int] = {}
    last: dict[tuple[str, int], str] = {}
    for op in order:
        for value in op.inputs:
            last[owner[_key(value)]] = op.name
        for index, value in enumerate(op.outputs):
            shared = op.type in SAME_MEMORY and index < len(op.inputs)
            owner[_key(value)] = owner[_key(op.inputs[index])] if shared else _key(value)
            if not shared:
                size[_key(value)] = 0 if op.type in ("Const", "Placeholder") else _bytes(value)
    alive = peak = 0
    for op in order:
        freed = sum(size[each] for each in {owner[_key(value)] for value in op.inputs} if last[each] == op.name)
        made = sum(size.get(_key(value), 0) for value in op.outputs)
        peak = max(peak, alive + _workspace(op) + (max(made - freed, 0) if op.type in IN_PLACE else made))
        alive += made - freed
    return peak


def _in_order(goal: tf.Tensor) -> list[Any]:
    """The operations that a tensor depends on, in the order of their creation."""
    needed, found = [goal.op], {goal.op}
    while needed:
        for before in _before(needed.pop()):
            if before not in found:
                found.add(before)
                needed.append(before)
    return [op for op in goal.graph.get_operations() if op in found]


def _before(op: Any) -> Iterator[Any]:
    yield from (value.op for value in op.inputs)
    yield from op.control_inputs


def _workspace(op: Any) -> int:
    """The im2col buffer of TensorFlow's own convolution gradient: the kernel's inputs for each cell (measured)."""
    if op.type != "Conv2DBackpropInput":
        return 0
    height, width, channels, _ = op.inputs[1].shape
    cells = (op.inputs[2].shape.num_elements() or 0) // (op.inputs[2].shape[-1] or 1)
    return int(cells * height * width * channels * op.inputs[2].dtype.size)


def _key(value: tf.Tensor) -> tuple[str, int]:
    return value.op.name, value.value_index


def _bytes(value: tf.Tensor) -> int:
    return (value.shape.num_elements() or 0) * int(value.dtype.size)
