"""The app in a browser: a real server on this machine, asked through Gradio's own client."""

import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neural_style.transfer.result import Result
from tests.cli.serving import serve

gradio = pytest.importorskip("gradio", reason="needs the extra [app]")
gradio_client = pytest.importorskip("gradio_client")

from neural_style.cli.app.events import OUTPUTS, Events  # noqa: E402

PAINTED = {"weight_1": 1.0, "weight_2": 1.0, "weight_3": 1.0, "where": "everywhere", "brush": None}
PAINTED |= {"strength": 0.6, "style_scale": 1.0, "color": "style", "size": 128}
PAINTED |= {"quality": "best", "recipe": "default", "steps": 4, "seed": 0}
INSTANT = {"quality": "instant", "steps": 0}
STATUS, DOWNLOAD, HISTORY, COMMAND = 0, 3, 4, 5
"""Places in an update; the client sees no buttons."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder for temporary files of the server."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(folder):
    """The address of the command's server."""
    with serve(folder) as address:
        yield address


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

    def of(content=files[0], styles=1, weights=(1.0, 1.0), **changed):
        images = [*files[1 : 1 + styles], None, None, None][:3]
        given = dict(zip(("weight_1", "weight_2"), weights, strict=True))
        return content, *images, *(PAINTED | given | changed).values()

    return of


def painted(update):
    """The image that an update offers for download, as an array."""
    with Image.open(saved(update)) as image:
        return np.asarray(image.convert("RGB"))


def saved(update):
    """The file that an update offers for download."""
    given = update[DOWNLOAD]
    return Path(given["value"] if isinstance(given, dict) else given)


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

    *_, last = client.submit(None, *arguments(), api_name="/paint")
    assert "Done: 128 x 96, 4 steps" in last[STATUS]
    expected = np.asarray(stylize(content, style, size=128, strength=0.6, steps=4, extractor="vgg16"))
    np.testing.assert_array_equal(painted(last), expected)
    assert saved(last).name == "photo_red.png"
    assert "photo.png red.png -o photo_red.png --strength 0.6 --size 128 --steps 4" in last[COMMAND]
    (private,) = folder.iterdir()
    assert os.name == "nt" or {path.stat().st_mode & 0o077 for path in (private, *private.rglob("*"))} == {0}
    assert {path.name for path in private.rglob("*.png")} >= {"photo.png", "red.png", "photo_red.png"}


def test_styles_are_blended_by_their_weights(client, arguments, content, style):
    from neural_style import stylize

    *_, last = client.submit(None, *arguments(styles=2, weights=(0.25, 0.75), color="content"), api_name="/paint")
    blend = [(style, 0.25), (style[..., ::-1], 0.75)]
    expected = np.asarray(stylize(content, blend, size=128, strength=0.6, steps=4, color="content", extractor="vgg16"))
    np.testing.assert_array_equal(painted(last), expected)


def test_a_preview_is_painted_in_one_pass(client, arguments, content, style):
    from neural_style import stylize

    *_, last = client.submit(True, *arguments(strength=0.9), api_name="/preview")
    assert "Preview in " in last[STATUS]
    expected = stylize(content, style, size=128, strength=0.9, quality="instant")
    np.testing.assert_array_equal(painted(last), np.asarray(expected))


def test_a_moved_control_is_heeded_at_its_latest_position_only(client):
    fields = {each["id"]: each["props"] for each in client.config["components"]}
    (found,) = (each for each in client.config["dependencies"] if each["api_name"] == "preview")
    labels = {fields[number]["label"] for number, event in found["targets"]}
    assert found["trigger_mode"] == "always_last"
    assert labels >= {"Photo", "Style", "Strength", "Stroke size", "Colors", "Brush over the photo"}


def test_every_quality_and_color_mode_can_be_chosen(client):
    from neural_style.api import QUALITIES
    from neural_style.transfer.controls import COLOR_MODES

    for label, values in (("Quality", QUALITIES), ("Colors", COLOR_MODES)):
        (field,) = (each["props"] for each in client.config["components"] if each["props"].get("label") == label)
        assert [value for _, value in field["choices"]] == list(values)


def test_the_image_is_shown_as_it_develops_and_stop_keeps_it(client, arguments):
    job = client.submit(None, *arguments(steps=400), api_name="/paint")
    deadline = time.monotonic() + 120
    while sum("Step " in str(update[STATUS]) for update in job.outputs()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.predict(api_name="/stop")
    last = job.result(timeout=120)
    seen = [update for update in job.outputs() if "Step " in str(update[STATUS])]
    assert "of 400" in seen[0][STATUS]
    assert "Stopped: 128 x 96" in last[STATUS]
    assert painted(last).shape == (96, 128, 3)
    *_, after = client.submit(None, *arguments(), api_name="/paint")
    assert "Done: 128 x 96, 4 steps" in after[STATUS]


def test_who_waits_sees_how_many_are_ahead(server, client, arguments, tmp_path):
    """The second visitor's place, until the first one stops."""
    other = gradio_client.Client(server, verbose=False, download_files=str(tmp_path), analytics_enabled=False)
    first = client.submit(None, *arguments(steps=4000), api_name="/paint")
    deadline = time.monotonic() + 120
    while not any("Step " in str(update[STATUS]) for update in first.outputs()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = other.submit(None, *arguments(), api_name="/paint")
    while not any("Waiting: one painting is ahead of yours" in str(update[STATUS]) for update in second.outputs()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.predict(api_name="/stop")
    assert "Done: 128 x 96, 4 steps" in second.result(timeout=120)[STATUS]
    other.close()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"content": None}, "Choose a photo first, or click an example."),
        ({"styles": 0}, "Choose a style, or click a painting."),
        ({"weights": (0.0, 0.0)}, "Give one style a weight above 0."),
        ({"where": "second"}, "Choose a second style under Several styles: it goes where you brush."),
        ({"where": "brushed"}, "Brush over a part of the photo under Regions."),
    ],
)
def test_what_is_missing_is_reported_on_the_page(client, arguments, changed, message):
    *_, last = client.submit(None, *arguments(**changed), api_name="/paint")
    assert f'<p role="alert">{message}</p>' == last[STATUS]


