"""Writing images: to Pillow, and atomically to files."""

import os
from collections.abc import Callable
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image

from neural_style import _atomic
from neural_style.errors import ImageError
from neural_style.images.formats.encoding import FORMATS, OutputFormat, encoder, to_levels
from neural_style.images.reading import ImageData, read_result

__all__ = ["check_writable", "save", "to_pil"]

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
    flushed to disk; until then, and if anything fails, an existing file of that name is unchanged.

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
        ImageError: the suffix is unknown, the folder is missing, or it is not writable.

    Example:
        >>> check_writable("nowhere/out.png")
        Traceback (most recent call last):
            ...
        neural_style.errors.ImageError: ...
    """
    target, _ = _destination(path)
    temporary, handle = _create_beside(target)
    handle.close()
    os.remove(temporary)


def _destination(path: Path) -> tuple[str, OutputFormat]:
    """Check the path, and resolve symbolic links so that the file they lead to is replaced rather than the link."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"expected a path to save to, got {type(path).__name__}")
    name = os.fsdecode(path)
    suffix = os.path.splitext(name)[1]
    output = _BY_SUFFIX.get(suffix.lower())
    if output is None:
        problem = f"unknown output format {suffix!r}" if suffix else "the name has no suffix"
        raise ImageError(f"{_shown(path)}: {problem}; use one of {', '.join(_BY_SUFFIX)}")
    try:
        target = os.path.realpath(name)
        is_folder, has_folder = os.path.isdir(target), os.path.isdir(os.path.dirname(target))
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise ImageError(f"{_shown(path)}: not a usable path ({error})") from error
    if is_folder:
        raise ImageError(f"{_shown(path)}: a folder of that name exists; choose another name")
    if not has_folder:
        raise ImageError(
            f"{_shown(path)}: the folder {os.path.dirname(target)!r} does not exist; create it first, for "
            "example with os.makedirs"
        )
    return target, output


def _shown(path: Path) -> str:
    return repr(os.fspath(path))


def _create_beside(target: str) -> tuple[str, IO[bytes]]:
    try:
        return _atomic.create_beside(target)
    except OSError as error:
        raise ImageError(
            f"{target!r}: its folder cannot be written to ({error.strerror or error}); choose another folder "
            "or change its permissions"
        ) from error


def _write(target: str, write: Callable[[IO[bytes]], object]) -> None:
    temporary, handle = _create_beside(target)
    try:
        _atomic.put(temporary, handle, target, write)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ImageError(f"{target!r}: could not be written ({reason}); nothing was changed") from error
