"""Process-wide settings for this package's own commands and batch workers.

A library must not change the process it is imported into, so nothing but the command line and the worker processes of
`neural_style.batch.executors.processes` calls this.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

__all__ = ["configure_process", "end_process", "tensorflow_preloaded"]

_M_MMAP_THRESHOLD = -3  # in glibc's malloc.h
_MMAP_BYTES = 16 * 2**20

_HEAD = r"(?:{0}\d{{4}} |\d{{4}}-\d\d-\d\d [\d:.]+: {0} )".format  # of a line of TensorFlow's log, by its letter
_NOISE = (
    r"WARNING: All log messages before absl::InitializeLog\(\)",
    _HEAD("I"),  # information, which TF_CPP_MIN_LOG_LEVEL does not hide while TensorFlow is loaded
    r"To enable the following instructions: ",  # the second line of one
    _HEAD("[EW]") + r".*(?:Unable to register cu\w+ factory|computation placer already registered)",
)
_NOISE_WITHOUT_A_GPU = (_HEAD("[EW]") + r".*\bcu(?:da|Init)",)
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/dxg")  # NVIDIA's driver; the one of Windows inside WSL

_OPTIONAL = ("keras.src.optimizers", "scipy.sparse")

_EARLIER = ("tensorflow._api.v2.compat.v1", "tensorflow._api.v2.compat.v2")

_LIBRARIES = ("libtensorflow_framework", "libtensorflow_cc")

_FILTER = """
import re, sys
noise = re.compile(sys.argv[1].encode())
for line in sys.stdin.buffer:
    if not noise.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""


def configure_process() -> None:
    """Prepare the process of a command; call it before TensorFlow is loaded.

    - Standard streams that are closed lead to the null device: the next file to be opened, perhaps an image, would get
      the number of stderr, to which TensorFlow writes its log.
    - TensorFlow's log of its start is filtered: information, and complaints about a missing GPU where there is none. To
      see all of it, set the environment variable `TF_CPP_MIN_LOG_LEVEL` to 0.
    - TensorFlow loads without Keras, SciPy and its own earlier interfaces, which are loaded where they are first used,
      and its modules are never searched for cyclic garbage.
    - Freed memory returns to the system.

    Example:
        >>> configure_process()
    """
    _open_missing_streams()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    is_late = "tensorflow" in sys.modules or any(isinstance(finder, _TensorFlowFinder) for finder in sys.meta_path)
    if not is_late and not _log_is_wanted():
        sys.meta_path.insert(0, _TensorFlowFinder())
    if sys.platform == "linux":
        # glibc raises its threshold up to 32 MiB and keeps freed blocks below it, and a step frees more holes than it
        # fills again. A fixed threshold returns feature maps of 16 MiB to the system; smaller blocks are allocated too
        # often for that.
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)


@contextlib.contextmanager
def tensorflow_preloaded() -> Iterator[None]:
    """Load TensorFlow's shared libraries in a thread while something else is done, if they are not loaded yet.

    This takes a quarter of a second and does not need Python's lock; an `import` holds the lock meanwhile. The context
    ends when they are loaded. Their log is filtered as that of the import, which also reports a library that fails.
    """
    paths = [] if "tensorflow" in sys.modules else _libraries()
    if not paths:
        yield
        return
    with contextlib.nullcontext() if _log_is_wanted() else _filtered_log():
        thread = threading.Thread(target=_open_libraries, args=(paths,), name="neural_style-preload")
        thread.start()
        try:
            yield
        finally:
            thread.join()


def _libraries() -> list[Path]:
    """The files of TensorFlow's libraries, in the order to load them; none where they cannot be loaded on their own."""
    spec = importlib.machinery.PathFinder.find_spec("tensorflow") if sys.platform == "linux" else None
    folder = None if spec is None or spec.origin is None else Path(spec.origin).parent
    return [] if folder is None else [path for name in _LIBRARIES for path in folder.glob(f"{name}.so*")]


def _open_libraries(paths: Sequence[Path]) -> None:
    with contextlib.suppress(AttributeError, OSError):
        dlopen = ctypes.CDLL(None).dlopen  # `ctypes.CDLL` itself holds Python's lock, a foreign function does not
        dlopen.restype = ctypes.c_void_p
        for path in paths:
            dlopen(os.fsencode(path), os.RTLD_LAZY)


def _log_is_wanted() -> bool:
    return os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1")


def end_process(code: int) -> NoReturn:
    """End the process as `sys.exit` does, except that the system frees its memory, at once.

    Python would free TensorFlow's objects one by one, which takes a tenth of a second. Threads are waited for, what was
    registered with `atexit` is called, and streams are flushed, as `multiprocessing` does in its processes. An
    interrupt ends the waiting.
    """
    with contextlib.suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed or gone: its messages are lost anyway
            stream.flush()
    os._exit(code)