def test_a_file_that_is_no_image_is_called_so(client, arguments, tmp_path):
    text = tmp_path / "holiday.jpg"
    text.write_text("not an image")
    *_, last = client.submit(None, *arguments(content=gradio_client.handle_file(text)), api_name="/paint")
    assert "The photo is not an image. Choose a JPEG, PNG or WebP file." in last[STATUS]


# --- without a server --------------------------------------------------------------------------------


class Request:
    session_hash = "here"


@pytest.fixture
def events(monkeypatch, content, style, tmp_path):
    """The functions behind the page, on runs that do nothing; `runs` are the options of each."""

    def stylize_result(content, styles, callbacks, **options):
        made.runs.append(options)
        settings = {"seconds": 12.6, "quality": options["quality"]}
        return Result(np.zeros((96, 128, 3), np.float32), [], settings)

    monkeypatch.setattr("neural_style.api.stylize_result", stylize_result)
    made = Events(gradio)
    made.runs = []
    return made


@pytest.fixture
def call(events, content, style, tmp_path):
    """Calls one of the functions with the values of the page's fields; gives its updates, by the names of the parts."""
    for name, image in (("photo", content), ("red", style)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    photo, red = str(tmp_path / "photo.png"), str(tmp_path / "red.png")

    def of(function, first, photo=photo, style=red, **changed):
        updates = function(Request(), first, photo, style, None, None, *(PAINTED | changed).values())
        return [dict(zip(OUTPUTS, each, strict=True)) for each in updates]

    return of


@pytest.mark.parametrize(("given", "steps"), [(None, None), (0, None), (7, 7)])
def test_an_empty_number_of_steps_is_the_recipes_own(events, call, given, steps):
    """Gradio sends None, or 0 once the field has been shown."""
    updates = call(events.paint, None, steps=given, seed=given)
    assert [(run["steps"], run["seed"]) for run in events.runs] == [(steps, given or 0)]
    assert "Done: 128 x 96, 0 steps, 13 s" in updates[-1]["status"]


def test_a_preview_is_painted_only_if_there_is_something_to_see(events, call):
    nothing = [dict.fromkeys(OUTPUTS, gradio.skip())]
    assert call(events.preview, False) == nothing
    for missing in ({"photo": None}, {"style": None}):
        assert call(events.preview, True, **missing) == nothing
    assert events.runs == []
    updates = call(events.preview, True, strength=0.9, size=4000, recipe="gatys2016")
    (run,) = events.runs
    assert (run["strength"], run["quality"], run["steps"], run["size"]) == (0.9, "instant", None, 512)
    assert updates[0]["painting"] == gradio.skip(), "the former image stays until then"
    assert updates[-1]["history"] == gradio.skip(), "only what was asked for by Paint is kept"


def test_no_preview_disturbs_a_painting(events, call):
    painting = events.paint(Request(), None, *_values(call))
    next(painting)
    assert call(events.preview, True) == [dict.fromkeys(OUTPUTS, gradio.skip())]
    painting.close()
    assert len(call(events.preview, True)) == 2


def test_a_page_that_is_closed_gives_up_its_place(events, call):
    first, second = (events.paint(Request(), None, *_values(call)) for _ in range(2))
    next(first)
    next(second)
    first.close()
    assert "Done: " in dict(zip(OUTPUTS, list(second)[-1], strict=True))["status"]


def test_paintings_are_shown_again_after_a_reload(events, call):
    visitor, *nothing = events.load(None)
    assert nothing == [gradio.skip()] * len(OUTPUTS)
    call(events.paint, visitor)
    same, *shown = events.load(visitor)
    changes = dict(zip(OUTPUTS, shown, strict=True))
    assert same == visitor
    assert "Done: " in changes["status"]
    assert Path(changes["painting"]).exists()
    assert changes["history"].value
    assert events.load("0" * 32)[1:] == tuple(nothing), "another visitor sees none of it"


def test_errors_of_a_run_are_reported_on_the_page(events, call, monkeypatch):
    def refuse(*_, **__):
        raise MemoryError("<4 GiB> are missing; pass tile=512")

    monkeypatch.setattr("neural_style.api.stylize_result", refuse)
    for function, first in ((events.paint, None), (events.preview, True)):
        alert = '<p role="alert">There is not enough memory for this size. Choose a smaller size.</p>'
        assert call(function, first)[-1]["status"] == alert


def _values(call):
    """What the page sends."""
    values = []
    call(lambda request, first, *given: values.extend(given) or (), None)
    return values
