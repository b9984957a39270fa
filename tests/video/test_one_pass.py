"""Videos painted in one pass: steady, resumed with the same bits, and refusing what belongs to optimization."""

import itertools

import numpy as np
import pytest

from neural_style import images, stylize, stylize_video
from neural_style.images.video_file import frames
from neural_style.video.flow import Motion, flicker, motion
from neural_style.video.one_pass import OnePassPainter
from tests import moving, tiny
from tests.video.test_stylize import write

SIZE = (96, 64)
EVERYWHERE = np.ones((64, 96), bool)
LEFT = np.arange(96)[None].repeat(64, 0) < 48


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Six frames, with a cut before the fifth."""
    return write(tmp_path_factory.mktemp("clip"), cuts=(4,))


@pytest.fixture(scope="module")
def painted(clip, tmp_path_factory):
    """The film, its frames as they were shown, and its path."""
    output, seen = tmp_path_factory.mktemp("painted") / "out.mp4", []
    film = stylize_video(clip, tiny.STYLE, output, quality="instant", size=96, callbacks=[seen.append])
    return film, seen, output


def test_every_frame_is_painted_and_scenes_begin_anew(painted, clip):
    film, seen, output = painted
    assert (film.size, film.frames, film.cuts) == (SIZE, 6, (0, 4))
    assert moving.shape_of(output)["sound"] == moving.shape_of(clip)["sound"]
    for frame, source in zip(seen, frames(clip), strict=True):
        assert frame.pixels.shape == (64, 96, 3)
        assert np.abs(frame.pixels.astype(int) - source).mean() > 5


def test_a_scene_begins_as_the_frame_alone_is_painted(painted, clip):
    first = next(frames(clip))
    alone = np.asarray(stylize(first, tiny.STYLE, size=96, quality="instant"))
    np.testing.assert_array_equal(painted[1][0].pixels, alone)


def test_the_video_flickers_less_than_frames_painted_alone(painted, clip):
    sources = list(itertools.islice(frames(clip), 4))
    alone = [np.asarray(stylize(source, tiny.STYLE, size=96, quality="instant")) for source in sources]
    moves = [motion(*pair) for pair in itertools.pairwise(sources)]
    flickers = [
        np.mean([flicker(*pair, move) for pair, move in zip(itertools.pairwise(film), moves, strict=True)])
        for film in ([frame.pixels for frame in painted[1][:4]], alone)
    ]
    assert flickers[0] < 0.75 * flickers[1]


def test_frames_painted_before_are_kept_and_the_rest_is_the_same(painted, clip, tmp_path):
    class Stop(Exception):
        pass

    def stop(frame):
        if frame.number == 2:
            raise Stop

    seen, options = [], {"quality": "instant", "size": 96}
    with pytest.raises(Stop):
        stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", callbacks=[stop], **options)
    stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", callbacks=[seen.append], **options)
    assert [frame.kept for frame in seen] == [True] * 3 + [False] * 3
    for frame, expected in zip(seen, painted[1], strict=True):
        np.testing.assert_array_equal(frame.pixels, expected.pixels)


@pytest.mark.parametrize(
    ("name", "value"), [("recipe", "nnst"), ("extractor", "vgg16"), ("optimizer", "adam"), ("steps", 3), ("init", 0.5)]
)
def test_what_belongs_to_optimization_is_refused_by_name(clip, tmp_path, name, value):
    with pytest.raises(ValueError, match=f"accepts no {name}"):
        stylize_video(clip, tiny.STYLE, tmp_path / "out.mp4", quality="instant", **{name: value})
    assert list(tmp_path.iterdir()) == []


def test_what_masks_leave_out_stays_as_it_is_in_the_clip(clip):
    first, second = itertools.islice(frames(clip), 2)
    painter = OnePassPainter(tiny.STYLE, first, size=96, masks=[LEFT], background="content")
    start = painter.paint_scene_start(first)
    shown = painter.render(painter.paint_next(second, first, start, motion(first, second)), second)
    np.testing.assert_array_equal(shown[:, 50:], second[:, 50:])
    assert np.abs(shown[:, :46].astype(int) - second[:, :46]).mean() > 5


def test_the_clip_s_colors_can_be_kept(clip):
    first = next(frames(clip))
    painter = OnePassPainter(tiny.STYLE, first, size=96, color="content")
    shown = painter.render(painter.paint_scene_start(first), first)
    expected = np.asarray(stylize(first, tiny.STYLE, size=96, quality="instant", color="content"))
    assert np.abs(shown.astype(int) - expected).mean() < 1.0


def test_a_preview_is_small(clip):
    assert OnePassPainter(tiny.STYLE, next(frames(clip)), size=960, preview=True).size == (256, 172)


def test_levels_are_those_of_the_shown_frames(painted):
    assert all(frame.pixels.dtype == np.uint8 for frame in painted[1])
    assert images.load(painted[1][0].pixels).max() <= 1.0


def test_what_changed_in_the_clip_is_not_kept_from_the_frame_before(clip):
    """A light that goes on: the flow finds no motion, and what was painted before would shine through as a ghost."""
    first = next(frames(clip))
    second = first.copy()
    second[16:48, 16:48] = 255 - second[16:48, 16:48]
    painter, still = OnePassPainter(tiny.STYLE, first, size=96), Motion(np.zeros((64, 96, 2), np.float32), EVERYWHERE)
    white, black = (
        painter.paint_next(second, first, np.full_like(first, level), still).astype(int) for level in (255, 0)
    )
    difference = np.abs(white - black).mean(axis=-1)
    assert difference[24:40, 24:40].mean() < 0.5 * difference[:, 60:].mean()
