"""The app in a browser: a real server on this machine, asked through Gradio's own client."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neural_style.cli import app
from neural_style.transfer.result import Result

gradio = pytest.importorskip("gradio", reason="needs the extra [app]")
gradio_client = pytest.importorskip("gradio_client")

SETTINGS = {"strength": 0.6, "style_scale": 1.0, "color": "style", "size": 128}
SETTINGS |= {"quality": "best", "recipe": "default", "steps": 4}
INSTANT = {"quality": "instant", "steps": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder for temporary files of the server."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(folder):
    """The command itself, in a process of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "neural_style", "app", "--port", str(port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder)}, **pipes) as process:
        try:
            line = process.stdout.readline()
            assert line == f"open http://127.0.0.1:{port}/ in a browser; press Ctrl-C to stop\n"
            yield f"http://127.0.0.1:{port}"
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert list(folder.iterdir()) == [], "uploads and paintings are left"
        finally:
            process.kill()


@pytest.fixture
def client(server, tmp_path):
    made = gradio_client.Client(server, verbose=False, download_files=str(tmp_path), analytics_enabled=False)
    yield made
    made.close()


@pytest.fixture
def arguments(content, style, tmp_path):
    """What the page sends for a small image; keywords change it."""
    paths = []
    for name, image in (("photo", content), ("red", style), ("blue", style[..., ::-1])):
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(image).save(paths[-1])
    files = [gradio_client.handle_file(path) for path in paths]

    def of(content=files[0], styles=1, weights="", **changed):
        images = [{"image": each, "caption": None} for each in files[1 : 1 + styles]]
        return content, images, weights, *(SETTINGS | changed).values()

    return of


def painted(update):
    """The image of an update, as an array."""
    path = update[1]["path"] if isinstance(update[1], dict) else update[1]
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_it_listens_to_this_machine_only_and_loads_nothing_from_elsewhere(server):
    assert server.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(server) as reply:
        page = reply.read().decode()
    assert "Neural style" in page
    assert not re.findall(r"(?:src|href)=.?https?://(?!127\.0\.0\.1)\S+", page)


def ask(server, path="/", **headers):
    """The status of a request with the given headers."""
    request = urllib.request.Request(server + path, headers={name.replace("_", "-"): headers[name] for name in headers})
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/upload"])
def test_other_pages_and_large_uploads_are_refused(server, path):
    """Which requests are, `test_access` tests; here, that each is checked."""
    assert ask(server, path, Origin="https://example.org") == 403
    assert ask(server, path, Host="example.org") == 403
    assert ask(server, path, Content_Length=str(10**10)) == 413


def test_the_page_itself_is_answered(server):
    assert ask(server, "/config", Origin=server) == 200
    assert ask(server.replace("127.0.0.1", "localhost"), "/config") == 200


def test_it_paints_what_stylize_paints(client, arguments, content, style, folder):
    from neural_style import stylize

    *_, last = client.submit(*arguments(), api_name="/paint")
    assert "done: 128 x 96, 4 steps" in last[0]
    expected = np.asarray(stylize(content, style, size=128, strength=0.6, steps=4, extractor="vgg16"))
    np.testing.assert_array_equal(painted(last), expected)
    saved = Path(last[2]["value"] if isinstance(last[2], dict) else last[2])
    assert saved.name == "photo-painted.png"
    (private,) = folder.iterdir()
    assert os.name == "nt" or {path.stat().st_mode & 0o077 for path in (private, *private.rglob("*"))} == {0}
    assert {path.name for path in private.rglob("*.png")} >= {"photo.png", "red.png", "photo-painted.png"}


def test_styles_are_blended_by_their_weights(client, arguments, content, style):
    from neural_style import stylize

    *_, last = client.submit(*arguments(styles=2, weights="1, 3", color="content"), api_name="/paint")
    blend = [(style, 1.0), (style[..., ::-1], 3.0)]
    expected = np.asarray(stylize(content, blend, size=128, strength=0.6, steps=4, color="content", extractor="vgg16"))
    np.testing.assert_array_equal(painted(last), expected)


