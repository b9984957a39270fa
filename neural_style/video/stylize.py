"""A video in the style of a picture: frame by frame, each held to the one before it.

The first frame is painted like any picture. Each of the others begins as the frame before, with everything moved to
where it is now; what has just come into view begins as the clip shows it, in the painted colours. A few steps
finish it, and the `Temporal` loss holds it to where it began. This is the scheme of Ruder et al. (2016), in a single
pass and with a frame's neighbour only. Deviation: they begin at the final size. There alone, strokes grow finer from
frame to frame, until the style's large forms are gone; so a few steps at the small sizes come first, and what they
change is added, enlarged, to the frame.

Painted frames are kept beside the output until it is whole: after a kill, the same call goes on from there.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neural_style import color, images
from neural_style.api import PREVIEW_SIDE, choose_recipe, stylize, stylize_result
from neural_style.images import video_file as clips
from neural_style.losses import Temporal
from neural_style.recipes import Recipe
from neural_style.scales import Scale, SingleScale, fit
from neural_style.transfer.controls import Controls
from neural_style.transfer.style_transfer import StyleTransfer
from neural_style.transfer.styles.blending import with_weights
from neural_style.transfer.styles.style_target import StyleTarget
from neural_style.video.flow import Motion, flicker, motion, warp
from neural_style.video.store import FrameStore, identify

__all__ = ["Film", "Frame", "stylize_video"]

OWN = ("content", "style", "max_seconds", "checkpoint", "progress", "callbacks")
"""Arguments of `stylize` that belong to one picture, or that this has too."""

CUT = 0.5
"""Where less than this part of a frame was there in the one before, the scene has changed."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """A painted frame, as callbacks see it.

    Attributes:
        number: counted from 0.
        pixels: uint8 (height, width, 3).
        seen: the part of it that was there in the frame before, in [0, 1].
        cut: whether it began anew: the first frame, and each that begins a scene.
        flicker: how much it differs from the frame before where it should not, see `flow.flicker`; None at a cut.
        kept: whether an earlier call painted it.

    Example:
        >>> def slow_scenes(frame):
        ...     if frame.cut:
        ...         print("a scene begins at", frame.number)
        >>> slow_scenes(Frame(7, np.zeros((16, 32, 3), np.uint8), seen=0.1, cut=True, flicker=None, kept=False))
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
        output: where it is.
        size: (width, height) in pixels.
        frames: how many it has.
        cuts: the numbers of the frames that began anew, 0 among them.
        flicker: mean over its frames, in units of the range [0, 1].
        seconds: this call took.

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
    clip: str | os.PathLike[str],
    style: Any,
    output: str | os.PathLike[str],
    *,
    size: int | None = 512,
    frame_steps: int = 8,
    temporal: float = 10.0,
    crf: int | None = None,
    progress: bool = False,
    callbacks: Iterable[Callable[[Frame], object]] = (),
    **settings: Any,
) -> Film:
    """Paint a video in the style of a picture, with its sound, its length and the times of its frames.

    The output is written whole or not at all. Until then painted frames are kept in a folder beside it, called
    `OUTPUT.frames`, as PNG; the same call goes on from them after a kill or Ctrl-C, and ends with the same pictures.
    One frame is held in memory at a time.

    Args:
        clip: a file that FFmpeg can decode. The first stream of pictures is painted, all streams of sound are copied,
            the rest is left out.
        style: as for `stylize`. It is measured once.
        output: .mp4, .m4v, .mov or .mkv (H.264), or .webm (VP9).
        size: long side in pixels, None for the clip's own; both sides are rounded to even numbers.
        frame_steps: steps for each frame that follows another, at each of the recipe's sizes. `steps` is for those that
            begin a scene, over all sizes.
        temporal: weight of the `Temporal` loss: more flickers less, and follows the clip less freely.
        crf: rate factor of the encoder; less is better and larger. None for hardly any loss.
        progress: True shows a bar on stderr where that is a terminal.
        callbacks: called with a `Frame` after each. What one raises passes through, and the frames stay.
        settings: further arguments of `stylize`, the same for all frames. Masks stay where they are. With
            `color="match"` or `"histogram"` styles get the palette of the first frame.

    Raises:
        ImageError: the clip or a style cannot be read.
        ValueError: an argument is out of range, or the output cannot hold the clip's sound.
        TypeError: `stylize` has no such argument, or it makes no sense for a video.
        CheckpointError: the folder beside the output belongs to another call; the text says in what it differs.
        OSError: something cannot be written.
        ImportError: PyAV or OpenCV is not installed.

    Example:
        >>> import tempfile
        >>> folder, style = tempfile.mkdtemp(), np.full((50, 50, 3), 200, np.uint8)
        >>> clips.write(f"{folder}/clip.mp4", [np.zeros((48, 64, 3), np.uint8)] * 2, rate=25)
        >>> settings = {"size": 48, "steps": 2, "frame_steps": 1, "extractor": "vgg16"}
        >>> film = stylize_video(f"{folder}/clip.mp4", style, f"{folder}/painted.mp4", **settings)
        >>> film.size, film.frames, film.cuts
        ((48, 36), 2, (0,))
    """
    began = time.perf_counter()
    known = set(inspect.signature(stylize).parameters) - {*OWN}
    for name in settings:
        if name not in known:
            raise TypeError(f"stylize_video() takes no argument {name!r}")
    if frame_steps < 0 or not 0.0 <= temporal < float("inf"):
        raise ValueError(f"frame_steps and temporal are at least 0 and finite, not {frame_steps} and {temporal}")
    clips.check_copy(clip, output)
    own = {"clip": clip, "style": style, "size": size, "frame_steps": frame_steps, "temporal": temporal}
    identity = identify(own | settings)
    studio = _Studio(style, next(clips.frames(clip)), size, frame_steps, temporal, settings)
    store = FrameStore(Path(f"{os.fspath(output)}.frames"), identity)
    cuts, flickers = [], []
    for frame in _watched(_painted(studio, clips.frames(clip), store), clips.count(clip), progress):
        cuts += [frame.number] if frame.cut else []
        flickers += [] if frame.flicker is None else [frame.flicker]
        for callback in callbacks:
            callback(frame)
    shown = (studio.shown(store.load(number), source) for number, source in enumerate(clips.frames(clip)))
    clips.write_like(clip, output, shown, crf=crf)
    store.remove()
    flickering = float(np.mean(flickers)) if flickers else 0.0
    seconds = time.perf_counter() - began
    return Film(os.fspath(output), studio.size, frame.number + 1, tuple(cuts), flickering, seconds)


