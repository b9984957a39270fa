"""The command that paints one image: exit codes, one-line errors, files where they were asked for."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neural_style import StyleTransfer, _atomic, _process, cli, recipes, stylize
from neural_style.callbacks import SaveEvery
from neural_style.cli import image
from neural_style.cli.arguments import split_weight, stylize_arguments
from neural_style.cli.parsing import parse
from neural_style.errors import NeuralStyleError
from neural_style.features import registry
from neural_style.transfer.result import Result

FAST = ["--size", "32", "--steps", "2", "--extractor", "vgg16"]


@pytest.fixture
def files(tmp_path, content, style):
    """Two files, and where the result shall go."""
    paths = [tmp_path / name for name in ("content.png", "style.png", "out.png")]
    Image.fromarray(content).save(paths[0])
    Image.fromarray(style).save(paths[1])
    return [str(path) for path in paths]


@pytest.fixture
def run(files, capsys):
    """Calls the command in this process; gives exit code, stdout and stderr."""

    def call(*options, content=files[0], style=files[1], output=files[2]):
        capsys.readouterr()
        code = cli.main([content, style, "-o", output, *options])
        return code, *capsys.readouterr()

    return call


def test_it_paints_what_stylize_paints(run, files, content, style):
    code, out, err = run(*FAST, "--strength", "0.8", "--seed", "3")
    assert (code, err) == (0, "")
    assert out.startswith(f"{files[2]}: 32x24, VGG16")
    assert out.count("\n") == 1
    expected = stylize(content, style, size=32, steps=2, extractor="vgg16", strength=0.8, seed=3)
    with Image.open(files[2]) as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.asarray(expected))


def test_images_come_and_go_through_pipes(files, content, style):
    """Messages then go to stderr: stdout is a complete PNG and nothing else."""
    command = [sys.executable, "-m", "neural_style", "-", files[1], "-o", "-", *FAST]
    with open(files[0], "rb") as source:
        done = subprocess.run(command, stdin=source, capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as painted:
        assert painted.format == "PNG"
        np.testing.assert_array_equal(painted, stylize(content, style, size=32, steps=2, extractor="vgg16"))
    assert b"-: 32x24, VGG16" in done.stderr


def test_stdin_that_is_not_an_image_is_refused(files):
    command = [sys.executable, "-m", "neural_style", "-", files[1], "-o", "-", *FAST]
    done = subprocess.run(command, input=b"not an image", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"error: " in done.stderr


def test_saved_steps_need_an_output_with_a_name(run):
    code, _, err = run(*FAST, "--save-every", "1", output="-")
    assert code == 2
    assert "cannot be used with '-o -'" in err


def test_json_goes_to_stdout_and_says_what_was_done(run, files):
    code, out, err = run(*FAST, "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record["output"] == files[2]
    assert record["size"] == [32, 24]
    assert record["steps"] == 2
    assert record["stopped_by"] == "steps"
    assert record["loss"] == pytest.approx(sum(record["terms"].values()), rel=1e-4)
    assert "VGG16" in record["settings"]["extractor"]


def test_steps_are_saved_beside_the_result(run, tmp_path):
    code, _, _ = run("--size", "32", "--steps", "4", "--extractor", "vgg16", "--save-every", "2")
    assert code == 0
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out-0002.png", "out-0004.png", "out.png"]


def test_size_content_keeps_the_contents_own(run, files):
    assert run("--size", "content", "--steps", "1", "--extractor", "vgg16")[0] == 0
    with Image.open(files[2]) as saved:
        assert saved.size == (64, 48)


def test_no_steps_would_leave_the_start_and_are_refused(run):
    code, _, err = run("--size", "32", "--steps", "0", "--extractor", "vgg16")
    assert code == 2
    assert "steps must be at least 1, not 0" in err


# --- styles, masks, colors --------------------------------------------------------------------------


@pytest.fixture
def halves(tmp_path):
    """Two masks that divide the image, on disk."""
    paths = [tmp_path / "left.png", tmp_path / "right.png"]
    left = np.zeros((12, 16), np.uint8)
    left[:, :8] = 255
    for path, mask in zip(paths, (left, 255 - left), strict=True):
        Image.fromarray(mask).save(path)
    return [str(path) for path in paths]


def same(path, expected):
    with Image.open(path) as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.asarray(expected))


@pytest.mark.parametrize("how", ["positional", "option", "mixed"])
def test_several_styles_have_weights(files, how, content, style):
    photo, painting, output = files
    arguments = {
        "positional": [photo, f"{painting}:3", photo, "-o", output],
        "option": [photo, "--style", f"{painting}:3", "-o", output, "--style", f"{photo}:1.0"],
        "mixed": [photo, f"{painting}:3", "-o", output, "--style", photo],
    }[how]
    assert cli.main([*arguments, *FAST]) == 0
    same(output, stylize(content, [(style, 3.0), (content, 1.0)], size=32, steps=2, extractor="vgg16"))


def test_a_colon_may_be_part_of_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "at 12:30").touch()
    assert split_weight("at 12:30") == ("at 12:30", 1.0)
    assert split_weight("at 12:30:0.5") == ("at 12:30", 0.5)
    assert split_weight("C:\\painting.jpg") == ("C:\\painting.jpg", 1.0)


def test_every_control_reaches_the_run(run, files, halves, content, style):
    left, right = halves
    code, out, err = run(
        *(*FAST, "--style", files[0], "--mask", left, "--mask", right, "--style-mask", "none", "--style-mask", left),
        *("--color", "content", "--color-strength", "0.5", "--style-scale", "0.8", "--json"),
    )
    assert (code, err) == (0, "")
    settings = json.loads(out)["settings"]
    assert (settings["masks"], settings["color"], settings["style_scale"]) == (2, "content", 0.8)
    masks = {"masks": [left, right], "style_masks": [None, left]}
    colors = {"color": "content", "color_strength": 0.5, "style_scale": 0.8}
    same(files[2], stylize(content, [style, content], size=32, steps=2, extractor="vgg16", **masks, **colors))


def test_the_background_stays_the_contents(run, files, halves, content):
    code, _, _ = run(
        "--size", "64", "--steps", "2", "--extractor", "vgg16", "--mask", halves[0], "--background", "content"
    )
    assert code == 0
    with Image.open(files[2]) as saved:
        np.testing.assert_array_equal(np.asarray(saved)[:, 40:], content[:, 40:])


def test_a_preview_is_smaller_and_quicker(run, files):
    code, out, _ = run("--size", "300", "--steps", "4", "--extractor", "vgg16", "--preview", "--json")
    assert code == 0
    assert (json.loads(out)["size"], json.loads(out)["steps"]) == ([256, 192], 2)


def test_an_image_may_be_painted_in_one_pass(run, files, content, style):
    code, out, err = run("--size", "32", "--quality", "instant", "--strength", "0.7")
    assert (code, err) == (0, "")
    assert out.startswith(f"{files[2]}: 32x24, VGG16('bundled') and Lite('bundled'), one pass, ")
    same(files[2], stylize(content, style, size=32, strength=0.7, quality="instant"))
    record = json.loads(run("--size", "32", "--quality", "instant", "--json")[1])
    assert (record["steps"], record["loss"], record["stopped_by"]) == (0, None, "steps")
    assert record["settings"]["quality"] == "instant"


def test_what_one_pass_does_not_have_is_bad_usage(run):
    code, out, err = run("--quality", "instant", "--steps", "3")
    assert (code, out) == (2, "")
    assert err.startswith("error: quality='instant' paints in one pass, so it accepts no steps; omit it")
    assert run("--quality", "instant", content="none")[2].startswith("error: quality='instant' paints in one pass and ")


def test_a_run_may_begin_with_one_pass(run):
    assert json.loads(run(*FAST, "--init", "instant", "--json")[1])["settings"]["init"] == "instant"


def test_no_content_makes_a_texture(run, files):
    code, out, _ = run(*FAST, "--json", content="none")
    assert code == 0
    assert json.loads(out)["size"] == [32, 32]
    assert set(json.loads(out)["terms"]) == {"nearest", "moments", "strokes"}


def test_a_saved_style_works_like_an_image(run, files, tmp_path, style):
    transfer = StyleTransfer(recipes.DEFAULT.loss(0.5), "vgg16")
    transfer.target(style, size=32).save(tmp_path / "style.npz")
    assert run(*FAST)[0] == 0
    with Image.open(files[2]) as saved:
        expected = np.asarray(saved)
    assert run(*FAST, style=str(tmp_path / "style.npz"))[0] == 0
    same(files[2], expected)


@pytest.mark.filterwarnings("default:VGG19:UserWarning")
def test_falling_back_is_reported_on_stderr(run, monkeypatch):
    monkeypatch.setattr(registry, "BUILT", {})
    code, out, err = run("--size", "32", "--steps", "1", "--json")
    assert code == 0
    assert err.startswith("warning: VGG19's ImageNet weights are not available")
    assert err.count("\n") == 1
    assert len(err) <= 120
    assert "VGG16" in json.loads(out)["settings"]["extractor"]


@pytest.fixture
def no_run(monkeypatch):
    """The run must not begin: the error is reported before."""
    monkeypatch.setattr(image, "_run", lambda options: pytest.fail("the run began"))


@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"output": "out.xyz"}, "out.xyz"),
        ({"output": "out"}, "out"),
        ({"output": "nowhere/out.png"}, "nowhere"),
        ({"content": "missing.png"}, "missing.png"),
        ({"style": "missing.png"}, "missing.png"),
        ({"style": "not-an-image.png"}, "not-an-image.png"),
        ({"content": "."}, "."),
    ],
)
def test_bad_files_are_reported_on_one_line_before_the_run(run, wrong, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "not-an-image.png").write_text("hello")
    before = sorted(tmp_path.iterdir())
    code, out, err = run(*FAST, **wrong)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize(
    ("options", "owner"),
    [
        ({"output": "photo.png"}, "the content"),
        ({"output": "./link.png"}, "the content"),
        ({"output": "hard.png"}, "the content"),
        ({"output": "style.png"}, "a style"),
        ({"output": "style.png", "style": "style.png:0.5"}, "a style"),
        ({"output": "other.png", "more": ["--style", "other.png:2"]}, "a style"),
        ({"output": "other.png", "more": ["--mask", "other.png"]}, "a mask"),
        ({"output": "other.png", "more": ["--mask", "photo.png", "--style-mask", "other.png"]}, "a mask"),
        ({"output": "other.png", "more": ["--init", "other.png"]}, "the image of --init"),
        ({"output": "new.png", "more": ["--checkpoint", "new.png"]}, "the checkpoint"),
        ({"output": "out.png", "content": "out-0040.png", "more": ["--save-every", "20"]}, "the content"),
    ],
)
def test_an_output_that_is_an_input_is_refused(options, owner, files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "other.png", "out-0040.png"):
        Path(name).write_bytes(Path(files[0]).read_bytes())
    os.symlink("photo.png", "link.png")
    os.link("photo.png", "hard.png")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    content, style = options.get("content", "photo.png"), options.get("style", "style.png")
    code = cli.main([content, style, "-o", options["output"], *FAST, *options.get("more", [])])
    assert code == 2
    assert f"is {owner} and would be replaced; name another output" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_image_that_cannot_be_saved_at_last_is_kept_and_its_place_reported(run, files, tmp_path, monkeypatch):
    def paint(options):
        os.mkdir(files[2])  # meanwhile
        return Result(np.zeros((4, 4, 3), np.float32), [], {"network": "none"})

    monkeypatch.setattr(image, "_run", paint)
    code, out, err = run(*FAST)
    kept = str(tmp_path / "out-2.png")
    assert (code, out) == (1, "")
    assert "a folder of that name exists" in err
    assert err.endswith(f"the image was saved as {kept!r} instead\n")
    with Image.open(kept) as saved:
        assert saved.size == (4, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strength", "2"], "strength must be between 0"),
        (["--recipe", "monet"], "no recipe is called 'monet'"),
        (["--extractor", "resnet"], "no extractor is called 'resnet'"),
        (["--extractor", "vgg19"], "vgg19"),
        (["--size", "3"], "too small"),
        (["--size", "0"], "at least 1"),
        (["--steps", "-1"], "steps must be at least 1"),
        (["--save-every", "0"], "every must be at least 1"),
        (["--init", "missing.png"], "missing.png"),
        (["--mask", "missing.png"], "missing.png"),
        (["--style", "missing.png:0.5"], "missing.png"),
        (["--style", "missing.npz"], "missing.npz"),
        (["--style-scale", "0"], "style_scale must be above 0"),
        (["--color-strength", "2"], "color_strength must be between 0 and 1"),
        (["--background", "content"], "needs masks"),
    ],
)
def test_bad_options_are_reported_on_one_line(run, options, message, files, tmp_path):
    before = sorted(tmp_path.iterdir())
    code, out, err = run(*FAST, *options)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_debug_shows_where_it_happened(run):
    with pytest.raises(ValueError, match="strength must be between 0"):
        run(*FAST, "--strength", "2", "--debug")


def test_a_failure_of_the_run_exits_with_one(run, monkeypatch):
    def diverge(options):
        raise NeuralStyleError("the loss is nan\nat step 3")

    monkeypatch.setattr(image, "_run", diverge)
    assert run(*FAST) == (1, "", "error: the loss is nan at step 3\n")


def test_an_interrupt_before_there_is_an_image_exits_with_130(run, monkeypatch, tmp_path):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(image, "_run", interrupt)
    code, out, err = run(*FAST)
    assert (code, out) == (130, "")
    assert err.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


@pytest.mark.skipif(any(map(os.path.exists, _process._GPU_DEVICES)), reason="the log of a GPU's start is shown")
def test_a_command_says_nothing_but_its_result(files):
    command = [sys.executable, "-m", "neural_style", *files[:2], "-o", files[2], "--size", "32", "--steps", "2"]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [*command, "--quiet", "--extractor", "vgg16"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r".*: 32x\d+, VGG16\('bundled'\), 2 steps, [\d.]+ s\n", done.stdout)


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_control_c_saves_the_current_image(files, tmp_path):
    options = ["--size", "48", "--steps", "100000", "--extractor", "vgg16", "--save-every", "1", "--json"]
    # A test run in the background of a script inherits an ignored SIGINT, in which Python leaves Ctrl-C without effect.
    listening = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{listening}; runpy.run_module('neural_style', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", program, *files[:2], "-o", files[2], *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 100
        while not list(tmp_path.glob("out-*.png")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert json.loads(out)["stopped_by"] == "interrupt"
    with Image.open(files[2]) as saved:
        assert saved.size == (48, 36)


# --- messages of the library --------------------------------------------------------------------------


def test_a_color_profile_that_is_ignored_is_reported_once(run, files, content):
    """The image is read twice: before TensorFlow is loaded, and by the run."""
    Image.fromarray(content).save(files[0], icc_profile=b"no profile")
    code, _, err = run(*FAST)
    assert code == 0
    assert err.startswith(f"warning: '{files[0]}': its color profile is ignored")
    assert err.count("\n") == 1


def test_a_checkpoint_that_is_not_written_is_reported_once(run, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_atomic, "write_whole", full)
    code, _, err = run(*FAST, "--checkpoint", str(tmp_path / "run.npz"))
    assert code == 0
    assert err.startswith(f"warning: the checkpoint {tmp_path / 'run.npz'} could not be written: ")
    assert err.count("\n") == 1


# --- streams that are closed, full or gone ------------------------------------------------------------


@pytest.fixture
def painted(monkeypatch, content):
    """The run is over at once: what is tested is where its image goes."""
    result = Result(content.astype(np.float32) / 255, [], {"network": "none"}, "steps")
    monkeypatch.setattr(image, "_run", lambda options: result)
    return content


class Unwritable(io.RawIOBase):
    """The raw stream under a stdout whose reader went away."""

    def writable(self):
        return True

    def write(self, data):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_an_image_that_stdout_does_not_take_is_kept(run, painted, option, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(Unwritable())))
    code, _, err = run(*option, output="-")
    (kept,) = tmp_path.glob("neural_style-*.png")
    assert (code, err) == (1, f"error: stdout: Broken pipe; the image is in {kept}\n")
    same(kept, painted)
    assert os.name == "nt" or kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize(("stream", "place"), [("stdin", "content"), ("stdout", "output")])
def test_an_image_needs_an_open_stream(run, monkeypatch, stream, place):
    monkeypatch.setattr(sys, stream, None)
    code, _, err = run(**{place: "-"})
    assert code == 2
    assert err.startswith(f"error: {stream} is closed")


@pytest.mark.usefixtures("painted")
@pytest.mark.parametrize(("options", "code"), [([], 0), (["--json"], 1)])
def test_a_saved_image_is_a_success_whatever_becomes_of_the_line_about_it(run, files, monkeypatch, options, code):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(Unwritable())))
    found, _, err = run(*options)
    assert found == code
    assert err.startswith("error: stdout: Broken pipe; the result is saved\n" if code else f"{files[2]}: 64x48")
    assert os.path.exists(files[2])


@pytest.mark.usefixtures("painted")
@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_name_that_stdout_cannot_spell_is_a_success(run, tmp_path, monkeypatch, option):
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", "strict")
    monkeypatch.setattr(sys, "stdout", stream)
    assert run(*option, output=str(tmp_path / "絵.png")) == (0, "", "")
    assert b"\\u7d75.png" in stream.buffer.getvalue()
    assert (tmp_path / "絵.png").exists()


@pytest.mark.usefixtures("painted")
@pytest.mark.parametrize("stream", [None, "closed"])
def test_stderr_may_be_absent_or_closed(run, files, monkeypatch, tmp_path, stream):
    """A service has none; the image is saved, and a failure has its exit code."""
    if stream is not None:
        stream = (tmp_path / "log").open("w")
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    assert run()[0] == 0
    assert os.path.exists(files[2])
    assert run(content="missing.png")[0] == 2


STOPS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.mark.parametrize("number", STOPS)
def test_every_signal_to_stop_saves_the_current_image(run, files, monkeypatch, number):
    monkeypatch.setattr(SaveEvery, "__call__", lambda self, step: signal.raise_signal(number))
    code, out, err = run(*FAST, "--steps", "100000", "--save-every", "1", "--json")
    assert code == 130
    assert err == (
        f"interrupted at step 1 of 100000, at 32x24; the image so far is in {files[2]}; "
        "add --checkpoint FILE to resume it next time\n"
    )
    assert (json.loads(out)["stopped_by"], json.loads(out)["steps"]) == ("interrupt", 1)
    with Image.open(files[2]) as saved:
        assert saved.size == (32, 24)


def test_an_interrupted_run_with_a_checkpoint_is_resumed_by_the_same_command(run, files, monkeypatch, tmp_path):
    options = [*FAST, "--checkpoint", str(tmp_path / "run.npz"), "--save-every", "1"]
    with monkeypatch.context() as patched:
        patched.setattr(SaveEvery, "__call__", lambda self, step: signal.raise_signal(signal.SIGTERM))
        code, _, err = run(*options)
    assert code == 130
    assert err.startswith("interrupted at step 1 of 2, at 32x24; ")
    assert err.endswith("; the same command resumes it\n")
    assert run(*options)[0] == 0
    resumed = Path(files[2]).read_bytes()
    assert run(*FAST)[0] == 0
    assert Path(files[2]).read_bytes() == resumed


def test_every_signal_ends_a_run_without_an_image(run, monkeypatch):
    for number in STOPS:
        monkeypatch.setattr(image, "_run", lambda options, number=number: signal.raise_signal(number))
        assert run() == (130, "", "interrupted before there was an image\n")


def test_a_signal_while_the_image_is_saved_changes_nothing(run, painted, files, monkeypatch):
    save = Result.save

    def interrupted(result, path):
        for name in ("SIGTERM", "SIGHUP", "SIGINT"):
            signal.raise_signal(getattr(signal, name, signal.SIGTERM))
        save(result, path)

    monkeypatch.setattr(Result, "save", interrupted)
    assert run()[0] == 0
    same(files[2], painted)


@pytest.mark.parametrize(("text", "init"), [("0.3", 0.3), ("noise", "noise"), ("a.png", "a.png")])
def test_a_start_is_a_word_a_path_or_a_share_of_noise(text, init):
    options = parse(image.make_parser(), ["photo.png", "style.png", "-o", "out.png", "--init", text])
    assert stylize_arguments(options)["init"] == init
