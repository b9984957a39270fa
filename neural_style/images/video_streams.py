"""What a copy of a clip takes from it: times, sounds, titles, languages and the aspect of pixels."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from neural_style import _optional
from neural_style.images.video_color import is_transposed
from neural_style.images.video_encoding import MAX_SIDE, Encoding, add_video
from neural_style.images.video_source import Damage, decoded, opened, packets, video_stream

__all__ = ["Clock", "add_streams", "copy_packet", "frame_rate", "pixel_aspect", "sounds_of", "square"]


class Clock:
    """Copies the times of a clip's frames to new frames."""

    def __init__(self, stream: Any) -> None:
        self._base = stream.time_base
        self._step = max(1, round(1 / (frame_rate(stream) * self._base)))
        self._last: int | None = None

    def set(self, image: Any, frame: Any) -> Any:
        """Give `image` the time of `frame`; if that is missing or not increasing, continue from the previous time."""
        time = frame.pts
        if time is None or (self._last is not None and time <= self._last):
            time = 0 if self._last is None else self._last + (self._step if time is None else 1)
        image.pts, image.time_base, image.duration = time, self._base, frame.duration or self._step
        self._last = time
        return image


def frame_rate(stream: Any) -> Fraction:
    """Frames per second of a video stream; 25 if the file does not say."""
    return stream.average_rate or stream.guessed_rate or Fraction(25)


def add_streams(
    source: Any, stream: Any, target: Any, encoding: Encoding, size: tuple[int, int], crf: int | None
) -> tuple[Any, dict[int, Any]]:
    """Add a video stream, and a copy of each sound stream, by its index in the source; copy the titles."""
    video = add_video(target, encoding, size, frame_rate(stream), crf)
    video.codec_context.time_base = stream.time_base
    copies = {sound.index: target.add_stream_from_template(sound) for sound in sounds_of(source)}
    _describe(source, target, encoding)
    _describe(stream, video, encoding)
    for sound in sounds_of(source):
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


def sounds_of(source: Any) -> list[Any]:
    """The sound streams that can be copied; FFmpeg does not know some, such as the spatial sound of new phones."""
    known = [sound for sound in source.streams.audio if sound.codec_context is not None]
    return [sound for sound in known if sound.codec_context.sample_rate]  # 0 if all of its packets are damaged


def copy_packet(packet: Any, stream: Any, target: Any) -> bool:
    """Copy a sound packet to a stream of the target.

    Returns:
        Whether that was possible: not if it has no time, or one before that of the last packet.
    """
    if not packet.size:  # the last packet is empty and only flushes the decoder
        return True
    if packet.dts is None:
        packet.dts = packet.pts
    if packet.dts is None:
        return False
    packet.stream = stream
    try:
        target.mux(packet)
    except (
        _optional.require("av", extra="video").error.InvalidDataError,
        _optional.require("av", extra="video").error.ArgumentError,
    ):
        return False
    return True


def pixel_aspect(clip: str | os.PathLike[str]) -> Fraction:
    """Width of a pixel divided by its height, when upright."""
    with opened(clip) as source:
        stream = video_stream(source, clip)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        damage = Damage(clip)
        found = (frame for packet in packets(source, [stream], damage) for frame in decoded(packet, damage))
        first = None if aspect == 1 else next(found, None)
        return 1 / aspect if first is not None and is_transposed(first) else aspect


def square(size: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """(width, height), even, at which square pixels show the same shape."""
    width, height = size
    return min(max(2, 2 * round(width * aspect / 2)), MAX_SIDE), height
