"""Painted videos: length and sound of the clip, little flicker, resumed after a kill."""

import dataclasses
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from neural_style import CheckpointError, ImageError, metrics, recipes, samples
from neural_style._fingerprint import reason_unidentified
from neural_style.api import stylize_result
from neural_style.images import video_file
from neural_style.images.video_file import frames
from neural_style.losses import Content, Gram, Temporal, TotalVariation, custom
from neural_style.objective import objective_for
from neural_style.optimizers import Adam
from neural_style.scales import SingleScale
from neural_style.video import flow
from neural_style.video.stylize import stylize_video
from tests import moving, tiny

ROOT = Path(__file__).parents[2]
PHOTOGRAPH = samples.path("astronaut")
UNEVEN = [0, 33, 120, 140, 300, 310]
RECIPE = recipes.Recipe(
    "tiny", "", 0.1 * Content(("deep",)), Gram(("shallow", "deep")) + 0.1 * TotalVariation(), SingleScale(4), Adam()
)
TINY = {"recipe": RECIPE, "extractor": tiny.TINY, "size": 48, "frame_steps": 2}


def write(folder, count=6, **options):
    scenes = moving.scenes(PHOTOGRAPH, (96, 64), count, cuts=options.pop("cuts", ()))
    return moving.write(folder / "clip.mp4", scenes, times=UNEVEN[:count], **options)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Six frames at uneven times, with a tone; a cut before the fifth."""
    return write(tmp_path_factory.mktemp("clip"), cuts=(4,))


def test_times_and_sound_are_the_clip_s(clip, tmp_path):
    seen = []
    film = stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", callbacks=[seen.append], **TINY)
    ours, theirs = moving.shape_of(tmp_path / "out.mp4"), moving.shape_of(clip)
    assert ours["times"] == pytest.approx(np.array(UNEVEN) / 1000, abs=1e-3)
    assert ours["sound"] == theirs["sound"]
    assert ours["seconds"] == pytest.approx(theirs["seconds"], abs=0.03)
    assert (film.size, film.frames, film.cuts) == ((48, 32), 6, (0, 4))
    assert [frame.number for frame in seen] == list(range(6))
    written = list(frames(tmp_path / "out.mp4"))
    for frame in seen:  # each is nearest to the one that was written of it
        assert np.argmin([np.abs(frame.pixels.astype(float) - each).mean() for each in written]) == frame.number
    assert film.flicker == pytest.approx(np.mean([frame.flicker for frame in seen if not frame.cut]))
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4"}


def test_a_killed_call_resumes_with_bit_identical_frames(clip, tmp_path):
    program = f"""
        import os, signal, sys
        from neural_style.video.stylize import stylize_video
        from tests import tiny
        from tests.video import test_stylize
        def kill(frame):
            if frame.number == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        stylize_video({str(clip)!r}, tiny.STYLE, {str(tmp_path / "out.mp4")!r}, callbacks=[kill], **test_stylize.TINY)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4.frames"}
    seen = []
    stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", callbacks=[seen.append], **TINY)
    assert [frame.kept for frame in seen] == [True] * 3 + [False] * 3
    unbroken = []
    stylize_video(clip, tiny.STYLE, tmp_path / "unbroken.mp4", callbacks=[unbroken.append], **TINY)
    for one, other in zip(seen, unbroken, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "unbroken.mp4"}


def stop(frame):
    if frame.number == 1:
        raise RuntimeError("enough")


def test_frames_of_another_call_are_not_mixed_in(clip, tmp_path):
    with pytest.raises(RuntimeError, match="enough"):
        stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", callbacks=[stop], **TINY)
    with pytest.raises(CheckpointError, match="with another style, strength"):
        stylize_video(clip, tiny.CONTENT, tmp_path / "out.mp4", strength=0.6, **TINY)
    assert len(list((tmp_path / "out.mp4.frames").glob("*.png"))) == 2
    (tmp_path / "other.mp4.frames").mkdir()
    (tmp_path / "other.mp4.frames" / "letter.txt").write_text("Dear")
    with pytest.raises(CheckpointError, match="was not made by this program"):
        stylize_video(clip, tiny.STYLE, tmp_path / "other.mp4", **TINY)


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def interrupted(clip, output, style, **settings):
    with pytest.raises(RuntimeError, match="enough"):
        stylize_video(clip, style, output, callbacks=[stop], **{**TINY, **settings})


