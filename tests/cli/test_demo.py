"""`demo` and `samples`: a painting without any files of one's own."""

import shlex

import pytest
from PIL import Image

from neural_style import cli, samples, stylize

SMALL = ["--size", "32", "--steps", "2", "--extractor", "vgg16"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def same(path, expected):
    with Image.open(path) as saved:
        assert saved.tobytes() == expected.tobytes()


def test_a_demo_paints_samples_and_says_how_to_paint_files(place, capsys):
    assert cli.main(["demo", *SMALL]) == 0
    out, err = capsys.readouterr()
    same("demo.png", stylize(*map(samples.path, ("astronaut", "starry_night")), size=32, steps=2, extractor="vgg16"))
    assert out.startswith("demo.png: 32x32, VGG16")
    first, last = err.splitlines()
    assert first.startswith(
        "painting astronaut (Portrait of the astronaut Eileen Collins, NASA) in the style of starry_"
    )
    assert last.partition(": ")[2] == (
        "neural-style photo.jpg painting.jpg -o painted.png --steps 2 --size 32 --extractor vgg16"
    )


def test_a_demo_paints_other_samples_with_any_option(place, capsys):
    options = ["--strength", "0.7", "--color", "content", "--mask", "sky.png", "--mask", "sea.png", "--preview"]
    for name in ("sky.png", "sea.png"):
        Image.new("L", (32, 32), 255).save(name)
    assert cli.main(["demo", "cat", "harvest:2", "nocturne", "-o", "cat.png", *SMALL, *options]) == 0
    styles = [(samples.path("harvest"), 2.0), (samples.path("nocturne"), 1.0)]
    same(
        "cat.png",
        stylize(samples.path("cat"), styles, size=32, steps=2, extractor="vgg16", strength=0.7, color="content",
                masks=["sky.png", "sea.png"], preview=True),
    )  # fmt: skip
    command = shlex.split(capsys.readouterr().err.splitlines()[-1].partition(": ")[2])
    assert command[1:6] == ["photo.jpg", "painting.jpg", "painting2.jpg", "-o", "painted.png"]
    assert " ".join(options[4:8]) in " ".join(command)
    assert {*options, *SMALL} <= set(command)


def test_a_quiet_demo_says_only_what_it_painted(place, capsys):
    assert cli.main(["demo", *SMALL, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")


def test_a_sample_that_does_not_exist_is_reported_with_those_that_do(place, capsys):
    for names in (["dog"], ["cat", "monet"]):
        assert cli.main(["demo", *names]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"error: there is no sample image {names[-1]!r}; there are astronaut, cat")
        assert err.count("\n") == 1
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(("arguments", "folder"), [([], "samples"), (["pictures/of others"], "pictures/of others")])
def test_samples_are_listed_and_copied(place, capsys, arguments, folder):
    assert cli.main(["samples", *arguments]) == 0
    out, err = capsys.readouterr()
    for line, name in zip(out.splitlines(), samples.names(), strict=True):
        sample = samples.get(name)
        copy = place / folder / sample.path.name
        assert line == f"{folder}/{copy.name}: {sample.kind}, {sample.title} ({sample.license})"
        assert copy.read_bytes() == sample.path.read_bytes()
    command = shlex.split(err.partition(": ")[2])
    assert command[0] == "neural-style"
    assert all((place / path).exists() for path in command[1:3])


def test_samples_that_cannot_be_copied_are_reported(place, capsys):
    (place / "samples").write_text("")
    assert cli.main(["samples"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
