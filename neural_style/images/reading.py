"""Reading images from any source as float32 RGB in [0, 1], with alpha in a separate array."""

import os
from dataclasses import dataclass
from typing import IO, Any, Protocol

import numpy as np
from PIL import Image

from neural_style import _files
from neural_style.errors import ImageError
from neural_style.images.formats.decoding import Limits, check_size, decode, identify
from neural_style.images.formats.orientation import read_orientation, turn_upright
from neural_style.images.formats.profiles import flatten

__all__ = ["ImageData", "ImageLike", "load", "open_regular", "read", "read_result"]

_ROUNDING = 1e-3  # largest rounding error outside [0, 1] of a computed image; it is clipped
_ANY_SIZE = Limits(max_pixels=1 << 62, max_side=1 << 31)


@dataclass(frozen=True, eq=False)
class ImageData:
    """An image as the package processes it.

    Args:
        pixels: (1, height, width, 3), float32 in [0, 1].
        alpha: (1, height, width, 1), float32 in [0, 1]; None if every pixel is opaque.

    Example:
        >>> ImageData(np.zeros((1, 4, 6, 3), np.float32)).alpha is None
        True
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None


class _Array(Protocol):
    """A NumPy array, a tensor, or anything else that NumPy can make an array of."""

    def __array__(self, *args: Any, **keywords: Any) -> np.ndarray: ...


ImageLike = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | _Array | ImageData
"""Whatever `read` takes as an image."""


def load(
    source: object, *, size: int | None = None, max_pixels: int = 100_000_000, max_side: int = 65_535
) -> np.ndarray:
    """Load the pixels of an image without its alpha; `read` returns both.

    Args:
        source: see `read`.
        size: see `read`.
        max_pixels: see `read`.
        max_side: see `read`.

    Returns:
        (1, height, width, 3), float32 in [0, 1], sRGB.

    Raises:
        ImageError: see `read`.
        TypeError: see `read`.

    Example:
        >>> load(np.zeros((4, 6, 3), np.uint8)).shape
        (1, 4, 6, 3)
    """
    return read(source, size=size, max_pixels=max_pixels, max_side=max_side).pixels


def read(
    source: object, *, size: int | None = None, max_pixels: int = 100_000_000, max_side: int = 65_535
) -> ImageData:
    """Read an image from any source.

    16-bit grayscale keeps its 16 bits; 16-bit color files are read at 8 bits. ICC profiles are converted to sRGB; an
    invalid one is ignored, with a warning in the log `neural_style`. Of an animation, the first frame is read.

    Args:
        source: a path (a str is always a path, never a URL); the bytes of a file; an open binary file, read from its
            current position; a PIL image; an array or tensor (H, W), (H, W, 1 | 3 | 4) or (1, H, W, 1 | 3 | 4) of
            uint8, uint16, or floats in [0, 1]; an `ImageData`, returned unchanged.
        size: long side in pixels to which the caller will resize. A JPEG may then be decoded at a reduced size, which
            is faster, but never below `size`. Other formats are decoded at full size.
        max_pixels: maximum width * height; checked before anything is decoded. From version 13 on, Pillow also
            refuses WebP files of more than 179 million pixels.
        max_side: maximum width or height.

    Returns:
        Pixels and alpha; new arrays, unless `source` is an `ImageData`.

    Raises:
        ImageError: the image is missing, damaged, too large, in an unsupported format, or has values or a shape that
            no image has; the message says which.
        TypeError: `source` is of an unsupported type, or an array of an unsupported dtype.

    Example:
        >>> half = np.full((4, 6, 4), 128, np.uint8)
        >>> read(half).pixels.shape, read(half).alpha.shape
        ((1, 4, 6, 3), (1, 4, 6, 1))
    """
    if isinstance(source, ImageData):
        return source
    limits = _limits(size, max_pixels, max_side)
    name = _name(source)
    try:
        return _split(_samples(source, limits, name), limits)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__


def read_result(source: Any) -> ImageData:
    """Read a computed image: as `read`, but of any size, and with rounding errors outside [0, 1] clipped."""
    if isinstance(source, ImageData) or _name(source) != "array":
        return read(source, max_pixels=_ANY_SIZE.max_pixels, max_side=_ANY_SIZE.max_side)
    try:
        return _split(_from_array(source), slack=_ROUNDING)
    except ImageError as error:
        raise ImageError(f"array: {error}") from error.__cause__


def _limits(size: int | None, max_pixels: int, max_side: int) -> Limits:
    for label, value in (("size", size), ("max_pixels", max_pixels), ("max_side", max_side)):
        if label == "size" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{label} must be a whole number of pixels, got {value!r}")
        if value < 1:
            raise ValueError(f"{label} must be at least 1, got {value}")
    return Limits(int(max_pixels), int(max_side), None if size is None else int(size))


def _name(source: object) -> str:
    """The name of a source in error messages; refuses unsupported types."""
    if isinstance(source, Image.Image):
        return "PIL image"
    if isinstance(source, bytes | bytearray | memoryview):
        return "bytes"
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    if callable(getattr(source, "read", None)):
        return f"open file {getattr(source, 'name', '')!r}".removesuffix(" ''")
    if hasattr(source, "__array__") and not isinstance(source, type):
        return "array"
    raise TypeError(
        f"an image cannot be a {type(source).__name__}; expected a path, bytes, an open binary file, a PIL "
        "image, a NumPy array or a tensor"
    )


def _samples(source: Any, limits: Limits, name: str) -> np.ndarray:
    """Decode any source to (height, width) or (height, width, channels) of a supported dtype."""
    if isinstance(source, Image.Image):
        return _from_pil(source, limits, name)
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source), limits, name)
    if isinstance(source, str | os.PathLike):
        with open_regular(os.fspath(source)) as handle:
            return decode(_read_all(handle, limits), limits, name)
    if hasattr(source, "read"):
        return decode(_read_all(source, limits), limits, name)
    return _from_array(source)


def _from_pil(image: Image.Image, limits: Limits, name: str) -> np.ndarray:
    check_size(image.size, limits)
    try:
        image.load()
        upright = turn_upright(
            flatten(image, image.info.get("icc_profile"), name), read_orientation(image.info.get("exif"))
        )
    except ImageError:
        raise
    except Exception as error:  # a lazily opened file may be damaged, closed or gone
        raise ImageError(f"{image.format or image.mode}: cannot be decoded ({error})") from error
    return upright


def open_regular(path: Any) -> IO[bytes]:
    """Open a regular file for reading; refuse pipes and devices without blocking on them.

    Raises:
        ImageError: the file cannot be opened; the message says why, without the path.
    """
    try:
        return _files.open_regular(path)
    except FileNotFoundError as error:
        what = "a symbolic link to a missing file" if os.path.islink(path) else "no such file"
        raise ImageError(f"{what}; a relative path starts at {os.getcwd()!r}") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        if isinstance(error, OSError) and os.path.isdir(path):
            raise ImageError("a folder; expected an image file") from error
        if isinstance(error, OSError) and os.path.exists(path) and not os.path.isfile(path):
            raise ImageError("a pipe, socket or device; expected a regular file, or an open binary file") from error
        raise ImageError(f"cannot be opened ({error})") from error


def _read_all(handle: Any, limits: Limits) -> bytes:
    """Read to the end, but no more than the largest file of an image within the limits."""
    max_bytes = limits.max_pixels * 8 + (1 << 26)  # uncompressed 16-bit RGBA, and 64 MiB for metadata
    if (length := _size_on_disk(handle)) > max_bytes:
        raise ImageError(f"{length:,} bytes, more than {max_bytes:,}; pass a larger max_pixels if you trust it")
    parts, total, identified = [], 0, False
    while part := _read_some(handle):
        parts.append(part)
        total += len(part)
        if not identified and total >= 4096:
            identify(b"".join(parts)[:4096])  # refuses other files before reading gigabytes of them
            identified = True
        if total > max_bytes:
            raise ImageError(f"more than {max_bytes:,} bytes; pass a larger max_pixels if you trust it")
    return b"".join(parts)


def _size_on_disk(handle: Any) -> int:
    """The size in bytes of the file behind a handle; 0 if unknown."""
    try:
        return os.fstat(handle.fileno()).st_size
    except Exception:  # file-like objects without a descriptor raise various errors
        return 0


def _read_some(handle: Any) -> bytes:
    try:
        part = handle.read(1 << 20)
    except Exception as error:  # a closed, write-only or failing file; file-like classes may raise anything
        raise ImageError(f"cannot be read ({type(error).__name__}: {error})") from error
    if isinstance(part, str):
        raise TypeError("an image cannot be read from a text file; open it with mode 'rb'")
    if not isinstance(part, bytes | bytearray | memoryview):
        raise ImageError(f"its read() gave {type(part).__name__}; expected bytes")
    return bytes(part)


def _from_array(source: Any) -> np.ndarray:
    try:
        array = np.asarray(source)
    except Exception as error:
        raise TypeError(
            f"this {type(source).__name__} has no values to read ({error}); tensors inside a tf.function have "
            "none: call from outside it"
        ) from error
    if array.dtype.kind + str(array.dtype.itemsize) not in ("u1", "u2", "f2", "f4", "f8"):
        raise TypeError(
            f"an image cannot have dtype {array.dtype}; expected uint8, uint16, or float16, float32 or "
            "float64 in [0, 1]; convert it with astype"
        )
    return _without_batch(array)


def _without_batch(array: np.ndarray) -> np.ndarray:
    """Drop the batch axis of (1, H, W, C), and refuse shapes that are not an image's."""
    shape = array.shape
    inner = shape[1:] if len(shape) == 4 and shape[0] == 1 else shape
    expected = "expected (H, W), (H, W, 1 | 3 | 4), or those with channels and a leading 1"
    if array.size == 0:
        raise ImageError(f"shape {shape} is empty; {expected}")
    if len(inner) == 3 and inner[2] not in (1, 3, 4):
        if inner[0] in (1, 3, 4):
            raise ImageError(f"shape {shape} has its channels first; {expected}; move them with np.moveaxis")
        raise ImageError(f"shape {shape} has {inner[2]} channels; {expected}")
    if len(inner) not in (2, 3):
        raise ImageError(f"shape {shape} is not one image; {expected}")
    return array.reshape(inner)


