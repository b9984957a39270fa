"""Damaged, dishonest and oversized pictures: a picture or an `ImageError`, and no trace of anything else."""

import io
import logging
import os
import socket
import struct
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageFile, features

from neural_style import images
from neural_style.errors import ImageError


@pytest.fixture(autouse=True)
def nothing_left_behind(capfd, request):
    """No test here may print, or change a switch that other code shares.

    One exception: libtiff writes its complaint about damaged compressed pixels to the stderr of the process,
    from C, and no switch of Pillow turns that off.
    """
    before = shared_switches()
    yield
    assert shared_switches() == before
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == "" or any(name in request.node.name for name in LIBTIFF_DECODES)


def shared_switches():
    return (
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK, list(warnings.filters),
        logging.getLogger().level, list(logging.getLogger("PIL").handlers), os.getcwd(),
    )  # fmt: skip


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def small_files():
    """One small file of each accepted kind, with metadata, palettes, profiles and alpha among them."""
    rng = np.random.default_rng(11)
    rows, columns = np.mgrid[0:20, 0:24]
    smooth = np.stack([rows * 12, columns * 10, 255 - rows * 5], axis=-1).astype(np.uint8)
    rgb, noise = Image.fromarray(smooth), Image.fromarray(rng.integers(0, 256, (12, 10, 4), dtype=np.uint8))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Software] = "some camera with a name"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.01
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frames = {"save_all": True, "append_images": [Image.fromarray(255 - smooth)]}
    files = {
        "jpeg": encoded(rgb, "JPEG", exif=exif, icc_profile=profile),
        "jpeg progressive": encoded(rgb, "JPEG", progressive=True),
        "jpeg cmyk": encoded(rgb.convert("CMYK"), "JPEG"),
        "mpo": encoded(rgb, "MPO", **frames),
        "png": encoded(noise, "PNG", exif=exif, icc_profile=profile),
        "png animated": encoded(rgb, "PNG", **frames),
        "png palette": encoded(rgb.quantize(8), "PNG", transparency=3),
        "png 16": encoded(Image.fromarray(smooth[..., 0].astype(np.uint16) * 257), "PNG"),
        "gif": encoded(rgb.quantize(16), "GIF", **frames),
        "webp": encoded(rgb, "WEBP", exif=exif, icc_profile=profile),
        "webp lossless": encoded(noise, "WEBP", lossless=True),
        "tiff": encoded(rgb, "TIFF", exif=exif),
        "tiff lzw": encoded(noise, "TIFF", compression="tiff_lzw", icc_profile=profile),
        "tiff jpeg": encoded(rgb, "TIFF", compression="jpeg"),
        "tiff float": encoded(Image.fromarray(np.float32(smooth[..., 0] / 255)), "TIFF"),
        "bigtiff": encoded(rgb, "TIFF", big_tiff=True, compression="tiff_adobe_deflate"),
        "bmp": encoded(rgb, "BMP"),
        "ppm": encoded(rgb, "PPM"),
        "pgm plain": b"P2 # a comment\n3 2 15\n0 1 2\n13 14 15\n",
        "tga": encoded(rgb, "TGA", compression="tga_rle"),
    }
    if features.check("avif"):
        files["avif"] = encoded(rgb, "AVIF", exif=exif, speed=10)
    return files


FILES = small_files()
LIBTIFF_DECODES = ("tiff lzw", "tiff jpeg")


def picture_or_error(data):
    """The picture, or None for an ImageError; any other exception fails the test."""
    try:
        pixels = images.load(data, max_pixels=1_000_000)
    except ImageError as error:
        assert str(error).startswith("bytes: ")
        return None
    assert pixels.dtype == np.float32 and pixels.min() >= 0 and pixels.max() <= 1
    return pixels


@pytest.mark.parametrize("name", FILES)
def test_whole_files_are_read(name):
    assert picture_or_error(FILES[name]) is not None


