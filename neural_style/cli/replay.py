"""`--json` and `--replay`: a record of a run that holds all it takes to run it again."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neural_style import __version__
from neural_style.cli.arguments import split_weight
from neural_style.cli.messages import say

__all__ = ["expand", "hashes", "provenance"]

LIBRARIES = ("tensorflow", "keras", "numpy", "pillow")


def provenance(options: argparse.Namespace) -> dict[str, Any]:
    """What a run is made from: its arguments, seed, input files with their SHA-256, versions and machine.

    Args:
        options: of a run, with the arguments it was started with in `arguments`, and its files as given. Call it
            before the run, which may take its time: the files may change meanwhile.
    """
    return {
        "arguments": list(options.arguments),
        "seed": options.seed,
        "inputs": hashes(_inputs(options)),
        "versions": _versions(),
        "platform": platform.platform(),
    }


def expand(arguments: Sequence[str]) -> list[str]:
    """Put the arguments of a recorded run in place of `--replay FILE`; arguments beside it come last, and so prevail.

    Warns on stderr about input files and versions that are no longer those of the recorded run.

    Args:
        arguments: of the whole command.

    Raises:
        ValueError: there is no file, it cannot be read, or it is no record of a run.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--replay")
    try:
        given, own = parser.parse_known_args(arguments)
    except argparse.ArgumentError:
        raise ValueError("--replay needs the file of a record that --json has printed") from None
    if given.replay is None:
        return list(arguments)
    record = _read(given.replay)
    for path, sha256 in record["inputs"].items():
        if os.path.isfile(path) and os.access(path, os.R_OK) and hashes([path])[path] != sha256:
            say(f"warning: {path!r} is no longer the file of the recorded run", sys.stderr)
    now = _versions()
    changed = [
        f"{name} {there}, not {now.get(name)}" for name, there in record["versions"].items() if there != now.get(name)
    ]
    if changed:
        say(f"warning: the run was recorded with {', '.join(changed)}; bits may differ", sys.stderr)
    return [each for each in record["arguments"] if each != "--json"] + own


def hashes(paths: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
    """SHA-256 of files, by their paths as given."""
    return {os.fspath(path): hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}


def _inputs(options: argparse.Namespace) -> list[str]:
    """The regular files that a run reads; stdin and pipes can be read only once."""
    styles = [path for path, _ in map(split_weight, options.styles)]
    named = [options.content, *styles, *(options.masks or ()), *(options.style_masks or ()), options.init]
    return [path for path in dict.fromkeys(filter(_is_text, named)) if os.path.isfile(path)]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _versions() -> dict[str, str]:
    ours = {"neural_style": __version__, "python": platform.python_version()}
    return ours | {name: importlib.metadata.version(name) for name in LIBRARIES if _is_installed(name)}


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # as tensorflow-cpu, for instance
        return False
    return True


def _read(path: str) -> Mapping[str, Any]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
        record = json.loads(text)
        wanted = {"arguments": list, "inputs": dict, "versions": dict}
        is_whole = all(isinstance(record[name], kind) for name, kind in wanted.items())
        if is_whole and all(isinstance(each, str) for each in record["arguments"]):
            return record
    except OSError as error:
        raise ValueError(f"{path!r}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError):
        pass
    raise ValueError(f"{path!r} is not a record that --json of this version has printed")
