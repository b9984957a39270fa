"""The sample images: each is there, credited, of modest size, and can be copied out."""

import re
from pathlib import Path

import pytest

from neural_style import images, samples
from neural_style.images import masks


@pytest.mark.parametrize("name", samples.names())
def test_a_sample_is_an_image_with_a_title_and_a_license(name):
    sample = samples.get(name)
    height, width = images.load(samples.path(name)).shape[1:3]
    assert min(height, width) >= 300 and max(height, width) <= 1024
    assert sample.path.stat().st_size < 400_000
    assert sample.title and sample.license
    assert f"`{sample.path.name}`" in (sample.path.parent / "README.md").read_text()


def test_the_manual_shows_every_sample_by_name():
    page = (Path(__file__).parents[1] / "docs" / "samples.md").read_text()
    shown = re.findall(r"^- !\[(.+)\]\(\.\./neural_style/samples/(.+)\)\n\n  `(.+)`$", page, re.MULTILINE)
    wanted = [(samples.get(name).title, samples.path(name).name, name) for name in samples.names()]
    assert sorted(shown) == sorted(wanted)


def test_every_image_of_the_folder_is_listed():
    files = {path.stem for path in samples.path("cat").parent.iterdir() if path.suffix in (".jpg", ".png")}
    kinds = [samples.names(kind) for kind in ("photograph", "painting", "mask")]
    assert files == set(samples.names()) == {name for names in kinds for name in names}


@pytest.mark.parametrize("name", samples.names("mask"))
def test_a_mask_covers_a_part_of_its_photograph(name):
    mask = masks.read_mask(samples.path(name), name)
    photograph = samples.path(name.partition("_")[0])
    assert mask.shape[1:3] == images.load(photograph).shape[1:3]
    assert mask.min() == 0.0 and mask.max() == 1.0 and 0.1 < mask.mean() < 0.9


def test_unknown_names_and_kinds_are_refused():
    with pytest.raises(ValueError, match="no sample image 'dog'; there are astronaut, cat"):
        samples.path("dog")
    with pytest.raises(ValueError, match="kind must be 'photograph', 'painting', 'mask' or None, not 'drawing'"):
        samples.names("drawing")


def test_a_copy_keeps_what_is_in_the_folder(tmp_path):
    folder = tmp_path / "new" / "samples"
    folder.mkdir(parents=True)
    (folder / "cat.jpg").write_text("my own cat")
    copies = samples.copy_to(folder)
    assert [copy.stem for copy in copies] == list(samples.names())
    assert sorted(folder.iterdir()) == sorted(copies)
    for copy in copies:
        own = copy.stem == "cat"
        assert copy.read_bytes() == (b"my own cat" if own else samples.path(copy.stem).read_bytes())