def test_frames_of_another_stream_are_not_mixed_in(clip, tmp_path):
    one, other = (io.BytesIO(png(image)) for image in (tiny.STYLE, tiny.CONTENT))
    interrupted(clip, tmp_path / "out.mp4", one)
    with pytest.raises(CheckpointError, match="with another style"):
        stylize_video(clip, other, tmp_path / "out.mp4", **TINY)
    seen = []
    stylize_video(clip, io.BytesIO(png(tiny.STYLE)), tmp_path / "out.mp4", callbacks=[seen.append], **TINY)
    assert [frame.kept for frame in seen] == [True] * 2 + [False] * 4


def brightened(factor):
    def brightness(features, content, style):
        return factor * (tf.reduce_mean(features["image"]) - tf.reduce_mean(style["image"])) ** 2

    return dataclasses.replace(RECIPE, style=RECIPE.style + custom(brightness, ["image"]))


def test_frames_of_another_function_of_that_name_are_not_mixed_in(clip, tmp_path):
    interrupted(clip, tmp_path / "out.mp4", tiny.STYLE, recipe=brightened(1.0))
    with pytest.raises(CheckpointError, match="with another recipe"):
        stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", **{**TINY, "recipe": brightened(3.0)})


class Pipe(io.BytesIO):
    """A stream that can be read only once."""

    def tell(self):
        raise OSError("underlying stream is not seekable")


def test_what_cannot_be_identified_is_never_resumed_and_the_folder_says_why(clip, tmp_path):
    interrupted(clip, tmp_path / "out.mp4", Pipe(png(tiny.STYLE)))
    label = json.loads((tmp_path / "out.mp4.frames" / "made_of.json").read_text())
    assert reason_unidentified(label["style"]) == "Pipe can be read only once"
    with pytest.raises(CheckpointError, match=r"style: Pipe can be read only once.*Remove the folder"):
        stylize_video(clip, Pipe(png(tiny.STYLE)), tmp_path / "out.mp4", **TINY)
    assert len(list((tmp_path / "out.mp4.frames").glob("*.png"))) == 2


def test_a_call_that_failed_at_once_leaves_nothing_behind(clip, tmp_path):
    with pytest.raises(ImageError):
        stylize_video(clip, tmp_path / "missing.png", tmp_path / "out.mp4", **TINY)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", steps=-1, **TINY)
    assert list(tmp_path.iterdir()) == []
    assert stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", **TINY).frames == 6


def test_a_damaged_clip_is_painted_without_the_damaged_frames_and_told(clip, tmp_path):
    data = bytearray(clip.read_bytes())
    middle = data.index(b"mdat") + 4
    data[middle + 1500 : middle + 6000] = bytes(4500)
    (tmp_path / "damaged.mp4").write_bytes(data)
    with pytest.warns(UserWarning, match=r"damaged\.mp4' is damaged at"):
        film = stylize_video(tmp_path / "damaged.mp4", tiny.STYLE, tmp_path / "out.mp4", **TINY)
    ours, theirs = moving.shape_of(tmp_path / "out.mp4"), moving.shape_of(clip)
    assert 2 <= film.frames == len(ours["times"]) <= 6
    assert set(ours["times"]) <= set(theirs["times"])
    assert ours["seconds"] == pytest.approx(theirs["seconds"], abs=0.03)


def test_a_clip_that_was_cut_short_is_told_before_painting(tmp_path):
    clip = moving.write(tmp_path / "clip.mkv", moving.scenes(PHOTOGRAPH, (96, 64), 12))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 3])
    seen = []
    with pytest.warns(UserWarning, match=r"clip\.mkv' was cut short: it ends after 0\.\d\d of 1\.\d\d s") as told:
        stylize_video(
            tmp_path / "clip.mkv",
            tiny.STYLE,
            tmp_path / "out.mp4",
            callbacks=[lambda _: seen.append(len(told))],
            **TINY,
        )
    assert 2 <= len(seen) < 6
    assert seen[0] == 1


