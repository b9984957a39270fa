"""Fixtures of the tests of images."""

import logging
import os
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile

from tests.images.hostile import LIBTIFF_DECODES
from tests.images.samples import HEIGHT, WIDTH


@pytest.fixture
def colors():
    return np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def smooth():
    """An image that lossy formats keep closely: a ramp in every channel."""
    rows, columns = np.mgrid[0:48, 0:64]
    return np.stack([rows * 5, columns * 4, 255 - columns * 2 - rows * 2], axis=-1).astype(np.uint8)


@pytest.fixture
def no_side_effects(capfd, request):
    """Check that a test prints nothing and changes no process-wide setting.

    One exception: libtiff, a C library, writes errors in damaged compressed pixels to stderr, which Pillow cannot
    turn off.
    """
    before = shared_settings()
    yield
    assert shared_settings() == before
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == "" or any(name in request.node.name for name in LIBTIFF_DECODES)


def shared_settings():
    return (
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK, list(warnings.filters),
        logging.getLogger().level, list(logging.getLogger("PIL").handlers), os.getcwd(),
    )  # fmt: skip
