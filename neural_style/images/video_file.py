"""Video files: frames, and videos of other frames with the timing, sound, title and pixel aspect of a clip.

Requires PyAV, an extra: `pip install 'tf-neural-style[video]'`.
"""

from __future__ import annotations

import io
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from neural_style import _atomic, _optional
from neural_style._files import FileSet
from neural_style.errors import ImageError
from neural_style.images.video_color import is_transposed, to_pixels
from neural_style.images.video_encoding import Encoding, add_video, encoding_for, to_frame
from neural_style.images.video_source import Damage, decoded, opened, packets, video_stream, warn_if_cut_short
from neural_style.images.writing import check_place, output_path

__all__ = ["check_copy", "count", "frames", "write", "write_like"]

ClipPath = str | os.PathLike[str]


def frames(clip: ClipPath) -> Iterator[np.ndarray]:
    """Decode the frames of a video one by one, upright, in sRGB.

    HDR (PQ and HLG) and wide gamuts are converted to sRGB. Untagged clips are read as players do: as BT.709 if they are
    in HD, as BT.601 if not. Pixels keep the aspect that they have in the file, even if they are not square.

    Args:
        clip: path of a file, in a container of which `docs/security.md` has the list; never an address or a pattern.

    Yields:
        uint8 (height, width, 3), sRGB; one frame is in memory at a time.

    Raises:
        ImageError: the file cannot be read, contains no frame that can be decoded, or encodes colors in a way that is
            not supported.
        TypeError: `clip` is not a path.
        ImportError: PyAV is not installed.

    Warns:
        UserWarning: the clip is damaged, and frames are missing.

    Example:
        >>> import tempfile
        >>> clip = f"{tempfile.mkdtemp()}/clip.mp4"
        >>> write(clip, [np.full((16, 32, 3), level, np.uint8) for level in (0, 100, 200)], rate=25)
        >>> [frame.shape for frame in frames(clip)]
        [(16, 32, 3), (16, 32, 3), (16, 32, 3)]
    """
    found = False
    with opened(clip) as source:
        damage = Damage(clip)
        for packet in packets(source, [video_stream(source, clip)], damage):
            for frame in decoded(packet, damage):
                found = True
                yield to_pixels(frame, clip)
            if found:
                damage.warn()
    if not found:
        raise ImageError(f"{os.fspath(clip)!r} contains no frame that can be decoded")