def test_a_clip_without_frames_is_refused_and_leaves_nothing(clip, tmp_path):
    with av.open(str(clip)) as source, av.open(str(tmp_path / "empty.mkv"), "w") as target:
        target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            packet.stream = sound
            target.mux([packet] if packet.size else [])
    with pytest.raises(ImageError, match=r"empty\.mkv' contains no frame"):
        stylize_video(tmp_path / "empty.mkv", tiny.STYLE, tmp_path / "out.mp4", **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["empty.mkv"]


def test_nothing_is_traced_after_the_second_frame(clip, tmp_path):
    losses = tuple(term.loss for term in RECIPE.loss() + Temporal())
    objective = objective_for(losses, tiny.TINY)
    traces = []
    stylize_video(
        clip, tiny.STYLE, tmp_path / "out.mp4", callbacks=[lambda _: traces.append(objective.evaluate.traces)], **TINY
    )
    assert traces == [traces[0], *[1] * 5]


def test_the_colors_of_the_clip_can_be_kept(clip, tmp_path):
    seen = []
    stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", callbacks=[seen.append], color="content", **TINY)
    painted, shown = seen[2].pixels / 255.0, next(frames(clip)) / 255.0
    plain = []
    stylize_video(clip, tiny.STYLE, tmp_path / "plain.mp4", callbacks=[plain.append], **TINY)

    def redness(pixels):
        return (pixels[..., 0] - pixels[..., 2]).mean()

    goal = redness(shown)
    assert abs(redness(painted) - goal) < 0.3 * abs(redness(plain[2].pixels / 255.0) - goal)


@pytest.mark.parametrize(
    "settings", [{"color": "match"}, {"masks": [np.tri(8)], "background": "content"}, {"tile": 16}, {"strength": 0.0}]
)
def test_controls_hold_for_every_frame(clip, tmp_path, settings):
    film = stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", **settings, **TINY)
    assert film.frames == 6


def test_wrong_arguments_are_refused_before_anything_is_painted(clip, tmp_path):
    def paint(**options):
        return stylize_video(clip, tiny.STYLE, tmp_path / options.pop("output", "out.mp4"), **{**TINY, **options})

    with pytest.raises(TypeError, match="no argument 'sise'"):
        paint(sise=32)
    with pytest.raises(TypeError, match="no argument 'max_seconds'"):
        paint(max_seconds=3)
    with pytest.raises(ValueError, match="at least 0"):
        paint(temporal=-1.0)
    with pytest.raises(ValueError, match="ends in none"):
        paint(output="out.gif")
    with pytest.raises(TypeError, match="frame_steps must be a whole number"):
        paint(frame_steps=1.5)
    with pytest.raises(TypeError, match="progress must be True or False"):
        paint(progress="no")
    with pytest.raises(ValueError, match="crf is from 0 to 51"):
        paint(crf=-5)
    with pytest.raises(ValueError, match="size must be at most 16,384 for videos"):
        paint(size=16_385)
    with pytest.raises(ValueError, match="crf is from 0 to 63"):
        paint(crf=64, output="out.webm")
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_an_input_is_refused(clip, tmp_path):
    shutil.copy(clip, tmp_path / "clip.mp4")
    Image.fromarray(tiny.STYLE).save(tmp_path / "style.mp4", "PNG")
    os.symlink(tmp_path / "clip.mp4", tmp_path / "link.mp4")
    os.link(tmp_path / "clip.mp4", tmp_path / "twin.mp4")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    own, style = tmp_path / "clip.mp4", tmp_path / "style.mp4"
    cases = [(own, own), (own, tmp_path / "link.mp4"), (own, tmp_path / "twin.mp4"), (tmp_path / "link.mp4", own)]
    for source, output in cases:
        with pytest.raises(ValueError, match=r"\.mp4' is also an input .clip. and would be replaced"):
            stylize_video(source, tiny.STYLE, output, **TINY)
        with pytest.raises(ValueError, match="is the clip and would be replaced"):
            video_file.write_like(source, output, frames(source))
    for given in (style, str(style), [(tiny.STYLE, 1.0), (style, 2.0)]):
        with pytest.raises(ValueError, match=r"style\.mp4' is also an input .style. and would be replaced"):
            stylize_video(clip, given, style, **TINY)
    with pytest.raises(ValueError, match=r"style\.mp4' is also an input .init. and would be replaced"):
        stylize_video(clip, tiny.STYLE, style, init=style, **TINY)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_output_that_cannot_be_written_is_refused_before_painting(clip, tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    os.symlink("/dev/null", tmp_path / "null.mp4")
    before = sorted(tmp_path.iterdir())
    for name in ("folder.mp4", "pipe.mp4", "null.mp4", "nowhere/out.mp4", "x" * 260 + ".mp4", "a\0.mp4"):
        with pytest.raises(ImageError):
            stylize_video(clip, tiny.STYLE, tmp_path / name, callbacks=[lambda _: 1 / 0], **TINY)
    assert sorted(tmp_path.iterdir()) == before


def test_a_video_that_cannot_be_written_at_the_end_keeps_its_frames(clip, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with (
        monkeypatch.context() as patch,
        pytest.raises(OSError, match=r"out\.mp4' could not be written \(No space.*kept"),
    ):
        patch.setattr("neural_style.images.video_file._write", full)
        stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", **TINY)
    seen = []
    stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", callbacks=[seen.append], **TINY)
    assert all(frame.kept for frame in seen)


def steady_and_alone(folder, size, count, **settings):
    """Flicker and distance from the style, with the real network: of a video, and of its frames painted one by one."""
    style = samples.path("harvest")
    scenes = list(moving.scenes(PHOTOGRAPH, size, count))
    clip = moving.write(folder / "clip.mp4", scenes, sound=None)
    settings |= {"extractor": "vgg16", "size": max(size)}
    steady = []
    film = stylize_video(clip, style, folder / "out.mp4", callbacks=[steady.append], **settings)
    alone = [np.asarray(stylize_result(frame, style, **settings).image) for frame in scenes]
    moves = [flow.motion(*pair) for pair in itertools.pairwise(scenes)]
    flickers = [flow.flicker(*pair, move) for *pair, move in zip(alone, alone[1:], moves, strict=False)]
    distances = [metrics.style_distance(image, style) for image in (steady[-1].pixels, alone[-1])]
    return (film.flicker, distances[0]), (np.mean(flickers), distances[1])


def test_a_video_flickers_less_than_its_frames_painted_alone(tmp_path):
    """Very small, where frames painted alone happen to be alike; see the slow test for what it is worth."""
    steady, alone = steady_and_alone(tmp_path, (64, 48), 3, steps=20)
    assert steady[0] < 0.75 * alone[0]
    assert steady[1] < 1.25 * alone[1]


@pytest.mark.slow
def test_flicker_is_at_most_half_at_a_similar_distance_from_the_style(tmp_path):
    steady, alone = steady_and_alone(tmp_path, (256, 144), 8)
    assert steady[0] < 0.5 * alone[0]
    assert steady[1] < 1.3 * alone[1]


def test_a_run_is_kept_close_to_the_previous_frame_given():
    """`StyleTransfer.run(previous=)`, for those who have frames and motion from elsewhere."""
    transfer = tiny.transfer(tiny.LOSS + 100.0 * Temporal())
    black = np.zeros_like(tiny.CONTENT)
    left = np.tile(np.arange(32) < 16, (24, 1))
    result = transfer.run(tiny.CONTENT, tiny.STYLE, size=32, previous=(black, left))
    assert result.pixels[:, :14].mean() < 0.5 * result.pixels[:, 18:].mean()
    free = transfer.run(tiny.CONTENT, tiny.STYLE, size=32)
    assert "temporal" in result.history[0].terms
    assert "temporal" not in free.history[0].terms


@pytest.mark.filterwarnings("ignore:VGG19's ImageNet weights:UserWarning")
def test_the_manual_s_example_with_own_frames_works(style):
    page = (ROOT / "docs" / "howto" / "video.md").read_text()
    names = {}
    exec(re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[-1], names)
    before, later = moving.scenes(PHOTOGRAPH, (64, 48), 2)
    first = names["transfer"].run(before, style, size=None, steps=60).pixels
    after = names["next_frame"](later, before, first, style)
    moved = flow.motion(before, later)
    assert flow.flicker(first, after, moved) < 0.5 * flow.flicker(first, later, moved)  # it is painted as the first was


@pytest.mark.slow
def test_memory_is_flat_over_three_hundred_frames(tmp_path):
    import psutil

    process, used = psutil.Process(), []
    scenes = moving.scenes(PHOTOGRAPH, (96, 64), 300)
    clip = moving.write(tmp_path / "clip.mp4", scenes)
    watch = [lambda _: used.append(process.memory_info().rss / 2**20)]
    settings = {"extractor": "vgg16", "size": 64, "frame_steps": 2, "steps": 8}
    stylize_video(clip, PHOTOGRAPH.with_name("harvest.jpg"), tmp_path / "out.mp4", callbacks=watch, **settings)
    assert used[299] - used[100] < 40
