"""`stylize`: two pictures to one, a thin cover whose defaults are those of the parts it covers."""

import dataclasses
import inspect
import io
import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from neural_style import StyleTransfer, clear_cache, feedforward, objective, recipes, stylize
from neural_style.api import Options, choose_recipe, stylize_result
from neural_style.errors import ImageError, WeightsUnavailableError
from neural_style.features import VGG16, registry
from neural_style.losses import Gram, TotalVariation, custom
from neural_style.recipes import Recipe
from neural_style.scales import CoarseToFine, SingleScale

FAST = {"size": 32, "steps": 2, "extractor": "vgg16"}


def test_it_gives_an_image_of_the_size_asked_for(content, style):
    image = stylize(content, style, **FAST)
    assert isinstance(image, Image.Image)
    assert image.size == (32, 24)
    assert image.mode == "RGB"


def test_it_is_the_run_it_covers(content, style, vgg16):
    seen = []
    image = stylize(content, style, strength=0.7, seed=3, init="noise", callbacks=[seen.append], **FAST)
    recipe = recipes.DEFAULT
    how = {"optimizer": recipe.optimizer, "final_optimizer": recipe.final_optimizer, "scales": recipe.scales}
    transfer = StyleTransfer(recipe.loss(0.7), vgg16, detail_strength=recipe.detail_strength_at(0.7), **how)
    result = transfer.run(content, style, size=32, steps=2, seed=3, init="noise")
    np.testing.assert_array_equal(np.asarray(image), np.asarray(result.image))
    assert [step.loss for step in seen] == [step.loss for step in result.history]


def test_options_are_named_and_shared_with_the_run():
    options = inspect.signature(stylize).parameters
    assert all(p.kind is p.KEYWORD_ONLY for name, p in options.items() if name not in ("content", "style"))
    for name, parameter in inspect.signature(StyleTransfer.run).parameters.items():
        if name not in ("self", "init", "previous"):  # the last is for the frames of a video
            assert options[name].default == parameter.default, name


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "file", "pil", "floats"])
def test_pictures_come_as_people_have_them(kind, content, style, tmp_path):
    path = tmp_path / "content.png"
    Image.fromarray(content).save(path)
    with path.open("rb") as file:
        given = {
            "path": path,
            "text": str(path),
            "bytes": path.read_bytes(),
            "file": file,
            "pil": Image.fromarray(content),
            "floats": content / 255.0,
        }[kind]
        image = stylize(given, style, **FAST)
    np.testing.assert_array_equal(np.asarray(image), np.asarray(stylize(content, style, **FAST)))


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_paints(name, content, style):
    start = StyleTransfer(recipe=name, extractor="vgg16").run(content, style, size=32, steps=0).image
    painted = stylize(content, style, recipe=name, **FAST)
    assert np.abs(np.asarray(painted, int) - np.asarray(start, int)).mean() > 1


def test_a_recipes_own_schedule_and_start_are_followed(content, style):
    seen = []
    own = Recipe(
        "own",
        "here",
        1.0 * TotalVariation(),
        1.0 * Gram(("block1_conv1",)),
        SingleScale(3),
        recipes.DEFAULT.optimizer,
        "noise",
    )
    stylize(content, style, recipe=own, size=32, extractor="vgg16", callbacks=[seen.append])
    assert [step.scale for step in seen] == [(32, 24)] * 3
    assert seen[0].terms["total_variation"] > 0.01


def test_several_styles_are_blended(content, style):
    image = stylize(content, [style, (255 - style, 2.0)], **FAST)
    assert image.size == (32, 24)
    assert np.abs(np.asarray(image, int) - np.asarray(stylize(content, style, **FAST), int)).max() > 0


def test_progress_shows_a_bar_on_a_terminal(content, style, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for progress, shown in ((True, True), (None, True), (False, False)):
        stream = Terminal()
        monkeypatch.setattr("sys.stderr", stream)
        stylize(content, style, progress=progress, **FAST)
        assert ("painting: 100%" in stream.getvalue()) is shown


def test_nothing_is_printed(content, style, capfd):
    stylize(content, style, **FAST)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"strength": 1.5}, ValueError, "strength must be between 0"),
        ({"recipe": "monet"}, ValueError, "no recipe is called 'monet'"),
        ({"extractor": "resnet"}, ValueError, "no extractor is called 'resnet'"),
        ({"extractor": "vgg19"}, WeightsUnavailableError, "vgg19"),
        ({"size": 0}, ValueError, "at least 1"),
        ({"steps": -1}, ValueError, "steps must be at least 1"),
        ({"size": 3}, ValueError, "too small"),
    ],
)
def test_wrong_arguments_are_told(content, style, options, error, message):
    with pytest.raises(error, match=message):
        stylize(content, style, **{**FAST, **options})


