"""One small file of each input format, and what may come of one that was tampered with."""

import numpy as np
from PIL import ExifTags, Image, ImageCms, features

from neural_style import images
from neural_style.errors import ImageError
from tests.images.samples import encoded


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


def image_or_none(data):
    """The pixels, or None for an ImageError; any other exception fails the test."""
    try:
        pixels = images.load(data, max_pixels=1_000_000)
    except ImageError as error:
        assert str(error).startswith("bytes: ")
        return None
    assert pixels.dtype == np.float32 and pixels.min() >= 0 and pixels.max() <= 1
    return pixels
