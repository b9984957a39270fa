"""Which command paints a file: a folder, a clip or an image given to another is an error that names the right one."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from neural_style.cli.options import IMAGE
from neural_style.cli.parsing import program

__all__ = ["check_command"]

CLIPS = (b"\x1aE\xdf\xa3", b"OggS", b"FLV\x01", b"\x00\x00\x01\xba", b"\x30\x26\xb2\x75", b"G@\x00\x10", b"G@\x11\x10")
"""First bytes of Matroska and WebM, Ogg, Flash, MPEG program streams, Windows Media and MPEG transport streams."""

IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"II*\x00", b"MM\x00*", b"BM", b"GIF8")

IMAGE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
"""Brands of HEIF and AVIF, whose container is that of MP4."""

CLIP_SUFFIXES = ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .mts .m2ts .ts .wmv .flv .ogv .3gp".split()  # noqa: SIM905

OTHERS = {
    "folder": ("batch", "to paint every image in it", "batch {} STYLE -o FOLDER"),
    "clip": ("video", "to paint it", "video {} STYLE -o painted.mp4"),
    "image": (IMAGE, "to paint it", "{} STYLE -o painted.png"),
}


def check_command(path: str | os.PathLike[str], command: str) -> None:
    """Check that a file is one that a command paints; a file that cannot be read, or is of no known kind, passes.

    Args:
        path: the file to paint.
        command: a key of `COMMANDS`, or `IMAGE`.

    Raises:
        ValueError: another command paints it.
    """
    kind = _kind(path)
    if kind == "animation":  # a GIF is an image with frames
        kind = "image" if command == "batch" else None
    if kind is None or OTHERS[kind][0] == command:
        return
    _, purpose, other = OTHERS[kind]
    name = os.fspath(path)
    article = "an" if kind == "image" else "a"
    raise ValueError(f"{name!r} is {article} {kind}; {purpose}, use {program()} {other.format(shlex.quote(name))}")


def _kind(path: str | os.PathLike[str]) -> str | None:
    if os.path.isdir(path):
        return "folder"
    if not os.path.isfile(path):  # to open a pipe would take what is in it
        return None
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError:
        return None
    if start.startswith(b"GIF8"):
        return "animation"
    if start[4:8] == b"ftyp":
        return "image" if start[8:12] in IMAGE_BRANDS else "clip"
    if start.startswith(b"RIFF"):
        return {b"WEBP": "image", b"AVI ": "clip"}.get(start[8:12])
    if start.startswith(IMAGES):
        return "image"
    is_clip = start.startswith(CLIPS) or Path(path).suffix.lower() in CLIP_SUFFIXES
    return "clip" if is_clip else None
