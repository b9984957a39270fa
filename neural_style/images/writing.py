"""Writing images: to Pillow, and atomically to files."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image

from neural_style import _atomic
from neural_style._files import resolve
from neural_style.errors import ImageError
from neural_style.images.formats.encoding import FORMATS, OutputFormat, encoder, to_levels
from neural_style.images.reading import ImageData, read_result

__all__ = ["check_place", "check_suffix", "check_writable", "output_path", "save", "save_elsewhere", "to_pil"]

Path: TypeAlias = str | os.PathLike[str]
_BY_SUFFIX = {suffix: output for output in FORMATS for suffix in output.suffixes}


def to_pil(pixels: Any, alpha: Any = None) -> Image.Image:
    """Convert to an 8-bit PIL image, rounding each value to the nearest level.

    Args:
        pixels: (1, H, W, 3) or (H, W, 3), floats in [0, 1]; or any other source that `read` accepts.
        alpha: (1, H, W, 1), (H, W, 1) or (H, W) in [0, 1]; None for an opaque image.

    Returns:
        An RGB image, or RGBA if there is alpha.

    Raises:
        ImageError: the values are not finite or clearly outside [0, 1], or the two sizes differ.

    Example:
        >>> to_pil(np.ones((1, 4, 6, 3)), alpha=np.zeros((4, 6))).mode
        'RGBA'
    """
    return Image.fromarray(to_levels(_with_alpha(pixels, alpha), np.uint8))


def _with_alpha(image: Any, alpha: Any) -> ImageData:
    """Read an image, clipping rounding errors outside [0, 1], and replace its alpha if one is given."""
    data = read_result(image)
    if alpha is None:
        return data
    mask = read_result(alpha).pixels[..., :1]
    if mask.shape[:3] != data.pixels.shape[:3]:
        raise ImageError(f"alpha of shape {mask.shape} does not fit pixels of shape {data.pixels.shape}")
    return ImageData(data.pixels, mask)


def save(image: Any, path: Path, *, bits: int = 8, alpha: Any = None) -> None:
    """Write an image atomically, tagged as sRGB and without metadata from its sources.

    The suffix selects the format. JPEG is written at quality 95 without chroma subsampling, WebP losslessly. JPEG has
    no alpha: the image is composited over white. The file appears under its name only when it is complete and
    flushed to disk; until then, and if anything fails, an existing file of that name is unchanged. It keeps the
    permissions of the file it replaces. Only regular files are replaced, and of links only the file they lead to, if
    it has the same suffix.

    Args:
        image: (1, H, W, 3) or (H, W, 3), array or tensor of floats in [0, 1]; a PIL image; an `ImageData`.
        path: output file; its suffix is .png, .jpg, .jpeg, .webp, .tif or .tiff, and its folder exists.
        bits: bits per channel, 8 or 16; 16 for PNG and TIFF only.
        alpha: as for `to_pil`; replaces the alpha of `image`.

    Raises:
        ImageError: the image cannot be written there, or not in that format; the message says what to do.
        ValueError: `bits` is neither 8 nor 16.
        TypeError: `image` or `path` is of another type.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(np.full((4, 6, 3), 0.5), os.path.join(folder, "gray.png"), bits=16)
        ...     os.listdir(folder)
        ['gray.png']
    """
    if bits not in (8, 16):
        raise ValueError(f"bits must be 8 or 16, got {bits!r}")
    target, output = _destination(path)
    if bits == 16 and output.write_16_bit is None:
        deep = " or ".join(each.suffixes[0] for each in FORMATS if each.write_16_bit is not None)
        raise ImageError(f"{_shown(path)}: {output.name} has 8 bits per channel; use {deep} for 16")
    _write(target, encoder(_with_alpha(image, alpha), output, bits))


def check_writable(path: Path) -> None:
    """Check before a long run that `save` will be able to write a file.

    A temporary file is created in the folder and removed; a file already at `path` is not touched.

    Args:
        path: file to be written later.

    Raises:
        ImageError: the suffix is unknown, the folder is missing or not writable, the name is too long, or what is there
            cannot be replaced: a folder, a device, a mount point, another user's file in a sticky folder.

    Example:
        >>> check_writable("nowhere/out.png")
        Traceback (most recent call last):
            ...
        neural_style.errors.ImageError: ...
    """
    target, _ = _destination(path)
    check_place(target)


def check_place(path: Path) -> None:
    """Check that a file of any format can be written to a path; a file already there is not touched.

    Raises:
        ImageError: see `check_writable`.
        TypeError: `path` is not a path.
    """
    target = output_path(path)
    try:
        _atomic.check_place(target)
    except OSError as error:
        raise ImageError(_unwritable(target, error)) from error


def check_suffix(suffix: str) -> None:
    """Check that a suffix selects a format, such as `".png"`.

    Raises:
        ImageError: it does not.
    """
    _format(suffix, repr(suffix))


def save_elsewhere(image: Any, path: Path, *, alpha: Any = None) -> str:
    """Write an image that could not be written to `path`, so that a long run is not lost.

    Args:
        image: as for `save`.
        path: the file that could not be written. The image gets a new name beside it; failing that, in the nearest
            folder above that exists, in the current folder, or in a new private folder for temporary files.
        alpha: as for `save`.

    Returns:
        The path of the new file.

    Raises:
        ImageError: it cannot be written there either.
    """
    stem, suffix = os.path.splitext(os.path.basename(os.fsdecode(path)))
    suffix = suffix if suffix.lower() in _BY_SUFFIX else ".png"
    failures = []
    for folder in _other_folders(os.fsdecode(path)):
        names = (os.path.join(folder, f"{stem[:100]}-{number}{suffix}") for number in range(2, 10_000))
        name = next(name for name in names if not os.path.lexists(name))
        try:
            save(image, name, alpha=alpha)
            return name
        except ImageError as error:
            failures.append(str(error))
    raise ImageError(f"{_shown(path)}: could not be written elsewhere either ({'; '.join(failures)})")


def _other_folders(path: str) -> Iterator[str]:
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    yield folder
    yield os.curdir
    with suppress(OSError):
        yield tempfile.mkdtemp(prefix="neural_style-")


def _destination(path: Path) -> tuple[str, OutputFormat]:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"expected a path to save to, got {type(path).__name__}")
    output = _format(os.path.splitext(os.fsdecode(path))[1], _shown(path))
    return output_path(path), output


def output_path(path: Path) -> str:
    """Resolve symbolic links, so that the file they lead to is replaced rather than the link.

    Raises:
        ImageError: it is the path of a folder, or in none, or a link that is not followed: see `_files.resolve`.
        TypeError: it is not a path.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"expected a path to save to, got {type(path).__name__}")
    try:
        target = resolve(path)
        is_folder, has_folder = os.path.isdir(target), os.path.isdir(os.path.dirname(target))
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{_shown(path)}: not a usable path ({reason}); choose another name") from error
    if is_folder:
        raise ImageError(f"{_shown(path)}: a folder of that name exists; choose another name")
    if not has_folder:
        raise ImageError(
            f"{_shown(path)}: the folder {os.path.dirname(target)!r} does not exist; create it first, for "
            "example with os.makedirs"
        )
    return target


def _format(suffix: str, shown: str) -> OutputFormat:
    output = _BY_SUFFIX.get(suffix.lower())
    if output is None:
        problem = f"unknown output format {suffix!r}" if suffix else "the name has no suffix"
        raise ImageError(f"{shown}: {problem}; use one of {', '.join(_BY_SUFFIX)}")
    return output


def _shown(path: Path) -> str:
    return repr(os.fspath(path))


def _unwritable(target: str, error: OSError) -> str:
    reason = error.strerror or error
    return f"{target!r}: it cannot be written to ({reason}); choose another name or folder, or change its permissions"


def _write(target: str, write: Callable[[IO[bytes]], object]) -> None:
    try:
        temporary, handle = _atomic.create_beside(target)
    except OSError as error:
        raise ImageError(_unwritable(target, error)) from error
    try:
        _atomic.put(temporary, handle, target, write)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ImageError(f"{target!r}: could not be written ({reason}); nothing was changed") from error
