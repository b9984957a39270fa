"""Relay: two networks in one run, and `quality`, which uses it."""

import numpy as np
import pytest

from neural_style import Relay, StyleTransfer, recipes, stylize
from neural_style.api import stylize_result
from neural_style.features import named_extractor
from neural_style.losses import Content, Moments
from neural_style.scales import CoarseToFine, Scale
from neural_style.transfer.checkpoint import Checkpoint
from tests.networks import Pixels, Wrapped

SCALES = CoarseToFine(smallest=32, steps=4, decay=0.0, min_steps=10, min_side=16, grid=8)
"""For a long side of 64: 32 by 24 and then 64 by 48, four steps each."""


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        (Relay(sketch=32), [(32, 4, True), (64, 4, False)]),
        (Relay(sketch=0), [(32, 4, False), (64, 4, False)]),
        (Relay(sketch=64), [(32, 4, True), (64, 4, True)]),
        (Relay(sketch=0, polish=1), [(32, 4, False), (64, 3, False), (64, 1, True)]),
        (Relay(sketch=32, polish=9), [(32, 4, True), (64, 4, True)]),
    ],
)
def test_each_stage_has_a_network(relay, expected):
    stages = relay.stages([Scale(32, 24, 4), Scale(64, 48, 4)])
    assert [(scale.width, scale.steps, other) for scale, other in stages] == expected


@pytest.mark.parametrize("wrong", [{"sketch": -1}, {"polish": -1}])
def test_negative_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be at least 0, not -1"):
        Relay(**wrong)


LOSS = 0.4 * Content(("block2_conv1",)) + Moments(("block1_conv1", "block2_conv1"))


def test_each_scale_is_painted_with_its_network(content, style, vgg16):
    """The first scale equals that of the other network alone; the second continues with the run's own network."""
    lite = named_extractor("lite")
    one = StyleTransfer(LOSS, lite, scales=SCALES, precision="float32", relay=Relay(vgg16, sketch=32))
    steps = one.run(content, style, size=64).history
    coarse = StyleTransfer(LOSS, vgg16, scales=SCALES, precision="float32").run(content, style, size=64).history
    alone = StyleTransfer(LOSS, lite, scales=SCALES, precision="float32").run(content, style, size=64).history
    losses = [[step.loss for step in history] for history in (steps, coarse, alone)]
    assert losses[0][:4] == losses[1][:4]
    assert losses[0][:4] != losses[2][:4]
    assert losses[0][4:] != losses[1][4:]


def test_an_unused_network_is_never_called(content, style):
    wrapped = Wrapped(named_extractor("vgg16"))
    StyleTransfer(LOSS, "lite", scales=SCALES, relay=Relay(wrapped, sketch=16)).run(content, style, size=64, steps=2)
    assert wrapped.calls == 0
    StyleTransfer(LOSS, "lite", scales=SCALES, relay=Relay(wrapped, sketch=32)).run(content, style, size=64, steps=2)
    assert wrapped.calls > 0


def test_polishing_is_part_of_the_requested_steps(content, style):
    transfer = StyleTransfer(LOSS, "lite", scales=SCALES, relay=Relay("vgg16", sketch=0, polish=2))
    result = transfer.run(content, style, size=64, steps=6)
    assert len(result.history) == 6
    assert result.settings["scales"] == [(32, 24, 3), (64, 48, 1), (64, 48, 2)]
    assert "Relay" in result.settings["relay"]


def test_a_style_target_is_used_with_its_own_network_only(content, style):
    transfer = StyleTransfer(LOSS, "lite", scales=SCALES, relay=Relay("vgg16", sketch=32))
    target = transfer.target(style, size=64)
    alone = StyleTransfer(LOSS, "lite", scales=SCALES)
    ours, theirs = (each.run(content, target, size=64, steps=4) for each in (transfer, alone))
    np.testing.assert_array_equal(ours.pixels, theirs.pixels)
    assert "relay" not in ours.settings


def test_a_layer_the_other_network_lacks_is_refused_at_once():
    with pytest.raises(ValueError, match="no layer 'block2_conv1'"):
        StyleTransfer(LOSS, "lite", relay=Relay(Pixels("block1_conv1")))


def test_a_run_with_two_networks_resumes_from_its_checkpoint(content, style, tmp_path):
    transfer = StyleTransfer(LOSS, "lite", scales=SCALES, relay=Relay("vgg16", sketch=32))

    def stop(step):
        if step.step == 3:
            raise StopIteration

    whole = transfer.run(content, style, size=64)
    kept = Checkpoint(tmp_path / "run.npz", every_steps=1)
    transfer.run(content, style, size=64, checkpoint=kept, callbacks=[stop])
    resumed = transfer.run(content, style, size=64, checkpoint=kept)
    np.testing.assert_array_equal(resumed.pixels, whole.pixels)


# --- quality -----------------------------------------------------------------------------------------


def test_fast_runs_its_recipe_on_the_small_network(content, style):
    image = stylize(content, style, size=48, steps=4, quality="fast")
    recipe = recipes.FAST
    how = {"optimizer": recipe.optimizer, "final_optimizer": recipe.final_optimizer}
    how |= {"scales": recipe.scales, "relay": recipe.relay}
    result = StyleTransfer(recipe.loss(), "lite", **how).run(content, style, size=48, steps=4)
    np.testing.assert_array_equal(np.asarray(image), np.asarray(result.image))


def test_fast_keeps_another_recipes_losses():
    chosen = recipes.quick(recipes.get("gatys2016"))
    assert chosen.loss() == recipes.get("gatys2016").loss()
    assert chosen.extractor == "lite"


def test_fast_uses_bundled_weights_only(content, style, recwarn):
    stylize(content, style, size=32, steps=2, quality="fast")
    assert not recwarn.list


def test_a_preview_does_not_use_the_other_network(content, style):
    how = {"size": 48, "steps": 4, "quality": "fast"}
    assert "relay" in stylize_result(content, style, **how).settings
    assert "relay" not in stylize_result(content, style, preview=True, **how).settings


def test_an_unknown_quality_is_refused_with_the_known_ones(content, style):
    with pytest.raises(ValueError, match="quality must be one of 'best', 'fast', 'instant', not 'good'"):
        stylize(content, style, quality="good")
