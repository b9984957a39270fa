"""The scripts that paint the galleries run, small and elsewhere, and every picture has its place in a page."""

import functools
import importlib.util
import sys
from pathlib import Path

import pytest
from PIL import Image

from neural_style import stylize, stylize_result, sweep
from neural_style.scales import CoarseToFine

DOCS = Path(__file__).parents[1] / "docs"


def two_steps(*arguments, **options):
    """`stylize` in two steps where it takes steps."""
    return stylize(*arguments, **options, **({} if options.get("quality") == "instant" else {"steps": 2}))


def script(name, folder, monkeypatch):
    """A gallery's script, told to paint at 32 pixels, in few steps, into a folder."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    small = {
        "SIZE": 32,
        "GALLERY": folder,
        "SCALES": CoarseToFine(smallest=32, steps=2, decay=1.0, min_steps=1),
        "stylize": two_steps,
        "stylize_result": functools.partial(stylize_result, steps=2),
        "sweep": functools.partial(sweep, steps=2),
    }
    for each in small:
        if hasattr(module, each):
            monkeypatch.setattr(module, each, small[each])
    return module


def check(folder, names):
    assert {path.stem for path in folder.glob("*.jpg")} == set(names)
    for name in names:
        with Image.open(folder / f"{name}.jpg") as picture:
            assert picture.mode == "RGB" and max(picture.size) >= 32


@pytest.mark.parametrize(
    "names",
    [["strength", "masks", "style_mask"], pytest.param([], marks=pytest.mark.slow, id="all")],
)
def test_controls_are_painted(names, tmp_path, monkeypatch, capsys):
    gallery = script("gallery_controls", tmp_path, monkeypatch)
    gallery.main(names)
    check(tmp_path, names or gallery.ENTRIES)
    written, committed = (place / "README.md" for place in (tmp_path, DOCS / "gallery" / "controls"))
    assert written.read_text().split() == committed.read_text().split()


@pytest.mark.parametrize(
    "names", [["laplacian", "recipe_gatys2016"], pytest.param([], marks=pytest.mark.slow, id="all")]
)
def test_losses_and_recipes_are_painted(names, tmp_path, monkeypatch, capsys):
    gallery = script("gallery_losses", tmp_path, monkeypatch)
    monkeypatch.setattr(sys, "argv", ["gallery_losses.py", *names])
    gallery.main()
    check(tmp_path, names or gallery.NAMES)


def test_qualities_are_painted(tmp_path, monkeypatch):
    gallery = script("gallery_qualities", tmp_path, monkeypatch)
    monkeypatch.setattr(gallery, "SIZE", 64)
    monkeypatch.setattr(gallery, "CONTENTS", {"astronaut": "The astronaut"})
    monkeypatch.setattr(gallery, "STYLES", {"great_wave": "The Great Wave"})
    gallery.main()
    check(tmp_path, ["astronaut-great_wave"])
    page = (tmp_path / "README.md").read_text()
    assert all(shown in page for shown, _ in gallery.METHODS.values())


def test_pictures_are_painted_by_the_code_of_their_pages(tmp_path, monkeypatch, capsys):
    pictures = script("gallery_pictures", tmp_path, monkeypatch)
    monkeypatch.setattr(pictures, "STRIP", tmp_path / "strip.jpg")
    names = ["chenonceau_sky", "astronaut_background", "great_wave_texture"]
    pictures.main(names)
    check(tmp_path, [*names, *(f"{name}_small" for name in names), "strip"])
    assert (tmp_path / "README.md").read_text() == (DOCS / "gallery" / "pictures" / "README.md").read_text()
    for name in names:
        assert pictures.code(name) in (tmp_path / f"{name}.md").read_text()


def test_the_committed_pages_show_what_the_script_runs(monkeypatch):
    pictures = script("gallery_pictures", DOCS / "gallery" / "pictures", monkeypatch)
    for name, picture in pictures.PICTURES.items():
        page = (pictures.GALLERY / f"{name}.md").read_text()
        assert page.startswith(f"# {picture.title}\n") and picture.remark in page
        assert pictures.code(name).replace("size=32", "size=768") in page


def test_every_picture_has_its_place_and_all_are_small_together():
    pictures = [path for path in (DOCS / "gallery").rglob("*") if path.suffix in (".jpg", ".png", ".webp")]
    pages = "\n".join(page.read_text() for page in DOCS.rglob("*.md"))
    assert not [path.name for path in pictures if f"{path.name})" not in pages]
    assert sum(path.stat().st_size for path in pictures) < 10e6
