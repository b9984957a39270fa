"""Reading and writing images: any source of an image <-> float32 RGB in [0, 1].

Conventions, for every function here and for the rest of the package:

- Pixels are float32, (1, height, width, 3), sRGB as displayed (gamma encoded), 0 black and 1 white.
- A size is (width, height), as in PIL; a shape is (batch, height, width, channels), as in TensorFlow.
- Images are upright: EXIF orientation is applied when reading, and never written.
- Alpha is kept in a separate array, straight (not premultiplied). The color stored in a fully transparent pixel has
  no meaning; it is replaced by the mean of the visible colors, weighted by alpha, or by mid gray if nothing is
  visible. Partly transparent pixels keep their own color.
- Any defect of an image raises `ImageError`, which names the image. A wrong type raises `TypeError`.
- Nothing is printed, and no process-wide setting (Pillow's limits, warning filters) is changed.
"""

from neural_style.images.reading import ImageData, ImageLike, load, read
from neural_style.images.resizing import resize
from neural_style.images.writing import check_writable, save, to_pil

__all__ = ["ImageData", "ImageLike", "check_writable", "load", "read", "resize", "save", "to_pil"]

Picture = ImageData
"""The former name of `ImageData`; it goes with the next release."""
