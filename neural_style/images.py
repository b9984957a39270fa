"""Pictures in and out: anything that holds a picture <-> float32 RGB in [0, 1].

Conventions, for every function here and for the rest of the package:

- Pixels are float32, (1, height, width, 3), sRGB as displayed (gamma encoded), 0 black and 1 white.
- A size is (width, height), as in PIL; a shape is (batch, height, width, channels), as in TensorFlow.
- Pictures come upright: EXIF orientation is applied on the way in, and never written on the way out.
- Alpha is kept beside the colours, straight (not premultiplied). The colour stored under a fully transparent
  pixel means nothing, so it is replaced by the mean of the visible colours, weighted by alpha; mid grey where
  nothing is visible. Partly transparent pixels keep their own colour.
- Whatever is wrong with a picture is one `ImageError` that names it. A wrong type is a `TypeError`.
- Nothing is printed, and no switch shared with other code (Pillow's limits, warning filters) is touched.
"""

import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from . import files
from ._decode import Limits, check_size, decode, flatten, identify, read_orientation, turn_upright
from .errors import ImageError

__all__ = ["Picture", "check_writable", "load", "read", "resize", "save", "to_pil"]

Path: TypeAlias = str | os.PathLike[str]

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
_ROUNDING = 1e-3  # how far outside [0, 1] a result may stray through arithmetic, and is clipped
_BAND = 1 << 20  # samples converted at a time, so that no second full-size copy is made
_ANY_SIZE = Limits(max_pixels=1 << 62, max_side=1 << 31)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the package computes with it.

    Args:
        pixels: (1, height, width, 3), float32 in [0, 1].
        alpha: (1, height, width, 1), float32 in [0, 1]; None when every pixel is opaque.

    Example:
        >>> Picture(np.zeros((1, 4, 6, 3), np.float32)).alpha is None
        True
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None


# In


