"""`stylize`: two pictures to one, a thin cover whose defaults are those of the parts it covers."""

import inspect
import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from neural_style import StyleTransfer, recipes, stylize
from neural_style.api import Options, stylize_result
from neural_style.errors import ImageError, WeightsUnavailableError
from neural_style.features import VGG16
from neural_style.losses import Gram, TotalVariation, custom
from neural_style.recipes import Recipe
from neural_style.scales import SingleScale

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

    for progress, shown in ((True, True), (None, False)):
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
        ({"strength": 1.5}, ValueError, "strength is between 0"),
        ({"recipe": "monet"}, ValueError, "no recipe is called 'monet'"),
        ({"extractor": "resnet"}, ValueError, "no extractor is called 'resnet'"),
        ({"extractor": "vgg19"}, WeightsUnavailableError, "vgg19"),
        ({"size": 0}, ValueError, "at least 1"),
        ({"steps": -1}, ValueError, "steps is at least 1"),
        ({"size": 8}, ValueError, "too small"),
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
        ({"strength": "0.5"}, TypeError, r"strength is a number, not '0\.5' \(str\)"),
        ({"size": "512"}, TypeError, r"size is a whole number, not '512' \(str\)"),
        ({"size": 10**9}, ValueError, r"size is the long side in pixels, .* at most 1,048,576; not 1000000000"),
        ({"size": 10**400}, ValueError, r"at most 1,048,576; not a number of 1329 bits"),
        ({"size": 32.5}, TypeError, r"size is a whole number, not 32\.5 \(float\)"),
        ({"steps": "3"}, TypeError, r"steps is a whole number, not '3' \(str\)"),
        ({"seed": None}, TypeError, r"seed is a whole number, not None"),
        ({"steps": 0}, ValueError, "steps is at least 1, not 0"),
        ({"seed": -1}, ValueError, "seed is at least 0, not -1"),
        ({"tile": 7}, ValueError, "tile is at least 16 pixels, not 7"),
        ({"max_seconds": float("nan")}, ValueError, "max_seconds is at least 0, not nan"),
        ({"max_seconds": "3"}, TypeError, r"max_seconds is a number, not '3' \(str\)"),
        ({"callbacks": print}, TypeError, "callbacks is a list of functions, not <built-in function print>"),
        ({"callbacks": [None]}, TypeError, r"callbacks is a list of functions, not \[None\]"),
        ({"steps": 10**400}, ValueError, "steps is at most 2,147,483,647"),
        ({"preview": "no"}, TypeError, r"preview is True or False, not 'no' \(str\)"),
        ({"init": True}, TypeError, "init is 'content', .* or an image; an image cannot be a bool"),
        ({"style_scale": "2"}, TypeError, r"style_scale is a number, not '2' \(str\)"),
        ({"color_strength": "1"}, TypeError, r"color_strength is a number, not '1' \(str\)"),
        ({"color": "hue"}, ValueError, r"color is one of 'style', 'content', 'match', 'histogram', not 'hue'"),
        ({"quality": "good"}, ValueError, r"quality is one of 'best', 'fast', not 'good'"),
        ({"recipe": "fancy"}, ValueError, r"no recipe is called 'fancy'; there are default, "),
        ({"recipe": Gram()}, TypeError, r"recipe is a name or a Recipe, not Gram"),
        ({"tile": "big"}, ValueError, r"tile is a positive number of pixels, 'auto' or None, not 'big'"),
        (
            {"optimizer": keras.optimizers.Adam()},
            TypeError,
            r"an optimizer is 'adam', 'lbfgs' or an object with start, .*, not a 'Adam' object, which lacks",
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
    with pytest.raises(TypeError, match=r"a tuple is \(style, weight\), for several styles give a list"):
        stylize(content, (style, style), **FAST)
    with pytest.raises(TypeError, match=r"style as a tuple is \(style, weight\), not \(str, str\); .* give a list"):
        stylize(content, ("a.jpg", "b.jpg"), **FAST)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ([Gram()], r"loss is a Loss or a sum of losses, not list; add losses, as in"),
        (recipes.DEFAULT, r"loss is a Loss or a sum of losses, not Recipe; for a recipe write StyleTransfer\(recipe="),
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
