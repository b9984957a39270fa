"""A clip to test with: shapes that move over a photograph that pans, with a tone for a sound."""

from fractions import Fraction

import av
import cv2
import numpy as np
from PIL import Image

PAN = (1.7, 0.6)
"""How many pixels the photograph moves to the right and down from frame to frame."""


def scenes(photograph, size, count, cuts=()):
    """Frames of (width, height), uint8; at each number in `cuts` the photograph jumps elsewhere."""
    width, height = size
    with Image.open(photograph) as picture:
        wide = np.asarray(picture.convert("RGB").resize((2 * width, 2 * width), Image.Resampling.LANCZOS))
    for number in range(count):
        scene = sum(number >= cut for cut in cuts)
        view = np.rot90(wide, scene)
        x = width / 2 - PAN[0] * (number - count / 2)
        y = (2 * width - height) / 2 - PAN[1] * (number - count / 2)
        place = np.float32([[1, 0, -x], [0, 1, -y]])
        frame = cv2.warpAffine(np.ascontiguousarray(view), place, (width, height), flags=cv2.INTER_CUBIC)
        yield draw_shapes(frame, number, scene)


def draw_shapes(frame, number, scene=0):
    """A ball that rolls one way and a box that comes down, at steady speeds, antialiased."""
    height, width = frame.shape[:2]
    ball = (width * 0.2 + 2.3 * number) % (1.2 * width), height * 0.65
    box = width * 0.7, (height * 0.1 + 1.1 * number) % height
    unit, radius, side = 16, 0.16 * height, 0.13 * height
    colors = [(230, 190, 40), (40, 90, 200)]
    point = tuple(round(unit * value) for value in ball)
    cv2.circle(frame, point, round(unit * radius), colors[scene % 2], -1, cv2.LINE_AA, shift=4)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side + box
    cv2.fillPoly(frame, [np.round(unit * corners).astype(np.int32)], colors[1 - scene % 2], cv2.LINE_AA, shift=4)
    return frame


def write(
    path, frames, *, times=None, rate=12, sound="aac", tone=440.0, rotation=0, aspect=1, titles=(), language="fra"
):
    """A clip of frames; frame i is shown at `times[i]` milliseconds, or at an even rate."""
    frames = list(frames)
    times = [round(1000 * i / rate) for i in range(len(frames))] if times is None else times
    with av.open(str(path), "w") as target:
        target.metadata.update(titles)
        stream = target.add_stream("libx264", rate=rate, options={"crf": "12"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if rotation:
            stream.set_display_rotation(rotation)
        noise = target.add_stream(sound, rate=44100) if sound else None
        if noise is not None:
            noise.metadata.update(title="Original", language=language)
        for time, frame in zip(times, frames, strict=True):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts, picture.time_base = time, Fraction(1, 1000)
            target.mux(stream.encode(picture))
        target.mux(stream.encode())
        if noise is not None:
            for begin in range(0, round(44.1 * (times[-1] + 1000 / rate)), 1024):
                wave = 0.3 * np.sin(2 * np.pi * tone * np.arange(begin, begin + 1024) / 44100)
                block = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
                block.pts, block.sample_rate, block.time_base = begin, 44100, Fraction(1, 44100)
                target.mux(noise.encode(block))
            target.mux(noise.encode())
    return path


def shape_of(path):
    """What a video is like: times of its frames in seconds, packets of its sound, and its size."""
    with av.open(str(path)) as source:
        video = source.streams.video[0]
        found = {"times": [], "sound": [], "size": (video.width, video.height)}
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio":
                found["sound"].append((round(float(packet.pts * packet.time_base), 4), bytes(packet)))
        source.seek(0)
        found["times"] = [round(frame.time, 4) for frame in source.decode(video)]
        found["seconds"] = source.duration / 1e6
    return found
