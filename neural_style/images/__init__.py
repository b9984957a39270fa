"""Pictures in and out: anything that holds a picture <-> float32 RGB in [0, 1].

Conventions, for every function here and for the rest of the package:

- Pixels are float32, (1, height, width, 3), sRGB as displayed (gamma encoded), 0 black and 1 white.
- A size is (width, height), as in PIL; a shape is (batch, height, width, channels), as in TensorFlow.
- Pictures come upright: EXIF orientation is applied on the way in, and never written on the way out.
- Alpha is kept beside the colours, straight (not premultiplied). The colour stored under a fully transparent
  pixel means nothing, so it is replaced by the mean of the visible colours, weighted by alpha; mid grey where
  nothing is visible. Partly transparent pixels keep their own colour.
- Whatever is wrong with a picture is one `ImageError` that names it. A wrong type is a `TypeError`.
- Nothing is printed, and no switch shared with other code (Pillow's limits, warning filters) is touched.
"""

from neural_style.images.reading import ImageData, load, read
from neural_style.images.resizing import resize
from neural_style.images.writing import check_writable, save, to_pil

__all__ = ["ImageData", "check_writable", "load", "read", "resize", "save", "to_pil"]

Picture = ImageData
"""The former name of `ImageData`; it goes with the next release."""
