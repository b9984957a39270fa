"""Requests that the server of the page refuses, as a browser sends them."""

import asyncio

import pytest

from neural_style.cli.access import MAX_BYTES, OwnPageOnly, refusal

HOST = "127.0.0.1:7860"
OWN = {"host": HOST, "origin": f"http://{HOST}"}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program on this machine, such as Gradio's client
        {"origin": f"http://{HOST}"},
        {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},  # typed into the address bar
        {"host": "localhost:7860", "origin": "http://localhost:7860"},
        {"host": "localhost"},
        {"content-length": str(MAX_BYTES)},
    ],
)
def test_its_own_page_and_programs_are_answered(method, headers):
    assert refusal(method, {"host": HOST} | headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://example.org"},
        {"origin": "null"},  # a sandboxed frame, or a file
        {"origin": "http://127.0.0.1:8888"},  # another server on this machine
        {"origin": "http://localhost:7860"},  # another name
        {"origin": f"https://{HOST}"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},  # an image of another page: no Origin
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "origin": "null"},  # a form
        {"host": "example.org", "origin": "http://example.org"},  # DNS rebinding: host and origin agree
        {"host": "127.0.0.1.example.org:7860"},
        {"host": "example.org:7860@127.0.0.1"},
        {"host": ""},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_pages_are_refused(method, headers):
    assert refusal(method, OWN | headers)[0] == 403


def test_a_link_is_followed_but_a_form_is_not_sent():
    link = {"host": HOST, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert refusal("GET", link) is None
    assert refusal("POST", link)[0] == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": str(MAX_BYTES + 1)}, 413),
        ({"transfer-encoding": "chunked"}, 411),
        ({"content-length": "many"}, 411),
        ({"content-length": "-1"}, 411),
    ],
)
def test_uploads_have_a_limit(headers, status):
    assert refusal("POST", OWN | headers)[0] == status


def requests(kind, headers):
    """What the application behind the middleware sees, and what the middleware sends."""
    seen, sent = [], []

    async def application(scope, receive, send):
        seen.append(scope)

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    asyncio.run(OwnPageOnly(application)(scope, None, send))
    return len(seen), sent


@pytest.mark.parametrize("kind", ["http", "websocket", "lifespan"])
def test_allowed_requests_pass(kind):
    assert requests(kind, {"Host": HOST}) == (1, [])


def test_refused_requests_are_answered():
    seen, (start, body) = requests("http", {"Host": "example.org"})
    assert (seen, start["status"], body["body"]) == (0, 403, b"Open this page as 127.0.0.1 or localhost.")
    seen, (close,) = requests("websocket", {"Host": "example.org"})
    assert (seen, close["type"], close["code"]) == (0, "websocket.close", 1008)


def fail(error):
    """What happens to an error of the application behind the middleware."""

    async def application(scope, receive, send):
        raise error

    asyncio.run(OwnPageOnly(application)({"type": "http", "headers": [(b"host", HOST.encode())]}, None, None))


def test_a_page_that_is_closed_during_an_upload_is_no_error():
    fail(type("ClientDisconnect", (Exception,), {})())
    with pytest.raises(KeyError, match="another"):
        fail(KeyError("another"))