@pytest.mark.parametrize("side", ["content", "style"])
def test_a_picture_that_cannot_be_read_is_named(content, side, tmp_path):
    pictures = {"content": content, "style": content, side: tmp_path / "missing.png"}
    with pytest.raises(ImageError, match=r"missing\.png"):
        stylize(**pictures, **FAST)


# --- slips of a caller -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"strength": "0.5"}, TypeError, r"strength must be a number, not '0\.5' \(str\)"),
        ({"size": "512"}, TypeError, r"size must be a whole number, not '512' \(str\)"),
        ({"size": 10**9}, ValueError, r"size is the long side in pixels, .* at most 1,048,576; not 1000000000"),
        ({"size": 10**400}, ValueError, r"at most 1,048,576; not a number of 1329 bits"),
        ({"size": 32.5}, TypeError, r"size must be a whole number, not 32\.5 \(float\)"),
        ({"steps": "3"}, TypeError, r"steps must be a whole number, not '3' \(str\)"),
        ({"seed": None}, TypeError, r"seed must be a whole number, not None"),
        ({"steps": 0}, ValueError, "steps must be at least 1, not 0"),
        ({"seed": -1}, ValueError, "seed must be at least 0, not -1"),
        ({"tile": 7}, ValueError, "tile must be at least 16 pixels, not 7"),
        ({"max_seconds": float("nan")}, ValueError, "max_seconds must be at least 0, not nan"),
        ({"max_seconds": "3"}, TypeError, r"max_seconds must be a number, not '3' \(str\)"),
        ({"callbacks": print}, TypeError, "callbacks must be a list of functions, not <built-in function print>"),
        ({"callbacks": [None]}, TypeError, r"callbacks must be a list of functions, not \[None\]"),
        ({"steps": 10**400}, ValueError, "steps must be at most 2,147,483,647"),
        ({"preview": "no"}, TypeError, r"preview must be True or False, not 'no' \(str\)"),
        ({"init": True}, TypeError, "init is 'content', .* or an image; an image cannot be a bool"),
        ({"style_scale": "2"}, TypeError, r"style_scale must be a number, not '2' \(str\)"),
        ({"color_strength": "1"}, TypeError, r"color_strength must be a number, not '1' \(str\)"),
        ({"color": "hue"}, ValueError, r"color must be one of 'style', 'content', 'match', 'histogram', not 'hue'"),
        ({"quality": "good"}, ValueError, r"quality must be one of 'best', 'fast', 'instant', not 'good'"),
        ({"recipe": "fancy"}, ValueError, r"no recipe is called 'fancy'; there are default, "),
        ({"recipe": Gram()}, TypeError, r"recipe must be a name or a Recipe, not Gram"),
        ({"tile": "big"}, ValueError, r"tile must be a positive number of pixels, 'auto' or None, not 'big'"),
        (
            {"optimizer": keras.optimizers.Adam()},
            TypeError,
            r"an optimizer must be 'adam', 'lbfgs' or an object with start, .*, not a 'Adam' object, which lacks",
        ),
        (
            {"extractor": keras.Sequential([keras.Input((None, None, 3))])},
            TypeError,
            r"wrap it: KerasExtractor\(model\)",
        ),
        ({"extractor": VGG16}, TypeError, r"extractor is an Extractor or a name, not the class VGG16; write VGG16\(\)"),
    ],
)
def test_a_slip_names_the_argument_the_value_and_what_is_expected(content, style, options, error, message):
    with pytest.raises(error, match=message):
        stylize(content, style, **{**FAST, **options})


def test_a_tuple_of_styles_is_told_from_a_weighted_style(content, style):
    with pytest.raises(TypeError, match=r"a tuple must be \(style, weight\); for several styles pass a list"):
        stylize(content, (style, style), **FAST)
    with pytest.raises(TypeError, match=r"a tuple must be \(style, weight\), not \(str, str\); .* pass a list"):
        stylize(content, ("a.jpg", "b.jpg"), **FAST)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ([Gram()], r"loss must be a Loss or a sum of losses, not list; add losses, as in"),
        (
            recipes.DEFAULT,
            r"loss must be a Loss or a sum of losses, not Recipe; for a recipe write StyleTransfer",
        ),
        ("nnst", r"for a recipe write StyleTransfer\(recipe="),
    ],
)
def test_what_is_no_loss_is_refused_with_a_remedy(loss, message):
    with pytest.raises(TypeError, match=message):
        StyleTransfer(loss, "vgg16")


