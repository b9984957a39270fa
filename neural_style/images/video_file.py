"""Video files: frames, and videos of other frames with the timing, sound, title and pixel aspect of a clip.

Requires PyAV, which the extra `[video]` installs.
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
from neural_style.images.video_color import to_pixels
from neural_style.images.video_encoding import MAX_SIDE, Encoding, add_video, encoding_for, to_frame
from neural_style.images.video_source import Damage, decoded, opened, packets, video_stream, warn_if_cut_short
from neural_style.images.video_streams import (
    Clock,
    add_streams,
    copy_packet,
    frame_rate,
    pixel_aspect,
    sounds_of,
    square,
)
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
        OSError: the disk fails while the file is read.
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
        return None if source.duration is None else round(source.duration / _av().time_base * frame_rate(stream))


def check_copy(clip: ClipPath, output: ClipPath, *, crf: int | None = None, size: int | None = None) -> None:
    """Check before a long run that `write_like` will be able to write a video.

    Args:
        clip: video whose timing and sound will be used.
        output: file to be written later; it is not touched.
        crf: see `write_like`.
        size: long side of the images in pixels; None for the clip's own.

    Raises:
        ImageError: the clip cannot be read, or contains no video, or the output cannot be written, for example because
            it is a folder or a device.
        ValueError: the output is the clip, its suffix is not supported, its container cannot hold the clip's sound, or
            `crf` or the size is out of range.
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
        stream, sounds = video_stream(source, clip), sounds_of(source)
        if (size or max(stream.width, stream.height)) > MAX_SIDE:
            raise ValueError(
                f"size must be at most {MAX_SIDE:,} for videos, which is the encoders' limit; use a smaller size"
            )
        try:
            with _av().open(io.BytesIO(), "w", format=encoding.container) as trial:
                add_streams(source, stream, trial, encoding, (64, 64), crf)
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
    aspect, damage, number, lost = pixel_aspect(clip), Damage(clip), 0, 0
    with opened(clip) as source, _av().open(handle, "w", format=encoding.container) as target:
        stream, sounds = video_stream(source, clip), sounds_of(source)
        size = square(size, aspect) if encoding.codec == "libvpx-vp9" else size  # PyAV cannot tag VP9 with an aspect
        video, copies = add_streams(source, stream, target, encoding, size, crf)
        video.codec_context.sample_aspect_ratio = aspect
        clock = Clock(stream)
        for packet in packets(source, [stream, *sounds], damage):
            if packet.stream.index != stream.index:
                lost += not copy_packet(packet, copies[packet.stream.index], target)
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


def _sized(images: Iterable[np.ndarray]) -> tuple[tuple[int, int], Iterator[np.ndarray]]:
    """Return the (width, height) of the first image, and all images; there has to be at least one."""
    waiting = iter(images)
    first = next(waiting, None)
    if first is None:
        raise ValueError("there are no images to make a video from")
    return (first.shape[1], first.shape[0]), itertools.chain([first], waiting)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def _av() -> Any:
    return _optional.require("av", extra="video")
