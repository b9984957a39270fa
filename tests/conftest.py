"""What every test stands on: a machine without network, two small pictures, and the network that ships."""

import os
import signal
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("neural_style", derandomize=True, deadline=None, max_examples=40, database=None)
settings.load_profile("neural_style")


@pytest.fixture(scope="session", autouse=True)
def heeded_hangups():
    """Commands that the tests start heed SIGHUP, which they inherit as ignored where the tests run under `nohup`."""
    if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path_factory):
    """No test finds weights in somebody's cache, and none goes out to fetch them."""
    home = tmp_path_factory.getbasetemp() / "keras-home"
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setenv("NEURAL_STYLE_OFFLINE", "1")
    return home


@pytest.fixture(scope="session")
def vgg16():
    """The bundled network, the one object of it that `"vgg16"` names."""
    from neural_style.features import named_extractor

    return named_extractor("vgg16")


@pytest.fixture(scope="session")
def content():
    """A round sun over a slope, 64 by 48, uint8."""
    rows, columns = np.mgrid[0:48, 0:64]
    sun = (rows - 16) ** 2 + (columns - 42) ** 2 < 100
    picture = np.stack([90 + columns, 60 + 2 * rows, 200 - columns - rows], axis=-1)
    picture[sun] = (250, 220, 60)
    return picture.astype(np.uint8)


@pytest.fixture(scope="session")
def style():
    """Wavy red and blue stripes with grain, 56 by 56, uint8."""
    rows, columns = np.mgrid[0:56, 0:56]
    wave = np.sin((columns + 6 * np.sin(rows / 5.0)) / 2.5)[..., None]
    grain = np.random.default_rng(1).normal(0.0, 12.0, (56, 56, 1))
    picture = 128 + wave * np.array([100.0, -30.0, -90.0]) + grain
    return np.clip(picture, 0, 255).astype(np.uint8)
