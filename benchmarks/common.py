"""What the benchmarks share: what they ran on, processes of their own, the machine's peak, records and tables.

Nothing here loads TensorFlow until something is measured with it.
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
sys.path.insert(0, str(ROOT))  # the library beside this folder is measured, not one that happens to be installed
PICTURES = ROOT / "docs" / "images"
CONTENT, STYLE = PICTURES / "astronaut.jpg", PICTURES / "nocturne.jpg"

Item = TypeVar("Item")

# --- what it ran on ----------------------------------------------------------------------------------

INSTRUCTION_SETS = (
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve"),
)
DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pillow", "torch")


def hardware() -> dict[str, Any]:
    """The processor, its instruction sets of note, memory, and how busy it is with this and other work."""
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
    """What TensorFlow would compute on: the names of the graphics processors, or `["CPU"]`."""
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device) for device in found]
    return [detail.get("device_name", "GPU") for detail in details] or ["CPU"]


def commit() -> str:
    """The commit that is checked out, with a `+` where files it knows have been changed since."""
    try:
        changed = _git("status", "--porcelain", "--untracked-files=no")
        return _git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions() -> dict[str, str]:
    """Of Python, of this library, and of what it stands on as far as it is installed."""
    from neural_style import __version__

    found = {"python": platform.python_version(), "neural_style": __version__}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_memory() -> int:
    """The most bytes of memory this process has held at once.

    Read from `/proc` where there is one: what `getrusage` tells of a new process is never less than what its
    parent held when starting it.
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
    """`name: value` lines; of those that come again, for each core, the first. Empty where there is no file."""
    fields: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields


# --- processes of their own --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Child:
    """A finished process.

    Attributes:
        seconds: from starting it until it had ended.
        report: what it handed back, with its `peak_bytes`.
    """

    seconds: float
    report: dict[str, Any]


def run_in_subprocess(script: str, settings: Mapping[str, Any]) -> Child:
    """Run `python SCRIPT --child SETTINGS` and read the report it prints last.

    Raises:
        RuntimeError: it failed; the text is what it wrote to stderr.
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


def hand_back(report: Mapping[str, Any]) -> None:
    """What a child says last."""
    print(json.dumps({**report, "peak_bytes": peak_memory()}))


# --- arithmetic --------------------------------------------------------------------------------------


def peak(sizes: Sequence[int] = (2048, 4096), repeats: int = 3, products: int = 1) -> float:
    """The machine's float32 matrix-multiply peak in GFLOP/s: the best of several square sizes and repeats.

    A graphics processor multiplies float32 as TensorFlow lets it by default, which is with TF32 where it has that.

    Args:
        sizes: sides of the matrices.
        repeats: timed runs of each size, after one that is not.
        products: one after the other in each timed run; more than one hides what a single launch costs.
    """
    return max(_multiply_rate(size, repeats, products) for size in sizes)


def _multiply_rate(size: int, repeats: int, products: int) -> float:
    import tensorflow as tf

    values = np.random.default_rng(0).normal(0.0, size**-0.5, (size, size)).astype(np.float32)
    matrix = tf.constant(values)  # of spectral radius 1: a chain of products neither grows nor dies

    def chain() -> None:
        product = matrix
        for _ in range(products):
            product = tf.matmul(matrix, product)
        product[0, 0].numpy()

    chain()
    return 2e-9 * size**3 * products / min(timed(chain) for _ in range(repeats))


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def step_flops(extractor: Extractor, layers: Iterable[str], size: tuple[int, int]) -> float:
    """Floating-point operations of a network's part in one step at (width, height).

    Twice the 3x3 convolutions up to the deepest of the layers: once forward, once for the gradient of the
    image. A multiplication and the addition that follows it are two.
    """
    names = list(extractor.layers)
    names = names[: 1 + max(names.index(name) for name in layers)]
    shapes = _shapes(extractor, names, size)
    inputs = [3, *(channels for _, channels in shapes.values())]
    return sum(
        2 * 2.0 * 9.0 * entering * c * cells for entering, (cells, c) in zip(inputs, shapes.values(), strict=False)
    )


def product_flops(extractor: Extractor, layers: Iterable[str], size: tuple[int, int]) -> float:
    """Floating-point operations of the outer products of these layers' maps, and of pulling them back."""
    return sum(2 * 2.0 * cells * c**2 for cells, c in _shapes(extractor, list(layers), size).values())


def _shapes(extractor: Extractor, layers: Sequence[str], size: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Cells and channels of each layer's map of a picture of (width, height)."""
    import tensorflow as tf

    strides = {name: extractor.layers[name].stride for name in layers}
    smallest = max(strides.values())
    maps = extractor(tf.zeros([1, smallest, smallest, 3]), layers)
    width, height = size
    return {name: ((width // s) * (height // s), maps[name].shape[-1]) for name, s in strides.items()}


def to_and_fro(items: Sequence[Item], rounds: int) -> Iterator[tuple[int, Item]]:
    """All items once a round, each with the round's number; every other round backwards, so that drift favours none."""
    for number in range(rounds):
        for item in items if number % 2 == 0 else reversed(items):
            yield number, item


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles, extremes and number of some measurements."""
    low, median, high = np.percentile(values, [25, 50, 75]).tolist()
    extremes = {"min": min(values), "max": max(values), "count": len(values)}
    return {"median": median, "low": low, "high": high, **extremes}


def shown(spread: Mapping[str, float], digits: int = 1) -> str:
    """`median (lower to upper quartile)`."""
    return f"{spread['median']:.{digits}f} ({spread['low']:.{digits}f} to {spread['high']:.{digits}f})"


# --- records -----------------------------------------------------------------------------------------


def parser(description: str | None, **arguments: Any) -> argparse.ArgumentParser:
    """A parser with what every script takes."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, **arguments
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write settings, machine and all numbers there")
    made.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return made


def write_json(options: argparse.Namespace, results: Any) -> None:
    """Write a record where `--json` says: the results with all that is needed to know what they are worth."""
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
    """A picture by its path, or a sample picture by its name: `astronaut` is `docs/images/astronaut.jpg`."""
    return PICTURES / f"{path}.jpg" if "/" not in path and "." not in path else Path(path)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A Markdown table on stdout; the first column to the left, the rest to the right."""
    rule = [":--", *["--:"] * (len(headers) - 1)]
    for row in [headers, rule, *rows]:
        print("| " + " | ".join(map(str, row)) + " |")
