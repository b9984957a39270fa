"""Metrics: zero for the image itself, and sensitive to what each is meant to measure."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from neural_style import ImageError, images, metrics, stylize
from neural_style.metrics import (
    content_distance,
    edge_agreement,
    lpips,
    nearest_feature_distance,
    shape_similarity,
    sliced_wasserstein,
    style_distance,
)
from tests.networks import Pixels, ThreeLevels, Tiny

DISTANCES = (content_distance, style_distance, sliced_wasserstein)


@pytest.fixture(scope="module")
def painted(content, style, vgg16):
    """The content with stripes, as large as the content."""
    return np.asarray(stylize(content, style, size=64, steps=20, recipe="moments", extractor=vgg16))


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


@pytest.mark.parametrize("distance", DISTANCES)
def test_no_distance_is_measured_on_an_image_without_a_position(distance, content):
    with pytest.raises(ValueError, match="8 x 8 pixels is too small for layer 'block5_conv1'"):
        distance(content[:8, :8], content, layers=["block5_conv1"])


@pytest.mark.parametrize("distance", [style_distance, sliced_wasserstein])
def test_no_distance_is_measured_on_a_style_without_a_position(distance, content):
    with pytest.raises(ValueError, match="8 x 8 pixels is too small for layer 'block5_conv1'"):
        distance(content, content[:8, :8], layers=["block5_conv1"])


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


def test_levels_of_sliced_wasserstein_count_equally(content, style):
    one, other = (sliced_wasserstein(content, style, levels=[level]) for level in (1.0, 0.5))
    assert one != other
    assert sliced_wasserstein(content, style, levels=[1.0, 0.5]) == pytest.approx((one + other) / 2)
    assert sliced_wasserstein(content, style, levels=[1.0, 0.01]) == one


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


# --- features nearest to the style's, and shape ------------------------------------------------------


def feature_vectors(network, pixels, layer):
    """(positions, channels), float64."""
    features = network(tf.constant(images.load(pixels)), [layer])[layer].numpy().astype(np.float64)
    return features.reshape(-1, features.shape[-1])


def unit(vectors):
    """Vectors of zeros, which ReLU leaves, stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-4)


def random_images(*shapes):
    rng = np.random.default_rng(5)
    return [rng.random((*shape, 3), np.float32) for shape in shapes]


def test_nearest_features_agree_with_plain_numpy(monkeypatch):
    """In strips of a few positions, of which the last is shorter."""
    network = ThreeLevels()
    image, content, style = random_images((10, 12), (10, 12), (12, 9))
    x, c, s = (unit(feature_vectors(network, each, "deep")) for each in (image, content, style))
    expected = np.mean(np.min(1 - x @ s.T, axis=1)) / np.mean(np.min(1 - c @ s.T, axis=1))
    monkeypatch.setattr(metrics, "MAX_SIMILARITIES", 7 * len(s))
    assert len(x) % 7
    options = {"layers": ["deep"], "levels": [1.0], "extractor": network}
    assert nearest_feature_distance(image, content, style, **options) == pytest.approx(expected, rel=1e-4)


def test_shape_agrees_with_plain_numpy():
    network = ThreeLevels()
    image, content = random_images((10, 12), (10, 12))
    x, c = (feature_vectors(network, each, "deeper") for each in (image, content))
    deviation = c.std(axis=0)
    deviation += 0.1 * deviation.mean()
    x, c = (unit((each - c.mean(axis=0)) / deviation) for each in (x, c))
    found = shape_similarity(image, content, layers=["deeper"], levels=[1.0], extractor=network)
    assert found == pytest.approx(np.mean(np.sum(x * c, axis=1)), abs=1e-5)


def test_layers_and_levels_count_equally():
    image, content, style = random_images((40, 48), (40, 48), (48, 48))
    options = {"extractor": Tiny()}
    both = {"layers": ["shallow", "deep"], "levels": [1.0, 0.5], **options}
    each = [{"layers": [layer], "levels": [level], **options} for layer in both["layers"] for level in both["levels"]]
    for metric, inputs in ((nearest_feature_distance, (image, content, style)), (shape_similarity, (image, content))):
        values = [metric(*inputs, **one) for one in each]
        assert metric(*inputs, **both) == pytest.approx(np.mean(values), rel=1e-5)
        assert len(set(values)) == 4


def test_the_content_is_the_unit_of_both(content, style):
    assert nearest_feature_distance(content, content, style) == 1.0
    assert shape_similarity(content, content) == pytest.approx(1.0, abs=1e-5)
    assert shape_similarity(images.resize(images.load(content), (96, 72)), content) > 0.7


def test_an_image_made_of_the_style_has_the_nearer_features(painted, content, style):
    assert nearest_feature_distance(style, content, style) == pytest.approx(0.0, abs=1e-3)
    assert nearest_feature_distance(turned(style), content, style) < 0.8
    assert nearest_feature_distance(painted, content, style) < 0.95


def test_another_image_and_the_turned_content_have_less_shape(content, style):
    assert shape_similarity(style, content) < 0.5
    assert shape_similarity(turned(content), content) < 0.5


def test_shape_falls_with_growing_noise(content):
    noise = np.random.default_rng(2).normal(size=(1, *content.shape))
    noisy = [np.clip(images.load(content) + deviation * noise, 0, 1) for deviation in (0.0, 0.05, 0.1, 0.2, 0.4)]
    similarities = [shape_similarity(image, content) for image in noisy]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[-1] < 0.6


def test_small_images_leave_out_levels(content, style):
    small = turned(content[:20, :40])
    assert nearest_feature_distance(small, content, style) == nearest_feature_distance(
        small, content, style, levels=[1.0]
    )
    assert shape_similarity(content[:40, :48], content) == shape_similarity(content[:40, :48], content, levels=[1.0])


def test_images_without_positions_on_a_layer_are_refused(content, style):
    with pytest.raises(ValueError, match="20 x 20 pixels is too small for layer 'block5_conv1'"):
        shape_similarity(content[:20, :20], content)
    with pytest.raises(ValueError, match="2 x 2 pixels is too small for layer 'block3_conv2'"):
        nearest_feature_distance(content, content, style[:2, :2])
    for metric, inputs in ((nearest_feature_distance, (content, content, style)), (shape_similarity, (content,) * 2)):
        with pytest.raises(ValueError, match="no layer 'block9_conv1'"):
            metric(*inputs, layers=["block9_conv1"])
        with pytest.raises(ImageError):
            metric("none.png", *inputs[1:])


def test_the_content_distance_alone_rewards_filters(content, style):
    """Recolored texture is nearer to the content than the style's own texture in the content's colors."""
    filtered = images.load(content) * np.array([1.0, 0.8, 0.6], np.float32)
    grain = images.resize(images.load(style), (64, 48)).mean(axis=-1, keepdims=True) - 0.5
    textured = np.clip(images.load(content) + 0.4 * grain, 0, 1)
    assert content_distance(filtered, content) < content_distance(textured, content)
    assert nearest_feature_distance(textured, content, style) < nearest_feature_distance(filtered, content, style)


@pytest.mark.parametrize("form", ["array", "image", "path"])
def test_the_measures_accept_every_source(form, content, style, tmp_path):
    path = tmp_path / "content.png"
    Image.fromarray(content).save(path)
    source = {"array": content, "image": Image.fromarray(content), "path": path}[form]
    assert shape_similarity(source, turned(content)) == shape_similarity(images.load(content), turned(content))
    assert isinstance(nearest_feature_distance(turned(content), source, style), float)
