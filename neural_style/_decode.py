"""Encoded pictures to plain arrays: the only place that hands untrusted bytes to a decoder.

`decode` goes signature -> stripped copy -> size check -> Pillow -> sRGB array, turned upright. The copy keeps
only what makes the pixels. Damaged metadata can then neither fail a good picture nor make Pillow warn, and
no switch that other code of the same process shares (the warning filters, Pillow's limits) is ever touched.
"""

import importlib
import io
import logging
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageFile, TiffImagePlugin

from .errors import ImageError

__all__ = ["Limits", "check_size", "decode", "flatten", "identify", "read_orientation", "turn_upright"]

_LOG = logging.getLogger("neural_style")
_LOG.addHandler(logging.NullHandler())  # a library stays silent until its host asks for the log

_LARGEST_PROFILE = 1 << 24  # real ICC profiles stay below 4 MB; a compressed one could claim anything
_SAME_COLOUR = 2  # 8-bit levels: a profile that moves no colour further is sRGB written by somebody else


@dataclass(frozen=True)
class Limits:
    """What a decoded picture may measure, and the long side it will be used at.

    Args:
        max_pixels: largest accepted width * height.
        max_side: largest accepted width or height.
        size: long side in pixels the caller will resize to; None for all there is.
    """

    max_pixels: int
    max_side: int
    size: int | None = None


@dataclass(frozen=True)
class _Stripped:
    """A file reduced to its pixels, and the two pieces of metadata that change how they look."""

    data: bytes
    profile: bytes | None = None
    orientation: int = 1
    grey_ends: tuple[int, int] = (0, 65_535)  # the 16-bit numbers that mean black and white


def decode(data: bytes, limits: Limits, name: str) -> np.ndarray:
    """Decode one encoded picture; of an animation or a multi-page file, the first picture.

    Args:
        data: the whole file.
        limits: checked after the header is read and before any pixel is decoded.
        name: what to call the picture in the log.

    Returns:
        (height, width) or (height, width, 3 | 4), uint8, uint16 or float32, sRGB, upright.

    Raises:
        ImageError: whatever is wrong with the file; the text starts with its format.
    """
    kind = identify(data[:4096])
    try:
        return _decode_as(kind, data, limits, name)
    except ImageError as error:
        raise ImageError(f"{kind}: {error}") from error.__cause__
    except Image.DecompressionBombError as error:  # only a plugin with a limit of its own still gets here
        raise ImageError(f"{kind}: more pixels than Pillow decodes of it; save it smaller, or as PNG") from error
    except MemoryError as error:
        raise ImageError(f"{kind}: not enough memory to decode it; save it smaller") from error
    except Exception as error:  # Pillow raises at least seven types for damaged files
        reason = " ".join(str(error).split()) or "no reason given"
        raise ImageError(
            f"{kind}: damaged or incomplete ({type(error).__name__}: {reason}); open it in an image editor "
            "and save it again, or use another copy"
        ) from error


def _decode_as(kind: str, data: bytes, limits: Limits, name: str) -> np.ndarray:
    if kind == "HEIC":
        return _decode_heic(data, limits, name)
    stripped = _STRIPPERS.get(kind, _Stripped)(data)
    with _reader(kind)(io.BytesIO(stripped.data)) as image:
        check_size(image.size, limits)
        _draft(image, limits.size)
        _match_key_to_8_bits(image, kind, stripped.data)
        image.load()
        profile = stripped.profile or image.info.get("icc_profile")
        orientation = stripped.orientation
        if kind in ("WEBP", "AVIF"):  # their plugins hand the block over unread
            orientation = read_orientation(image.info.get("exif"))
        return turn_upright(_stretch(flatten(image, profile, name), stripped.grey_ends), orientation)