def load(
    source: object, *, size: int | None = None, max_pixels: int = 100_000_000, max_side: int = 65_535
) -> np.ndarray:
    """Load the colours of a picture; `read` keeps the alpha too.

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


def read(source: object, *, size: int | None = None, max_pixels: int = 100_000_000, max_side: int = 65_535) -> Picture:
    """Read a picture from whatever holds it.

    16-bit grey keeps its 16 bits; 16-bit colour files are read at 8 bits. ICC profiles are converted to sRGB;
    one that does not work is ignored and reported in the log `neural_style`. Of an animation the first frame
    counts.

    Args:
        source: a path (a str is always a path, never an address); the bytes of a file; an open binary file,
            read from where it stands; a PIL image; an array or tensor (H, W), (H, W, 1 | 3 | 4) or
            (1, H, W, 1 | 3 | 4) of uint8, uint16, or floats in [0, 1]; a `Picture`, returned as it is.
        size: the long side in pixels the caller will resize to. A JPEG may then be decoded smaller, which is
            faster, but never below `size`. Other pictures come in full.
        max_pixels: largest accepted width * height; checked before anything is decoded. WebP has a limit of
            its own on top, Pillow's, at 179 million pixels.
        max_side: largest accepted width or height.

    Returns:
        Pixels and alpha; new arrays, unless `source` is a `Picture`.

    Raises:
        ImageError: the picture is missing, damaged, too large, not of an accepted format, or its numbers are
            not a picture; the text says which.
        TypeError: `source` is no kind of picture, or an array of another dtype.

    Example:
        >>> half = np.full((4, 6, 4), 128, np.uint8)
        >>> read(half).pixels.shape, read(half).alpha.shape
        ((1, 4, 6, 3), (1, 4, 6, 1))
    """
    if isinstance(source, Picture):
        return source
    limits = _limits(size, max_pixels, max_side)
    name = _name(source)
    try:
        return _split(_samples(source, limits, name), limits)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__


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
    """What errors call a source; also the place where hopeless ones are refused."""
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
        f"a picture cannot be a {type(source).__name__}; expected a path, bytes, an open binary file, a PIL "
        "image, a NumPy array or a tensor"
    )


def _samples(source: Any, limits: Limits, name: str) -> np.ndarray:
    """Turn any source into (height, width) or (height, width, channels) of an accepted dtype."""
    if isinstance(source, Image.Image):
        return _from_pil(source, limits, name)
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source), limits, name)
    if isinstance(source, str | os.PathLike):
        with _open_regular(os.fspath(source)) as handle:
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


def _open_regular(path: Any) -> IO[bytes]:
    """Open a file for reading, and nothing that only looks like one; a pipe must not be waited for."""
    try:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        handle = os.fdopen(os.open(path, flags), "rb")
    except FileNotFoundError as error:
        what = "a symbolic link to a missing file" if os.path.islink(path) else "no such file"
        raise ImageError(f"{what}; a relative path starts at {os.getcwd()!r}") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if isinstance(error, OSError) and os.path.isdir(path):
            raise ImageError("a folder; expected a picture file") from error
        raise ImageError(f"cannot be opened ({error})") from error
    if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
        handle.close()
        raise ImageError("a pipe, socket or device; expected a regular file, or an open binary file")
    return handle


def _read_all(handle: Any, limits: Limits) -> bytes:
    """Read to the end, and no further than any picture within the limits could reach."""
    most = limits.max_pixels * 8 + (1 << 26)  # 16-bit RGBA, uncompressed, and room for metadata
    if (length := _size_on_disk(handle)) > most:
        raise ImageError(f"{length:,} bytes, more than {most:,}; pass a larger max_pixels if you trust it")
    parts, total, identified = [], 0, False
    while part := _read_some(handle):
        parts.append(part)
        total += len(part)
        if not identified and total >= 4096:
            identify(b"".join(parts)[:4096])  # refuses before reading gigabytes of something else
            identified = True
        if total > most:
            raise ImageError(f"more than {most:,} bytes; pass a larger max_pixels if you trust it")
    return b"".join(parts)


def _size_on_disk(handle: Any) -> int:
    """The length of the file behind a handle; 0 when there is none."""
    try:
        return os.fstat(handle.fileno()).st_size
    except Exception:  # not every file-like object has a descriptor, nor says so in the same way
        return 0


def _read_some(handle: Any) -> bytes:
    try:
        part = handle.read(1 << 20)
    except Exception as error:  # a closed, write-only, or failing file; any class of file may raise anything
        raise ImageError(f"cannot be read ({type(error).__name__}: {error})") from error
    if isinstance(part, str):
        raise TypeError("a picture cannot be read from a text file; open it with mode 'rb'")
    if not isinstance(part, bytes | bytearray | memoryview):
        raise ImageError(f"its read() gave {type(part).__name__}; expected bytes")
    return bytes(part)


def _from_array(source: Any) -> np.ndarray:
    try:
        array = np.asarray(source)
    except Exception as error:
        raise TypeError(
            f"this {type(source).__name__} has no values to read ({error}); inside a tf.function there are "
            "none yet: call from outside it"
        ) from error
    if array.dtype.kind + str(array.dtype.itemsize) not in ("u1", "u2", "f2", "f4", "f8"):
        raise TypeError(
            f"a picture cannot have dtype {array.dtype}; expected uint8, uint16, or float16, float32 or "
            "float64 in [0, 1]; convert it with astype"
        )
    return _without_batch(array)


def _without_batch(array: np.ndarray) -> np.ndarray:
    """Drop a leading 1 of (1, H, W, C), and refuse shapes that are not a picture."""
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
        raise ImageError(f"shape {shape} is not one picture; {expected}")
    return array.reshape(inner)


def _split(samples: np.ndarray, limits: Limits = _ANY_SIZE, *, slack: float = 0.0) -> Picture:
    """Scale samples to [0, 1] and part colour from alpha."""
    height, width = samples.shape[:2]
    check_size((width, height), limits)
    if samples.dtype.kind == "f":
        _check_range(samples, slack)
    if samples.ndim == 2:
        samples = samples[..., None]
    colours = _scaled(samples[..., :3], 3, clip=slack > 0)
    if samples.shape[2] < 4:
        return Picture(colours)
    alpha = _scaled(samples[..., 3:], 1, clip=slack > 0)
    if alpha.min() == 1.0:
        return Picture(colours)
    _hide_invisible(colours, alpha)
    return Picture(colours, alpha)


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
    """(H, W, 1 | channels) of any accepted dtype -> new (1, H, W, channels) float32 in [0, 1]."""
    full = 1 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max
    scaled = np.empty((1, *samples.shape[:2], channels), np.float32)
    np.true_divide(samples, np.float32(full), out=scaled[0], casting="same_kind")
    return np.clip(scaled, 0.0, 1.0, out=scaled) if clip else scaled


def _hide_invisible(colours: np.ndarray, alpha: np.ndarray) -> None:
    """Overwrite the colours where alpha is 0, which no viewer ever shows, by the mean visible colour."""
    hidden = alpha[..., 0] == 0.0
    if hidden.any():
        weight = alpha.sum(dtype=np.float64)
        mean = np.einsum("nhwc,nhw->c", colours, alpha[..., 0], dtype=np.float64) / weight if weight else 0.5
        colours[hidden] = mean


# Size


def resize(pixels: Any, size: tuple[int, int]) -> np.ndarray:
    """Resize with antialiasing: Lanczos where a side shrinks, bicubic otherwise.

    Each channel is filtered in float32, so no precision is lost. Both kernels overshoot at edges: hence the
    clip.

    Args:
        pixels: (1, H, W, C), floats in [0, 1], any number of channels.
        size: (width, height) of the result.

    Returns:
        (1, height, width, C), float32 in [0, 1]; `pixels` itself when it has that size already.

    Raises:
        ValueError: another shape, or a side below 1.

    Example:
        >>> resize(np.zeros((1, 48, 64, 3)), (32, 24)).shape
        (1, 24, 32, 3)
    """
    array = np.asarray(pixels, np.float32)
    if array.ndim != 4 or array.shape[0] != 1 or array.size == 0:
        raise ValueError(f"resize expects pixels of shape (1, height, width, channels), got {array.shape}")
    width, height = (int(side) for side in size)
    if min(width, height) < 1:
        raise ValueError(f"resize expects a (width, height) of at least (1, 1), got {tuple(size)}")
    if array.shape[1:3] == (height, width):
        return array
    shrinks = height < array.shape[1] or width < array.shape[2]
    kernel = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    resized = np.empty((1, height, width, array.shape[3]), np.float32)
    for channel in range(array.shape[3]):
        plane = Image.fromarray(np.ascontiguousarray(array[0, :, :, channel]))
        resized[0, :, :, channel] = np.asarray(plane.resize((width, height), kernel))
    return np.clip(resized, 0.0, 1.0, out=resized)


# Out


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
    return Image.fromarray(_levels(_picture(pixels, alpha), np.uint8))


def _picture(picture: Any, alpha: Any) -> Picture:
    """Accept what `read` does, and clip what arithmetic left a hair outside [0, 1]."""
    made = _forgiving(picture)
    if alpha is None:
        return made
    mask = _forgiving(alpha).pixels[..., :1]
    if mask.shape[:3] != made.pixels.shape[:3]:
        raise ImageError(f"alpha of shape {mask.shape} does not fit pixels of shape {made.pixels.shape}")
    return Picture(made.pixels, mask)


def _forgiving(source: Any) -> Picture:
    if isinstance(source, Picture) or _name(source) != "array":
        return read(source, max_pixels=_ANY_SIZE.max_pixels, max_side=_ANY_SIZE.max_side)
    try:
        return _split(_from_array(source), slack=_ROUNDING)
    except ImageError as error:
        raise ImageError(f"array: {error}") from error.__cause__


def _levels(picture: Picture, dtype: type[np.uint8] | type[np.uint16]) -> np.ndarray:
    """Round to whole levels: (H, W, 3), or (H, W, 4) with alpha."""
    height, width = picture.pixels.shape[1:3]
    channels = 3 if picture.alpha is None else 4
    levels = np.empty((height, width, channels), dtype)
    for rows in _bands(height, width * 3):
        levels[rows, :, :3] = np.rint(picture.pixels[0, rows] * np.float32(np.iinfo(dtype).max))
        if picture.alpha is not None:
            levels[rows, :, 3:] = np.rint(picture.alpha[0, rows] * np.float32(np.iinfo(dtype).max))
    return levels


def _bands(height: int, row: int) -> Iterator[slice]:
    step = max(1, _BAND // row)
    return (slice(start, min(start + step, height)) for start in range(0, height, step))


def save(picture: Any, path: Path, *, bits: int = 8, alpha: Any = None) -> None:
    """Write a picture whole or not at all, marked as sRGB and without any metadata of its sources.

    The format follows the suffix. JPEG is written at quality 95 without colour subsampling, WebP without
    loss. JPEG has no alpha: the picture is laid over white. The file appears under its name only when it is
    complete and on disk; an older one of that name is there until then, and stays when anything fails.

    Args:
        picture: (1, H, W, 3) or (H, W, 3), array or tensor of floats in [0, 1]; a PIL image; a `Picture`.
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
    made = _picture(picture, alpha)
    if bits == 16:
        levels = _levels(made, np.uint16)
        encode = _write_png_16 if kind == "PNG" else _write_tiff_16
        _write(target, lambda handle: encode(levels, handle))
    else:
        image = Image.fromarray(_levels(made if kind != "JPEG" else _over_white(made), np.uint8))
        _write(target, lambda handle: image.save(handle, kind, **_pillow_options(kind)))


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
        return files.create_beside(target)
    except OSError as error:
        raise ImageError(
            f"{target!r}: its folder cannot be written to ({error.strerror or error}); choose another folder "
            "or change its permissions"
        ) from error


