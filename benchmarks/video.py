"""Flicker and style distance of a painted video, compared with frames painted independently.

    python benchmarks/video.py --json video.json
    python benchmarks/video.py --seconds 1 --size 128
    python benchmarks/video.py --quality instant

The clip is that of the tests: shapes move over a panning photograph, at 12 frames per second, with a tone as sound.
Flicker is `neural_style.video.flow.flicker`; "on the pan" is the same along the true motion, where no shape covers the
photograph. Distances are those of `neural_style.metrics`. The extra `[video]` has to be installed.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import parser, print_table, sample, write_json
from PIL import Image

from neural_style import metrics, stylize, stylize_video
from neural_style.api import QUALITIES
from neural_style.images.video_file import frames
from neural_style.video.flow import Motion, flicker, motion
from tests import moving

RATE = 12
STRIDE = 10
"""Distances are measured at every tenth frame."""


def main() -> None:
    arguments = parser(__doc__)
    add = arguments.add_argument
    add("--seconds", type=float, default=5.0, help="length of the clip (%(default)s)")
    add("--size", type=int, default=256, help="its width in pixels (%(default)s)")
    add("--style", default="nocturne", help="a sample picture or a path (%(default)s)")
    add("--quality", default="best", choices=QUALITIES, help="(%(default)s)")
    add("--keep", type=Path, metavar="FOLDER", help="save painted frames to FOLDER")
    options = arguments.parse_args()
    style = str(sample(options.style))
    settings: dict[str, Any] = {"quality": options.quality, "size": options.size}
    settings |= {"extractor": "vgg16"} if options.quality == "best" else {}
    with tempfile.TemporaryDirectory() as folder:
        clip, output = Path(folder, "clip.mp4"), Path(folder, "painted.mp4")
        size = (options.size, options.size * 9 // 16)
        scenes = moving.scenes(sample("astronaut"), size, round(RATE * options.seconds))
        moving.write(clip, scenes, rate=RATE)
        sources = list(frames(clip))
        steady: list[np.ndarray] = []
        film = stylize_video(clip, style, output, callbacks=[lambda frame: steady.append(frame.pixels)], **settings)
        ours, theirs = moving.shape_of(output), moving.shape_of(clip)
    began = time.perf_counter()
    alone = [np.asarray(stylize(source, style, **settings)) for source in sources]
    seconds = {"video": film.seconds, "frames alone": time.perf_counter() - began}
    results = [
        {"painted": name, "seconds_a_frame": seconds[name] / len(sources), **judged(painted, sources, style)}
        for name, painted in (("video", steady), ("frames alone", alone))
    ]
    print_table(HEADERS, [row(result) for result in results])
    same = {"length": (ours["seconds"], theirs["seconds"]), "sound": ours["sound"] == theirs["sound"]}
    print(f"\nlength {ours['seconds']:.3f} s of {theirs['seconds']:.3f} s, sound kept: {same['sound']}")
    write_json(options, {"rows": results, **same})
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        for number in range(0, len(sources), STRIDE):
            together = np.concatenate([sources[number], alone[number], steady[number]])
            Image.fromarray(together).save(options.keep / f"{number:04}.png")


def judged(painted: Sequence[np.ndarray], sources: Sequence[np.ndarray], style: str) -> dict[str, Any]:
    """Return the mean flicker, and distances and sharpness of every tenth frame."""
    moves = [motion(*pair) for pair in itertools.pairwise(sources)]
    pairs = list(itertools.pairwise(painted))
    known = [panned(*source, move) for source, move in zip(itertools.pairwise(sources), moves, strict=True)]
    some = range(0, len(painted), STRIDE)
    return {
        "flicker": float(np.mean([flicker(*pair, move) for pair, move in zip(pairs, moves, strict=True)])),
        "flicker_on_the_pan": float(np.mean([flicker(*pair, move) for pair, move in zip(pairs, known, strict=True)])),
        "style": [metrics.style_distance(painted[i], style) for i in some],
        "content": [metrics.content_distance(painted[i], sources[i]) for i in some],
        "sharpness": [sharpness(painted[i]) for i in some],
    }


def panned(before: np.ndarray, after: np.ndarray, moved: Motion) -> Motion:
    """Return the true motion of the pan, marked as seen only where the estimated motion agrees with it."""
    flow = np.broadcast_to(-np.float32(moving.PAN), moved.flow.shape).copy()
    return Motion(flow, moved.seen & (np.abs(moved.flow - flow).max(axis=-1) < 0.5))


def sharpness(picture: np.ndarray) -> float:
    """Return the mean absolute Laplacian of the brightness, in 8-bit levels."""
    return float(np.abs(cv2.Laplacian(picture.mean(axis=-1).astype(np.float32), cv2.CV_32F)).mean())


HEADERS = ["", "flicker", "on the pan", "style distance", "content distance", "sharpness", "seconds a frame"]


def row(result: dict[str, Any]) -> list[str]:
    """Format the means, with first and last values of quantities that may drift."""
    drifting = [f"{np.mean(result[name]):.3f} ({result[name][0]:.3f} to {result[name][-1]:.3f})" for name in DRIFTING]
    flickers = [f"{result[name]:.4f}" for name in ("flicker", "flicker_on_the_pan")]
    return [result["painted"], *flickers, *drifting, f"{result['seconds_a_frame']:.1f}"]


DRIFTING = ("style", "content", "sharpness")

if __name__ == "__main__":
    main()
