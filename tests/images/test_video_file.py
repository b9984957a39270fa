"""Video files: decoded frames, and copies with the same times and the same sound."""

import sys
from pathlib import Path

import numpy as np
import pytest

from neural_style import ImageError
from neural_style.images.video_file import check_copy, count, frames, write_like
from tests import moving

PHOTOGRAPH = Path(__file__).parents[2] / "docs" / "images" / "astronaut.jpg"
UNEVEN = [0, 33, 120, 140, 300, 310, 480, 530, 700, 760]


@pytest.fixture(scope="module")
def scenes():
    return list(moving.scenes(PHOTOGRAPH, (96, 64), 10))


@pytest.fixture(scope="module")
def clip(scenes, tmp_path_factory):
    """Ten frames at uneven times, with a tone."""
    return moving.write(tmp_path_factory.mktemp("clip") / "clip.mp4", scenes, times=UNEVEN)


def difference(one, other):
    return np.abs(one.astype(float) - other).mean()


def test_frames_are_decoded_as_they_were_encoded(clip, scenes):
    found = list(frames(clip))
    assert count(clip) == len(found) == 10
    for frame, scene in zip(found, scenes, strict=True):
        assert (frame.shape, frame.dtype) == ((64, 96, 3), np.uint8)
        assert difference(frame, scene) < 4


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_copy_has_the_same_times_and_sound_packets(clip, tmp_path, suffix):
    output = tmp_path / f"copy{suffix}"
    check_copy(clip, output)
    write_like(clip, output, (255 - frame for frame in frames(clip)))
    ours, theirs = moving.shape_of(output), moving.shape_of(clip)
    begin = ours["times"][0]  # a Matroska file begins with its sound, which the encoder starts early
    np.testing.assert_allclose(np.array(ours["times"]) - begin, np.array(UNEVEN) / 1000, atol=1e-3)
    assert [data for _, data in ours["sound"]] == [data for _, data in theirs["sound"]]
    lags = np.array([[time for time, _ in each["sound"]] for each in (ours, theirs)])
    np.testing.assert_allclose(lags[0] - begin, lags[1], atol=2e-3)
    assert ours["seconds"] == pytest.approx(theirs["seconds"], abs=0.03)
    for ours, theirs in zip(frames(output), frames(clip), strict=True):
        assert difference(ours, 255 - theirs) < 4


def test_colors_do_not_drift(clip, tmp_path):
    """Brightness stays within a third of a level; FFmpeg's default conversion loses a whole one."""
    write_like(clip, tmp_path / "copy.mp4", frames(clip), crf=4)
    for ours, theirs in zip(frames(tmp_path / "copy.mp4"), frames(clip), strict=True):
        assert abs(ours.astype(float).mean() - theirs.mean()) < 0.34


def test_webm_is_vp9(scenes, tmp_path):
    clip = moving.write(tmp_path / "silent.mp4", scenes[:4], sound=None)
    check_copy(clip, tmp_path / "out.webm")
    write_like(clip, tmp_path / "out.webm", frames(clip))
    assert moving.shape_of(tmp_path / "out.webm")["sound"] == []
    for ours, theirs in zip(frames(tmp_path / "out.webm"), frames(clip), strict=True):
        assert difference(ours, theirs) < 5


def test_a_rotated_clip_is_turned_upright(scenes, tmp_path):
    clip = moving.write(tmp_path / "side.mp4", scenes[:2], rotation=90)
    upright = next(frames(clip))
    assert difference(upright, np.rot90(scenes[0])) < 4


def test_sound_that_the_output_cannot_hold_is_refused_early(clip, tmp_path):
    with pytest.raises(ValueError, match=r"\.webm file cannot hold the clip's sound \(aac\).*\.mkv"):
        check_copy(clip, tmp_path / "out.webm")


@pytest.mark.parametrize("output", ["out.png", "out", "out.mp3"])
def test_unsupported_suffixes_are_refused(clip, output):
    with pytest.raises(ValueError, match=r"ends in none of \.mp4, "):
        check_copy(clip, output)


def test_too_few_or_too_many_images_leave_no_file(clip, tmp_path):
    given = list(frames(clip))
    for wrong in (given[:-1], [*given, given[0]], []):
        with pytest.raises(ValueError, match="images"):
            write_like(clip, tmp_path / "out.mp4", iter(wrong))
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_video_are_refused(tmp_path):
    for content in (None, b"", b"no video", PHOTOGRAPH.read_bytes()[:100]):
        path = tmp_path / "clip.mp4"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ImageError, match=r"clip\.mp4"):
            next(frames(path))


def test_a_file_without_a_video_stream_is_refused(clip, tmp_path):
    import av

    with av.open(str(clip)) as source, av.open(str(tmp_path / "tone.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with pytest.raises(ImageError, match="contains no video"):
        next(frames(tmp_path / "tone.mp4"))


def test_a_missing_pyav_names_the_extra(clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"tf-neural-style\[video\]"):
        next(frames(clip))