def _open_missing_streams() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # a new file gets the smallest free number
    if sys.stderr is None:  # libraries write to it unasked; stdout stays None, which shows that no result can go there
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)


class _TensorFlowFinder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow wherever it is imported first, and has it loaded with a filtered log.

    Its earlier interfaces, in whole `tf.compat.v1` and `v2`, are a tenth of that import, and nothing here needs them.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "tensorflow" and name not in _EARLIER:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        if name in _EARLIER:
            late = importlib.machinery.ModuleSpec(name, _LateLoader(spec), is_package=True)
            late.submodule_search_locations = spec.submodule_search_locations
            return late
        load = spec.loader.exec_module

        def load_quietly(module: ModuleType) -> None:
            with _signals_deferred(), _filtered_log(), _optional_deferred(), _exempt_from_collection():
                load(module)
                with contextlib.suppress(Exception):  # it is raised again where devices are used
                    module.config.list_physical_devices()  # starts CUDA

        spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


class _LateModule(ModuleType):
    """A module that is loaded when one of its names is looked up; `importlib.util.LazyLoader` refuses TensorFlow's."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__spec__.loader.load(self), name)  # type: ignore[union-attr]


class _LateLoader(importlib.abc.Loader):
    def __init__(self, spec: importlib.machinery.ModuleSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _LateModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass

    def load(self, late: ModuleType) -> ModuleType:
        """The module itself, which from now on takes the place of the late one."""
        name = late.__name__
        with self._lock:
            if sys.modules[name] is late:
                module = sys.modules[name] = importlib.util.module_from_spec(self._spec)
                try:
                    self._spec.loader.exec_module(module)  # type: ignore[union-attr]
                except BaseException:
                    sys.modules[name] = late  # the next look-up tries again
                    raise
                package, _, last = name.rpartition(".")
                setattr(sys.modules[package], last, sys.modules[name])  # it may have put another object there
            return sys.modules[name]


@contextlib.contextmanager
def _optional_deferred() -> Iterator[None]:
    """Let TensorFlow load without Keras, which it otherwise loads at its end, and without SciPy.

    Keras takes a quarter of the time of that import, more with pandas and Matplotlib installed, and nothing here needs
    it but a `KerasExtractor`. It is loaded on first use, as `keras` or `tf.keras`. SciPy, where it is installed, would
    serve a private Keras that is still part of TensorFlow.
    """
    names = [name for name in _OPTIONAL if name not in sys.modules]
    if "keras" in sys.modules:
        names = [name for name in names if not name.startswith("keras.")]
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # importing these fails, which is allowed for
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


@contextlib.contextmanager
def _exempt_from_collection() -> Iterator[None]:
    """Keep what is made here from Python's cyclic garbage collector, now, later, and at the end of the process.

    TensorFlow's import makes half a million objects, which stay. To search them takes a second at the end alone. Other
    objects have to be collected even then: a process pool frees its semaphores so.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _signals_deferred() -> Iterator[None]:
    """Let Ctrl-C and its like wait: TensorFlow's import turns a `KeyboardInterrupt` into an `ImportError`."""
    handlers: dict[int, Any] = {}
    came: list[int] = []
    if threading.current_thread() is threading.main_thread():  # in no other are signals handled
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                handlers[number] = signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for deferred, handler in handlers.items():
            signal.signal(deferred, handler)
    for each in came:
        signal.raise_signal(each)


@contextlib.contextmanager
def _filtered_log() -> Iterator[None]:
    """Lead descriptor 2 through a filter: a process of its own, which also passes on the last words of a crash."""
    process = _start_filter()
    if process is None:
        yield
        return
    stderr = os.dup(2)
    os.dup2(process.stdin.fileno(), 2)  # type: ignore[union-attr]
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
        process.stdin.close()  # type: ignore[union-attr]
        with contextlib.suppress(subprocess.TimeoutExpired):  # some other process may have inherited the descriptor
            process.wait(5)


def _start_filter() -> subprocess.Popen[bytes] | None:
    has_gpu = any(map(os.path.exists, _GPU_DEVICES))
    noise = "|".join(_NOISE if has_gpu else _NOISE + _NOISE_WITHOUT_A_GPU)
    command = [sys.executable, "-I", "-S", "-c", _FILTER, noise]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": 2, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.Popen(command, start_new_session=True, **pipes)  # where Ctrl-C in the terminal misses it
    except (OSError, ValueError):
        return None
