"""How many bytes a graph holds at most while it runs, told from the graph alone.

Operations run in the order they were made; a tensor lives from the operation that makes it to the last that reads
it. TensorFlow's executor may run what is ready earlier, and its allocator has holes: what is measured is somewhat
more (see `memory.SLACK`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

__all__ = ["most_alive"]

SAME_MEMORY = frozenset(
    ["ExpandDims", "Identity", "IdentityN", "PreventGradient", "Reshape", "Snapshot", "Squeeze", "StopGradient"]
)
IN_PLACE = frozenset(["Add", "AddN", "AddV2", "BiasAdd", "Mul", "RealDiv", "Relu", "ReluGrad", "Sub"])


def most_alive(goal: tf.Tensor) -> int:
    """The most bytes held at once on the way to a tensor of a graph with known shapes."""
    order = _in_order(goal)
    owner: dict[tuple[str, int], tuple[str, int]] = {}  # whose memory a tensor lies in
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
    alive = most = 0
    for op in order:
        freed = sum(size[each] for each in {owner[_key(value)] for value in op.inputs} if last[each] == op.name)
        made = sum(size.get(_key(value), 0) for value in op.outputs)
        most = max(most, alive + _beside(op) + (max(made - freed, 0) if op.type in IN_PLACE else made))
        alive += made - freed
    return most


def _in_order(goal: tf.Tensor) -> list[Any]:
    """The operations a tensor needs, in the order they were made."""
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


def _beside(op: Any) -> int:
    """What a convolution's own gradient unfolds: its output's cells, each with all the kernel reads (measured)."""
    if op.type != "Conv2DBackpropInput":
        return 0
    height, width, channels, _ = op.inputs[1].shape
    cells = (op.inputs[2].shape.num_elements() or 0) // (op.inputs[2].shape[-1] or 1)
    return int(cells * height * width * channels * op.inputs[2].dtype.size)


def _key(value: tf.Tensor) -> tuple[str, int]:
    return value.op.name, value.value_index


def _bytes(value: tf.Tensor) -> int:
    return (value.shape.num_elements() or 0) * int(value.dtype.size)