def count(clip: ClipPath) -> int | None:
    """Read or estimate the number of frames of a video without decoding it.

    Args:
        clip: see `frames`.

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
    with opened(clip) as source:
        stream = video_stream(source, clip)
        if stream.frames:
            return int(stream.frames)
        return None if source.duration is None else round(source.duration / _av().time_base * _rate(stream))


def check_copy(clip: ClipPath, output: ClipPath, *, crf: int | None = None) -> None:
    """Check before a long run that `write_like` will be able to write a video.

    Args:
        clip: video whose timing and sound will be used.
        output: file to be written later; it is not touched.
        crf: see `write_like`.

    Raises:
        ImageError: the clip cannot be read, or contains no video, or the output cannot be written, for example because
            it is a folder or a device.
        ValueError: the output is the clip, its suffix is not supported, its container cannot hold the clip's sound, or
            `crf` is out of range.
        ImportError: PyAV is not installed.

    Warns:
        UserWarning: the clip ends before the length that its file states.

    Example:
        >>> import tempfile
        >>> clip = f"{tempfile.mkdtemp()}/clip.mp4"
        >>> write(clip, [np.zeros((16, 32, 3), np.uint8)], rate=25)
        >>> check_copy(clip, "painted.mp4")
        >>> check_copy(clip, "painted.gif")
        Traceback (most recent call last):
        ValueError: 'painted.gif' ends in none of .mp4, .m4v, .mov, .mkv, .webm
    """
    encoding = encoding_for(output, crf)
    _check_other(clip, output)
    check_place(output)
    with opened(clip) as source:
        stream = video_stream(source, clip)
        sounds = _sounds(source)
        try:
            with _av().open(io.BytesIO(), "w", format=encoding.container) as trial:
                _add_streams(source, stream, trial, encoding, (64, 64), crf)
                trial.start_encoding()
        except (_av().error.FFmpegError, ValueError) as error:
            names, suffix = ", ".join(sound.codec_context.name for sound in sounds), Path(output).suffix
            remedy = "convert the sound first" if suffix == ".mkv" else "use an output that ends in .mkv"
            raise ValueError(
                f"a {suffix} file cannot hold the clip's sound ({names}), which is copied unchanged; {remedy} ({error})"
            ) from error
        if len(sounds) < len(source.streams.audio):
            unknown = len(source.streams.audio) - len(sounds)
            _warn(f"{os.fspath(clip)!r}: {unknown} sound streams that FFmpeg cannot identify are left out")
        warn_if_cut_short(source, stream, clip)


def write(output: ClipPath, images: Iterable[np.ndarray], *, rate: float, crf: int | None = None) -> None:
    """Write a silent video atomically.

    Args:
        output: see `write_like`.
        images: frames, uint8 (height, width, 3), of one size with even sides.
        rate: frames per second.
        crf: see `write_like`.

    Raises:
        ImageError: the output is a folder or a device, or in a folder that does not exist, or cannot be encoded.
        ValueError: there are no images, or the output's suffix is not supported.
        OSError: the output cannot be written.
        ImportError: PyAV is not installed.

    Example:
        >>> import tempfile
        >>> write(f"{tempfile.mkdtemp()}/gray.mp4", [np.full((16, 32, 3), 128, np.uint8)] * 50, rate=25)
    """
    encoding = encoding_for(output, crf)

    def fill(handle: IO[bytes]) -> None:
        size, waiting = _sized(images)
        with _av().open(handle, "w", format=encoding.container) as target:
            stream = add_video(target, encoding, size, Fraction(rate).limit_denominator(100_000), crf)
            for number, image in enumerate(waiting):
                frame = to_frame(image, size)
                frame.pts, frame.time_base = number, 1 / stream.codec_context.framerate
                target.mux(stream.encode(frame))
            target.mux(stream.encode())

    _write_whole(output, fill)


def write_like(clip: ClipPath, output: ClipPath, images: Iterable[np.ndarray], *, crf: int | None = None) -> None:
    """Write a video of new images with the timing and sound of a clip, atomically.

    Each image has the time and duration of the corresponding frame of the clip. Sound packets are copied unchanged.
    The pixel aspect, the title, and the titles and languages of the streams are the clip's; of other metadata, such as
    places and dates, nothing is written.

    Args:
        clip: video whose timing and sound are used.
        output: file to write: .mp4, .m4v, .mov or .mkv with H.264, .webm with VP9.
        images: frames, uint8 (height, width, 3), of one size with even sides, as many as the clip has.
        crf: the encoder's rate factor: lower is better and larger; None for visually lossless quality.

    Raises:
        ImageError: the clip cannot be read; for the output see `write`.
        ValueError: there are fewer or more images than frames in the clip; see also `check_copy`.
        OSError: the output cannot be written.

    Warns:
        UserWarning: some sound is damaged and could not be copied.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> write(f"{folder}/clip.mp4", [np.full((16, 32, 3), 200, np.uint8)] * 3, rate=25)
        >>> write_like(f"{folder}/clip.mp4", f"{folder}/dark.mkv", (f // 4 for f in frames(f"{folder}/clip.mp4")))
        >>> [round(frame.mean()) for frame in frames(f"{folder}/dark.mkv")]
        [50, 50, 50]
    """
    encoding = encoding_for(output, crf)
    _check_other(clip, output)
    _write_whole(output, lambda handle: _write(clip, handle, encoding, images, crf))


def _check_other(clip: ClipPath, output: ClipPath) -> None:
    files = FileSet()
    files.add(clip, "the clip")
    if files.find(output) is not None:
        raise ValueError(f"{os.fspath(output)!r} is the clip and would be replaced; write to another file")


def _write_whole(output: ClipPath, fill: Callable[[IO[bytes]], None]) -> None:
    """Write a file atomically, and name it where the encoder fails."""
    try:
        _atomic.write_whole(output_path(output), fill)
    except _av().error.FFmpegError as error:
        if isinstance(error, OSError | MemoryError):
            raise
        raise ImageError(f"{os.fspath(output)!r} cannot be encoded ({error})") from error


def _write(
    clip: ClipPath, handle: IO[bytes], encoding: Encoding, images: Iterable[np.ndarray], crf: int | None
) -> None:
    size, waiting = _sized(images)
    image: np.ndarray | None = next(waiting)
    aspect, damage, number, lost = _pixel_aspect(clip), Damage(clip), 0, 0
    with opened(clip) as source, _av().open(handle, "w", format=encoding.container) as target:
        stream, sounds = video_stream(source, clip), _sounds(source)
        size = _square(size, aspect) if encoding.codec == "libvpx-vp9" else size  # PyAV cannot tag VP9 with an aspect
        video, copies = _add_streams(source, stream, target, encoding, size, crf)
        video.codec_context.sample_aspect_ratio = aspect
        clock = _Clock(stream)
        for packet in packets(source, [stream, *sounds], damage):
            if packet.stream.index != stream.index:
                lost += not _copy(packet, copies[packet.stream.index], target)
                continue
            for frame in decoded(packet, damage):
                if image is None:
                    raise ValueError(f"the clip has more frames than the {number} images")
                target.mux(video.encode(clock.set(to_frame(image, size), frame)))
                number, image = number + 1, next(waiting, None)
        if image is not None:
            raise ValueError(f"there are more images than the clip's {number} frames")
        target.mux(video.encode())
    if lost:
        _warn(f"{os.fspath(clip)!r}: {lost} damaged packets of its sound could not be copied")


def _copy(packet: Any, stream: Any, target: Any) -> bool:
    """Copy a sound packet to a stream of the target; returns whether that was possible."""
    if not packet.size:  # the last packet is empty and only flushes the decoder
        return True
    if packet.dts is None:
        packet.dts = packet.pts
    if packet.dts is None:
        return False
    packet.stream = stream
    try:
        target.mux(packet)
    except (_av().error.InvalidDataError, _av().error.ArgumentError):  # a time before that of the last packet
        return False
    return True


def _pixel_aspect(clip: ClipPath) -> Fraction:
    """Width of a pixel divided by its height, when upright."""
    with opened(clip) as source:
        stream = video_stream(source, clip)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        damage = Damage(clip)
        found = (frame for packet in packets(source, [stream], damage) for frame in decoded(packet, damage))
        first = None if aspect == 1 else next(found, None)
        return 1 / aspect if first is not None and is_transposed(first) else aspect


def _square(size: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """(width, height), even, at which square pixels show the same shape."""
    width, height = size
    return min(max(2, 2 * round(width * aspect / 2)), 16_384), height


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
    source: Any, stream: Any, target: Any, encoding: Encoding, size: tuple[int, int], crf: int | None
) -> tuple[Any, dict[int, Any]]:
    """Add a video stream, and a copy of each sound stream, by its index in the source; copy the titles."""
    video = add_video(target, encoding, size, _rate(stream), crf)
    video.codec_context.time_base = stream.time_base
    copies = {sound.index: target.add_stream_from_template(sound) for sound in _sounds(source)}
    _describe(source, target, encoding)
    _describe(stream, video, encoding)
    for sound in _sounds(source):
        _describe(sound, copies[sound.index], encoding)
        copies[sound.index].disposition = sound.disposition  # which is the default, or a commentary
    return video, copies


def _describe(original: Any, copy: Any, encoding: Encoding) -> None:
    """Copy the title and language of a file or stream."""
    title = original.metadata.get("title") or original.metadata.get("name")  # as the title of a stream is called in MP4
    language = original.metadata.get("language")
    if title:
        copy.metadata["title"] = title
    if language:
        copy.metadata["language"] = encoding.languages.get(language, language)


def _sounds(source: Any) -> list[Any]:
    """The sound streams that can be copied; FFmpeg does not know some, such as the spatial sound of new phones."""
    known = [sound for sound in source.streams.audio if sound.codec_context is not None]
    return [sound for sound in known if sound.codec_context.sample_rate]  # 0 if all of its packets are damaged


def _sized(images: Iterable[np.ndarray]) -> tuple[tuple[int, int], Iterator[np.ndarray]]:
    """Return the (width, height) of the first image, and all images; there has to be at least one."""
    waiting = iter(images)
    first = next(waiting, None)
    if first is None:
        raise ValueError("there are no images to make a video from")
    return (first.shape[1], first.shape[0]), itertools.chain([first], waiting)


def _rate(stream: Any) -> Fraction:
    return stream.average_rate or stream.guessed_rate or Fraction(25)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def _av() -> Any:
    return _optional.require("av", extra="video")
