"""Recipes: names, citations, the effect of strength, and layers of the bundled network."""

import dataclasses
import itertools
import re
from pathlib import Path

import pytest

from neural_style import recipes, stylize
from neural_style.losses import Content, Gram
from neural_style.metrics import LAYERS, content_distance, sliced_wasserstein
from neural_style.recipes import RECIPES, Recipe

PAGE = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text()
SECTIONS = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(params=RECIPES)
def recipe(request):
    return RECIPES[request.param]


def weights(loss):
    return [term.weight for term in loss.terms]


def test_it_is_found_by_its_name(recipe):
    assert recipes.get(recipe.name) is recipe
    assert recipes.get(recipe) is recipe


def test_it_has_a_citation(recipe):
    assert len(recipe.citation) > 40


def test_the_manual_shows_it_and_tells_when_to_use_it(recipe):
    section = SECTIONS[recipe.name]
    assert f"(gallery/losses/recipe_{recipe.name}.jpg)" in section
    assert f"| [`{recipe.name}`](#{recipe.name.replace('_', '-')}) |" in PAGE
    for part in ("When to use it", "Paper", "Deviations"):
        assert re.search(rf"^\*\*{part}\.\*\* \S", section, re.MULTILINE), part
    name = rf'recipe="{recipe.name}"' if recipe.name != "default" else r'"painting\.jpg"\)'
    assert re.search(rf"^```python\n(?:.*\n)*.*{name}", section, re.MULTILINE)
    assert set(re.findall(r"\b(?:19|20)\d\d(?=[,.: ])", recipe.citation)) & set(re.findall(r"\b20\d\d\b", section))


def test_the_manual_shows_no_recipe_that_is_gone():
    assert set(SECTIONS) == set(RECIPES)


def test_its_layers_exist_in_the_bundled_network(recipe, vgg16):
    assert set(recipe.loss().layers) - {"image"} <= set(vgg16.layers)


def test_its_terms_have_distinct_names(recipe):
    names = [term.loss.name for term in recipe.loss().terms]
    assert len(set(names)) == len(names)


def test_at_half_strength_weights_are_as_written(recipe):
    assert recipe.loss(0.5) == recipe.content + recipe.style


def test_at_the_ends_only_one_side_has_weight(recipe):
    sides = len(recipe.content.terms)
    assert not any(weights(recipe.loss(0.0))[sides:])
    assert all(weights(recipe.loss(0.0))[:sides])
    assert not any(weights(recipe.loss(1.0))[:sides])
    assert all(weights(recipe.loss(1.0))[sides:])


def test_more_strength_means_more_style_and_less_content(recipe):
    sides = len(recipe.content.terms)
    rising = [weights(recipe.loss(strength)) for strength in (0.0, 0.2, 0.5, 0.9, 1.0)]
    for less, more in itertools.pairwise(rising):
        assert all(a > b for a, b in zip(less[:sides], more[:sides], strict=True))
        assert all(a < b for a, b in zip(less[sides:], more[sides:], strict=True))


def test_bold_losses_join_the_style_from_half_strength_on(recipe):
    own = dataclasses.replace(recipe, style=2.0 * Gram(("a",)) + 1.0 * Gram(("b",)), bold=4.0 * Gram(("b",)))
    expected = {0.25: (0.5, 0.25), 0.5: (2.0, 1.0), 0.55: (2.42, 3.63), 0.6: (2.88, 7.2), 1.0: (8.0, 20.0)}
    for strength, style in expected.items():
        assert weights(own.loss(strength))[len(recipe.content.terms) :] == pytest.approx(style)


def test_a_loss_that_is_only_bold_has_its_term_at_every_strength(recipe):
    own = dataclasses.replace(recipe, bold=4.0 * Gram(("b",), name="b"))
    assert {own.loss(strength).names for strength in (0.0, 0.5, 1.0)} == {(*recipe.loss().names, "b")}
    assert weights(own.loss(0.5))[-1] == 0.0


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), 50])
def test_strength_outside_its_range_is_refused(recipe, strength):
    with pytest.raises(ValueError, match=r"strength must be between 0 .* and 1"):
        recipe.loss(strength)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=f"no recipe is called 'monet'; there are {', '.join(RECIPES)}"):
        recipes.get("monet")


def test_a_custom_recipe_is_accepted(recipe):
    own = Recipe("own", "nowhere", 1.0 * Content(), recipe.style, recipe.scales, recipe.optimizer)
    assert recipes.get(own) is own
    assert own.loss(0.5).terms[0].weight == 1.0


@pytest.fixture(scope="module")
def painted(vgg16, content, style):
    """Small images of each recipe, by its name and strength."""
    made = {}

    def paint(recipe, strength):
        if (recipe.name, strength) not in made:
            made[recipe.name, strength] = stylize(
                content, style, size=48, steps=12, recipe=recipe, strength=strength, extractor=vgg16
            )
        return made[recipe.name, strength]

    return paint


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in ("default", "gatys2016")])
def test_strength_moves_the_image_from_content_to_style(name, painted, content, style):
    """The default's own tests are with `StyleTransfer`."""
    weak, strong = (painted(RECIPES[name], strength) for strength in (0.1, 0.9))
    shallow = LAYERS[:3]  # so small an image has few cells on the deeper ones
    assert content_distance(weak, content) < 0.9 * content_distance(strong, content)
    to_style = [sliced_wasserstein(image, style, layers=shallow) for image in (content, weak, strong)]
    assert to_style[2] < 0.9 * min(to_style[:2])


def test_less_strength_gives_a_smaller_content_distance(content, style, vgg16):
    distances = [
        content_distance(stylize(content, style, strength=strength, size=64, extractor=vgg16), content)
        for strength in (0.0, 0.1, 0.3, 0.5)
    ]
    assert distances == sorted(distances)
    assert distances[0] < 1e-3


def test_less_strength_adds_more_detail():
    strengths = (0.0, 0.25, 0.5, 0.75, 1.0)
    found = [recipes.DEFAULT.detail_strength_at(strength) for strength in strengths]
    assert found == pytest.approx([1.0, 0.9, 0.4, 0.0, 0.0])
    assert [RECIPES["strotss"].detail_strength_at(strength) for strength in strengths] == [1.0, 0.5, 0.0, 0.0, 0.0]
