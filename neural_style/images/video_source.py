"""Opening video files and decoding their frames; damaged parts are left out, with a warning."""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import IO, Any

from neural_style import _optional
from neural_style.errors import ImageError
from neural_style.images.formats.decoding import Limits, check_size
from neural_style.images.reading import open_regular

__all__ = ["Damage", "decoded", "opened", "packets", "video_stream", "warn_if_cut_short"]

_FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mxf,dv,gif,ivf,yuv4mpegpipe"  # FFmpeg's names
_NAMED = "MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WMV, OGV, MXF, DV, GIF, IVF or Y4M"
_STATE_THEIR_LENGTH = {"mov", "matroska", "flv", "asf"}  # of most others, FFmpeg estimates it
_LIMITS = Limits(max_pixels=100_000_000, max_side=65_535)
_MAX_FAILURES = 100  # attempts in a row to find the next packet of a damaged file


@contextlib.contextmanager
def opened(clip: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a video file with PyAV.

    FFmpeg gets an open file and no name, and may open nothing else: what a name or a playlist says about protocols,
    patterns and other files has no effect.

    Args:
        clip: path of a regular file; its content decides about the format, its name does not.

    Raises:
        ImageError: the file cannot be read, or is in none of the accepted formats.
        TypeError: `clip` is not a path.
        ImportError: PyAV is not installed.
    """
    av = _optional.require("av", extra="video")
    if not isinstance(clip, str | os.PathLike):
        raise TypeError(f"a clip must be the path of a video file, not {type(clip).__name__}")
    name = repr(os.fspath(clip))
    try:
        handle = open_regular(os.fspath(clip))
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
    with handle:
        try:
            source = av.open(
                _Bytes(handle),
                "r",
                container_options={"format_whitelist": _FORMATS, "protocol_whitelist": "none"},
                metadata_errors="replace",
                io_open=_refuse,
            )
        except (av.error.FFmpegError, OSError) as error:
            reason = error.strerror or error
            raise ImageError(f"{name} cannot be read as a video ({reason}); accepted are {_NAMED}") from error
        with source:
            yield source


class _Bytes:
    """What FFmpeg gets of a file: its bytes without its name."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.read, self.tell = handle.read, handle.tell
        self._handle = handle

    def seek(self, offset: int, whence: int) -> int:
        """As for a file, but return a negative code where a damaged file points outside; PyAV prints exceptions."""
        try:
            return self._handle.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -errno.EINVAL


def _refuse(*_: object) -> None:
    raise PermissionError("a video file may not open other files")


def video_stream(source: Any, clip: str | os.PathLike[str]) -> Any:
    """Find the first video stream that is not cover art.

    Raises:
        ImageError: there is none, its codec is unknown, or its frames are too large.
    """
    cover = _optional.require("av", extra="video").stream.Disposition.attached_pic
    stream = next((each for each in source.streams.video if not each.disposition & cover), None)
    if stream is None:
        raise ImageError(f"{os.fspath(clip)!r} contains no video")
    if stream.codec_context is None:
        raise ImageError(f"{os.fspath(clip)!r}: FFmpeg knows no decoder for its video; convert it to H.264")
    if stream.width and stream.height:
        try:
            check_size((stream.width, stream.height), _LIMITS)
        except ImageError as error:
            raise ImageError(f"{os.fspath(clip)!r}: {error}") from error
    stream.codec_context.options = {"max_pixels": str(_LIMITS.max_pixels)}  # a frame may be larger than the header says
    stream.thread_type = "SLICE"  # with a thread for each frame, an error also loses intact frames decoded meanwhile
    return stream


class Damage:
    """The first place at which a clip is damaged.

    Args:
        clip: path of the clip, for the message.
    """

    def __init__(self, clip: str | os.PathLike[str]) -> None:
        self._name = repr(os.fspath(clip))
        self._place: str | None = None
        self._warned = False

    def note(self, packet: Any = None) -> None:
        """Remember that a packet, or what comes between packets, is damaged."""
        if self._place is None:
            time = None if packet is None or packet.pts is None else float(packet.pts * packet.time_base)
            self._place = "" if time is None else f" at {time:.2f} s"

    def warn(self) -> None:
        """Warn once, if something is damaged."""
        if self._place is not None and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self._name} is damaged{self._place}: frames that cannot be decoded are left out, and the frame "
                "before them is shown longer",
                stacklevel=3,
            )


def packets(source: Any, streams: Sequence[Any], damage: Damage) -> Iterator[Any]:
    """Yield the packets of some streams; then an empty packet for each stream, which makes its decoder finish.

    Raises:
        OSError: the file cannot be read any more.
    """
    av = _optional.require("av", extra="video")
    failures = 0
    while failures < _MAX_FAILURES:
        try:
            for packet in source.demux(*streams):
                failures = 0
                yield packet
            return
        except av.error.FFmpegError as error:  # also MemoryError: a damaged packet may claim any size
            if isinstance(error, OSError):
                raise
            damage.note()
            failures += 1
        except IndexError:  # raised by PyAV at the end of a file in which streams begin late
            break
    for stream in streams:
        last = av.Packet()
        last.stream = stream
        yield last


def decoded(packet: Any, damage: Damage) -> list[Any]:
    """Decode the frames that a packet completes; none if it is damaged.

    Raises:
        MemoryError: memory does not suffice.
    """
    try:
        frames = list(packet.decode())
    except _optional.require("av", extra="video").error.FFmpegError as error:
        if isinstance(error, OSError | MemoryError):  # of the machine, which says nothing about the clip
            raise
        if not isinstance(error, EOFError):  # the decoder has finished already
            damage.note(packet)
        return []
    if any(frame.is_corrupt for frame in frames):
        damage.note(packet)
    return frames


def warn_if_cut_short(source: Any, stream: Any, clip: str | os.PathLike[str]) -> None:
    """Read all packets of a clip, without decoding them, and warn if it ends before the end that its file states.

    Formats that state no length are not noticed: MPEG, OGV, GIF, and WMV without an index.
    """
    end, since_incomplete = 0.0, 99
    for packet in packets(source, source.streams, Damage(clip)):
        time = packet.dts if packet.pts is None else packet.pts
        if time is not None:
            end = max(end, float((time + (packet.duration or 0)) * packet.time_base))
            since_incomplete = 0 if packet.is_corrupt else since_incomplete + 1
    stated, rate = _stated_length(source, stream), stream.average_rate or stream.guessed_rate or 25
    ends_early = stated - end > max(0.1, 2 / rate)
    is_incomplete = source.format.name != "mpegts" and since_incomplete < 8  # MPEG-TS marks lost packets in this way
    if ends_early or is_incomplete:
        after = f"{end:.2f} of {stated:.2f} s" if ends_early else f"{end:.2f} s"
        warnings.warn(
            f"{os.fspath(clip)!r} was cut short: it ends after {after}, and only that part is painted",
            stacklevel=3,
        )


def _stated_length(source: Any, stream: Any) -> float:
    """Length in seconds that a file states; 0 if it states none."""
    formats = set(source.format.name.split(","))
    if "avi" in formats:  # FFmpeg reduces the duration of one that was cut
        return float(stream.frames * stream.time_base)
    if source.duration is None or not _STATE_THEIR_LENGTH & formats:
        return 0.0
    return float(source.duration / _optional.require("av", extra="video").time_base)
