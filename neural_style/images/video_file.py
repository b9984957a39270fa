"""Video files: frames out of them, and painted frames into one like it, with its sound and its timing.

PyAV is an extra: `pip install 'tf-neural-style[video]'`.
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

from neural_style import _atomic
from neural_style.errors import ImageError

__all__ = ["check_copy", "count", "frames", "write", "write_like"]

ClipPath = str | os.PathLike[str]


class _Kind(NamedTuple):
    """How a file is written: container, codec of the pictures, and the quality that looks like the frames."""

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
_BT709 = 1  # the number of its matrix, primaries and curve in ITU-T H.273, which is what FFmpeg goes by
_LIMITED = 1


def frames(clip: ClipPath) -> Iterator[np.ndarray]:
    """The pictures of a video, one after the other, upright.

    Args:
        clip: any file that FFmpeg can decode.

    Yields:
        uint8 (height, width, 3), sRGB. One is held at a time.

    Raises:
        ImageError: it cannot be read, or holds no video.
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
    """About how many frames a video has, as far as it tells; None where it does not.

    Args:
        clip: any file that FFmpeg can decode.

    Raises:
        ImageError: it cannot be read, or holds no video.

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
    """Find out whether `write_like` will be able to, before hours go into painting.

    Args:
        clip: what the output is to be like.
        output: where it will be written; nothing is yet.

    Raises:
        ImageError: the clip cannot be read, or holds no video.
        ValueError: the output's suffix names no kind of video that is written here, or one that cannot hold the
            clip's sound.
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
                f"a {suffix} file cannot hold the clip's sound ({sounds}), which is copied as it is; an output that "
                f"ends in .mkv can ({error})"
            ) from error


def write(output: ClipPath, pictures: Iterable[np.ndarray], *, rate: float, crf: int | None = None) -> None:
    """Write a silent video, whole or not at all.

    Args:
        output: see `write_like`.
        pictures: uint8 (height, width, 3), of one size with even sides.
        rate: how many a second.
        crf: see `write_like`.

    Raises:
        ValueError: there are no pictures, or the output's suffix names no kind of video that is written here.
        OSError: the output cannot be written.
        ImportError: PyAV is not installed.

    Example:
        >>> import tempfile
        >>> write(f"{tempfile.mkdtemp()}/grey.mp4", [np.full((16, 32, 3), 128, np.uint8)] * 50, rate=25)
    """
    kind = _kind(output)

    def fill(handle: IO[bytes]) -> None:
        size, waiting = _sized(pictures)
        with _av().open(handle, "w", format=kind.container) as target:
            stream = _painted(target, kind, size, Fraction(rate).limit_denominator(1000), crf)
            for number, picture in enumerate(waiting):
                frame = _frame(picture)
                frame.pts, frame.time_base = number, 1 / stream.codec_context.framerate
                target.mux(stream.encode(frame))
            target.mux(stream.encode())

    _atomic.write_whole(os.path.realpath(output), fill)


def write_like(clip: ClipPath, output: ClipPath, pictures: Iterable[np.ndarray], *, crf: int | None = None) -> None:
    """Write a video of other pictures with a clip's timing and sound, whole or not at all.

    Each picture is shown when the clip's frame was, and as long. Packets of sound are copied as they are.

    Args:
        clip: what it is to be like.
        output: what is written: .mp4, .m4v, .mov or .mkv in H.264, .webm in VP9.
        pictures: uint8 (height, width, 3), of one size with even sides, as many as the clip has.
        crf: the encoder's rate factor: less is better and larger. None for hardly any loss.

    Raises:
        ImageError: the clip cannot be read.
        ValueError: there are fewer pictures than frames, or more; see also `check_copy`.
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
    _atomic.write_whole(os.path.realpath(output), lambda handle: _write(clip, handle, kind, pictures, crf))


def _write(clip: ClipPath, handle: IO[bytes], kind: _Kind, pictures: Iterable[np.ndarray], crf: int | None) -> None:
    size, waiting = _sized(pictures)
    picture: np.ndarray | None = next(waiting)
    with _opened(clip) as source, _av().open(handle, "w", format=kind.container) as target:
        stream = _video(source, clip)
        painted, sounds = _add_streams(source, stream, target, kind, size, crf)
        clock = _Clock(stream)
        number = 0
        for packet in _decoded(source.demux(stream, *source.streams.audio), clip):
            if packet.stream.index != stream.index:
                if packet.dts is not None:  # the last one only says that there are no more
                    packet.stream = sounds[packet.stream.index]
                    target.mux(packet)
                continue
            for frame in packet.decode():
                if picture is None:
                    raise ValueError(f"the clip has more frames than the {number} pictures")
                target.mux(painted.encode(clock.set(_frame(picture), frame)))
                number, picture = number + 1, next(waiting, None)
        if picture is not None:
            raise ValueError(f"there are more pictures than the clip's {number} frames")
        target.mux(painted.encode())


class _Clock:
    """Gives pictures the times of a clip's frames."""

    def __init__(self, stream: Any) -> None:
        self._base = stream.time_base
        self._step = max(1, round(1 / (_rate(stream) * self._base)))
        self._last: int | None = None

    def set(self, picture: Any, frame: Any) -> Any:
        """A picture with a frame's time; where the clip has none, or it goes back, a step on from the one before."""
        time = frame.pts
        if time is None or (self._last is not None and time <= self._last):
            time = 0 if self._last is None else self._last + (self._step if time is None else 1)
        picture.pts, picture.time_base, picture.duration = time, self._base, frame.duration or self._step
        self._last = time
        return picture