def test_one_layer_may_be_a_plain_name():
    assert custom(lambda features, content, style: tf.zeros([]), "image").layers == ("image",)


def test_numpy_scalars_are_numbers_everywhere(content, style):
    plain = stylize(content, style, strength=0.5, style_scale=0.5, color_strength=1.0, seed=3, init=0.25, **FAST)
    scalars = {"strength": np.float32(0.5), "style_scale": np.float64(0.5), "color_strength": np.float32(1.0)}
    scalars |= {"seed": np.int64(3), "init": np.float32(0.25), "size": np.int64(32), "steps": np.int32(2)}
    weighted = [(style, np.float32(1.0))]
    np.testing.assert_array_equal(stylize(content, weighted, extractor="vgg16", **scalars), plain)


def test_a_recipe_needs_no_assembling(content, style):
    transfer = StyleTransfer.from_recipe("gatys2016", 0.7, extractor="vgg16")
    assert repr(transfer) == repr(StyleTransfer(recipe="gatys2016", strength=0.7, extractor="vgg16"))
    image = stylize(content, style, recipe="gatys2016", strength=0.7, **FAST)
    np.testing.assert_array_equal(transfer.run(content, style, size=32, steps=2).image, image)


def test_options_are_the_keywords_of_stylize_that_any_image_can_have():
    own = {"content", "style", "checkpoint", "progress", "callbacks"}
    assert set(Options.__annotations__) == set(inspect.signature(stylize).parameters) - own
    assert inspect.signature(stylize).parameters == inspect.signature(stylize_result).parameters


# --- one pass ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def instant(content, style):
    return stylize_result(content, style, size=32, strength=0.7, quality="instant")


def test_instant_is_the_pass_it_covers(content, style, instant):
    expected = feedforward.OnePass(0.7).run(content, style, size=32)
    np.testing.assert_array_equal(instant.pixels, expected.pixels)
    np.testing.assert_array_equal(stylize(content, style, size=32, strength=0.7, quality="instant"), instant.image)


def test_an_instant_result_says_how_it_was_made(instant):
    assert (instant.history, instant.stopped_by, instant.work) == ([], "steps", "one pass")
    assert repr(instant) == "<Result 32x24, one pass>"
    assert "32×24 · one pass · " in instant._repr_html_()
    found = json.loads(json.dumps(instant.settings))
    assert (found["quality"], found["strength"], found["size"]) == ("instant", 0.7, [32, 24])
    assert found["network"] and found["seconds"] > 0 and set(found["versions"]) >= {"neural_style", "tensorflow"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 3),
        ("extractor", "lite"),
        ("optimizer", "adam"),
        ("init", "content"),
        ("checkpoint", "run.npz"),
        ("recipe", "gatys2016"),
    ],
)
def test_what_one_pass_does_not_have_is_refused_by_name(content, style, name, value):
    with pytest.raises(ValueError, match=rf"^quality='instant' paints in one pass, so it accepts no {name}; omit it"):
        stylize(content, style, quality="instant", **{name: value})


def test_one_pass_needs_a_content_and_a_style(content, style):
    for name, images in (("content", (None, style)), ("style", (content, None))):
        with pytest.raises(ValueError, match=f"^quality='instant' paints in one pass and needs a {name}; use 'best'"):
            stylize(*images, quality="instant")


