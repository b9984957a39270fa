"""Frames of every coding as sRGB: reference values are computed here from the standards' own formulas."""

import struct

import av
import numpy as np
import pytest

from neural_style import ImageError
from neural_style.images.video_color import is_transposed, to_pixels
from neural_style.images.video_file import frames
from tests import moving

RED, GREEN, WHITE = (220, 40, 40), (40, 200, 60), (235, 235, 235)
LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def frame_of(rgb, *, matrix, tags=(2, 2, 2), size=(32, 32), bits=8, full=False):
    """A frame of one color, R'G'B' in [0, 1], in Y'CbCr by `matrix`; `tags`: its matrix, primaries and transfer."""
    kr, kb = LUMA[matrix]
    red, green, blue = rgb
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    unit, top = 2 ** (bits - 8), 2**bits - 1
    codes = [luma * top if full else (16 + 219 * luma) * unit]
    codes += [128 * unit + each * (top if full else 224 * unit) for each in chroma]
    frame = av.VideoFrame(*size, "yuv420p" if bits == 8 else "yuv420p10le")
    for plane, code in zip(frame.planes, codes, strict=True):
        plane.update(
            np.full(plane.buffer_size // (1 + (bits > 8)), round(code), "u1" if bits == 8 else "<u2").tobytes()
        )
    frame.colorspace, frame.color_primaries, frame.color_trc = tags
    frame.color_range = 2 if full else 1
    return frame


def color_of(frame):
    return to_pixels(frame, "clip.mp4")[8, 8].astype(float)


def linear(rgb):
    signal = np.array(rgb) / 255
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def pq(nits):
    power = (np.asarray(nits) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(nits):
    """Inverse of BT.2100's system gamma 1.2 at 1000 cd/m², then its OETF."""
    luminance = max(float(np.array([0.2627, 0.6780, 0.0593]) @ nits) / 1000, 1e-9)
    scene = np.asarray(nits) / 1000 / luminance ** (0.2 / 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


@pytest.mark.parametrize("color", [RED, GREEN, WHITE])
@pytest.mark.parametrize(
    ("size", "matrix"),
    [((720, 576), 5), ((640, 480), 5), ((1280, 720), 1), ((720, 1280), 1), ((1920, 1080), 1)],
)
def test_untagged_frames_are_bt709_in_hd_and_bt601_in_sd(color, size, matrix):
    np.testing.assert_allclose(color_of(frame_of(np.array(color) / 255, matrix=matrix, size=size)), color, atol=2)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6, 7])
def test_tagged_frames_are_read_by_their_tags(matrix, bits, full):
    for color in (RED, GREEN, WHITE):
        frame = frame_of(np.array(color) / 255, matrix=matrix, tags=(matrix, 1, 1), bits=bits, full=full)
        np.testing.assert_allclose(color_of(frame), color, atol=2)


@pytest.mark.parametrize(("curve", "transfer"), [(pq, 16), (hlg, 18)])
@pytest.mark.parametrize("tagged", [True, False])
def test_hdr_shows_what_is_below_its_reference_white_as_it_is(curve, transfer, tagged):
    """203 cd/m² are white (ITU-R BT.2408); the curve may darken what comes close to it by a few levels."""
    tags = (9, 9, transfer) if tagged else (2, 2, transfer)
    for color in (RED, GREEN, (128, 128, 128), (20, 20, 20), WHITE):
        signal = curve(TO_BT2020 @ linear(color) * 203)
        np.testing.assert_allclose(color_of(frame_of(signal, matrix=9, tags=tags, bits=10)), color, atol=4)


@pytest.mark.parametrize(("curve", "transfer", "peak"), [(pq, 16, 10_000), (hlg, 18, 1_000)])
def test_highlights_of_hdr_stay_apart_and_keep_their_hue(curve, transfer, peak):
    def shown(nits):
        return color_of(frame_of(curve(np.array(nits)), matrix=9, tags=(9, 9, transfer), bits=10))

    grays = [shown([level] * 3)[1] for level in (203, 350, 600, peak)]
    assert 225 < grays[0] < grays[1] < grays[2] <= grays[3]
    assert grays[3] >= 254
    orange = shown(TO_BT2020 @ (np.array([1.0, 0.3, 0.1]) * 700))
    ratios = linear(orange) / linear(orange).max()
    np.testing.assert_allclose(ratios, [1.0, 0.3, 0.1], atol=0.03)


def test_wide_gamuts_without_hdr_are_converted():
    to_p3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
    for matrix, primaries, to_wide in ((9, 9, TO_BT2020), (1, 12, to_p3)):
        for color in (RED, GREEN, WHITE):
            wide = to_wide @ linear(color)
            signal = np.where(wide <= 0.0031308, 12.92 * wide, 1.055 * wide ** (1 / 2.4) - 0.055)
            frame = frame_of(signal, matrix=matrix, tags=(matrix, primaries, 1), bits=10)
            np.testing.assert_allclose(color_of(frame), color, atol=3)


REFUSED = {  # matrix, primaries and transfer -> which of them is named
    (1, 1, 8): "transfer function",
    (1, 1, 17): "transfer function",
    (8, 1, 1): "matrix",
    (14, 9, 16): "matrix",
    (10, 9, 14): "matrix",
    (1, 10, 1): "primaries",
}


@pytest.mark.parametrize(("tags", "named"), REFUSED.items())
def test_other_codings_are_refused_by_name(tags, named):
    with pytest.raises(ImageError, match=rf"'clip\.mp4': its .*{named} \(code \d+ of ITU-T H\.273\)"):
        color_of(frame_of((0.5, 0.5, 0.5), matrix=1, tags=tags))


def test_dolby_vision_alone_is_refused(monkeypatch):
    monkeypatch.setattr("neural_style.images.video_color._is_dolby_vision", lambda frame: True)
    with pytest.raises(ImageError, match="Dolby Vision"):
        color_of(frame_of((0.5, 0.5, 0.5), matrix=1))
    assert color_of(frame_of(hlg(np.full(3, 50)), matrix=9, tags=(9, 9, 18), bits=10)).std() < 2  # with an HLG layer


WAYS = {  # matrix of the track header -> what is shown
    "upright": ((1, 0, 0, 1), lambda frame: frame),
    "clockwise": ((0, 1, -1, 0), lambda frame: np.rot90(frame, -1)),
    "half turn": ((-1, 0, 0, -1), lambda frame: np.rot90(frame, 2)),
    "counterclockwise": ((0, -1, 1, 0), np.rot90),
    "mirrored": ((-1, 0, 0, 1), lambda frame: frame[:, ::-1]),
    "flipped": ((1, 0, 0, -1), lambda frame: frame[::-1]),
    "transposed": ((0, 1, 1, 0), lambda frame: frame.swapaxes(0, 1)),
    "transversed": ((0, -1, -1, 0), lambda frame: frame[::-1, ::-1].swapaxes(0, 1)),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_display_matrix_is_honored(way, tmp_path):
    (a, b, c, d), turn = WAYS[way]
    scene = np.zeros((32, 48, 3), np.uint8)
    scene[:8, :20] = 255
    clip = moving.write(tmp_path / "clip.mp4", [scene], sound=None)
    data = bytearray(clip.read_bytes())
    place = data.find(b"tkhd") + 44  # ISO/IEC 14496-12, 8.3.2
    values = [a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30]
    data[place : place + 36] = struct.pack(">9i", *values)
    clip.write_bytes(data)
    shown = next(frames(clip))
    assert shown.shape == turn(scene).shape
    assert np.abs(shown.astype(float) - turn(scene)).mean() < 6
    with av.open(str(clip)) as source:
        assert is_transposed(next(source.decode(video=0))) == (a == 0)
