"""Reduced precision: chosen by what the hardware has, close to float32 in value and gradient, never out of range."""

import numpy as np
import pytest
import tensorflow as tf

from neural_style import StyleTransfer, recipes
from neural_style.features import precision
from neural_style.objective import objective_for
from tests.networks import Pixels

CPU_INFO = "processor : 0\nflags\t\t: fpu avx2 {extra}\n"


@pytest.fixture
def cpu(monkeypatch, tmp_path):
    """A machine without a GPU whose processor has these instructions."""

    def having(extra):
        info = tmp_path / "cpuinfo"
        info.write_text(CPU_INFO.format(extra=extra))
        monkeypatch.setattr(precision, "_CPU_INFO", info)
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
        precision.fastest_precision.cache_clear()
        return precision.fastest_precision()

    yield having
    precision.fastest_precision.cache_clear()


@pytest.mark.parametrize(
    ("extra", "fastest"),
    [("", "float32"), ("avx512f", "float32"), ("avx512_bf16", "bfloat16"), ("amx_tile amx_bf16", "bfloat16")],
)
def test_a_cpu_computes_in_what_it_multiplies_natively(cpu, extra, fastest):
    assert cpu(extra) == fastest


@pytest.mark.parametrize(("capability", "fastest"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")])
def test_a_gpu_computes_in_what_its_generation_has(monkeypatch, capability, fastest):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: {"compute_capability": capability})
    precision.fastest_precision.cache_clear()
    assert precision.fastest_precision() == fastest
    precision.fastest_precision.cache_clear()


def look(extractor, content, style):
    loss = recipes.MOMENTS.loss()
    objective = objective_for(tuple(term.loss for term in loss), extractor)
    image, other = (tf.constant(each[None, :32, :48] / np.float32(255)) for each in (content, style))
    noise = np.random.default_rng(0).normal(0.0, 0.05, image.shape).astype(np.float32)
    weights = tf.constant([term.weight for term in loss])
    kept, target = objective.content(image), objective.target(other, {})
    return objective.evaluate(tf.clip_by_value(image + noise, 0.0, 1.0), kept, target, weights, {})


@pytest.mark.parametrize(("name", "share"), [("bfloat16", 0.1), ("float16", 0.03)])
def test_loss_and_gradient_are_those_of_float32_up_to_rounding(vgg16, content, style, name, share):
    exact = look(vgg16, content, style)
    rounded = look(precision.in_precision(vgg16, name), content, style)
    assert float(rounded.loss) == pytest.approx(float(exact.loss), rel=0.01)
    assert np.linalg.norm(rounded.gradient - exact.gradient) < share * np.linalg.norm(exact.gradient)


def test_maps_are_float32_and_in_scale_whatever_the_precision(vgg16, content):
    image = tf.constant(content[None, :32, :32] / np.float32(255))
    exact = vgg16(image, ["block5_conv1"])["block5_conv1"]
    for name in ("bfloat16", "float16"):
        rounded = precision.in_precision(vgg16, name)(image, ["block5_conv1"])["block5_conv1"]
        assert rounded.dtype == tf.float32
        assert np.linalg.norm(rounded - exact) < 0.05 * np.linalg.norm(exact)


def test_a_precision_is_one_object_so_what_was_compiled_is_found(vgg16):
    assert precision.in_precision(vgg16, "bfloat16") is precision.in_precision(vgg16, "bfloat16")
    assert precision.in_precision(vgg16, "float32") is vgg16


def test_an_extractor_without_a_choice_is_left_as_it_is():
    pixels = Pixels()
    assert precision.in_precision(pixels, "auto") is pixels
    with pytest.raises(ValueError, match="has no with_precision"):
        precision.in_precision(pixels, "float16")


def test_an_unknown_precision_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="'auto', 'float32', 'bfloat16', 'float16', not 'half'"):
        StyleTransfer(extractor=Pixels(), precision="half")
