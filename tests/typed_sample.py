"""How a user's program looks to mypy; `test_types.py` checks it, and nothing runs it.

An error that is expected is ignored by its code: strict mypy complains where there is none to ignore.
"""

from collections.abc import Mapping
from typing import assert_type

import numpy as np
from PIL import Image

import neural_style
from neural_style import ImageError, NeuralStyleError, Result, Step, StyleTarget, StyleTransfer, stylize, sweep
from neural_style.batch import Outcome, jobs_in, stylize_many
from neural_style.callbacks import EarlyStopping, ProgressBar, Timelapse
from neural_style.losses import Content, Gram, Moments, Sum
from neural_style.recipes import RECIPES, Recipe
from neural_style.scales import CoarseToFine

assert_type(stylize("photo.jpg", b"bytes", size=512, strength=0.7, tile="auto"), Image.Image)
stylize("photo.jpg", "painting.jpg", sizes=512)  # type: ignore[call-arg]
stylize("photo.jpg", "painting.jpg", strength="high")  # type: ignore[arg-type]
stylize("photo.jpg", "painting.jpg", tile="large")  # type: ignore[arg-type]
stylize("photo.jpg", "painting.jpg", 512)  # type: ignore[call-arg]


def watch(step: Step) -> None:
    assert_type(step.terms, Mapping[str, float])
    assert_type(step.scale, tuple[int, int])
    step.loss = 0.0  # type: ignore[misc]


loss = 0.4 * Content() + Moments(spread="covariance") + sum([Gram(), Gram()])
assert_type(0.4 * Content() + Gram(), Sum)
transfer = StyleTransfer(0.4 * Content() + Gram(), "vgg16", scales=CoarseToFine(steps=20), optimizer="lbfgs")
result = transfer.run(
    np.zeros((8, 8, 3)), "painting.jpg", callbacks=[watch, ProgressBar(), EarlyStopping(), Timelapse()]
)
assert_type(result, Result)
assert_type(result.image, Image.Image)
result.save("out.png", bits=16)
StyleTransfer(extractor=3)  # type: ignore[arg-type]

target = transfer.target("painting.jpg", size=512)
assert_type(target, StyleTarget)
assert_type(0.3 * target + 0.7 * target, StyleTarget)

for outcome in stylize_many(jobs_in("photos", "painting.jpg", "painted"), size=512):
    assert_type(outcome, Outcome)
    assert_type(outcome.error, str | None)

assert_type(RECIPES["default"], Recipe)
assert_type(sweep("photo.jpg", "painting.jpg", strength=[0.3, 0.7]).image, Image.Image)
assert_type(neural_style.__version__, str)

try:
    stylize("photo.jpg", "painting.jpg")
except ImageError as error:
    caught: NeuralStyleError | ValueError = error
