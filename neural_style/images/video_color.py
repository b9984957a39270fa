"""Colors and orientation of decoded frames: YCbCr of any standard, HDR and wide gamuts to upright 8-bit sRGB.

The reference white of HDR is 203 cd/m², as in ITU-R BT.2408. Up to 75 % of that, light is shown as it is; above, a
curve compresses it smoothly up to the peak, which becomes white. PQ ends at 10,000 cd/m², and HLG is shown with the
system gamma of a display of 1,000 cd/m² (both: ITU-R BT.2100). The curve acts on the largest of red, green and blue and
scales all three, so that hue stays.

Like most players, this reads the transfer functions and primaries of SDR television as those of sRGB.
"""

from __future__ import annotations

import functools
import os
from typing import Any, NamedTuple

import numpy as np

from neural_style import _optional
from neural_style.errors import ImageError

__all__ = ["accurate", "is_transposed", "to_pixels"]

# Codes of ITU-T H.273, which FFmpeg uses as well.
_UNSPECIFIED = (0, 2, 3)
_BT709, _BT601, _BT2020, _PQ, _HLG = 1, 5, 9, 16, 18
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}  # to the codes of FFmpeg's scaler
_SDR = (0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
_REFERENCE_WHITE = 203.0  # cd/m²
_PEAK = {_PQ: 10_000.0, _HLG: 1_000.0}
_KNEE = 0.75
_WHITE_16 = 65_280  # code of white in the scaler's 16-bit output
_HLG_GAMMA = 1.2
_BAND = 1 << 20  # pixels converted at a time, to bound the memory of intermediate arrays

_D65 = (0.3127, 0.3290)
_CHROMATICITIES = {  # of red, green, blue and white
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),  # BT.709, sRGB
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),  # BT.2020
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),  # DCI-P3
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),  # Display P3
}


class _Coding(NamedTuple):
    """How a frame encodes colors: matrix (None for RGB) in the scaler's code, primaries and transfer in H.273's."""

    matrix: int | None
    primaries: int
    transfer: int


def to_pixels(frame: Any, clip: str | os.PathLike[str]) -> np.ndarray:
    """Convert a decoded frame.

    Args:
        frame: a PyAV frame.
        clip: path of its clip, for error messages.

    Returns:
        uint8 (height, width, 3), sRGB, upright.

    Raises:
        ImageError: the frame's colors are encoded in a way that is not supported.
    """
    coding = _coding(frame, clip)
    if coding.transfer in _PEAK or coding.primaries != _BT709:
        pixels = _to_srgb(_rgb(frame, "rgb48le", coding), coding)
    else:
        pixels = _rgb(frame, "rgb24", coding)
    return np.ascontiguousarray(_upright(pixels, frame))


def is_transposed(frame: Any) -> bool:
    """Whether rows become columns when a frame is turned upright."""
    (a, b), (c, d) = _display_matrix(frame)
    return abs(b) + abs(c) > abs(a) + abs(d)


def _coding(frame: Any, clip: str | os.PathLike[str]) -> _Coding:
    """Read a frame's tags, and complete them as players do: wide if HDR, BT.709 from 720 lines on, else BT.601."""
    matrix, primaries, transfer = frame.colorspace, frame.color_primaries, frame.color_trc
    hdr = transfer in _PEAK
    if not hdr and transfer not in _SDR:
        raise ImageError(_unsupported(clip, "transfer function", transfer))
    if transfer in _UNSPECIFIED and matrix in _UNSPECIFIED and _is_dolby_vision(frame):
        raise ImageError(_unsupported(clip, "Dolby Vision profile without a compatible base layer, colors", matrix))
    if primaries not in _CHROMATICITIES:
        if primaries == 10:  # CIE XYZ
            raise ImageError(_unsupported(clip, "primaries", primaries))
        primaries = _BT2020 if hdr and primaries in _UNSPECIFIED else _BT709
    if frame.format.is_rgb:
        return _Coding(None, primaries, transfer)
    if matrix in _UNSPECIFIED:
        is_hd = frame.width >= 1280 or frame.height > 576
        matrix = _BT2020 if hdr or primaries == _BT2020 else _BT709 if is_hd else _BT601
    if matrix not in _MATRICES:
        raise ImageError(_unsupported(clip, "color matrix", matrix))
    return _Coding(_MATRICES[matrix], primaries, transfer)


