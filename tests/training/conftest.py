"""A folder of small training images."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Eight images of blots, waves and grain, at least 64 pixels a side."""
    place = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(11)
    for number in range(8):
        rows, columns = np.mgrid[0:64, 0 : 64 + 4 * number]
        wave = np.sin((columns * rng.normal() + rows * rng.normal()) / rng.uniform(1.0, 6.0))[..., None]
        blots = np.kron(rng.random((8, 8 + number, 3)), np.ones((8, 8, 1)))[:, : 64 + 4 * number]
        image = 0.6 * blots + 0.2 * wave * rng.random(3) + 0.2 + rng.normal(0.0, 0.03, (*rows.shape, 3))
        Image.fromarray((255 * np.clip(image, 0, 1)).astype(np.uint8)).save(place / f"{number}.png")
    return place
