"""Time lapse of a run, saved as GIF, WebP or video."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image

from neural_style import _arguments, _atomic
from neural_style.errors import ImageError
from neural_style.images import video_file
from neural_style.images.writing import output_path
from neural_style.scales import fit
from neural_style.transfer.result import Step

__all__ = ["Snapshot", "Timelapse"]

HOLD = 2.0
"""Seconds for which the last frame of a GIF or WebP is shown before it repeats."""


class Snapshot(NamedTuple):
    """The canvas after one step of a run.

    Attributes:
        step: the step, without its image.
        image: 8-bit RGB or RGBA image, of the canvas's size at that step unless `Timelapse` reduced it.

    Example:
        >>> import numpy as np
        >>> from neural_style import StyleTransfer
        >>> timelapse = Timelapse(count=1)
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> result = StyleTransfer(extractor="vgg16").run(content, style, size=48, steps=2, callbacks=[timelapse])
        >>> snapshot = timelapse.frames[-1]
        >>> snapshot.step.step, snapshot.image.size
        (2, (48, 32))
    """

    step: Step
    image: Image.Image


class Timelapse:
    """Callback that keeps canvases at regular intervals over a run, and always the last.

    It can be reused for several runs, and holds the images of the latest one. Of a run resumed from a checkpoint it
    holds only the steps made since.

    Args:
        count: approximate number of images to keep.
        longest: largest long side of an image, in pixels; larger canvases are reduced to it.

    Raises:
        ValueError: `count` or `longest` is less than 1.

    Example:
        >>> import numpy as np
        >>> from neural_style import StyleTransfer
        >>> timelapse = Timelapse(count=3)
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> result = StyleTransfer(extractor="vgg16").run(content, style, size=48, steps=6, callbacks=[timelapse])
        >>> [frame.step.step for frame in timelapse.frames]
        [2, 4, 6]
    """

    def __init__(self, count: int = 60, *, longest: int = 512) -> None:
        self.count = _arguments.count("count", count)
        self.longest = _arguments.count("longest", longest)
        self._kept: list[Snapshot] = []
        self._last: Step | None = None

    def __call__(self, step: Step) -> None:
        if self._last is None or step.step <= self._last.step:
            self._kept = []
        self._last = step
        if step.step % max(1, step.steps // self.count) == 0:
            self._keep(step)

    @property
    def frames(self) -> list[Snapshot]:
        """The snapshots in order; the last is the last canvas of the run, even if the run ended early."""
        if self._last is not None and (not self._kept or self._kept[-1].step.step < self._last.step):
            self._keep(self._last)
        return list(self._kept)

    def _keep(self, step: Step) -> None:
        image = step.image()
        if max(image.size) > self.longest:
            image = image.resize(fit(image.size, self.longest), Image.Resampling.LANCZOS)
        self._kept.append(Snapshot(step.without_image(), image))

    def save(self, path: str | os.PathLike[str], *, seconds: float = 6.0) -> None:
        """Write the time lapse atomically, with all frames at the size of the largest.

        Args:
            path: output file: .gif or .webp, which repeat forever, or a video suffix such as .mp4, which requires PyAV.
            seconds: duration.

        Raises:
            ValueError: there are no images yet, the suffix is not supported, or `seconds` gives an image less than
                0.001 or more than 600, which the formats cannot store.
            ImportError: PyAV is not installed; the message says how to install it.
            ImageError: the file cannot be written.
        """
        seconds = _arguments.real("seconds", seconds, above=0)
        frames = [frame.image for frame in self.frames]
        if not frames:
            raise ValueError("there are no images yet: pass this object to a run with callbacks=[...]")
        if not 0.001 <= seconds / len(frames) <= 600:
            raise ValueError(f"seconds gives each of {len(frames)} images from 0.001 to 600, not {seconds:g} in all")
        animation = _ANIMATIONS.get(Path(path).suffix.lower())
        size = max((image.size for image in frames), key=max)
        if animation is None:
            size = (max(2, size[0] - size[0] % 2), max(2, size[1] - size[1] % 2))  # the video codecs require even sides
        even = [image.convert("RGB").resize(size, Image.Resampling.BICUBIC) for image in frames]
        try:
            if animation is None:
                video_file.write(path, map(np.asarray, even), rate=len(frames) / seconds)
            else:
                _atomic.write_whole(output_path(path), lambda handle: _animate(handle, even, seconds, *animation))
        except OSError as error:
            raise ImageError(f"{os.fspath(path)!r}: could not be written ({error.strerror or error})") from error


_ANIMATIONS: dict[str, tuple[str, dict[str, Any]]] = {".gif": ("GIF", {}), ".webp": ("WEBP", {"quality": 85})}


def _animate(
    handle: IO[bytes], images: Sequence[Image.Image], seconds: float, kind: str, options: dict[str, Any]
) -> None:
    each = round(1000 * seconds / len(images))
    durations = [each] * (len(images) - 1) + [each + round(1000 * HOLD)]
    first, *rest = images
    first.save(handle, kind, save_all=True, append_images=rest, duration=durations, loop=0, **options)