def test_moving_a_control_paints_again_in_one_pass(client, arguments, content, style):
    from neural_style import stylize

    for name, strength in (("/paint", 0.6), ("/repaint", 0.9)):
        *_, last = client.submit(*arguments(strength=strength, **INSTANT), api_name=name)
        assert "done: 128 x 96, one pass, " in last[0]
        expected = stylize(content, style, size=128, strength=strength, quality="instant")
        np.testing.assert_array_equal(painted(last), np.asarray(expected))


def test_a_moved_control_is_heeded_at_its_latest_position_only(client):
    fields = {each["id"]: each["props"] for each in client.config["components"]}
    (found,) = (each for each in client.config["dependencies"] if each["api_name"] == "repaint")
    labels = {fields[number]["label"] for number, event in found["targets"] if event == "change"}
    assert (found["trigger_mode"], labels) == ("always_last", {"Strength", "Stroke size", "Colors"})


def test_every_quality_can_be_chosen(client):
    from neural_style.api import QUALITIES

    (field,) = (each["props"] for each in client.config["components"] if each["props"].get("label") == "Quality")
    assert [value for _, value in field["choices"]] == list(QUALITIES)


def test_the_image_is_shown_as_it_develops_and_stop_keeps_it(client, arguments):
    job = client.submit(*arguments(steps=400), api_name="/paint")
    deadline = time.monotonic() + 120
    while sum("step " in update[0] for update in job.outputs()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.predict(api_name="/stop")
    last = job.result(timeout=120)
    seen = [update for update in job.outputs() if "step " in update[0]]
    assert "of 400" in seen[0][0]
    assert painted(seen[0]).std() > 10
    assert last[0].count("stopped: 128 x 96") == 1
    assert painted(last).shape == (96, 128, 3)
    *_, after = client.submit(*arguments(), api_name="/paint")
    assert "done: 128 x 96, 4 steps" in after[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"content": None}, "Please upload a photo first."),
        ({"styles": 0}, "Please upload at least one style."),
        ({"weights": "1 2"}, "Please give one weight for each style: 1, not 2."),
        ({"weights": "much"}, "Style weights must be numbers, one for each style, not &#x27;much&#x27;."),
    ],
)
def test_what_is_missing_is_reported_on_the_page(client, arguments, changed, message):
    *_, last = client.submit(*arguments(**changed), api_name="/paint")
    assert f'<p role="alert">{message}</p>' == last[0]


# --- without a server --------------------------------------------------------------------------------


class Request:
    session_hash = "here"


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Calls the painter, or what a moved control calls; gives its updates, and the options of each run."""
    runs = []

    def stylize_result(content, styles, callbacks, **options):
        runs.append(options)
        settings = {"seconds": 12.6, "quality": options["quality"]}
        return Result(np.zeros((96, 128, 3), np.float32), [], settings)

    monkeypatch.setattr("neural_style.api.stylize_result", stylize_result)
    paint = app._painter(gradio, {})

    def of(function=paint, content="photo.png", styles=(("red.png", None),), **changed):
        return list(function(Request(), content, styles, "", *(SETTINGS | changed).values())), runs

    of.repaint = app._repainter(gradio, paint)
    return of


@pytest.mark.parametrize(("given", "steps"), [(None, None), (0, None), (7, 7)])
def test_an_empty_number_of_steps_is_the_recipes_own(call, given, steps):
    """Gradio sends None, or 0 once the field has been shown."""
    updates, runs = call(steps=given)
    assert [run["steps"] for run in runs] == [steps]
    assert "done: 128 x 96, 0 steps, 13 s" in updates[-1][0]


def test_a_moved_control_paints_only_what_takes_one_pass(call):
    nothing = [(gradio.skip(),) * 5]
    for missing in ({"quality": "best"}, INSTANT | {"content": None}, INSTANT | {"styles": ()}):
        assert call(call.repaint, **missing) == (nothing, [])
    updates, runs = call(call.repaint, strength=0.9, **INSTANT)
    assert (runs[0]["strength"], runs[0]["quality"], runs[0]["steps"]) == (0.9, "instant", None)
    assert updates[0][1] == gradio.skip(), "the former image stays until then"
    assert "done: 128 x 96, one pass, " in updates[-1][0]


def test_errors_of_a_moved_control_are_reported_on_the_page(call, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("no <recipe>")

    monkeypatch.setattr("neural_style.api.stylize_result", refuse)
    assert call(call.repaint, **INSTANT)[0][-1][0] == '<p role="alert">no &lt;recipe&gt;</p>'
