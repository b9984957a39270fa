"""What the page says when something cannot be done: where the problem is, and what a visitor can do about it here.

Messages of the library name files, arguments and packages, which a visitor of the page neither sees nor can change.
"""

from __future__ import annotations

import re

from neural_style.errors import DivergenceError, ImageError

__all__ = ["Problem", "check_image", "explain"]

NOT_AN_IMAGE = "{what} is not an image. Choose a JPEG, PNG or WebP file."
IMAGE_PROBLEMS = (
    ("damaged or incomplete|cannot be (read|opened)", "{what} is damaged. Save it again, or choose another file."),
    (
        "optional package|Pillow",
        "{what} is of a kind that cannot be read here ({kind}). Save it as a JPEG or PNG file.",
    ),
    (
        "max_pixels|max_side|bytes, more than|memory|more pixels",
        "{what} is too large. Save it smaller, up to 8000 pixels.",
    ),
)
"""Patterns of the library's messages about images, and what the page says instead."""

PROBLEMS = (
    (
        "too small|at least \\d+ pixels",
        "The image is too small at this size. Choose a larger size or a less narrow photo.",
    ),
    ("mask.*(cover|nowhere|black)", "The brushed part is too small. Brush over more of the photo."),
    ("'instant'.*recipe", "One pass follows the default recipe only. Choose the quality best or fast for this recipe."),
    ("'instant'.*steps", "One pass takes no steps. Empty Steps under More, or choose the quality best or fast."),
    ("no sum over positions", "This recipe paints the whole image only. Choose another recipe under More."),
)
"""Likewise, about everything else."""

OUT_OF_MEMORY = "There is not enough memory for this size. Choose a smaller size."
DIVERGED = "The painting became unstable. Choose another recipe, or a strength nearer to 0.5."
UNEXPECTED = "Something went wrong: {reason}"


class Problem(ValueError):
    """Something that a visitor can mend; the message is shown as it is."""


def check_image(path: str, what: str) -> None:
    """Raise `Problem` if a file is not an image that can be painted.

    Args:
        path: the file.
        what: how the page calls it, such as "The photo", at the beginning of a sentence.
    """
    from neural_style import images

    try:
        images.load(path, size=64)
    except ImageError as error:
        raise Problem(_image_problem(str(error), what)) from error


def explain(error: BaseException) -> str:
    """What the page says about an error.

    Example:
        >>> explain(MemoryError("3 GiB are missing; pass tile='auto'"))
        'There is not enough memory for this size. Choose a smaller size.'
    """
    text = " ".join(str(error).split())
    if isinstance(error, Problem):
        return text
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, DivergenceError):
        return DIVERGED
    if isinstance(error, ImageError):
        return _image_problem(text, "An image")
    for pattern, said in PROBLEMS:
        if re.search(pattern, text):
            return said
    return UNEXPECTED.format(reason=_plain(text) or type(error).__name__)


def _image_problem(text: str, what: str) -> str:
    kind = next(iter(re.findall(r"\b[A-Z]{3,5}\b(?=:)", text)), "its format")
    for pattern, said in IMAGE_PROBLEMS:
        if re.search(pattern, text) and "expected one of" not in text:
            return said.format(what=what, kind=kind)
    return NOT_AN_IMAGE.format(what=what)


def _plain(text: str) -> str:
    """The first clause of a message, with the names of files in place of their paths."""
    return re.sub(r"(?:[A-Za-z]:)?[/\\](?:[^\s'\"/\\]+[/\\])+", "", re.split(r"[;\n]", text)[0])
