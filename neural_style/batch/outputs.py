"""Outputs of a batch: their names in a folder, and the refusal of those that would cost another image."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neural_style._files import FileSet

__all__ = ["Claims", "outputs_for", "painted_before"]


def outputs_for(contents: Sequence[Path], folder: Path, output: str | os.PathLike[str], suffix: str) -> list[Path]:
    """A path for each image of a folder, in the same subfolder of `output`; no two are equal.

    An image keeps its name without suffix, unless that is also another's name, with or without suffix, in any case.

    Raises:
        ValueError: an output would be stored among the images of the folder.
    """
    places = [(path.parent.relative_to(folder), path) for path in contents]
    names = Counter((place, name.casefold()) for place, path in places for name in {path.name, path.stem})
    outputs = [
        Path(output, place, (path.stem if names[place, path.stem.casefold()] == 1 else path.name) + suffix)
        for place, path in places
    ]
    is_inside = _lies_in(output, folder) and not _lies_in(folder, output)  # see `painted_before`
    for place in () if is_inside else {each.parent for each in outputs}:
        if _lies_in(place, folder):
            raise ValueError(
                f"results in {os.fspath(place)!r} would be stored among the images of {os.fspath(folder)!r}, replace "
                "images of the same name, and be painted by the next call; choose another output folder"
            )
    return outputs


def painted_before(path: Path, folder: Path, output: str | os.PathLike[str]) -> bool:
    """Whether an image of a folder lies in the output folder, where it may be the result of an earlier call."""
    return _lies_in(path.parent, output) and not _lies_in(folder, output)


def _lies_in(place: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Whether a folder, which need not exist, is another or lies in it, through links and mounts as well."""
    real = Path(os.path.realpath(place))
    if not os.path.exists(folder):
        return real.is_relative_to(os.path.realpath(folder))
    return any(each.exists() and os.path.samefile(each, folder) for each in (real, *real.parents))


class Claims:
    """The outputs that jobs write to, each by one job only, and none of them a file that the batch reads.

    Args:
        jobs: `(content, style, output)` tuples. If they are a sequence, all their inputs are known from the beginning;
            if not, only those of the jobs read so far.
        options: options of all jobs.
        record: path of the record, or None.
    """

    def __init__(self, jobs: Iterable[Any], options: Mapping[str, Any], record: str | os.PathLike[str] | None) -> None:
        self._inputs, self._outputs = FileSet(), FileSet()
        self._inputs.add(record, "the record")
        for name, value in options.items():
            self._inputs.add(value, f"a file of the option {name}")
        for number, job in enumerate(jobs if isinstance(jobs, Sequence) else ()):
            self._read(number, job)

    def refusal(self, number: int, job: Any) -> str | None:
        """Why a job may not write to its output; None if it may, and then no other job may."""
        self._read(number, job)
        shown = repr(os.fspath(job[2]))
        if (owner := self._inputs.find(job[2])) is not None:
            return f"{shown} is {owner} and would be replaced; write to another file or folder"
        if (owner := self._outputs.find(job[2])) is not None:
            return f"{shown} is also {owner}; write to another file or folder"
        if (owner := self._outputs.find(job[:2])) is not None:
            return f"an input of this job is {owner}; paint it in a later call"
        self._outputs.add(job[2], f"the output of job {number}")
        return None

    def _read(self, number: int, job: Any) -> None:
        self._inputs.add(job[0], f"the content of job {number}")
        self._inputs.add(job[1], f"a style of job {number}")