def _add_streams(
    source: Any, stream: Any, target: Any, kind: _Kind, size: tuple[int, int], crf: int | None
) -> tuple[Any, dict[int, Any]]:
    """A stream for the pictures, and one for each of sound, by its number in the source."""
    painted = _painted(target, kind, size, _rate(stream), crf)
    painted.codec_context.time_base = stream.time_base
    return painted, {sound.index: target.add_stream_from_template(sound) for sound in source.streams.audio}


def _painted(target: Any, kind: _Kind, size: tuple[int, int], rate: Fraction, crf: int | None) -> Any:
    """A stream for pictures."""
    options = {**kind.options, "crf": str(kind.crf if crf is None else crf)}
    stream = target.add_stream(kind.codec, rate=rate, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.max_b_frames = 0  # with them, uneven times leave no room for when a frame has to be decoded
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return stream


def _sized(pictures: Iterable[np.ndarray]) -> tuple[tuple[int, int], Iterator[np.ndarray]]:
    """(width, height) of pictures, and the pictures, of which there is at least one."""
    waiting = iter(pictures)
    first = next(waiting, None)
    if first is None:
        raise ValueError("there are no pictures to make a video of")
    return (first.shape[1], first.shape[0]), itertools.chain([first], waiting)


def _frame(picture: np.ndarray) -> Any:
    frame = _av().VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace="ITU709", interpolation=_exactly())


def _pixels(frame: Any) -> np.ndarray:
    """A decoded frame the way up it is meant to be seen."""
    pixels: np.ndarray = frame.reformat(format="rgb24", interpolation=_exactly()).to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _exactly() -> Any:
    """How colours are converted: by default, each way darkens a picture by half a level."""
    by = _av().video.reformatter.Interpolation
    return by.BICUBIC | by.ACCURATE_RND | by.FULL_CHR_H_INT | by.FULL_CHR_H_INP


def _rate(stream: Any) -> Fraction:
    rate: Fraction = stream.average_rate or stream.guessed_rate or Fraction(25)
    return rate


def _video(source: Any, clip: ClipPath) -> Any:
    """The first stream of pictures that is no cover."""
    cover = _av().stream.Disposition.attached_pic
    for stream in source.streams.video:
        if not stream.disposition & cover:
            stream.thread_type = "AUTO"
            return stream
    raise ImageError(f"{os.fspath(clip)!r} holds no video")


@contextlib.contextmanager
def _opened(clip: ClipPath) -> Iterator[Any]:
    try:
        source = _av().open(os.fspath(clip))
    except (_av().error.FFmpegError, OSError) as error:
        raise ImageError(f"{os.fspath(clip)!r} is no video that can be read ({error})") from error
    with source:
        yield source


def _decoded(items: Iterable[Any], clip: ClipPath) -> Iterator[Any]:
    """What a clip gives, until it turns out to be damaged."""
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
    try:
        import av
    except ImportError as error:
        raise ImportError(
            "video files are read and written by PyAV; install it with: pip install 'tf-neural-style[video]'"
        ) from error
    return av
