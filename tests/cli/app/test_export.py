"""Commands and code that the page offers: read by the real parser and by Python."""

import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from neural_style import samples
from neural_style.cli.app.export import as_command, as_python, file_name
from neural_style.cli.arguments import stylize_arguments
from neural_style.cli.image import make_parser
from neural_style.cli.parsing import parse
from tests.cli.app.forms import form
from tests.cli.app.test_form import stroke

WAVE = str(samples.path("great_wave"))

FORMS = {
    "defaults": {},
    "look": {"strength": 0.65, "style_scale": 2.0, "color": "content", "size": 1504, "seed": 3, "steps": 40},
    "one pass": {"quality": "instant", "size": 1024},
    "recipe": {"quality": "fast", "recipe": "gatys2016"},
    "styles": {"style_2": WAVE, "weight_1": 0.25},
    "regions": {"style_2": WAVE, "where": "second", "brush": stroke()},
    "background": {"where": "brushed", "brush": stroke()},
}


def mask_names(chosen):
    return [f"mask_{number}.png" for number in range(1, len(chosen.masks()) + 1)]


def expected(chosen):
    """The options that command and code shall have, with the names of masks."""
    options = chosen.options() | ({"masks": mask_names(chosen)} if chosen.masks() else {})
    if chosen.quality == "instant":
        options["tile"] = None
    return options


@pytest.mark.parametrize("changed", FORMS.values(), ids=FORMS)
def test_the_command_has_the_same_options(changed):
    chosen = form(**changed)
    copied, line = as_command(chosen, mask_names(chosen)).splitlines()
    assert copied == "neural-style samples"
    name, *arguments = shlex.split(line)
    options = parse(make_parser(), arguments)
    given = stylize_arguments(options)
    assert (name, options.content) == ("neural-style", "samples/astronaut.jpg")
    assert str(options.output) == file_name(chosen)
    weights = [weight for _, weight in given.pop("style")]
    assert weights == [weight for _, weight in chosen.styles]
    assert {name: given[name] for name in expected(chosen)} == expected(chosen)


@pytest.mark.parametrize("changed", FORMS.values(), ids=FORMS)
def test_the_code_has_the_same_options(changed, monkeypatch, tmp_path):
    chosen, seen = form(**changed), []

    def stylize(content, style, **options):
        seen.append((content, style, options))
        return Image.new("RGB", (4, 4))

    monkeypatch.setattr("neural_style.stylize", stylize)
    monkeypatch.chdir(tmp_path)
    exec(compile(as_python(chosen, mask_names(chosen)), "page", "exec"), {})
    ((content, style, options),) = seen
    assert content == samples.path("astronaut")
    styles = style if isinstance(style, list) else [(style, 1.0)]
    assert [(str(path), weight) for path, weight in styles] == chosen.styles
    assert options.items() <= expected(chosen).items()
    assert (tmp_path / file_name(chosen)).exists()


@pytest.mark.parametrize("name", ["my photo's.jpg", "-x.jpg", "a b;rm -rf.png", "$(date).jpg"])
def test_names_of_uploads_survive_shell_and_python(name, tmp_path):
    upload = shutil.copy(samples.path("cat"), tmp_path / name)
    chosen = form(photo=str(upload))
    _, line = as_command(chosen).splitlines()
    options = parse(make_parser(), shlex.split(line)[1:])
    assert options.content.removeprefix("./") == name
    assert repr(name) in as_python(chosen)
    assert set(file_name(chosen)) <= set("abcdefghijklmnopqrstuvwxyz_-.")


def test_a_sample_is_known_by_what_is_in_it(tmp_path):
    """An upload with the name of a sample image is another image."""
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "astronaut.jpg")
    other = form(photo=str(tmp_path / "astronaut.jpg"), style_1=str(tmp_path / "astronaut.jpg"))
    assert as_command(other).startswith("neural-style astronaut.jpg astronaut.jpg -o astronaut_astronaut.png")
    assert "samples" not in as_python(other)


def test_the_name_of_a_painting_says_what_it_is_of():
    assert file_name(form()) == "astronaut_starry_night.png"
    assert file_name(form(style_2=WAVE)) == "astronaut_starry_night_great_wave.png"