@pytest.mark.parametrize("name", FILES)
def test_cut_files(name):
    """Cut at every 37th byte; what is still accepted must be the whole picture.

    Those with a profile may lose it without losing a pixel: a bad profile is ignored.
    """
    data = FILES[name]
    whole = picture_or_error(data)
    for end in range(0, len(data), 37):
        cut = picture_or_error(data[:end])
        if cut is not None and name not in ("jpeg", "png"):
            assert np.array_equal(cut, whole), end


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes(name):
    """500 files with one byte changed, most of them in the first part, where the structure is."""
    data, rng = FILES[name], np.random.default_rng(37)
    for turn in range(500):
        at = int(rng.integers(len(data) if turn % 2 else min(len(data), 400)))
        picture_or_error(data[:at] + bytes([data[at] ^ int(rng.integers(1, 256))]) + data[at + 1 :])


def test_flipped_bytes_warn_nobody():
    """The same with warnings shown, not raised: a decoder's warning must not reach the user either."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rng = np.random.default_rng(73)
        for data in (data for name, data in FILES.items() if name not in LIBTIFF_DECODES):
            for _ in range(100):
                at = int(rng.integers(min(len(data), 600)))
                picture_or_error(data[:at] + bytes([data[at] ^ int(rng.integers(1, 256))]) + data[at + 1 :])
    assert [str(warning.message) for warning in caught] == []


def test_random_bytes_behind_each_signature():
    rng = np.random.default_rng(5)
    for data in FILES.values():
        for length in (0, 1, 20, 300):
            picture_or_error(data[:12] + rng.bytes(length))
            picture_or_error(data[:30] + rng.bytes(length))


# Damaged metadata around good pixels


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    "bad",
    [
        chunk(b"acTL", struct.pack(">II", 0, 0)),
        chunk(b"acTL", struct.pack(">II", 3, 0)) * 2,
        chunk(b"acTL", b""),
        chunk(b"pHYs", b"\1"),
        chunk(b"iCCP", b"name\0\0not packed"),
        chunk(b"iCCP", b""),
        chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(20_000_000))),
        chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f"),
        chunk(b"gAMA", b"\0"),
        chunk(b"iTXt", b"\xff\xfe"),
    ],
    ids=lambda body: body[4:8].decode(),
)
def test_damaged_png_metadata_costs_nothing(bad):
    plain = encoded(Image.new("RGB", (5, 4), (10, 20, 30)), "PNG")
    assert np.array_equal(images.load(plain[:33] + bad + plain[33:]), images.load(plain))


def test_png_profile_that_inflates_without_end():
    plain = encoded(Image.new("RGB", (5, 4), (10, 20, 30)), "PNG")
    bomb = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(50_000_000)))
    started = time.perf_counter()
    assert np.array_equal(images.load(plain[:33] + bomb + plain[33:]), images.load(plain))
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe1\0\x08Exif\0\0",
        b"\xff\xe1\0\x20Exif\0\0II*\0\x08\0\0\0\x40\0\x1a\x01\5\0\xff\xff\xff\xff\xff\xff",
        b"\xff\xe2\0\x0aMPF\0II*\0",
        b"\xff\xe2\0\x10ICC_PROFILE\0\1\1",
        b"\xff\xed\0\x16Photoshop 3.0\x008BIM\4",
        b"\xff\xe0\0\2",
    ],
)
def test_damaged_jpeg_metadata_costs_nothing(segment):
    (length,) = struct.unpack_from(">H", segment, 2)
    segment = segment.ljust(length + 2, b"\0")
    plain = encoded(Image.new("RGB", (5, 4), (10, 20, 30)), "JPEG")
    assert np.array_equal(images.load(plain[:2] + segment + plain[2:]), images.load(plain))


def test_damaged_tiff_metadata_costs_nothing():
    """Tags that point past the end, repeat, have too many values, or a type nobody knows."""
    tags = [
        (256, 3, 2, struct.pack("<HH", 3, 9)), (257, 3, 1, b"\2\0\0\0"), (258, 3, 1, b"\x08\0\0\0"),
        (262, 3, 1, b"\1\0\0\0"),
        (273, 4, 1, b"\x08\0\0\0"), (277, 3, 1, b"\1\0\0\0"), (279, 4, 1, b"\6\0\0\0"),
        (282, 5, 1, b"\xff\xff\xff\xff"), (305, 2, 2**31, b"\x08\0\0\0"), (34665, 4, 1, b"\xf0\xff\xff\xff"),
        (34675, 7, 999_999, b"\x08\0\0\0"), (256, 3, 1, b"\7\0\0\0"), (700, 99, 1, b"\0\0\0\0"),
    ]  # fmt: skip
    body = bytes([0, 51, 102, 153, 204, 255])
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHI4s", *tag) for tag in tags)
    data = b"II*\0" + struct.pack("<I", 14) + body + directory + b"\xff\xff\xff\xff"
    assert np.allclose(images.load(data)[0, ..., 0].ravel() * 255, list(body))


def test_tiff_with_too_many_samples_is_refused_quietly():
    data = FILES["tiff"]
    at = data.index(struct.pack("<HHI", 277, 3, 1)) + 8
    with pytest.raises(ImageError, match="samples a pixel"):
        images.load(data[:at] + struct.pack("<H", 60_000) + data[at + 2 :])


# Sizes


def huge(kind, width=60_000, height=60_000):
    """A tiny file of this kind that claims to be enormous."""
    if kind == "png":
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")
    if kind == "ppm":
        return f"P6 {width} {height} 255\n".encode() + bytes(1000)
    if kind == "gif":
        return b"GIF89a" + struct.pack("<HH", width, height) + FILES["gif"][10:]
    if kind == "bmp":
        return FILES["bmp"][:18] + struct.pack("<ii", width, height) + FILES["bmp"][26:]
    if kind == "jpeg":
        at = FILES["jpeg cmyk"].index(b"\xff\xc0") + 5
        return FILES["jpeg cmyk"][:at] + struct.pack(">HH", height, width) + FILES["jpeg cmyk"][at + 4 :]
    if kind == "tga":
        return FILES["tga"][:12] + struct.pack("<HH", width, height) + FILES["tga"][16:]
    data = FILES["tiff"]
    for tag, value in ((256, width), (257, height)):
        at = max(data.find(struct.pack("<HHI", tag, kind, 1)) for kind in (3, 4))
        data = data[: at + 2] + struct.pack("<HII", 4, 1, value) + data[at + 12 :]
    return data


@pytest.mark.parametrize("kind", ["png", "ppm", "gif", "bmp", "jpeg", "tga", "tiff"])
def test_bombs_are_refused_at_once(kind):
    started = time.perf_counter()
    with pytest.raises(ImageError, match=r"60000 x 60000 pixels.*max_pixels=100,000,000; pass a larger"):
        images.load(huge(kind))
    assert time.perf_counter() - started < 1


def test_webp_bomb():
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16_382).to_bytes(3, "little") * 2
    data = b"RIFF" + struct.pack("<I", len(canvas) + 4) + b"WEBP" + canvas
    with pytest.raises(ImageError, match="bytes: WEBP: more pixels than Pillow"):
        images.load(data)


def test_long_sides_are_refused():
    with pytest.raises(ImageError, match="max_side=65,535"):
        images.load(huge("png", 100_000, 1))
    with pytest.raises(ImageError, match="max_side=10;"):
        images.load(np.zeros((3, 11), np.uint8), max_side=10)
    for source in (np.zeros((3, 11), np.uint8), Image.new("L", (11, 3)), FILES["png"]):
        with pytest.raises(ImageError, match="max_pixels=32"):
            images.load(source, max_pixels=32)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "TGA"])
def test_a_limit_above_that_of_pillow_works(kind, monkeypatch):
    """Pillow refuses beyond a process-wide limit, lowered here for speed; the caller's own limit decides."""
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    data = encoded(Image.new("RGB", (40, 30)), kind, **options)
    with monkeypatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        assert images.load(data).shape == (1, 30, 40, 3)


