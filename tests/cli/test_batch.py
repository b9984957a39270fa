"""`batch` on the command line: a folder goes in, a folder and an account come out."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from neural_style import cli
from neural_style.batch import jobs

FAST = ["--size", "32", "--steps", "1", "--extractor", "vgg16"]


@pytest.fixture
def folder(tmp_path, content, style):
    """Twenty photographs, every tenth broken, and a painting."""
    (tmp_path / "photos").mkdir()
    for number in range(20):
        path = tmp_path / "photos" / f"{number:02}.png"
        Image.fromarray(np.roll(content, number, axis=1)).save(path)
        if number % 10 == 9:
            path.write_bytes(path.read_bytes()[:100])
    Image.fromarray(style).save(tmp_path / "style.png")
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Calls the command in this process; gives exit code, stdout and stderr."""

    def call(*options):
        capsys.readouterr()
        code = cli.main(["batch", *map(str, (folder / "photos", folder / "style.png", "-o", folder / "out")), *options])
        return code, *capsys.readouterr()

    return call


def test_good_images_are_painted_bad_ones_listed_and_the_rest_done_the_next_time(run, folder):
    code, out, err = run(*FAST)
    assert code == 1
    assert out == f"{folder / 'out'}: 18 done, 2 failed\n"
    assert [line.split(": ")[:3] for line in err.splitlines()] == [
        ["failed", str(folder / "out" / name), "ImageError"] for name in ("09.png", "19.png")
    ]
    assert len(list((folder / "out").glob("*.png"))) == 18
    for number in (9, 19):
        Image.new("RGB", (48, 40), "blue").save(folder / "photos" / f"{number:02}.png")
    (folder / "out" / "03.png").unlink()
    code, out, err = run(*FAST)
    assert (code, err) == (0, "")
    assert out == f"{folder / 'out'}: 3 done, 17 skipped\n"


def test_json_has_a_line_for_each_image(run):
    code, out, _ = run(*FAST, "--json", "--pattern", "0[89].png", "--suffix", ".jpg")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [(each["status"], each["output"][-6:]) for each in lines] == [("done", "08.jpg"), ("failed", "09.jpg")]


def test_two_workers_share_the_folder(folder):
    command = [sys.executable, "-m", "neural_style", "batch", folder / "photos", folder / "style.png"]
    options = ["-o", folder / "out", "--workers", "2", "--pattern", "0[0-3].png", *FAST]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr  # which may hold what TensorFlow says of a machine without CUDA
    assert "Traceback" not in done.stderr
    assert "leaked" not in done.stderr  # the semaphores of the pool and of the progress bar
    assert done.stdout == f"{folder / 'out'}: 4 done\n"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_every_signal_to_stop_keeps_what_is_finished(run, folder, monkeypatch, name):
    paint, begun = jobs.stylize_result, []

    def paint_one(*arguments, **options):
        begun.append(arguments)
        if len(begun) == 2:
            signal.raise_signal(getattr(signal, name))
        return paint(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "stylize_result", paint_one)
        code, out, err = run(*FAST, "--pattern", "0[0-3].png")
    assert (code, out, err) == (130, "", "interrupted after 1 of 4 images; run the same command again to do the rest\n")
    assert len(begun) == 2
    assert run(*FAST, "--pattern", "0[0-3].png")[1] == f"{folder / 'out'}: 3 done, 1 skipped\n"


def test_a_record_that_nobody_reads_stops_no_batch(run, folder, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    code, _, err = run(*FAST, "--json", "--pattern", "0[01].png")
    assert (code, len(list((folder / "out").glob("*.png")))) == (1, 2)
    assert set(err.splitlines()) == {"error: stdout: closed; the result is saved"}


def test_a_warning_about_the_style_of_all_images_is_shown_once(run, folder):
    """Each job reads the style again."""
    with Image.open(folder / "style.png") as style:
        style.save(folder / "style.png", icc_profile=b"no profile")
    code, _, err = run(*FAST, "--pattern", "0[0-2].png")
    assert code == 0
    assert err.startswith(f"warning: '{folder / 'style.png'}': its color profile is ignored")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--workers", "0"], "--workers must be at least 1"),
        (["--color", "none"], "invalid choice"),
    ],
)
def test_bad_usage_is_reported(run, capsys, change, message):
    with pytest.raises(SystemExit, match="2"):
        run(*change)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--suffix", ".gif"], "unknown output format '.gif'; use one of .png"),
        (["--suffix", "png"], "use one of .png"),
        (["--pattern", "../*.png"], "leads out of the folder"),
        (["-o", "photos"], "choose another output folder"),
        (["-o", "link"], "choose another output folder"),
        (["-o", "style.png"], "File exists"),
        (["-o", "taken"], "it is a folder, not a regular file"),
    ],
)
def test_places_that_cannot_be_used_are_reported_before_painting(run, folder, monkeypatch, change, message):
    monkeypatch.chdir(folder)
    (folder / "link").symlink_to("photos")
    (folder / "taken" / "neural_style.jsonl").mkdir(parents=True)
    before = sorted(folder.rglob("*"))
    code, out, err = run(*change)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


def test_no_folder_is_no_job(folder, capsys):
    assert cli.main(["batch", str(folder / "style.png"), str(folder / "style.png"), "-o", str(folder / "out")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
