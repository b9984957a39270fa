"""`--replay` paints what a record of `--json` says, to the same bytes."""

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from neural_style import cli
from neural_style.cli import image

SMALL = ["--size", "32", "--steps", "2", "--extractor", "vgg16"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with a painted image and the record of its run."""
    place, stdout = tmp_path_factory.mktemp("recorded"), sys.stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name, color in (("photo.png", "teal"), ("sky.png", "navy"), ("sea.png", "gold")):
            picture = Image.linear_gradient("L").resize((48, 36)).convert("RGB")
            Image.blend(picture, Image.new("RGB", picture.size, color), 0.5).save(name)
        patch.setattr(sys, "stdout", io.StringIO())
        styles = ["sky.png:2", "--style", "sea.png"]
        assert (
            cli.main(["photo.png", *styles, "-o", "out.png", *SMALL, "--seed", "3", "--strength", "0.7", "--json"]) == 0
        )
        (place / "run.json").write_text(sys.stdout.getvalue())
    assert sys.stdout is stdout
    return place


@pytest.fixture
def place(recorded, tmp_path, monkeypatch):
    """A copy of that folder, without the painted image."""
    for path in recorded.iterdir():
        if path.name != "out.png":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_record_holds_everything(recorded):
    record = json.loads((recorded / "run.json").read_text())
    assert record["arguments"][:2] == ["photo.png", "sky.png:2"]
    assert list(record["inputs"]) == ["photo.png", "sky.png", "sea.png"]
    assert all(len(each) == 64 for each in record["inputs"].values())
    assert record["seed"] == 3
    assert {"neural_style", "python", "tensorflow", "keras", "numpy", "pillow"} >= set(record["versions"])
    assert {"neural_style", "python", "numpy", "pillow"} <= set(record["versions"])


def test_a_replay_paints_the_same_bytes(recorded, place, capsys):
    assert cli.main(["--replay", "run.json"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("out.png: 32x24, VGG16")
    assert err == ""
    assert (place / "out.png").read_bytes() == (recorded / "out.png").read_bytes()


def test_options_beside_a_replay_replace_those_of_the_record(recorded, place, capsys):
    """The record of a replay is as complete as the first."""
    assert cli.main(["--replay=run.json", "-o", "again.png", "--json"]) == 0
    record, first = json.loads(capsys.readouterr().out), json.loads((place / "run.json").read_text())
    assert (place / "again.png").read_bytes() == (recorded / "out.png").read_bytes()
    assert not (place / "out.png").exists()
    assert record["output"] == "again.png"
    assert record["arguments"] == [*first["arguments"][:-1], "-o", "again.png", "--json"]
    assert (record["inputs"], record["versions"]) == (first["inputs"], first["versions"])


@pytest.fixture
def started(monkeypatch):
    """The options of the runs, which end at once."""
    runs = []
    monkeypatch.setattr(image, "paint", lambda options: runs.append(options) or 0)
    return runs


def test_changed_inputs_and_versions_are_reported(place, started, capsys):
    Image.new("RGB", (48, 36), "red").save("sea.png")
    record = json.loads(Path("run.json").read_text())
    record["versions"]["numpy"] = "1.0"
    Path("run.json").write_text(json.dumps(record))
    assert cli.main(["--replay", "run.json"]) == 0
    changed, versions = capsys.readouterr().err.splitlines()
    assert changed == "warning: 'sea.png' is no longer the file of the recorded run"
    assert versions.startswith("warning: the run was recorded with numpy 1.0, not ")
    assert started[0].styles == ["sky.png:2", "sea.png"]


def test_a_record_may_come_through_a_pipe(place, started, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(Path("run.json").read_text()))
    assert cli.main(["--replay", "-", "--quiet"]) == 0
    assert (started[0].seed, started[0].quiet, started[0].json) == (3, True, False)


def test_a_demo_can_be_replayed(place, started):
    record = json.loads(Path("run.json").read_text()) | {"arguments": ["demo", "cat", "--seed", "2"], "inputs": {}}
    Path("run.json").write_text(json.dumps(record))
    assert cli.main(["--replay", "run.json"]) == 0
    assert Path(started[0].content).name == "cat.jpg"
    assert started[0].arguments == ["demo", "cat", "--seed", "2"]


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"arguments": [1], "inputs": {}, "versions": {}}'])
def test_what_is_no_record_is_refused(place, started, capsys, text):
    if text is not None:
        Path("bad.json").write_text(text)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["--replay", "bad.json"])
    err = capsys.readouterr().err
    assert "'bad.json'" in err and err.count("\n") == 1
    assert not started