def test_what_has_no_effect_on_one_pass_is_accepted_and_checked(content, style, instant):
    how = {"size": 32, "strength": 0.7, "quality": "instant", "recipe": recipes.DEFAULT}
    idle = {"tile": 64, "seed": 3, "max_seconds": 1.0, "progress": True, "callbacks": [print]}
    np.testing.assert_array_equal(stylize(content, style, **how, **idle), instant.image)
    for wrong in ({"seed": -1}, {"max_seconds": -1.0}, {"recipe": "fancy"}, {"strength": 2.0}, {"color": "hue"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            stylize(content, style, **how | wrong)


def test_an_instant_preview_is_small(content, style):
    assert stylize(content, style, size=300, quality="instant", preview=True).size == (256, 192)


def test_one_pass_has_no_recipe():
    with pytest.raises(ValueError, match="one pass and follows no recipe"):
        choose_recipe("default", "instant")


@pytest.fixture
def emptied(monkeypatch):
    """What `clear_cache` clears, by name; nothing is lost for other tests."""
    found = []
    for module, name in ((objective, "clear_cache"), (registry, "clear_extractors"), (feedforward, "clear_cache")):
        monkeypatch.setattr(module, name, lambda module=module: found.append(module.__name__))
    return found


def test_clearing_the_cache_includes_one_pass_where_it_was_used(emptied, monkeypatch):
    clear_cache()
    assert "neural_style.feedforward" in emptied
    emptied.clear()
    monkeypatch.delitem(sys.modules, "neural_style.feedforward")
    clear_cache()
    assert "neural_style.feedforward" not in {*emptied, *sys.modules}


# --- one pass as the start of a run ------------------------------------------------------------------


def test_a_run_may_begin_with_one_pass(content, style, instant):
    result = stylize_result(content, style, strength=0.7, init="instant", **FAST)
    expected = stylize_result(content, style, strength=0.7, init=instant.pixels, **FAST)
    np.testing.assert_array_equal(result.pixels, expected.pixels)
    assert (result.settings["init"], result.work) == ("instant", "2 steps")
    assert result.settings["seconds"] > result.history[-1].seconds


@pytest.mark.parametrize("steps", [None, 1, 9])
def test_a_run_that_begins_with_one_pass_has_the_last_scales_only(content, style, steps):
    scales = CoarseToFine(smallest=16, steps=8, min_steps=1, grid=8, min_side=12)
    recipe = dataclasses.replace(recipes.get("default"), scales=scales)
    result = stylize_result(content, style, size=64, recipe=recipe, extractor="lite", init="instant", steps=steps)
    last = scales((64, 48))[-2:]
    found = result.settings["scales"]
    assert [scale[:2] for scale in found] == [scale[:2] for scale in last]
    assert sum(scale[2] for scale in found) == (sum(scale.steps for scale in last) if steps is None else steps)
    assert found[0][2] >= found[1][2]


def test_a_run_that_began_with_one_pass_resumes_with_the_same_bits(content, style, tmp_path):
    def stop(step):
        raise StopIteration

    how = {"init": "instant", **FAST}
    whole = stylize_result(content, style, **how)
    first = stylize_result(content, style, **how, checkpoint=tmp_path / "run.npz", callbacks=[stop])
    second = stylize_result(content, style, **how, checkpoint=tmp_path / "run.npz")
    assert (len(first.history), len(second.history)) == (1, 2)
    np.testing.assert_array_equal(second.pixels, whole.pixels)


def test_the_first_guess_has_the_colors_of_the_canvas(content, style):
    """The content's colors are given back at the end of the run, to a canvas in those of the style."""
    guess = stylize_result(content, style, size=32, quality="instant")
    result = stylize_result(content, style, init="instant", color="content", **FAST)
    expected = stylize_result(content, style, init=guess.pixels, color="content", **FAST)
    np.testing.assert_array_equal(result.pixels, expected.pixels)


def test_open_files_are_read_once_for_the_guess_and_the_run(content, style):
    def opened(image):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        stream.seek(0)
        return stream

    mask = np.where(np.arange(64) < 32, 255, 0).astype(np.uint8)[None].repeat(48, axis=0)
    how = {"init": "instant", "background": "content", **FAST}
    expected = stylize(content, [(style, 1.0)], masks=[mask], **how)
    found = stylize(opened(content), [(opened(style), 1.0)], masks=[opened(mask)], **how)
    np.testing.assert_array_equal(found, expected)


def test_a_guess_that_cannot_be_painted_is_refused(content, style, vgg16):
    for name, images in (("content", (None, style)), ("style", (content, None))):
        with pytest.raises(
            ValueError, match=f"init='instant' first paints the content in the style, but there is no {name}"
        ):
            stylize(*images, init="instant", **FAST)
    target = StyleTransfer(extractor=vgg16).target(style, size=32)
    with pytest.raises(ValueError, match="style's image, which a StyleTarget does not contain"):
        stylize(content, [style, target], init="instant", **FAST)
    with pytest.raises(ValueError, match="init='instant' works only in stylize"):
        StyleTransfer(extractor=vgg16).run(content, style, init="instant")