def _unsupported(clip: str | os.PathLike[str], what: str, code: int) -> str:
    return f"{os.fspath(clip)!r}: its {what} (code {code} of ITU-T H.273) is not supported; convert the clip to BT.709"


def _is_dolby_vision(frame: Any) -> bool:
    return any(data.type.name.startswith("DOVI") for data in frame.side_data)


def _rgb(frame: Any, layout: str, coding: _Coding) -> np.ndarray:
    pixels: np.ndarray = frame.reformat(
        format=layout, src_colorspace=coding.matrix, interpolation=accurate()
    ).to_ndarray()
    return pixels


def accurate() -> Any:
    """Flags for accurate color conversion; with FFmpeg's default, each conversion darkens an image by half a level."""
    by = _optional.require("av", extra="video").video.reformatter.Interpolation
    return by.BICUBIC | by.ACCURATE_RND | by.FULL_CHR_H_INT | by.FULL_CHR_H_INP


def _to_srgb(codes: np.ndarray, coding: _Coding) -> np.ndarray:
    """Convert uint16 RGB of HDR or of a wide gamut to uint8 sRGB; one band of rows at a time."""
    rows = max(1, _BAND // codes.shape[1])
    bands = [_band_to_srgb(codes[row : row + rows], coding) for row in range(0, len(codes), rows)]
    return np.concatenate(bands)


def _band_to_srgb(codes: np.ndarray, coding: _Coding) -> np.ndarray:
    light = _light(coding.transfer)[codes]
    if coding.transfer == _HLG:  # the system gamma depends on luminance
        luminance = light @ _to_xyz(coding.primaries)[1].astype(np.float32)
        light *= (luminance ** (_HLG_GAMMA - 1) * (_PEAK[_HLG] / _REFERENCE_WHITE))[..., None]
    light = np.maximum(light @ _to_bt709(coding.primaries).T, 0.0)
    if coding.transfer in _PEAK:
        brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
        light *= _compress(brightest, _PEAK[coding.transfer] / _REFERENCE_WHITE) / brightest
    return _levels()[np.rint(np.minimum(light, 1.0) * 65_535).astype(np.uint16)]


def _compress(light: np.ndarray, peak: float) -> np.ndarray:
    """Tone curve: the identity up to the knee, and smoothly from there a hyperbola that reaches 1 at the peak."""
    above, top = (light - _KNEE) / (1 - _KNEE), (peak - _KNEE) / (1 - _KNEE)
    return np.where(above <= 0, light, _KNEE + (1 - _KNEE) * above * (1 + above / top**2) / (1 + above))


@functools.lru_cache(maxsize=4)
def _light(transfer: int) -> np.ndarray:
    """Light of each 16-bit code, float32 (65536,): relative to reference white; for HLG, of the scene in [0, 1]."""
    signal = np.minimum(np.arange(65_536) / _WHITE_16, 1.0)
    if transfer == _PQ:
        power = signal ** (1 / 78.84375)
        nits = 10_000.0 * (np.maximum(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
        return (nits / _REFERENCE_WHITE).astype(np.float32)
    if transfer == _HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _levels() -> np.ndarray:
    """Level of sRGB, uint8 (65536,), of each 65535th of white's light."""
    light = np.arange(65_536) / 65_535
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * signal).astype(np.uint8)


def _to_xyz(primaries: int) -> np.ndarray:
    """Matrix (3, 3) from linear RGB to CIE XYZ, with Y = 1 for white."""
    *corners, white = [np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in _CHROMATICITIES[primaries]]
    matrix = np.stack(corners, axis=1)
    return matrix * np.linalg.solve(matrix, white)


@functools.lru_cache(maxsize=4)
def _to_bt709(primaries: int) -> np.ndarray:
    """Matrix (3, 3), float32, from linear RGB to that of sRGB; white becomes white."""
    matrix = np.linalg.solve(_to_xyz(_BT709), _to_xyz(primaries))
    return (matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)


def _display_matrix(frame: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """The linear part of the display matrix: a pixel (x, y) is shown at (ax + cy, bx + dy), up to a shift."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return (1, 0), (0, 1)
    a, b, _, c, d, *_ = (int(value) for value in np.frombuffer(bytes(data), np.int32))
    return (a, b), (c, d)


def _upright(pixels: np.ndarray, frame: Any) -> np.ndarray:
    """Turn and mirror as the display matrix says, to the nearest of the eight ways."""
    (a, b), (c, d) = _display_matrix(frame)
    if is_transposed(frame):
        return pixels.swapaxes(0, 1)[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1]
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
