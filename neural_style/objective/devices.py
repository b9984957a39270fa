"""Run a function on all devices of the machine."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import tensorflow as tf

__all__ = ["map_over_devices"]

Item = TypeVar("Item")
Value = TypeVar("Value")


def map_over_devices(function: Callable[[Item], Value], items: Iterable[Item]) -> Iterator[Value]:
    """Like `map`, in order, spread over all accelerators, or over all logical CPUs if there are none."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        yield from map(function, items)
        return
    free: queue.SimpleQueue[str] = queue.SimpleQueue()
    for device in devices:
        free.put(device.name)

    def on_a_device(item: Item) -> Value:
        name = free.get()
        try:
            with tf.device(name):
                return function(item)
        finally:
            free.put(name)

    with ThreadPoolExecutor(len(devices)) as pool:
        yield from pool.map(on_a_device, items)
