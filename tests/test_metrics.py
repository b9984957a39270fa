"""Metrics: zero for the image itself, and sensitive to what each is meant to measure."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from neural_style import ImageError, images, metrics, stylize
from neural_style.metrics import content_distance, edge_agreement, lpips, sliced_wasserstein, style_distance
from tests.networks import Pixels

DISTANCES = (content_distance, style_distance, sliced_wasserstein)


@pytest.fixture(scope="module")
def painted(content, style, vgg16):
    """The content with stripes, as large as the content."""
    return np.asarray(stylize(content, style, size=64, steps=30, extractor=vgg16))


def turned(image):
    return np.ascontiguousarray(image[::-1, ::-1])


@pytest.mark.parametrize("distance", DISTANCES)
def test_an_image_is_at_distance_zero_from_itself(distance, content):
    assert distance(content, content) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_are_finite_and_positive_for_other_images(distance, content, style):
    flat = np.full((48, 64, 3), 128, np.uint8)
    for pair in ((content, style), (flat, style), (content, flat)):
        assert 0.0 < distance(*pair) < np.inf


@pytest.mark.parametrize("distance", [style_distance, sliced_wasserstein])
def test_style_transfer_reduces_the_style_distance(distance, painted, content, style):
    assert distance(painted, style) < 0.9 * distance(content, style)


def test_style_transfer_keeps_the_image_nearer_to_the_content_than_the_style_is(painted, content, style):
    assert 0.0 < content_distance(painted, content) < content_distance(images.to_pil(images.load(style)), content)
    assert edge_agreement(painted, content) > edge_agreement(style, content) + 0.2


def test_only_the_content_distance_depends_on_positions(content):
    in_place, *anywhere = (distance(np.ascontiguousarray(content[:, ::-1]), content) for distance in DISTANCES)
    assert in_place > 3 * max(anywhere)


def test_sliced_wasserstein_detects_what_means_and_covariances_miss():
    """On the pixels: two levels, and a normal distribution with the same mean and variance."""

    rng = np.random.default_rng(0)
    levels = 0.5 + 0.1 * rng.choice([-1.0, 1.0], (64, 64, 3))
    normal = np.clip(0.5 + 0.1 * rng.normal(size=(64, 64, 3)), 0.0, 1.0)
    options = {"layers": ["pixels"], "extractor": Pixels()}
    second_order = style_distance(levels, normal, levels=[1.0], **options)
    assert second_order < 0.002
    assert sliced_wasserstein(levels, normal, directions=3, **options) > sliced_wasserstein(
        turned(normal), normal, directions=3, **options
    )
    assert sliced_wasserstein(levels, normal, directions=3, **options) > 0.001


def test_sliced_wasserstein_depends_little_on_the_seed(content, style):
    values = [sliced_wasserstein(content, style, seed=seed) for seed in (1, 2)]
    assert values[0] != values[1]
    assert values[0] == pytest.approx(values[1], rel=0.2)
    assert sliced_wasserstein(content, style, seed=1) == values[0]


def test_edge_agreement_is_independent_of_contrast(content):
    assert edge_agreement(content, content) == pytest.approx(1.0)
    assert edge_agreement(0.4 * images.load(content) + 0.3, content) == pytest.approx(1.0, abs=1e-6)
    assert edge_agreement(255 - content, content) == pytest.approx(1.0, abs=1e-6)


def test_edges_at_other_positions_do_not_agree(content):
    assert edge_agreement(turned(content), content) < 0.3
    noise = np.random.default_rng(3).integers(0, 256, content.shape, np.uint8)
    assert abs(edge_agreement(noise, content)) < 0.2


def test_a_constant_image_has_no_edges(content):
    assert edge_agreement(np.full((8, 8, 3), 90, np.uint8), content) == 0.0
    assert edge_agreement(content, np.full((8, 8, 3), 90, np.uint8)) == 0.0


def test_strokes_finer_than_the_size_do_not_count(content):
    large = images.resize(images.load(content), (256, 192))
    fine = np.clip(large + 0.2 * np.random.default_rng(0).choice([-1, 1], large.shape[:3])[..., None], 0, 1)
    assert edge_agreement(fine, large, size=64) > edge_agreement(fine, large, size=None) + 0.2


@pytest.mark.parametrize("metric", [*DISTANCES, edge_agreement])
def test_every_source_of_an_image_is_accepted(metric, content, style, tmp_path):
    path = tmp_path / "content.png"
    image = Image.fromarray(content)
    image.save(path)
    expected = metric(images.load(content), images.load(style))
    for form in (content, image, path, str(path), path.read_bytes(), tf.constant(content)):
        assert metric(form, style) == expected
    assert isinstance(expected, float)
    with pytest.raises(ImageError):
        metric(tmp_path / "none.png", style)


@pytest.mark.parametrize("distance", DISTANCES)
def test_layers_and_extractor_can_be_chosen(distance, content, style, vgg16):
    one, other = (distance(content, style, layers=[layer]) for layer in ("block1_conv1", "block3_conv1"))
    assert one != other
    assert distance(content, style, layers=["block3_conv1"], extractor=vgg16) == other
    with pytest.raises(ValueError, match="no layer 'block9_conv1'"):
        distance(content, style, layers=["block9_conv1"])


def test_the_layers_exist_in_the_bundled_network(vgg16):
    assert set(metrics.LAYERS) <= set(vgg16.layers)


def test_a_small_image_has_fewer_levels(content, style):
    assert style_distance(content[:20, :20], style) == style_distance(content[:20, :20], style, levels=[1.0])


def test_without_its_package_lpips_says_what_to_install(monkeypatch, content):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(ImportError, match="pip install lpips torch"):
        lpips(content, content)
