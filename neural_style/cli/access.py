"""What the server of the page answers: requests of its own page and of local programs, up to a size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

__all__ = ["MAX_BYTES", "OwnPageOnly", "refusal"]

MAX_BYTES = 256 * 2**20
"""Size of the largest request, such as an upload of several images."""

_HOSTS = ("127.0.0.1", "localhost")

Message = MutableMapping[str, Any]


def refusal(method: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
    """Why a request is refused, as a status code and a sentence; None if it is not.

    A page of another server may make a browser send requests here. It cannot hide where they come from: the browser
    names it in `Origin` or `Sec-Fetch-Site` or, where the name of that server was made to point to this machine (DNS
    rebinding), in `Host`. Following a link to this page is allowed.

    Args:
        method: `"GET"`, `"POST"`, ...
        headers: by their names in lower case.

    Example:
        >>> refusal("POST", {"host": "127.0.0.1:7860", "origin": "https://example.org"})
        (403, 'This request comes from another page.')
    """
    host = headers.get("host", "")
    if host.rpartition(":")[0] not in _HOSTS and host not in _HOSTS:
        return 403, f"Open this page as {_HOSTS[0]} or {_HOSTS[1]}."
    is_link = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
    is_own = headers.get("origin", f"http://{host}") == f"http://{host}"
    if not is_own or (headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not is_link):
        return 403, "This request comes from another page."
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isascii() or not length.isdigit():
        return 411, "A request needs its length in bytes."
    if int(length) > MAX_BYTES:
        return 413, f"A request has at most {MAX_BYTES:,} bytes."
    return None


class OwnPageOnly:
    """ASGI middleware that answers a refused request by its reason, and passes on any other.

    Args:
        app: the application behind it.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}
        refused = None if scope["type"] == "lifespan" else refusal(scope.get("method", "GET"), headers)
        if refused is None:
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused[1]})
        else:
            text = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": refused[0], "headers": text})
            await send({"type": "http.response.body", "body": refused[1].encode()})

    async def _answer(self, *connection: Any) -> None:
        """Answer a request; one whose page was closed during an upload is nothing to report."""
        try:
            await self._app(*connection)
        except Exception as error:
            if type(error).__name__ != "ClientDisconnect":  # of Starlette, which is not imported for this
                raise