# Things that are no picture file


def test_missing_folder_and_link(tmp_path, monkeypatch):
    (tmp_path / "link.png").symlink_to("nowhere.png")
    for name, reason in {
        "missing.png": "no such file", ".": "a folder", "link.png": "link to a missing file",
        "a\0b.png": "cannot be opened", "": "no such file", "http://example.invalid/a.png": "no such file",
        "x" * 5000: "cannot be opened",
    }.items():  # fmt: skip
        with monkeypatch.context() as patch, pytest.raises(ImageError, match=reason) as caught:
            patch.chdir(tmp_path)
            images.load(name)
        assert str(caught.value).startswith(repr(name))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_sockets_and_devices_do_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    server = socket.socket(socket.AF_UNIX)
    previous = os.getcwd()
    os.chdir(tmp_path)  # a socket's name may be only some 100 characters long
    try:
        server.bind("socket.png")
    finally:
        os.chdir(previous)
    for path in (tmp_path / "pipe.png", tmp_path / "socket.png", "/dev/zero", "/dev/null"):
        with pytest.raises(ImageError, match="a pipe, socket or device|cannot be opened"):
            images.load(path)
    server.close()


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read anything")
def test_no_permission(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(FILES["png"])
    path.chmod(0)
    with pytest.raises(ImageError, match="Permission denied"):
        images.load(path)


def test_no_permission_said_by_the_system(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch, pytest.raises(ImageError, match=r"secret\.png.*Permission denied"):
        patch.setattr(os, "open", refuse)
        images.load(tmp_path / "secret.png")


@pytest.mark.parametrize("head", [b"", FILES["png"], b"II*\0\x08\0\0\0", b"RIFF\0\0\0\0WEBP", b"\xff\xd8\xff"])
def test_enormous_sparse_files_are_refused_without_reading_them(tmp_path, head):
    path = tmp_path / "large.png"
    with path.open("wb") as handle:
        handle.write(head)
        handle.truncate(5 << 30)
    started = time.perf_counter()
    with pytest.raises(ImageError, match=r"large\.png"):
        images.load(path)
    assert time.perf_counter() - started < 1


def test_open_files_that_cannot_be_read(tmp_path):
    closed = io.BytesIO(FILES["png"])
    closed.close()

    class Odd:
        def __init__(self, answer):
            self.answer = answer

        def read(self, size):
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    with (tmp_path / "out").open("wb") as write_only:
        for source in (closed, write_only, Odd(None), Odd([1]), Odd(RuntimeError("odd"))):
            with pytest.raises(ImageError, match="^open file"):
                images.load(source)
    with pytest.raises(TypeError, match="mode 'rb'"):
        images.load(io.StringIO("text"))


def test_pil_images_that_cannot_be_loaded(tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(FILES["jpeg cmyk"][:-60])
    with Image.open(path) as image, pytest.raises(ImageError, match="^PIL image: JPEG: .*truncated"):
        images.load(image)
    closed = Image.new("RGB", (2, 2))
    closed.close()
    with pytest.raises(ImageError, match="^PIL image"):
        images.load(closed)


def test_errors_name_file_format_and_reason(tmp_path):
    path = tmp_path / "holiday.png"
    path.write_bytes(FILES["jpeg"][:-100])
    with pytest.raises(ImageError, match=r"holiday\.png': JPEG: .*truncated.*another copy"):
        images.load(path)
    for data, reason in ((b"", "no bytes"), (b"\x80\4\x95pickle", "not a picture"), (b"<svg>", "a web page")):
        path.write_bytes(data)
        with pytest.raises(ImageError, match=rf"holiday\.png': .*{reason}"):
            images.load(path)


def test_files_are_closed(tmp_path):
    psutil = pytest.importorskip("psutil")
    path = tmp_path / "a.png"
    path.write_bytes(FILES["png"])
    (tmp_path / "b.png").write_bytes(FILES["png"][:90])
    before = psutil.Process().num_fds()
    for _ in range(20):
        images.load(path)
        images.save(images.read(path), path)
        with pytest.raises(ImageError):
            images.load(tmp_path / "b.png")
    assert psutil.Process().num_fds() == before


def test_threads_agree_with_one_thread():
    serial = {name: images.load(data) for name, data in FILES.items()}
    wrong = []

    def work():
        for name, data in FILES.items():
            if not np.array_equal(images.load(data), serial[name]):
                wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
