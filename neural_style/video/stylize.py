"""Stylize a video with its sound and timing.

Painted frames are stored next to the output until the video is complete, so that the same call resumes after a kill.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np

from neural_style._arguments import count, real, whole
from neural_style._files import FileSet
from neural_style.api import FrameOptions, check_options
from neural_style.callbacks.progress import is_asked_for, make_bar
from neural_style.images import video_file
from neural_style.transfer.inputs import side_of
from neural_style.transfer.styles.blending import Styles
from neural_style.video.flow import flicker, motion
from neural_style.video.frames import FramePainter
from neural_style.video.one_pass import OnePassPainter
from neural_style.video.painter import Painter
from neural_style.video.store import FrameStore, identify

__all__ = ["Film", "Frame", "stylize_video"]

_Path = str | os.PathLike[str]

MIN_SEEN = 0.5
"""A frame of which a smaller share was visible in the frame before starts a scene."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """A painted frame, as passed to callbacks.

    Attributes:
        number: index of the frame, from 0.
        pixels: uint8 (height, width, 3).
        seen: share of the frame that was visible in the frame before, in [0, 1].
        cut: whether painting restarted: at the first frame, and at each that starts a scene.
        flicker: difference from the frame before where they should agree, see `flow.flicker`; None at a cut.
        kept: whether an earlier call painted the frame.

    Example:
        >>> def print_scenes(frame):
        ...     if frame.cut:
        ...         print("a scene begins at", frame.number)
        >>> print_scenes(Frame(7, np.zeros((16, 32, 3), np.uint8), seen=0.1, cut=True, flicker=None, kept=False))
        a scene begins at 7
    """

    number: int
    pixels: np.ndarray = dataclasses.field(repr=False, compare=False)
    seen: float
    cut: bool
    flicker: float | None
    kept: bool


@dataclasses.dataclass(frozen=True)
class Film:
    """A finished video.

    Attributes:
        output: path of the video.
        size: (width, height) in pixels.
        frames: number of frames.
        cuts: indices of the frames at which painting restarted, including 0.
        flicker: mean over the frames, in units of the range [0, 1].
        seconds: duration of the call.

    Example:
        >>> Film("painted.mp4", (512, 288), frames=120, cuts=(0, 48), flicker=0.02, seconds=300.0).cuts
        (0, 48)
    """

    output: str
    size: tuple[int, int]
    frames: int
    cuts: tuple[int, ...]
    flicker: float
    seconds: float


def stylize_video(
    clip: _Path,
    style: Styles,
    output: _Path,
    *,
    size: int | None = 512,
    frame_steps: int = 8,
    temporal: float = 10.0,
    crf: int | None = None,
    progress: bool | None = None,
    callbacks: Iterable[Callable[[Frame], object]] = (),
    **options: Unpack[FrameOptions],
) -> Film:
    """Paint a video in the style of an image; its sound, length and frame times are kept.

    The output is written completely or not at all. Until then, painted frames are stored as PNG files in the folder
    `OUTPUT.frames` next to it. After a kill or Ctrl-C, the same call resumes with them and gives the same result. One
    frame is held in memory at a time.

    Frames that cannot be decoded are skipped, and the frame before them is shown longer. HDR is converted to SDR; see
    `images.video_file.frames`.

    Args:
        clip: path of a video file; never a URL or a pattern. The first video stream is painted, all audio streams
            are copied, other streams are dropped. Titles and languages are kept, other metadata is not.
        style: as for `stylize`; its statistics are computed once.
        output: path of a .mp4, .m4v, .mov or .mkv (H.264) or .webm (VP9) file.
        size: long side in pixels, None for the clip's own; both sides are rounded to even numbers.
        frame_steps: steps for each frame that follows another, at each of the recipe's sizes. `steps` is the total for
            a frame that starts a scene.
        temporal: weight of the `Temporal` loss; higher values flicker less and follow the clip less freely.
        crf: rate factor of the encoder; lower values give higher quality and larger files. None is visually lossless.
        progress: whether to show a bar, as for `stylize`.
        callbacks: functions called with each `Frame`. Their exceptions propagate; the painted frames are kept.
        **options: further arguments of `stylize`, the same for all frames. Masks do not move with the clip. With
            `color="match"` or `"histogram"`, styles are recolored with the palette of the first frame. With
            `quality="instant"`, `frame_steps` and `temporal` have no effect.

    Raises:
        ImageError: the clip or a style cannot be read, the clip contains no frame, or the output cannot be written, for
            example because it is a folder.
        ValueError: an argument is out of range, the output is one of the inputs, or its format cannot hold the clip's
            sound.
        TypeError: an option is not an argument of `stylize`, or makes no sense for a video.
        CheckpointError: the folder next to the output belongs to another call, or this cannot be determined; the
            message names the arguments that differ.
        OSError: something cannot be written.
        ImportError: PyAV or OpenCV is not installed.

    Warns:
        UserWarning: the clip was cut short, or is damaged.

    Example:
        >>> import tempfile
        >>> folder, style = tempfile.mkdtemp(), np.full((50, 50, 3), 200, np.uint8)
        >>> video_file.write(f"{folder}/clip.mp4", [np.zeros((48, 64, 3), np.uint8)] * 2, rate=25)
        >>> options = {"size": 48, "steps": 2, "frame_steps": 1, "extractor": "vgg16"}
        >>> film = stylize_video(f"{folder}/clip.mp4", style, f"{folder}/painted.mp4", **options)
        >>> film.size, film.frames, film.cuts
        ((48, 36), 2, (0,))
    """
    began = time.perf_counter()
    check_options("stylize_video", options, FrameOptions)
    frame_steps, temporal = whole("frame_steps", frame_steps, at_least=0), real("temporal", temporal, at_least=0)
    shown = is_asked_for(progress)
    size = None if size is None else side_of("size", size)
    if options.get("steps") is not None:
        count("steps", options["steps"])
    own = {"clip": clip, "style": style, "size": size, "frame_steps": frame_steps, "temporal": temporal}
    _check_output(output, own | options)
    video_file.check_copy(clip, output, crf=crf, size=size)
    identity = identify(own | options)
    first = next(video_file.frames(clip))
    painter: Painter
    if options.get("quality") == "instant":
        painter = OnePassPainter(style, first, size=size, **options)
    else:
        painter = FramePainter(style, first, size=size, frame_steps=frame_steps, temporal=temporal, **options)
    cuts, flickers = [], []
    with FrameStore(Path(f"{os.fspath(output)}.frames"), identity, painter.size) as store:
        frames = _painted_frames(painter, video_file.frames(clip), store)
        for frame in make_bar(frames, shown=shown, total=video_file.count(clip), unit="frame"):
            cuts += [frame.number] if frame.cut else []
            flickers += [] if frame.flicker is None else [frame.flicker]
            for callback in callbacks:
                callback(frame)
        _write(clip, output, painter, store, crf)
        store.remove()
    mean_flicker = float(np.mean(flickers)) if flickers else 0.0
    seconds = time.perf_counter() - began
    return Film(os.fspath(output), painter.size, frame.number + 1, tuple(cuts), mean_flicker, seconds)


def _check_output(output: _Path, inputs: Mapping[str, object]) -> None:
    """Refuse an output that is a file which the call reads."""
    files = FileSet()
    for name, value in inputs.items():
        files.add(value, name)
    if (owner := files.find(output)) is not None:
        raise ValueError(
            f"{os.fspath(output)!r} is also an input ({owner}) and would be replaced; choose another output"
        )


def _write(clip: _Path, output: _Path, painter: Painter, store: FrameStore, crf: int | None) -> None:
    """Write the video from the stored frames."""
    rendered = (painter.render(store.load(number), source) for number, source in enumerate(video_file.frames(clip)))
    try:
        video_file.write_like(clip, output, rendered, crf=crf)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            error.errno,
            f"{os.fspath(output)!r} could not be written ({reason}); the painted frames are kept, and the same call "
            "writes it without painting them again",
        ) from error


class _Previous(NamedTuple):
    """The frame before, uint8 (height, width, 3): as in the clip, as painted, and as shown."""

    source: np.ndarray
    painted: np.ndarray
    shown: np.ndarray


def _painted_frames(painter: Painter, sources: Iterable[np.ndarray], store: FrameStore) -> Iterator[Frame]:
    """Paint and store one frame after another; frames that are stored already are only loaded."""
    previous: _Previous | None = None
    for number, source in enumerate(map(painter.fit, sources)):
        link = None if previous is None else (previous, motion(previous.source, source))
        seen = 0.0 if link is None else float(link[1].seen.mean())
        link = link if seen >= MIN_SEEN else None
        kept = store.has(number)
        if not kept:
            if link is None:
                painted = painter.paint_scene_start(source)
            else:
                painted = painter.paint_next(source, link[0].source, link[0].painted, link[1])
            store.save(number, painted)
        painted = store.load(number)
        shown = painter.render(painted, source)
        flickering = None if link is None else flicker(link[0].shown, shown, link[1])
        yield Frame(number, shown, seen, link is None, flickering, kept)
        previous = _Previous(source, painted, shown)