def _split(samples: np.ndarray, limits: Limits = _ANY_SIZE, *, slack: float = 0.0) -> ImageData:
    """Scale samples to [0, 1] and separate color from alpha."""
    height, width = samples.shape[:2]
    check_size((width, height), limits)
    if samples.dtype.kind == "f":
        _check_range(samples, slack)
    if samples.ndim == 2:
        samples = samples[..., None]
    colors = _scaled(samples[..., :3], 3, clip=slack > 0)
    if samples.shape[2] < 4:
        return ImageData(colors)
    alpha = _scaled(samples[..., 3:], 1, clip=slack > 0)
    if alpha.min() == 1.0:
        return ImageData(colors)
    _hide_invisible(colors, alpha)
    return ImageData(colors, alpha)


def _check_range(samples: np.ndarray, slack: float) -> None:
    with np.errstate(invalid="ignore"):
        low, high = float(samples.min()), float(samples.max())
    if -slack <= low and high <= 1.0 + slack:
        return
    if not np.isfinite([low, high]).all():
        raise ImageError("holds values that are not finite (NaN or infinity); expected floats in [0, 1]")
    hint = "divide by 255" if low >= 0 and 2 < high <= 255 else "rescale or clip it"
    raise ImageError(f"holds floats from {low:.6g} to {high:.6g}; expected [0, 1]; {hint}")


def _scaled(samples: np.ndarray, channels: int, *, clip: bool) -> np.ndarray:
    """(H, W, 1 | channels) of a supported dtype -> new (1, H, W, channels) float32 in [0, 1]."""
    full = 1 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max
    scaled = np.empty((1, *samples.shape[:2], channels), np.float32)
    np.true_divide(samples, np.float32(full), out=scaled[0], casting="same_kind")
    return np.clip(scaled, 0.0, 1.0, out=scaled) if clip else scaled


def _hide_invisible(colors: np.ndarray, alpha: np.ndarray) -> None:
    """Replace the colors where alpha is 0, which are never visible, by the mean visible color."""
    hidden = alpha[..., 0] == 0.0
    if hidden.any():
        weight = alpha.sum(dtype=np.float64)
        mean = np.einsum("nhwc,nhw->c", colors, alpha[..., 0], dtype=np.float64) / weight if weight else 0.5
        colors[hidden] = mean
