"""Shared code of the benchmarks: hardware, child processes, matrix-multiply peak, records and tables.

Importing this module does not load TensorFlow.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from neural_style.features import Extractor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # measure the library of this checkout, not an installed one

from neural_style import samples  # noqa: E402

CONTENT, STYLE = samples.path("astronaut"), samples.path("nocturne")

Item = TypeVar("Item")

# --- hardware and versions ----------------------------------------------------------------------------------

INSTRUCTION_SETS = (
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve"),
)
DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pillow", "torch")


def hardware() -> dict[str, Any]:
    """Return the processor, its relevant instruction sets, the memory, and the load average."""
    fields = _first_fields(Path("/proc/cpuinfo"))
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    memory = _first_fields(Path("/proc/meminfo")).get("MemTotal", "0 kB")
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instruction_sets": [name for name in INSTRUCTION_SETS if name in flags],
        "memory_gib": round(int(memory.split()[0]) / 2**20, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def devices() -> list[str]:
    """Return the devices TensorFlow would use: the names of the GPUs, or `["CPU"]`."""
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device) for device in found]
    return [detail.get("device_name", "GPU") for detail in details] or ["CPU"]


def commit() -> str:
    """Return the current commit, with a `+` if tracked files have been changed."""
    try:
        changed = _git("status", "--porcelain", "--untracked-files=no")
        return _git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions() -> dict[str, str]:
    """Return the versions of Python, of this library, and of its installed dependencies."""
    from neural_style import __version__

    found = {"python": platform.python_version(), "neural_style": __version__}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes.

    Uses `/proc` if available, since `getrusage` of a new process never returns less than the memory its parent had when
    it started the process.
    """
    held = _first_fields(Path("/proc/self/status")).get("VmHWM")
    if held is not None:
        return int(held.split()[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _first_fields(path: Path) -> dict[str, str]:
    """Parse `name: value` lines, keeping the first of repeated names; empty if the file does not exist."""
    fields: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields


# --- child processes --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Child:
    """A finished process.

    Attributes:
        seconds: time from its start to its end.
        report: the values it returned, including `peak_bytes`.
    """

    seconds: float
    report: dict[str, Any]


def run_in_subprocess(script: str, settings: Mapping[str, Any]) -> Child:
    """Run `python SCRIPT --child SETTINGS` and read the report that it prints last.

    Raises:
        RuntimeError: the process failed; the message contains its stderr.
    """
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    message = json.dumps(settings)
    began = time.perf_counter()
    done = subprocess.run([sys.executable, script, "--child", message], env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(
            f"{Path(script).name} --child {message} ended with {done.returncode}:\n{done.stderr[-4000:]}"
        )
    return Child(seconds, json.loads(done.stdout.splitlines()[-1]))


def print_report(report: Mapping[str, Any]) -> None:
    """Print the report of a child process."""
    print(json.dumps({**report, "peak_bytes": peak_memory()}))


# --- arithmetic --------------------------------------------------------------------------------------


def peak(sizes: Sequence[int] = (2048, 4096), repeats: int = 3, products: int = 1) -> float:
    """Measure the float32 matrix-multiply peak in GFLOP/s: the best of several square sizes and repeats.

    A GPU multiplies float32 with TensorFlow's defaults, that is, with TF32 if it has it.

    Args:
        sizes: sides of the matrices.
        repeats: timed runs of each size, after a warm-up.
        products: consecutive products in each timed run; more than one hides the launch overhead.
    """
    return max(_multiply_rate(size, repeats, products) for size in sizes)


def _multiply_rate(size: int, repeats: int, products: int) -> float:
    import tensorflow as tf

    values = np.random.default_rng(0).normal(0.0, size**-0.5, (size, size)).astype(np.float32)
    matrix = tf.constant(values)  # spectral radius 1: a chain of products neither grows nor vanishes

    def chain() -> None:
        product = matrix
        for _ in range(products):
            product = tf.matmul(matrix, product)
        product[0, 0].numpy()

    chain()
    return 2e-9 * size**3 * products / min(timed(chain) for _ in range(repeats))


def timed(function: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def step_flops(extractor: Extractor, layers: Iterable[str], size: tuple[int, int]) -> float:
    """Count the floating-point operations of the network in one step at (width, height).

    Counts the 3x3 convolutions up to the deepest layer twice: once for the forward pass, once for the gradient of the
    image. A multiplication and an addition count as two operations.
    """
    names = list(extractor.layers)
    names = names[: 1 + max(names.index(name) for name in layers)]
    shapes = _shapes(extractor, names, size)
    inputs = [3, *(channels for _, channels in shapes.values())]
    return sum(
        2 * 2.0 * 9.0 * entering * c * cells for entering, (cells, c) in zip(inputs, shapes.values(), strict=False)
    )


def product_flops(extractor: Extractor, layers: Iterable[str], size: tuple[int, int]) -> float:
    """Count the floating-point operations of the outer products of these layers' maps and of their gradients."""
    return sum(2 * 2.0 * cells * c**2 for cells, c in _shapes(extractor, list(layers), size).values())


def _shapes(extractor: Extractor, layers: Sequence[str], size: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Return the cells and channels of each layer's map for an image of (width, height)."""
    import tensorflow as tf

    strides = {name: extractor.layers[name].stride for name in layers}
    smallest = max(strides.values())
    maps = extractor(tf.zeros([1, smallest, smallest, 3]), layers)
    width, height = size
    return {name: ((width // s) * (height // s), maps[name].shape[-1]) for name, s in strides.items()}


def alternating(items: Sequence[Item], rounds: int) -> Iterator[tuple[int, Item]]:
    """Yield all items once per round with the round's number, in alternating order so that drift favors none."""
    for number in range(rounds):
        for item in items if number % 2 == 0 else reversed(items):
            yield number, item


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return the median, quartiles, extremes and number of measurements."""
    low, median, high = np.percentile(values, [25, 50, 75]).tolist()
    extremes = {"min": min(values), "max": max(values), "count": len(values)}
    return {"median": median, "low": low, "high": high, **extremes}


def shown(spread: Mapping[str, float], digits: int = 1) -> str:
    """Format as `median (lower to upper quartile)`."""
    return f"{spread['median']:.{digits}f} ({spread['low']:.{digits}f} to {spread['high']:.{digits}f})"


# --- records -----------------------------------------------------------------------------------------


def parser(description: str | None, **arguments: Any) -> argparse.ArgumentParser:
    """Return a parser with the options that every script has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, **arguments
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write settings, hardware and all numbers to FILE")
    made.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return made


def write_json(options: argparse.Namespace, results: Any) -> None:
    """Write the results with settings, hardware and versions to the file of `--json`, if given."""
    if options.json is None:
        return
    settings = {name: value for name, value in vars(options).items() if name not in ("json", "child")}
    record = {
        "command": ["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]],
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "hardware": hardware() | {"devices": devices()},
        "versions": versions(),
        "settings": settings,
        "results": results,
    }
    options.json.write_text(json.dumps(record, indent=2, default=str) + "\n")


def sample(path: str) -> Path:
    """Return the path of a picture, or of a sample image by its name, such as `astronaut`."""
    return samples.path(path) if "/" not in path and "." not in path else Path(path)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table; the first column is left-aligned, the others right-aligned."""
    rule = [":--", *["--:"] * (len(headers) - 1)]
    for row in [headers, rule, *rows]:
        print("| " + " | ".join(map(str, row)) + " |")
