"""Encoding of video files: container and codec by suffix, the rate factor, and frames of BT.709 in 8 bits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from neural_style import _optional
from neural_style._arguments import whole
from neural_style.images.video_color import accurate

__all__ = ["MAX_SIDE", "Encoding", "add_video", "encoding_for", "to_frame"]

MAX_SIDE = 16_384
"""Longest side of a frame, in pixels, that the encoders take."""


class Encoding(NamedTuple):
    """Encoding of a video file.

    Attributes:
        container: name of FFmpeg's muxer.
        codec: name of FFmpeg's encoder.
        crf: rate factor of visually lossless quality.
        max_crf: largest rate factor.
        options: further options of the encoder.
        languages: codes that the container cannot hold, and codes of the same languages that it can.
    """

    container: str
    codec: str = "libx264"
    crf: int = 17
    max_crf: int = 51
    options: Mapping[str, str] = MappingProxyType({})
    languages: Mapping[str, str] = MappingProxyType({})


_ISO_CODES = "bod deu ell eus hye isl kat mkd msa mya nld sqi swe zho".split()  # noqa: SIM905
_MOV_CODES = "tib ger gre baq arm ice geo mac may bur dut alb sve chi".split()  # noqa: SIM905
_LANGUAGES_OF_MOV = dict(zip(_ISO_CODES, _MOV_CODES, strict=True))  # FFmpeg drops the former when it writes a .mov
_ENCODINGS = {
    ".mp4": Encoding("mp4"),
    ".m4v": Encoding("mp4"),
    ".mov": Encoding("mov", languages=_LANGUAGES_OF_MOV),
    ".mkv": Encoding("matroska"),
    ".webm": Encoding("webm", "libvpx-vp9", 24, 63, {"b": "0", "row-mt": "1", "cpu-used": "2"}),
}
_BT709 = 1  # code of its matrix, primaries and transfer function in ITU-T H.273, which FFmpeg uses
_LIMITED = 1


def encoding_for(output: str | os.PathLike[str], crf: int | None = None) -> Encoding:
    """Find the encoding for the suffix of a path, and check the rate factor.

    Raises:
        ValueError: the suffix is not supported, or the rate factor is out of its codec's range.
        TypeError: the rate factor is no whole number.
    """
    suffix = Path(output).suffix.lower()
    if suffix not in _ENCODINGS:
        raise ValueError(f"{os.fspath(output)!r} ends in none of {', '.join(_ENCODINGS)}")
    encoding = _ENCODINGS[suffix]
    if crf is not None and not 0 <= whole("crf", crf) <= encoding.max_crf:
        raise ValueError(f"crf is from 0 to {encoding.max_crf} for {suffix}, not {crf}")
    return encoding


def add_video(target: Any, encoding: Encoding, size: tuple[int, int], rate: Fraction, crf: int | None) -> Any:
    """Add a stream of (width, height) pixels to a file that is being written."""
    options = {**encoding.options, "crf": str(encoding.crf if crf is None else crf)}
    stream = target.add_stream(encoding.codec, rate=rate, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.max_b_frames = 0  # reordering frames at uneven times would give decoding times that do not increase
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return stream


def to_frame(image: np.ndarray, size: tuple[int, int]) -> Any:
    """Convert uint8 (height, width, 3), sRGB, to a PyAV frame of (width, height) that such a stream takes."""
    frame = _optional.require("av", extra="video").VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(*size, format="yuv420p", dst_colorspace="ITU709", interpolation=accurate())