def check_size(size: tuple[int, int], limits: Limits) -> None:
    """Refuse a picture that is empty or larger than the caller allows.

    Raises:
        ImageError: names the size found, the limit and the argument that lifts it.
    """
    width, height = size
    if min(size) < 1:
        raise ImageError(f"{width} x {height} pixels: the picture is empty")
    if max(size) > limits.max_side:
        raise ImageError(
            f"{width} x {height} pixels: a side is longer than max_side={limits.max_side:,}; "
            "pass a larger max_side if you trust the picture"
        )
    if width * height > limits.max_pixels:
        raise ImageError(
            f"{width} x {height} pixels: {width * height:,} is more than max_pixels={limits.max_pixels:,}; "
            "pass a larger max_pixels if you trust the picture"
        )


# Which format?

_SIGNATURES = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("GIF", rb"GIF8[79]a"),
    ("WEBP", rb"RIFF.{4}WEBP"),
    ("TIFF", rb"II[*+]\x00|MM\x00[*+]"),
    ("BMP", rb"BM"),
    ("PPM", rb"P[1-6f][\s#]"),
    ("AVIF", rb".{4}ftyp(?:avif|avis)"),
    ("HEIC", rb".{4}ftyp(?:hei[cxms]|hev[cxms])"),
    ("AVIF", rb".{4}ftyp(?:mif1|msf1|miaf).{4}(?:.{4}){0,16}?(?:avif|avis)"),
    ("HEIC", rb".{4}ftyp(?:mif1|msf1|miaf)"),
    # TGA has no signature: map type 0 or 1, a known picture type, no empty side, a known depth.
    ("TGA", rb".(?:\x00[\x02\x03\x0a\x0b]|\x01[\x01\x09]).{9}(?!\0\0)..(?!\0\0)..[\x08\x0f\x10\x18\x20]"),
)
_REFUSED = (
    ("a PDF document", rb"%PDF"),
    ("PostScript", rb"%!PS"),
    ("a Photoshop document", rb"8BPS"),
    ("JPEG 2000", rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"),
    ("JPEG XL", rb"\x00\x00\x00\x0cJXL |\xff\x0a"),
    ("an icon", rb"\x00\x00[\x01\x02]\x00"),
    ("a ZIP archive", rb"PK\x03\x04"),
    ("a web page, SVG or XML text", rb"\s*<"),
)


def identify(head: bytes) -> str:
    """Name the format of a file from its first bytes; the file's own name plays no part.

    Raises:
        ImageError: not one of the accepted formats.
    """
    for kind, pattern in _SIGNATURES:
        if re.match(pattern, head, re.DOTALL):
            return kind
    found = [kind for kind, pattern in _REFUSED if re.match(pattern, head, re.DOTALL)]
    unknown = "not a picture format known here" if head else "no bytes at all"
    what = f"looks like {found[0]}" if found else unknown
    accepted = ", ".join(dict.fromkeys(kind for kind, _ in _SIGNATURES))
    raise ImageError(f"{what}; expected one of {accepted}; convert it to PNG first")


# Opening, without the process-wide limit that `Image.open` applies


class _TiffReader(TiffImagePlugin.TiffImageFile):
    """Reads a TIFF whose size was checked against the caller's limit instead of the process-wide one."""

    def load_prepare(self) -> None:
        ImageFile.ImageFile.load_prepare(self)


# An MPO (two or more JPEGs in a row) is read as its first JPEG.
_PLUGINS = {
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "PPM": ("PpmImagePlugin", "PpmImageFile"),
    "TGA": ("TgaImagePlugin", "TgaImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
}


def _reader(kind: str) -> Callable[[io.BytesIO], ImageFile.ImageFile]:
    if kind == "TIFF":
        return _TiffReader
    module, name = _PLUGINS[kind]
    try:
        plugin = importlib.import_module(f"PIL.{module}")
    except ImportError as error:
        raise ImageError("this Pillow is too old to read it; run: pip install --upgrade pillow") from error
    if not getattr(plugin, "SUPPORTED", True):
        raise ImageError("this Pillow was built without it; run: pip install --upgrade pillow")
    reader: Callable[[io.BytesIO], ImageFile.ImageFile] = getattr(plugin, name)
    return reader


def _draft(image: ImageFile.ImageFile, size: int | None) -> None:
    """Let a JPEG decode at 1/2, 1/4 or 1/8 when that still holds `size`."""
    long_side = max(image.size)
    if image.format == "JPEG" and size is not None and size < long_side:
        width, height = (-(-side * size // long_side) for side in image.size)
        image.draft(None, (width, height))


def _match_key_to_8_bits(image: ImageFile.ImageFile, kind: str, data: bytes) -> None:
    """The transparent colour of a 48-bit PNG has 16 bits a channel; Pillow keeps 8 of each pixel."""
    key = image.info.get("transparency")
    if kind == "PNG" and data[24] == 16 and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _stretch(samples: np.ndarray, ends: tuple[int, int]) -> np.ndarray:
    """Bring 12-bit or inverted 16-bit grey to 0 for black and 65535 for white, which Pillow leaves undone."""
    black, white = ends
    if ends == (0, 65_535) or samples.dtype.kind != "u" or samples.itemsize != 2:
        return samples
    return np.rint((samples.astype(np.float32) - black) / (white - black) * 65_535).astype(np.uint16)


def _decode_heic(data: bytes, limits: Limits, name: str) -> np.ndarray:
    try:
        heif: Any = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise ImageError("reading it needs an optional package; run: pip install pillow-heif") from error
    opened = heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    check_size(opened.size, limits)
    image = opened.to_pillow()  # libheif has already turned it upright
    return flatten(image, image.info.get("icc_profile"), name)


# Stripping


def _strip_jpeg(data: bytes) -> _Stripped:
    """Keep the frame, the tables and Adobe's colour flag; put the profile together ourselves."""
    kept, exif, parts = [data[:2]], b"", {}
    for marker, start, end in _jpeg_segments(data):
        body = data[start + 4 : end]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            parts[body[12]] = body[14:]
        elif marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[start:end])
    profile = b"".join(parts[number] for number in sorted(parts))
    return _Stripped(b"".join(kept), profile or None, read_orientation(exif))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) up to the scan, which runs to the end of the file."""
    start = 2
    while (start := data.find(b"\xff", start)) >= 0 and start + 4 <= len(data):
        marker = data[start + 1]
        if marker == 0xFF:  # padding
            start += 1
            continue
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD9:  # no body
            start += 2
            continue
        length = struct.unpack_from(">H", data, start + 2)[0]
        end = len(data) if marker == 0xDA else start + 2 + length
        if length < 2 or end > len(data):
            raise ImageError("cut short or damaged in its header; use another copy")
        yield marker, start, end
        start = end


def _strip_png(data: bytes) -> _Stripped:
    """Keep header, palette, transparency and pixels; animation and text chunks go."""
    kept, profile, exif, start = [data[:8]], None, b"", 8
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        if end > len(data) and kind != b"IDAT":
            break  # cut after the pixels, or the decoder will miss what was cut off
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[start:end])
        elif kind == b"iCCP":
            profile = _inflate_profile(data[start + 8 : end - 4])
        elif kind == b"eXIf":
            exif = data[start + 8 : end - 4]
        if kind == b"IEND":
            break
        start = end
    return _Stripped(b"".join(kept), profile, read_orientation(exif))


def _inflate_profile(body: bytes) -> bytes:
    """Unpack the profile of a PNG; what cannot be unpacked is handed on, to be reported as a bad profile."""
    packed = body.partition(b"\0")[2][1:]
    try:
        return zlib.decompressobj().decompress(packed, _LARGEST_PROFILE) or b"empty"
    except zlib.error:
        return b"damaged"


# Size, sample layout, compression, strips, fax options, predictor, tile size, old-style JPEG: one value each.
_TIFF_SINGLE_TAGS = frozenset([256, 257, 259, 262, 266, 277, 278, 284, 292, 293, 317, 322, 323, 512, 513, 514, 515])
# Bits, offsets and lengths, palette, extra samples, sample format, JPEG tables, YCbCr: many values.
_TIFF_PIXEL_TAGS = _TIFF_SINGLE_TAGS.union(
    [258, 273, 279, 320, 324, 325, 338, 339, 347, 519, 520, 521, 529, 530, 531, 532]
)
_TIFF_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_TIFF_PLACES = (273, 279, 324, 325)  # where strips or tiles start, and their lengths
_TIFF_DEFLATE = frozenset([8, 32946])
_TIFF_MOST_SAMPLES = 6  # what Pillow decodes; beyond, it writes to its log


@dataclass(frozen=True)
class _TiffLayout:
    """How a directory is laid out: classic with 4-byte offsets or BigTIFF with 8-byte ones."""

    order: str
    count: str
    offset: str
    slot: int

    @property
    def entry(self) -> str:
        return f"{self.order}HH{self.offset}{self.slot}s"


def _strip_tiff(data: bytes) -> _Stripped:
    """Append a fresh directory of the first picture's pixels alone, and point the header at it."""
    order = "<" if data[:1] == b"I" else ">"
    big = b"+" in data[2:4]
    layout = _TiffLayout(order, "Q", "Q", 8) if big else _TiffLayout(order, "H", "I", 4)
    at = 8 if big else 4
    entries = sorted(_tiff_entries(data, layout, struct.unpack_from(order + layout.offset, data, at)[0]))
    values = {tag: value for tag, _, _, _, value in entries}
    orientation = _first_number(values.get(274, b""), order)
    if _first_number(values.get(277, b""), order) > _TIFF_MOST_SAMPLES:
        raise ImageError(f"more than {_TIFF_MOST_SAMPLES} samples a pixel; save it as RGB or RGBA")
    _check_tiff_strips(data, entries, order)
    brightest = 4095 if _first_number(values.get(258, b""), order) == 12 else 65_535
    white_is_zero = 262 in values and _first_number(values[262], order) == 0
    kept = [struct.pack(layout.entry, *entry[:4]) for entry in entries if entry[0] in _TIFF_PIXEL_TAGS]
    directory = struct.pack(order + layout.count, len(kept)) + b"".join(kept) + bytes(layout.slot)
    header = data[:at] + struct.pack(order + layout.offset, len(data))
    return _Stripped(
        b"".join([header, data[len(header) :], directory]),
        values.get(34675),
        orientation if 1 <= orientation <= 8 else 1,
        (brightest, 0) if white_is_zero else (0, brightest),
    )


def _tiff_entries(data: bytes, layout: _TiffLayout, at: int) -> Iterator[tuple[int, int, int, bytes, bytes]]:
    """Yield (tag, type, count, slot, value) of each distinct entry whose value lies within the file."""
    (number,) = struct.unpack_from(layout.order + layout.count, data, at)
    at += struct.calcsize(layout.order + layout.count)
    end = at + number * struct.calcsize(layout.entry)
    if end > len(data):
        raise ImageError("cut short within its directory; use another copy")
    seen, out_of_line = set(), 0
    for tag, kind, count, slot in struct.iter_unpack(layout.entry, data[at:end]):
        if tag in seen or kind not in _TIFF_TYPE_BYTES or count < 1:
            continue
        length, start = count * _TIFF_TYPE_BYTES[kind], 0
        if length > layout.slot:
            (start,) = struct.unpack(layout.order + layout.offset, slot)
            out_of_line += length
            if start + length > len(data) or out_of_line > len(data):
                if tag in _TIFF_PIXEL_TAGS:
                    raise ImageError(f"cut short: tag {tag} lies beyond its end; use another copy")
                continue
        value = data[start : start + length] if length > layout.slot else slot[:length]
        if tag in _TIFF_SINGLE_TAGS and count > 1:
            value = value[: _TIFF_TYPE_BYTES[kind]]
            count, slot = 1, value.ljust(layout.slot, b"\0")[: layout.slot]
        seen.add(tag)
        yield tag, kind, count, slot, value


def _check_tiff_strips(data: bytes, entries: list[tuple[int, int, int, bytes, bytes]], order: str) -> None:
    """Refuse what lacks pixels: a decoder would fill them with whatever it finds, or complain on stderr."""
    numbers = {tag: _numbers(kind, value, order) for tag, kind, _, _, value in entries if tag in _TIFF_PLACES}
    starts, lengths = numbers.get(324, numbers.get(273, [])), numbers.get(325, numbers.get(279, []))
    if not starts or len(starts) != len(lengths):
        raise ImageError(f"damaged: {len(starts)} strips but {len(lengths)} lengths; use another copy")
    if any(start + length > len(data) for start, length in zip(starts, lengths, strict=True)):
        raise ImageError("cut short: some of its pixels lie beyond its end; use another copy")
    compression = {_first_number(value, order) for tag, _, _, _, value in entries if tag == 259}
    if compression & _TIFF_DEFLATE:
        for start, length in zip(starts, lengths, strict=True):
            _check_deflated(data[start : start + length])


def _check_deflated(packed: bytes) -> None:
    """Unpack once to nowhere, in small pieces; `zlib.error` says what is wrong."""
    unpacker = zlib.decompressobj()
    while packed and not unpacker.eof:
        unpacker.decompress(packed, 1 << 20)
        packed = unpacker.unconsumed_tail


def _numbers(kind: int, value: bytes, order: str) -> list[int]:
    letter = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
    return [number for (number,) in struct.iter_unpack(order + letter, value)] if letter else []


def _first_number(value: bytes, order: str) -> int:
    """The first unsigned number of a tag's value, by its length: a SHORT, or else a LONG; 0 for none."""
    if len(value) >= 4:
        return int(struct.unpack_from(order + "I", value)[0])
    return int(struct.unpack_from(order + "H", value)[0]) if len(value) >= 2 else 0


def _strip_avif(data: bytes) -> _Stripped:
    """Rename the EXIF item: the turn of an AVIF is a property of its own, and EXIF must not override it."""
    return _Stripped(re.sub(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", rb"\1skip", data, flags=re.DOTALL))


_STRIPPERS: dict[str, Callable[[bytes], _Stripped]] = {
    "JPEG": _strip_jpeg,
    "PNG": _strip_png,
    "TIFF": _strip_tiff,
    "AVIF": _strip_avif,
}


# Orientation


def read_orientation(exif: object) -> int:
    """The orientation, 1 to 8, that an EXIF block asks for; 1 when it is missing, damaged or senseless."""
    if not isinstance(exif, bytes):
        return 1
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 10:
        return 1
    start = struct.unpack_from(order + "I", block, 4)[0] + 2
    entries = struct.unpack_from(order + "H", block, start - 2)[0] if start <= len(block) else 0
    for at in range(start, min(start + 12 * entries, len(block) - 11), 12):
        tag, kind, count = struct.unpack_from(order + "HHI", block, at)
        if tag == 0x0112 and kind == 3 and count == 1:
            value = struct.unpack_from(order + "H", block, at + 8)[0]
            return int(value) if 1 <= value <= 8 else 1
    return 1


def turn_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turn as EXIF orientation 1 to 8 asks for; (height, width, ...) may become (width, height, ...)."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array[:, ::-1] if orientation in (2, 3, 6, 7) else array


# Modes and colour

_PROFILE_MODES = {
    "GRAY": ("1", "L"),
    "CMYK": ("CMYK",),
    "RGB": ("1", "L", "P", "RGB", "RGBA", "RGBX", "YCbCr"),
}


def flatten(image: Image.Image, profile: bytes | None, name: str) -> np.ndarray:
    """Give the sRGB samples of a loaded PIL image, which is left as it is.

    Args:
        image: any mode.
        profile: the ICC profile its numbers are meant in; None for sRGB.
        name: what to call the picture in the log.

    Returns:
        (height, width) or (height, width, 3 | 4), uint8, uint16 or float32; not turned.
    """
    if image.mode == "F":
        return np.asarray(image)
    if image.mode.startswith("I"):
        return _flatten_16_bit(image, profile, name)
    alpha = None
    if image.mode in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa") and image.has_transparency_data:
        image = image.convert("LA" if image.mode == "La" else "RGBA")
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    colours = _to_srgb(image, profile, name)
    if alpha is not None:
        colours.putalpha(alpha)
    return np.asarray(colours)


def _flatten_16_bit(image: Image.Image, profile: bytes | None, name: str) -> np.ndarray:
    grey = np.asarray(image)
    if grey.min() < 0 or grey.max() > 65_535:
        raise ImageError(
            f"whole numbers from {grey.min()} to {grey.max()}; expected 0 to 65535; "
            "scale them to 16 bits, or to floats from 0 to 1"
        )
    colours = _bend(grey.astype(np.uint16), profile, name)
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return colours
    top = 1.0 if colours.dtype == np.float32 else 65_535
    alpha = np.where(grey == key, 0, top).astype(colours.dtype)
    shape = (*grey.shape, 3)
    return np.dstack([np.broadcast_to(colours.reshape(*grey.shape, -1), shape), alpha])


def _bend(grey: np.ndarray, profile: bytes | None, name: str) -> np.ndarray:
    """Apply a profile to 16-bit grey: its 256-step curve, interpolated, since Pillow converts 8 bits only."""
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    curve = np.asarray(_to_srgb(ramp, profile, name), np.float64)[0] / 255.0
    steps = np.arange(256) * 257
    if np.array_equal(np.rint(curve * 65_535), np.stack([steps] * 3, axis=-1)):
        return grey
    return np.dstack([np.interp(grey, steps, curve[:, channel]) for channel in range(3)]).astype(np.float32)


def _to_srgb(image: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Give a new 8-bit RGB image in sRGB; a profile that does not work is reported in the log and ignored."""
    if image.mode == "LAB":
        return _transform(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if profile:
        try:
            return _with_profile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except Exception as error:  # PyCMSError is no OSError, and a broken profile raises either
            _LOG.warning("%s: its colour profile is ignored (%s); colours are taken as sRGB", name, error)
    return image.convert("RGB")


def _with_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    space = str(profile.profile.xcolor_space).strip()
    grey_in_colour = space == "GRAY" and image.mode == "RGBA" and _is_grey(image)
    if image.mode not in _PROFILE_MODES.get(space, ()) and not grey_in_colour:
        raise ImageError(f"it describes {space} and the picture is {image.mode}")
    if space == "CMYK":
        return _transform(image, profile)
    mode = "RGB" if space == "RGB" else "L"
    probe = _probe(mode)
    moved = np.asarray(_transform(probe, profile), np.int16) - np.asarray(probe.convert("RGB"), np.int16)
    if np.abs(moved).max() <= _SAME_COLOUR:
        return image.convert("RGB")
    return _transform(image.convert(mode), profile)


def _is_grey(image: Image.Image) -> bool:
    """Whether an RGBA image came from grey with alpha, and so may carry a grey profile."""
    red, green, blue = (np.asarray(image.getchannel(channel)) for channel in "RGB")
    return np.array_equal(red, green) and np.array_equal(red, blue)


def _probe(mode: str) -> Image.Image:
    """Every grey, or a 9 x 9 x 9 grid of colours."""
    if mode == "L":
        return Image.frombytes("L", (256, 1), bytes(range(256)))
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return Image.fromarray(grid.reshape(27, 27, 3))


def _transform(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(profile, target, image.mode, "RGB")
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise ImageError("the conversion gave nothing")
    return converted