def _write(target: str, write: Callable[[IO[bytes]], object]) -> None:
    temporary, handle = _create_beside(target)
    try:
        files.put(temporary, handle, target, write)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ImageError(f"{target!r}: could not be written ({reason}); nothing was changed") from error


# Encoding


def _srgb_profile() -> bytes:
    """The sRGB profile, with a fixed date so that equal pictures give equal files."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


def _pillow_options(kind: str) -> dict[str, Any]:
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add(b"sRGB", b"\0")
        return {"pnginfo": info}
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 95, "subsampling": 0},
        "WEBP": {"lossless": True, "exact": True},
        "TIFF": {"compression": "tiff_adobe_deflate"},
    }
    return {**options[kind], "icc_profile": _srgb_profile()}


def _over_white(picture: Picture) -> Picture:
    if picture.alpha is None:
        return picture
    return Picture(picture.pixels * picture.alpha + (1.0 - picture.alpha))


def _write_png_16(levels: np.ndarray, handle: IO[bytes]) -> None:
    """PNG of 16 bits a channel, which Pillow cannot write; (H, W, 3 | 4) uint16."""
    height, width, channels = levels.shape
    handle.write(b"\x89PNG\r\n\x1a\n")
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 6, 0, 0, 0)
    _write_chunk(handle, b"IHDR", header)
    _write_chunk(handle, b"sRGB", b"\0")
    packer = zlib.compressobj(6)
    above = np.zeros((1, width * channels * 2), np.uint8)
    for rows in _bands(height, width * channels):
        samples = levels[rows].astype(">u2").reshape(-1, width * channels).view(np.uint8)
        # Filter 2: each byte minus the one above, modulo 256. It halves photographs.
        differences = samples - np.concatenate([above, samples[:-1]])
        lines = np.concatenate([np.full((len(samples), 1), 2, np.uint8), differences], axis=1)
        _write_chunk(handle, b"IDAT", packer.compress(lines.tobytes()))
        above = samples[-1:]
    _write_chunk(handle, b"IDAT", packer.flush())
    _write_chunk(handle, b"IEND", b"")


def _write_chunk(handle: IO[bytes], kind: bytes, body: bytes) -> None:
    handle.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


def _write_tiff_16(levels: np.ndarray, handle: IO[bytes]) -> None:
    """TIFF of 16 bits a channel, which Pillow cannot write: deflated strips of horizontal differences."""
    height, width, channels = levels.shape
    handle.write(b"II*\0" + bytes(4))
    starts, lengths, bands = [], [], list(_bands(height, width * channels))
    for rows in bands:
        strip = levels[rows].astype("<u2")
        strip[:, 1:] -= levels[rows][:, :-1]
        packed = zlib.compress(strip.tobytes())
        starts.append(handle.tell())
        lengths.append(len(packed))
        handle.write(packed + bytes(len(packed) % 2))  # values start at even offsets
    _write_tiff_directory(
        handle,
        [
            (256, "I", [width]),
            (257, "I", [height]),
            (258, "H", [16] * channels),
            (259, "H", [8]),  # deflate
            (262, "H", [2]),  # RGB
            (273, "I", starts),
            (277, "H", [channels]),
            (278, "I", [bands[0].stop]),
            (279, "I", lengths),
            (284, "H", [1]),  # samples of a pixel side by side
            (317, "H", [2]),  # each sample minus the one on its left
            *([(338, "H", [2])] if channels == 4 else []),  # straight alpha
            (34675, "B", list(_srgb_profile())),
        ],
    )


def _write_tiff_directory(handle: IO[bytes], tags: list[tuple[int, str, list[int]]]) -> None:
    codes = {"B": 7, "H": 3, "I": 4}
    entries = []
    for tag, kind, values in tags:
        value = struct.pack(f"<{len(values)}{kind}", *values)
        if len(value) > 4:
            offset = handle.tell()
            handle.write(value + bytes(len(value) % 2))
            value = struct.pack("<I", offset)
        entries.append(struct.pack("<HHI", tag, codes[kind], len(values)) + value.ljust(4, b"\0"))
    start = handle.tell()
    handle.write(struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    handle.seek(4)
    handle.write(struct.pack("<I", start))
