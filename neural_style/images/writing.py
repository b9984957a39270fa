"""Pictures out: to Pillow, and to files that are whole or not there."""

import os
from collections.abc import Callable
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image

from neural_style import _atomic
from neural_style.errors import ImageError
from neural_style.images.formats.encoding import encoder, to_levels
from neural_style.images.reading import ImageData, read_result

__all__ = ["check_writable", "save", "to_pil"]

Path: TypeAlias = str | os.PathLike[str]
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}


def to_pil(pixels: Any, alpha: Any = None) -> Image.Image:
    """Give an 8-bit PIL image, each value rounded to the nearest level.

    Args:
        pixels: (1, H, W, 3) or (H, W, 3), floats in [0, 1]; anything `read` takes works too.
        alpha: (1, H, W, 1), (H, W, 1) or (H, W) in [0, 1]; None for an opaque picture.

    Returns:
        An RGB image, or RGBA when there is alpha.

    Raises:
        ImageError: the values are not finite or clearly outside [0, 1], or the two sizes differ.

    Example:
        >>> to_pil(np.ones((1, 4, 6, 3)), alpha=np.zeros((4, 6))).mode
        'RGBA'
    """
    return Image.fromarray(to_levels(_picture(pixels, alpha), np.uint8))


def _picture(picture: Any, alpha: Any) -> ImageData:
    """Accept what `read` does, and clip what arithmetic left a hair outside [0, 1]."""
    made = read_result(picture)
    if alpha is None:
        return made
    mask = read_result(alpha).pixels[..., :1]
    if mask.shape[:3] != made.pixels.shape[:3]:
        raise ImageError(f"alpha of shape {mask.shape} does not fit pixels of shape {made.pixels.shape}")
    return ImageData(made.pixels, mask)


def save(picture: Any, path: Path, *, bits: int = 8, alpha: Any = None) -> None:
    """Write a picture whole or not at all, marked as sRGB and without any metadata of its sources.

    The format follows the suffix. JPEG is written at quality 95 without colour subsampling, WebP without
    loss. JPEG has no alpha: the picture is laid over white. The file appears under its name only when it is
    complete and on disk; an older one of that name is there until then, and stays when anything fails.

    Args:
        picture: (1, H, W, 3) or (H, W, 3), array or tensor of floats in [0, 1]; a PIL image; an `ImageData`.
        path: ends in .png, .jpg, .jpeg, .webp, .tif or .tiff; its folder exists.
        bits: per channel, 8 or 16; 16 for PNG and TIFF.
        alpha: as for `to_pil`; replaces the alpha of `picture`.

    Raises:
        ImageError: the picture cannot be written there, or not in that format; the text says what to do.
        ValueError: `bits` is neither 8 nor 16.
        TypeError: `picture` or `path` is of another type.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(np.full((4, 6, 3), 0.5), os.path.join(folder, "grey.png"), bits=16)
        ...     os.listdir(folder)
        ['grey.png']
    """
    if bits not in (8, 16):
        raise ValueError(f"bits must be 8 or 16, got {bits!r}")
    target, kind = _destination(path)
    if bits == 16 and kind not in ("PNG", "TIFF"):
        raise ImageError(f"{_shown(path)}: {kind} has 8 bits a channel; use .png or .tif for 16")
    _write(target, encoder(_picture(picture, alpha), kind, bits))


def check_writable(path: Path) -> None:
    """Fail now, rather than after a long run, when `save` could not write here.

    A temporary file is created in the folder and removed; a file already at `path` is not touched.

    Args:
        path: where a result is going to be saved.

    Raises:
        ImageError: the suffix is unknown, the folder is missing, or nothing can be written to it.

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


def _destination(path: Path) -> tuple[str, str]:
    """Check the name, and resolve links, so that the file they lead to is replaced and not the link."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"expected a path to save to, got {type(path).__name__}")
    name = os.fsdecode(path)
    kind = _FORMATS.get(os.path.splitext(name)[1].lower())
    if kind is None:
        raise ImageError(f"{_shown(path)}: the suffix names no format; expected one of {', '.join(_FORMATS)}")
    try:
        target = os.path.realpath(name)
        is_folder, has_folder = os.path.isdir(target), os.path.isdir(os.path.dirname(target))
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise ImageError(f"{_shown(path)}: not a usable path ({error})") from error
    if is_folder:
        raise ImageError(f"{_shown(path)}: a folder of that name exists; choose another name")
    if not has_folder:
        raise ImageError(
            f"{_shown(path)}: the folder {os.path.dirname(target)!r} does not exist; create it first, for "
            "example with os.makedirs"
        )
    return target, kind


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
