"""Video files: decode frames, and encode frames with the timing and sound of another video.

Requires PyAV, an extra: `pip install 'tf-neural-style[video]'`.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple

import numpy as np

from neural_style import _atomic, _optional
from neural_style.errors import ImageError

__all__ = ["check_copy", "count", "frames", "write", "write_like"]

ClipPath = str | os.PathLike[str]


class _Kind(NamedTuple):
    """Encoding of a video file: container, codec, and the rate factor of visually lossless quality."""

    container: str
    codec: str = "libx264"
    crf: int = 17
    options: Mapping[str, str] = MappingProxyType({})


_KINDS = {
    ".mp4": _Kind("mp4"),
    ".m4v": _Kind("mp4"),
    ".mov": _Kind("mov"),
    ".mkv": _Kind("matroska"),
    ".webm": _Kind("webm", "libvpx-vp9", 24, {"b": "0", "row-mt": "1", "cpu-used": "2"}),
}
_BT709 = 1  # code of its matrix, primaries and transfer function in ITU-T H.273, which FFmpeg uses
_LIMITED = 1


def frames(clip: ClipPath) -> Iterator[np.ndarray]:
    """Decode the frames of a video one by one, upright.

    Args:
        clip: any file that FFmpeg can decode.

    Yields:
        uint8 (height, width, 3), sRGB; one frame is in memory at a time.

    Raises:
        ImageError: the file cannot be read, or contains no video.
        ImportError: PyAV is not installed.

    Example:
        >>> import tempfile
        >>> clip = f"{tempfile.mkdtemp()}/clip.mp4"
        >>> write(clip, [np.full((16, 32, 3), level, np.uint8) for level in (0, 100, 200)], rate=25)
        >>> [frame.shape for frame in frames(clip)]
        [(16, 32, 3), (16, 32, 3), (16, 32, 3)]
    """
    with _opened(clip) as source:
        stream = _video(source, clip)
        for frame in _decoded(source.decode(stream), clip):
            yield _pixels(frame)


def count(clip: ClipPath) -> int | None:
    """Read or estimate the number of frames of a video without decoding it.

    Args:
        clip: any file that FFmpeg can decode.

    Returns:
        The number of frames, estimated from the duration if the file does not store it; None if both are missing.

    Raises:
        ImageError: the file cannot be read, or contains no video.

    Example:
        >>> import tempfile
        >>> clip = f"{tempfile.mkdtemp()}/clip.mp4"
        >>> write(clip, [np.full((16, 32, 3), level, np.uint8) for level in (0, 100, 200)], rate=25)
        >>> count(clip)
        3
    """
    with _opened(clip) as source:
        stream = _video(source, clip)
        if stream.frames:
            return int(stream.frames)
        return None if source.duration is None else round(source.duration / _av().time_base * _rate(stream))


def check_copy(clip: ClipPath, output: ClipPath) -> None:
    """Check before a long run that `write_like` will be able to write a video.

    Args:
        clip: video whose timing and sound will be used.
        output: file to be written later; it is not touched.

    Raises:
        ImageError: the clip cannot be read, or contains no video.
        ValueError: the output's suffix is not supported, or its container cannot hold the clip's sound.
        ImportError: PyAV is not installed.

    Example:
        >>> import tempfile
        >>> clip = f"{tempfile.mkdtemp()}/clip.mp4"
        >>> write(clip, [np.zeros((16, 32, 3), np.uint8)], rate=25)
        >>> check_copy(clip, "painted.mp4")
        >>> check_copy(clip, "painted.gif")
        Traceback (most recent call last):
        ValueError: 'painted.gif' ends in none of .mp4, .m4v, .mov, .mkv, .webm
    """
    kind = _kind(output)
    with _opened(clip) as source:
        stream = _video(source, clip)
        sounds = ", ".join(sound.codec_context.name for sound in source.streams.audio)
        try:
            with _av().open(io.BytesIO(), "w", format=kind.container) as trial:
                _add_streams(source, stream, trial, kind, (64, 64), None)
                trial.start_encoding()
        except (_av().error.FFmpegError, ValueError) as error:
            suffix = Path(output).suffix
            raise ValueError(
                f"a {suffix} file cannot hold the clip's sound ({sounds}), which is copied unchanged; use an output "
                f"that ends in .mkv ({error})"
            ) from error


def write(output: ClipPath, images: Iterable[np.ndarray], *, rate: float, crf: int | None = None) -> None:
    """Write a silent video atomically.

    Args:
        output: see `write_like`.
        images: frames, uint8 (height, width, 3), of one size with even sides.
        rate: frames per second.
        crf: see `write_like`.

    Raises:
        ValueError: there are no images, or the output's suffix is not supported.
        OSError: the output cannot be written.
        ImportError: PyAV is not installed.

    Example:
        >>> import tempfile
        >>> write(f"{tempfile.mkdtemp()}/gray.mp4", [np.full((16, 32, 3), 128, np.uint8)] * 50, rate=25)
    """
    kind = _kind(output)

    def fill(handle: IO[bytes]) -> None:
        size, waiting = _sized(images)
        with _av().open(handle, "w", format=kind.container) as target:
            stream = _add_video(target, kind, size, Fraction(rate).limit_denominator(1000), crf)
            for number, image in enumerate(waiting):
                frame = _frame(image)
                frame.pts, frame.time_base = number, 1 / stream.codec_context.framerate
                target.mux(stream.encode(frame))
            target.mux(stream.encode())

    _atomic.write_whole(os.path.realpath(output), fill)


def write_like(clip: ClipPath, output: ClipPath, images: Iterable[np.ndarray], *, crf: int | None = None) -> None:
    """Write a video of new images with the timing and sound of a clip, atomically.

    Each image has the time and duration of the corresponding frame of the clip. Sound packets are copied unchanged.

    Args:
        clip: video whose timing and sound are used.
        output: file to write: .mp4, .m4v, .mov or .mkv with H.264, .webm with VP9.
        images: frames, uint8 (height, width, 3), of one size with even sides, as many as the clip has.
        crf: the encoder's rate factor: lower is better and larger; None for visually lossless quality.

    Raises:
        ImageError: the clip cannot be read.
        ValueError: there are fewer or more images than frames in the clip; see also `check_copy`.
        OSError: the output cannot be written.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> write(f"{folder}/clip.mp4", [np.full((16, 32, 3), 200, np.uint8)] * 3, rate=25)
        >>> write_like(f"{folder}/clip.mp4", f"{folder}/dark.mkv", (f // 4 for f in frames(f"{folder}/clip.mp4")))
        >>> [round(frame.mean()) for frame in frames(f"{folder}/dark.mkv")]
        [50, 50, 50]
    """
    kind = _kind(output)
    _atomic.write_whole(os.path.realpath(output), lambda handle: _write(clip, handle, kind, images, crf))


def _write(clip: ClipPath, handle: IO[bytes], kind: _Kind, images: Iterable[np.ndarray], crf: int | None) -> None:
    size, waiting = _sized(images)
    image: np.ndarray | None = next(waiting)
    with _opened(clip) as source, _av().open(handle, "w", format=kind.container) as target:
        stream = _video(source, clip)
        video, sounds = _add_streams(source, stream, target, kind, size, crf)
        clock = _Clock(stream)
        number = 0
        for packet in _decoded(source.demux(stream, *source.streams.audio), clip):
            if packet.stream.index != stream.index:
                if packet.dts is not None:  # the last packet is empty and only flushes the stream
                    packet.stream = sounds[packet.stream.index]
                    target.mux(packet)
                continue
            for frame in packet.decode():
                if image is None:
                    raise ValueError(f"the clip has more frames than the {number} images")
                target.mux(video.encode(clock.set(_frame(image), frame)))
                number, image = number + 1, next(waiting, None)
        if image is not None:
            raise ValueError(f"there are more images than the clip's {number} frames")
        target.mux(video.encode())


class _Clock:
    """Copies the times of a clip's frames to new frames."""

    def __init__(self, stream: Any) -> None:
        self._base = stream.time_base
        self._step = max(1, round(1 / (_rate(stream) * self._base)))
        self._last: int | None = None

    def set(self, image: Any, frame: Any) -> Any:
        """Give `image` the time of `frame`; if that is missing or not increasing, continue from the previous time."""
        time = frame.pts
        if time is None or (self._last is not None and time <= self._last):
            time = 0 if self._last is None else self._last + (self._step if time is None else 1)
        image.pts, image.time_base, image.duration = time, self._base, frame.duration or self._step
        self._last = time
        return image


def _add_streams(
    source: Any, stream: Any, target: Any, kind: _Kind, size: tuple[int, int], crf: int | None
) -> tuple[Any, dict[int, Any]]:
    """Add a video stream, and a copy of each sound stream, by its index in the source."""
    video = _add_video(target, kind, size, _rate(stream), crf)
    video.codec_context.time_base = stream.time_base
    return video, {sound.index: target.add_stream_from_template(sound) for sound in source.streams.audio}


def _add_video(target: Any, kind: _Kind, size: tuple[int, int], rate: Fraction, crf: int | None) -> Any:
    """Add a video stream."""
    options = {**kind.options, "crf": str(kind.crf if crf is None else crf)}
    stream = target.add_stream(kind.codec, rate=rate, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.max_b_frames = 0  # reordering frames at uneven times would give decoding times that do not increase
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return stream


def _sized(images: Iterable[np.ndarray]) -> tuple[tuple[int, int], Iterator[np.ndarray]]:
    """Return the (width, height) of the first image, and all images; there has to be at least one."""
    waiting = iter(images)
    first = next(waiting, None)
    if first is None:
        raise ValueError("there are no images to make a video from")
    return (first.shape[1], first.shape[0]), itertools.chain([first], waiting)


def _frame(image: np.ndarray) -> Any:
    frame = _av().VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace="ITU709", interpolation=_accurate())


def _pixels(frame: Any) -> np.ndarray:
    """Convert a decoded frame to RGB, rotated upright."""
    pixels = frame.reformat(format="rgb24", interpolation=_accurate()).to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _accurate() -> Any:
    """Flags for accurate color conversion; with FFmpeg's default, each conversion darkens an image by half a level."""
    by = _av().video.reformatter.Interpolation
    return by.BICUBIC | by.ACCURATE_RND | by.FULL_CHR_H_INT | by.FULL_CHR_H_INP


def _rate(stream: Any) -> Fraction:
    return stream.average_rate or stream.guessed_rate or Fraction(25)


def _video(source: Any, clip: ClipPath) -> Any:
    """Find the first video stream that is not cover art."""
    cover = _av().stream.Disposition.attached_pic
    for stream in source.streams.video:
        if not stream.disposition & cover:
            stream.thread_type = "AUTO"
            return stream
    raise ImageError(f"{os.fspath(clip)!r} contains no video")


@contextlib.contextmanager
def _opened(clip: ClipPath) -> Iterator[Any]:
    try:
        source = _av().open(os.fspath(clip))
    except (_av().error.FFmpegError, OSError) as error:
        raise ImageError(f"{os.fspath(clip)!r} cannot be read as a video ({error})") from error
    with source:
        yield source


def _decoded(items: Iterable[Any], clip: ClipPath) -> Iterator[Any]:
    """Yield decoded items; raise `ImageError` where the clip is damaged."""
    try:
        yield from items
    except _av().error.FFmpegError as error:
        raise ImageError(f"{os.fspath(clip)!r} is damaged ({error})") from error


def _kind(output: ClipPath) -> _Kind:
    suffix = Path(output).suffix.lower()
    if suffix not in _KINDS:
        raise ValueError(f"{os.fspath(output)!r} ends in none of {', '.join(_KINDS)}")
    return _KINDS[suffix]


def _av() -> Any:
    return _optional.require("av", extra="video")
