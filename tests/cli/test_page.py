"""The page in a real browser, as a visitor uses it: the system's Chromium, driven by Playwright."""

import re
import shutil

import pytest
from PIL import Image

from tests.cli.serving import serve

pytest.importorskip("gradio", reason="needs the extra [app]")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
QUIET = (*QUIET, "disable-component-update", "disable-sync")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("temporary")) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=[f"--{flag}" for flag in QUIET])
        yield started
        started.close()


@pytest.fixture
def page(server, browser, request):
    """The page, opened; a parameter is the width and height of the window."""
    width, height = getattr(request, "param", (1280, 900))
    context = browser.new_context(viewport={"width": width, "height": height})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(server)
    opened.locator("#paint").wait_for()
    yield opened
    context.close()


def expect(locator):
    return playwright.expect(locator)


def field(page, label):
    """The number beside a slider."""
    return page.get_by_label(f"number input for {label}")


def choose_small(page):
    """64 pixels in one pass, without previews on the way."""
    page.get_by_label("Instant preview").uncheck()
    page.get_by_label("instant", exact=True).check()
    field(page, "Size").fill("128")
    field(page, "Size").press("Enter")


def paint(page):
    page.locator("#paint").click()
    expect(page.locator("#status")).to_contain_text("Done: ", timeout=60_000)


def test_an_example_is_painted_and_is_still_there_after_a_reload(page):
    choose_small(page)
    page.locator("#pairs button").first.click()
    expect(page.locator("#style_1 img")).to_be_visible()
    paint(page)
    expect(page.locator("#painting img")).to_be_visible()
    expect(page.locator("#download")).to_contain_text("astronaut_starry_night.png")
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename == "astronaut_starry_night.png"
    with Image.open(download.value.path()) as image:
        assert image.size == (128, 128)
    page.reload()
    expect(page.locator("#history img")).to_have_count(1)
    expect(page.locator("#painting img")).to_be_visible()
    expect(page.locator("#download")).to_contain_text("astronaut_starry_night.png")


def test_a_preset_sets_several_controls(page):
    page.get_by_role("button", name="Bold").click()
    expect(field(page, "Strength")).to_have_value("0.7")
    expect(field(page, "Stroke size")).to_have_value("1.8")


def test_an_example_is_shown_at_once_and_again_as_a_control_moves(page):
    page.locator("#pairs button").first.click()
    expect(page.locator("#status")).to_contain_text("Preview in ", timeout=60_000)
    before = page.locator("#painting img").get_attribute("src")
    page.get_by_label("range slider for Strength").press("ArrowRight")
    expect(page.locator("#painting img")).not_to_have_attribute("src", before, timeout=60_000)


def test_a_brush_stroke_is_where_the_style_goes(page):
    choose_small(page)
    page.locator("#pairs button").first.click()
    page.get_by_role("button", name="Regions").click()
    page.get_by_label("where I brush; the rest stays a photo").check()
    canvas = page.locator("#brush canvas").first
    canvas.scroll_into_view_if_needed()
    page.locator("#paint").click()
    expect(page.get_by_role("alert")).to_contain_text("Brush over a part of the photo")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"], steps=5)
    page.mouse.up()
    paint(page)
    page.get_by_role("button", name=re.compile("Copy as")).click()
    expect(page.locator("#command")).to_contain_text("--mask mask_1.png")


def test_a_file_that_is_no_image_is_refused_beside_its_field(page, tmp_path):
    text = tmp_path / "holiday.jpg"
    text.write_text("not an image")
    page.locator("#photo input[type=file]").set_input_files(text)
    expect(page.locator("#notice [role=alert]")).to_have_text(
        "This file is not an image. Choose a JPEG, PNG or WebP file."
    )
    expect(page.locator("#photo img")).to_have_count(0)
    page.locator("#paint").click()
    expect(page.locator("#status [role=alert]")).to_have_text("Choose a photo first, or click an example.")


@pytest.mark.parametrize("page", [(390, 844)], indirect=True)
def test_a_phone_shows_paint_and_the_result_on_its_first_screen(page):
    page.locator("#pairs button").first.click()
    expect(page.locator("#status")).to_contain_text("Preview in ", timeout=60_000)
    expect(page.locator("#painting img")).to_be_in_viewport(ratio=0.99)
    expect(page.locator("#paint")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("window.scrollY") == 0
