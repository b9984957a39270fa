"""Video files: decoded frames, and copies with the same times and the same sound."""

import os
import shutil
import sys
import warnings
from fractions import Fraction

import av
import numpy as np
import pytest

from neural_style import ImageError, samples
from neural_style.images.formats.decoding import Limits
from neural_style.images.video_file import check_copy, count, frames, write, write_like
from neural_style.images.video_source import _Bytes
from tests import moving

PHOTOGRAPH = samples.path("astronaut")
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
    with pytest.raises(ImportError, match="run: pip install 'av>="):
        next(frames(clip))


def damaged_at(clip, path, number):
    """A copy in which one packet of the video begins with nonsense."""
    with av.open(str(clip)) as source:
        places = [packet.pos for packet in source.demux(video=0) if packet.size]
    data = bytearray(clip.read_bytes())
    data[places[number] : places[number] + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("number", [6, 9])
def test_a_damaged_packet_costs_its_frame_alone_and_is_told(clip, tmp_path, number):
    damaged = damaged_at(clip, tmp_path / "damaged.mp4", number)
    with pytest.warns(UserWarning, match=r"damaged\.mp4' is damaged at \d+\.\d\d s: frames that cannot"):
        found = list(frames(damaged))
    assert len(found) == 9
    write_like(damaged, tmp_path / "copy.mp4", iter(found))
    ours, theirs = moving.shape_of(tmp_path / "copy.mp4"), moving.shape_of(clip)
    assert set(ours["times"]) < set(theirs["times"])
    assert ours["sound"] == theirs["sound"]
    assert ours["seconds"] == pytest.approx(theirs["seconds"], abs=0.03)


@pytest.mark.parametrize("suffix", [".mkv", ".flv", ".avi"])
def test_a_clip_that_was_cut_short_is_told_before_painting(scenes, tmp_path, suffix):
    clip = moving.write(tmp_path / f"clip{suffix}", scenes, sound="mp2" if suffix == ".avi" else "aac")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_copy(clip, tmp_path / "out.mkv")
    clip.write_bytes(clip.read_bytes()[: round(0.6 * clip.stat().st_size)])
    with pytest.warns(UserWarning, match=r"clip\.\w+' was cut short: it ends after 0\.\d\d"):
        check_copy(clip, tmp_path / "out.mkv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last packet may be damaged
        assert 3 < len(list(frames(clip))) < 9


def test_a_clip_whose_frames_are_all_damaged_is_refused(clip, tmp_path):
    damaged = clip
    for number in range(10):
        damaged = damaged_at(damaged, tmp_path / "damaged.mp4", number)
    with pytest.raises(ImageError, match=r"damaged\.mp4' contains no frame that can be decoded"):
        list(frames(damaged))


def test_sound_whose_times_run_backward_is_left_out_and_told(scenes, tmp_path):
    clip = moving.write(tmp_path / "clip.mkv", scenes)
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as source:
        packets = [(packet.pos, packet.size) for packet in source.demux(audio=0) if packet.size]
    block = data.rindex(b"\xa3", 0, packets[8][0] + 2)  # a SimpleBlock: id, size, track, time in 16 bits
    header = data[block : packets[8][0] + 12].index(b"\x82") + block  # track 2
    data[header + 1 : header + 3] = (0).to_bytes(2, "big")
    clip.write_bytes(data)
    with pytest.warns(UserWarning, match="1 damaged packets of its sound could not be copied"):
        write_like(clip, tmp_path / "copy.mkv", frames(clip))
    assert len(moving.shape_of(tmp_path / "copy.mkv")["sound"]) == len(packets) - 1


def test_a_clip_is_a_path_whatever_it_is_called(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("10:31.mp4", "2026-11-25T10:31:02.mp4", "http:a.mp4", "concat:a.mp4", "im%02d.png", "a.txt", "pipe:0"):
        shutil.copy(clip, name)
        assert next(frames(name)).shape == (64, 96, 3)
    shutil.copy(clip, os.fsencode(tmp_path) + b"/\xff.mp4")
    assert next(frames(os.fsdecode(b"\xff.mp4"))).shape == (64, 96, 3)


def test_addresses_patterns_and_pipes_are_not_opened(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(clip, "a.mp4")
    os.mkfifo("pipe")
    shutil.copy(PHOTOGRAPH, "im01.png")
    names = ["http://127.0.0.1:9/a.mp4", "file:a.mp4", "concat:a.mp4|a.mp4", "subfile,,start,0,end,999,,:a.mp4"]
    names += ["im%02d.png", "pipe", "pipe:0", "/dev/zero", ".", "a.mp4\0"]
    for name in names:
        with pytest.raises(ImageError):
            next(frames(name))
    for wrong in (clip.read_bytes(), None, 5, open):
        with pytest.raises(TypeError, match="a clip must be the path of a video file, not"):
            next(frames(wrong))


SCRIPTS = {
    "playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\na.ts\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile a.mp4\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nno video\n",
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ffconcat", "sdp", "mpd"])
def test_files_that_name_other_files_are_refused(clip, tmp_path, script, suffix):
    shutil.copy(clip, tmp_path / "a.mp4")
    (tmp_path / f"script.{suffix}").write_text(SCRIPTS[script])
    with pytest.raises(ImageError, match=r"script.*accepted are MP4, MOV"):
        next(frames(tmp_path / f"script.{suffix}"))


def test_frames_beyond_the_limits_are_refused(clip, monkeypatch):
    monkeypatch.setattr("neural_style.images.video_source._LIMITS", Limits(max_pixels=96 * 64 - 1, max_side=999))
    with pytest.raises(ImageError, match=r"clip\.mp4': 96 x 64 pixels"):
        next(frames(clip))
    monkeypatch.setattr("neural_style.images.video_source.check_size", lambda *_: None)  # as if the header said less
    with pytest.raises(ImageError, match="no frame that can be decoded"):
        next(frames(clip))


@pytest.mark.parametrize("rotation", [0, 90])
def test_pixels_keep_their_aspect(scenes, tmp_path, rotation):
    clip = moving.write(tmp_path / "wide.mp4", scenes[:2], sound=None, aspect=Fraction(4, 3), rotation=rotation)
    for suffix in (".mp4", ".mkv", ".mov", ".webm"):
        write_like(clip, tmp_path / f"copy{suffix}", frames(clip))
        with av.open(str(tmp_path / f"copy{suffix}")) as copy:
            stream = copy.streams.video[0]
            shape = stream.width * (stream.sample_aspect_ratio or 1) / stream.height
        assert shape == pytest.approx(0.5 if rotation else 2)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_titles_and_languages_are_kept_and_places_are_not(scenes, tmp_path, suffix):
    clip = moving.write(tmp_path / f"clip{suffix}", scenes[:3], titles={"title": "Möwe", "location": "+48.1+11.5/"})
    for output in (".mp4", ".mkv", ".mov"):
        write_like(clip, tmp_path / f"copy{output}", frames(clip))
        with av.open(str(tmp_path / f"copy{output}")) as copy:
            assert copy.metadata["title"] == "Möwe"
            assert not {"location", "LOCATION", "location-eng"} & set(copy.metadata)
            sound = copy.streams.audio[0].metadata
            assert sound["language"] == "fra"
            assert sound.get("title", sound.get("name")) == "Original"


def test_languages_with_two_codes_survive_in_a_mov(scenes, tmp_path):
    clip = moving.write(tmp_path / "clip.mkv", scenes[:2], language="deu")
    write_like(clip, tmp_path / "copy.mov", frames(clip))
    with av.open(str(tmp_path / "copy.mov")) as copy:
        assert copy.streams.audio[0].metadata["language"] == "ger"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_title_that_is_not_utf8_refuses_nothing(scenes, tmp_path, suffix):
    clip = moving.write(tmp_path / f"clip{suffix}", scenes[:2], titles={"title": "Möwe!"})
    clip.write_bytes(clip.read_bytes().replace("Möwe!".encode(), "Möwe!!".encode("latin-1")))
    check_copy(clip, tmp_path / f"copy{suffix}")
    write_like(clip, tmp_path / f"copy{suffix}", frames(clip))
    with av.open(str(tmp_path / f"copy{suffix}")) as copy:
        assert copy.metadata["title"] == "M\N{REPLACEMENT CHARACTER}we!!"


@pytest.mark.parametrize("crf", [-5, -1, 52, 10**9, 64])
def test_rate_factors_out_of_range_are_refused_before_painting(clip, scenes, tmp_path, crf):
    for check in (
        lambda: check_copy(clip, tmp_path / "out.mp4", crf=crf),
        lambda: write_like(clip, tmp_path / "out.mp4", iter(scenes), crf=crf),
        lambda: write(tmp_path / "out.mp4", iter(scenes), rate=10, crf=crf),
    ):
        with pytest.raises(ValueError, match=rf"crf is from 0 to 51 for \.mp4, not {crf}"):
            check()
    check_copy(clip, tmp_path / "out.mp4", crf=51)
    with pytest.raises(TypeError, match="crf must be a whole number"):
        check_copy(clip, tmp_path / "out.mp4", crf="17")


@pytest.mark.parametrize("brand", [b"apac", b"zzzz"])
def test_sound_of_an_unknown_codec_is_left_out_and_told(scenes, tmp_path, brand):
    clip = moving.write(tmp_path / "clip.mp4", scenes[:3])
    data = clip.read_bytes().replace(b"mp4a", brand).replace(b"esds", b"free")
    clip.write_bytes(data)
    with pytest.warns(UserWarning, match=r"clip\.mp4': 1 sound streams that FFmpeg cannot identify are left out"):
        check_copy(clip, tmp_path / "copy.mp4")
    write_like(clip, tmp_path / "copy.mp4", frames(clip))
    shape = moving.shape_of(tmp_path / "copy.mp4")
    assert (len(shape["times"]), shape["sound"]) == (3, [])


@pytest.mark.filterwarnings("ignore:.*(is damaged|cut short|sound):UserWarning")
def test_clips_with_random_bytes_are_read_or_refused_in_silence(scenes, tmp_path, capfd):
    random = np.random.default_rng(0)
    for suffix in (".mp4", ".mkv", ".flv", ".avi", ".ts"):
        sound = "mp2" if suffix == ".avi" else "aac"
        whole = moving.write(tmp_path / f"whole{suffix}", scenes[:4], sound=sound).read_bytes()
        for _ in range(8):
            data = bytearray(whole)
            for place in random.integers(len(data), size=random.integers(1, 30)):
                data[place] = random.integers(256)
            (tmp_path / f"clip{suffix}").write_bytes(data)
            try:
                write_like(tmp_path / f"clip{suffix}", tmp_path / "out.mkv", frames(tmp_path / f"clip{suffix}"))
            except ImageError as error:
                assert "clip." in str(error) or "out.mkv" in str(error)
    assert capfd.readouterr() == ("", "")


def test_a_clip_that_points_outside_its_file_raises_nothing_inside_pyav(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"0123456789")
    with (tmp_path / "clip.mp4").open("rb") as handle:
        assert _Bytes(handle).seek(-5, os.SEEK_SET) < 0
        assert _Bytes(handle).seek(-20, os.SEEK_END) < 0
        assert _Bytes(handle).seek(1 << 63, os.SEEK_SET) < 0
        assert _Bytes(handle).seek(7, os.SEEK_SET) == 7