class _Last(NamedTuple):
    """The frame before: as the clip has it, as it was painted, and as it is shown."""

    source: np.ndarray
    painted: np.ndarray
    shown: np.ndarray


def _painted(studio: _Studio, sources: Iterable[np.ndarray], store: FrameStore) -> Iterator[Frame]:
    """Frame after frame; those that are there already as they are."""
    last: _Last | None = None
    for number, source in enumerate(map(studio.fitted, sources)):
        link = None if last is None else (last, motion(last.source, source))
        seen = 0.0 if link is None else float(link[1].seen.mean())
        link = link if seen >= CUT else None
        kept = store.has(number)
        if not kept:
            painted = studio.begin(source) if link is None else studio.go_on(source, link[0].painted, link[1])
            store.save(number, painted)
        painted = store.load(number)
        shown = studio.shown(painted, source)
        flickers = None if link is None else flicker(link[0].shown, shown, link[1])
        yield Frame(number, shown, seen, link is None, flickers, kept)
        last = _Last(source, painted, shown)


class _Studio:
    """Paints frames in one style and size. Frames are uint8 (height, width, 3) here; nothing of one stays.

    Args:
        style: as for `stylize`.
        first: the first frame of the clip.
        size: long side of what is painted, in pixels; None for the clip's own.
        frame_steps: for a frame that follows another.
        temporal: weight of the temporal loss.
        settings: further arguments of `stylize`.
    """

    def __init__(
        self,
        style: Any,
        first: np.ndarray,
        size: int | None,
        frame_steps: int,
        temporal: float,
        settings: Mapping[str, Any],
    ) -> None:
        self._settings = dict(settings)
        height, width = first.shape[:2]
        longest = max(width, height) if size is None else size
        width, height = fit((width, height), min(PREVIEW_SIDE, longest) if settings.get("preview") else longest)
        self.size = (max(2, 2 * round(width / 2)), max(2, 2 * round(height / 2)))
        self._alone = choose_recipe(self._settings.pop("recipe", "default"), self._settings.pop("quality", "best"))
        if self._settings.get("extractor") is None:
            self._settings["extractor"] = self._alone.extractor
        self._next = dataclasses.replace(
            self._alone,
            style=self._alone.style + temporal * Temporal(),
            scales=SingleScale(frame_steps),
            optimizer=self._alone.final_optimizer or self._alone.optimizer,
            final_optimizer=None,
        )
        self._first_only = {name: self._settings.pop(name, None) for name in ("steps", "init")}
        names = [field.name for field in dataclasses.fields(Controls)]
        self._controls = Controls(**{name: self._settings.pop(name) for name in names if name in self._settings})
        self._settings |= {"masks": list(self._controls.masks), "background": self._controls.background}
        self._style = self._targets(style, self.fitted(first))

    def fitted(self, frame: np.ndarray) -> np.ndarray:
        """A frame of the clip at the size that is painted."""
        return _levels(images.resize(images.load(frame), self.size))

    def begin(self, frame: np.ndarray) -> np.ndarray:
        """The first frame of a scene."""
        return _levels(self._paint(frame, self.size, self._alone, **self._first_only))

    def go_on(self, frame: np.ndarray, before: np.ndarray, moved: Motion) -> np.ndarray:
        """A frame that follows a painted one."""
        held = warp(before, moved.flow)
        new = color.match_color_moments(images.load(frame), images.load(before))
        canvas = np.where(moved.seen[..., None], held, np.clip(new, 0.0, 1.0))
        for scale in self._alone.scales(self.size, None)[:-1]:
            canvas = self._moved_at(scale, frame, canvas, (held, moved.seen))
        return _levels(self._paint(frame, self.size, self._next, init=canvas, previous=(held, moved.seen)))

    def _moved_at(self, scale: Scale, frame: np.ndarray, canvas: np.ndarray, previous: Any) -> np.ndarray:
        """Large strokes painted on a small canvas, and what that changed of it carried over: no detail is lost."""
        size = (scale.width, scale.height)
        small = images.resize(canvas, size)
        painted = self._paint(images.resize(images.load(frame), size), size, self._next, init=small, previous=previous)
        change = painted[None] - small
        moved: np.ndarray = np.clip(canvas + _enlarged(change, self.size), 0.0, 1.0)
        return moved

    def shown(self, painted: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """What is shown of a painted frame: with `color="content"`, it in the colours of the clip's."""
        if self._controls.color != "content":
            return painted
        strength = self._controls.color_strength
        return _levels(color.keep_colors(images.load(painted), images.load(self.fitted(frame)), strength))

    def _paint(self, frame: np.ndarray, size: tuple[int, int], recipe: Recipe, **how: Any) -> np.ndarray:
        result = stylize_result(frame, self._style, recipe=recipe, size=max(size), **how, **self._settings)
        if result.stopped_by == "interrupt":
            raise KeyboardInterrupt  # half a frame is none
        return result.pixels

    def _targets(self, style: Any, first: np.ndarray) -> list[tuple[StyleTarget, float]]:
        """The styles, measured once for all frames."""
        controls, given = self._controls, self._settings
        options = {name: given[name] for name in ("extractor", "precision") if name in given}
        transfer = StyleTransfer(self._alone.loss(given.get("strength", 0.5)), scales=self._alone.scales, **options)
        pairs = with_weights(style)
        masks = controls.style_masks or (None,) * len(pairs)
        controls.check_count(len(pairs))
        made = []
        for (each, weight), mask in zip(pairs, masks, strict=True):
            if not isinstance(each, StyleTarget):
                if controls.color in ("match", "histogram"):
                    each = controls.recolor(images.load(each), images.load(first))
                masked = None if mask is None else [mask]
                scale = controls.style_scale
                each = transfer.target(each, size=max(self.size), style_masks=masked, style_scale=scale)
            made.append((each, weight))
        return made


def _enlarged(change: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Differences of pixels, in [-1, 1], at a larger size."""
    return 2.0 * images.resize(0.5 + 0.5 * change, size) - 1.0


def _levels(pixels: np.ndarray) -> np.ndarray:
    """8 bits, (height, width, 3): what is kept of a frame, so that going on from a file changes nothing."""
    return np.asarray(images.to_pil(pixels))


def _watched(frames: Iterator[Frame], count: int | None, progress: bool) -> Iterable[Frame]:
    from tqdm import tqdm

    bar: Iterable[Frame] = tqdm(frames, total=count, unit="frame", disable=None if progress else True)
    return bar
