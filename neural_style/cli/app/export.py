"""A painting as the command or the Python code that paints it again, and the name of its file."""

from __future__ import annotations

import filecmp
import inspect
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neural_style import samples
from neural_style.cli.app.form import Form

__all__ = ["as_command", "as_python", "file_name"]

SAMPLES_FOLDER = "samples"
"""Where `neural-style samples` copies the sample images."""

MAX_NAME = 40
"""Letters of a file's name that a painting's name repeats."""


def file_name(form: Form) -> str:
    """A name such as "astronaut_starry_night.png"."""
    stems = [Path(path).stem for path in (form.photo or "painting", *(path for path, _ in form.styles))]
    return "_".join(re.sub(r"[^\w-]+", "_", stem)[:MAX_NAME].strip("_-") or "image" for stem in stems) + ".png"


def as_command(form: Form, masks: Sequence[str] = ()) -> str:
    """The command that paints the same, for a POSIX shell.

    Args:
        form: what was painted.
        masks: names of the masks' files.
    """
    photo, styles = _in_shell(str(form.photo)), [_in_shell(path) for path, _ in form.styles]
    if len(styles) > 1:
        styles = [f"{path}:{weight:g}" for path, (_, weight) in zip(styles, form.styles, strict=True)]
    words = ["neural-style", photo, *styles, "-o", file_name(form)]
    for name, value in _changed(form).items():
        words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    words += [word for mask in masks for word in ("--mask", mask)]
    line = shlex.join(words)
    has_samples = any(map(_sample, (str(form.photo), *(path for path, _ in form.styles))))
    return f"neural-style samples\n{line}" if has_samples else line


def as_python(form: Form, masks: Sequence[str] = ()) -> str:
    """The Python code that paints the same; see `as_command`."""
    styles = [(_in_python(path), weight) for path, weight in form.styles]
    blend = ", ".join(f"({path}, {weight:g})" for path, weight in styles)
    arguments = [_in_python(str(form.photo)), styles[0][0] if len(styles) == 1 else f"[{blend}]"]
    arguments += [f"{name}={value!r}" for name, value in _changed(form).items()]
    arguments += [f"masks={list(masks)!r}"] if masks else []
    has_samples = any("samples.path" in argument for argument in arguments[:2])
    return "\n".join(
        (
            f"from neural_style import {'samples, ' if has_samples else ''}stylize",
            "",
            "image = stylize(",
            *(f"    {argument}," for argument in arguments),
            ")",
            f"image.save({file_name(form)!r})",
        )
    )


def _changed(form: Form) -> dict[str, Any]:
    """The options, but masks, that differ from the defaults of `stylize`."""
    from neural_style.api import stylize

    defaults = {name: each.default for name, each in inspect.signature(stylize).parameters.items()}
    options = {name: value for name, value in form.options().items() if name != "masks"}
    if form.quality == "instant":
        del options["tile"]  # has no effect on one pass
    return {name: value for name, value in options.items() if value != defaults[name]}


def _sample(path: str) -> str | None:
    """The name of the sample image that a file is; None if it is another one."""
    name = Path(path).stem
    is_sample = name in samples.names() and filecmp.cmp(path, samples.path(name), shallow=False)
    return name if is_sample else None


def _in_shell(path: str) -> str:
    name = Path(path).name
    if _sample(path):
        return f"{SAMPLES_FOLDER}/{name}"
    return f"./{name}" if name.startswith("-") else name  # not an option


def _in_python(path: str) -> str:
    name = _sample(path)
    return repr(Path(path).name) if name is None else f'samples.path("{name}")'
