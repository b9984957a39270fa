"""A worker process of `processes`: its share of the machine, its end with its parent, its messages to the parent."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from typing import Any

from neural_style._process import configure_process

__all__ = ["Messages", "call", "start", "unheard"]

SECONDS_TO_STOP = 2.0
"""How long a job may clean up after its parent process is gone, and a parent waits for messages."""

_closing: Any = None


def start(threads: int, gpus: Any, messages: Any, closing: Any) -> None:
    """Prepare a new worker; TensorFlow reads the environment variables when it is loaded, which is later.

    Args:
        threads: number of cores that it may keep busy.
        gpus: queue from which it takes the GPU that it may use, or None for all of them.
        messages: queue for its warnings and the library's log.
        closing: event after which it runs no further job.
    """
    global _closing
    _closing = closing
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches all workers, also those without a job
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # see `unheard`
    threading.Thread(target=_end_with_parent, name="neural_style-parent", daemon=True).start()
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    configure_process()
    logging.getLogger("neural_style").addHandler(logging.handlers.QueueHandler(messages))
    warnings.showwarning = lambda message, category, filename, lineno, *_, **__: messages.put(
        (str(message), category, filename, lineno)
    )
    gpu = gpus.get()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu


def call(function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
    """Run a job, which SIGINT interrupts once: a second one would interrupt what the first left to clean up."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        if _closing.is_set():
            raise KeyboardInterrupt
        return function(*arguments, **keywords)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Let processes that begin here not hear Ctrl-C before `start`, and never that the terminal was closed.

    Both are the parent's affair. A signal to this process waits until the end of the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """End this process soon after its parent, which may have been killed; a pool's worker would wait forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(SECONDS_TO_STOP)
        os._exit(1)


class Messages:
    """Gives the messages of workers to this process: log records to its loggers, warnings to its filters, each once.

    Args:
        queue: queue that the workers fill, see `start`.
    """

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._known: dict[Any, Any] = {}
        self._thread = threading.Thread(target=self._listen, name="neural_style-messages", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Deliver what has arrived and end; a worker that was killed as it wrote is not waited for."""
        if not self._thread.is_alive():
            return
        try:
            self._queue.put(None)
            self._thread.join(SECONDS_TO_STOP)
        finally:
            if self._thread.is_alive():
                self._queue.cancel_join_thread()
        if not self._thread.is_alive():
            self._queue.close()
            self._queue.join_thread()

    def _listen(self) -> None:
        while (message := self._queue.get()) is not None:
            if isinstance(message, logging.LogRecord):
                logging.getLogger(message.name).handle(message)
                continue
            text, category, filename, line = message
            try:
                warnings.warn_explicit(text, category, filename, line, registry=self._known)
            except Warning as error:  # a filter makes errors of warnings, and nobody could catch them here
                logging.getLogger("neural_style").warning("%s", error)
