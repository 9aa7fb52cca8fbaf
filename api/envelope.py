"""What every request gets, however it ends: an id, the headers of security, a place in the metrics, and an answer.

Outermost of all middleware. An error that nobody renamed is logged once, with the request's id, and answered 500 without its text.
"""

import re
import time
import uuid
from collections.abc import Iterable
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from api.logs import describe
from api.metrics import Metrics
from api.ogc.chunks import CutShortError
from api.problems import unexpected

HEADERS: Final = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
REQUEST_ID: Final = b"x-request-id"
SYNC: Final = "/v1/sync/"
"""Below this path answers tell the server's time, by which handhelds set what they record against ours."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that are counted by their names."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)


class Envelope:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: FilteringBoundLogger, *, demo_mode: bool) -> None:
        """In demo mode every answer says so: `X-Demo-Data: true` (演示数据)."""
        self._app = app
        self._metrics = metrics
        self._log = log
        headers = HEADERS | ({"X-Demo-Data": "true"} if demo_mode else {})
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._own = {name for name, _ in self._headers} | {REQUEST_ID}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})  # `request.state` shows the same; a Request for each look is dearer
        head = state["head"] = scope["method"] == "HEAD"
        given = next((value for name, value in scope["headers"] if name == REQUEST_ID), b"").decode("latin-1")
        request_id = state["request_id"] = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._enclosed(message.get("headers", ()), request_id)
                if scope["path"].startswith(SYNC):
                    message["headers"].append((b"x-server-time-ms", b"%d" % (time.time_ns() // 1_000_000)))
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            # HEAD is GET without the body (RFC 9110, 9.3.2), so whatever serves GET serves both; who need not make the body asks the state.
            await self._app({**scope, "method": "GET"} if head else scope, receive, sending)
        except ClientDisconnect:
            status = status or 499
        except CutShortError as cut:
            route = state.get("route", "(none)")
            self._log.warning("answer cut short", request_id=request_id, method=scope["method"], route=route, slug=cut.slug)
        except Exception as error:  # noqa: BLE001 -- the one place where everything arrives: told once, without its text
            self._tell(scope, error)
            if not status:
                await (await unexpected(Request(scope, receive), error))(scope, receive, sending)
        self._count(scope, status, time.perf_counter() - began)

    def _enclosed(self, given: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
        """Headers of an answer with ours, which stand in place of its own by the same name; nobody keeps what does not say so."""
        headers = [*(header for header in given if header[0] not in self._own), *self._headers, (REQUEST_ID, request_id.encode())]
        if not any(name == b"cache-control" for name, _ in headers):
            headers.append((b"cache-control", b"no-store"))
        return headers

    def _tell(self, scope: Scope, error: BaseException) -> None:
        state = scope["state"]
        route = state.get("route", "(none)")
        self._log.error("unexpected error", request_id=state["request_id"], method=scope["method"], route=route, **describe(error))

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        state = scope["state"]
        method = scope["method"] if scope["method"] in METHODS else "(other)"
        self._metrics.count(method, state.get("route", "(none)"), status, seconds, state.get("problem"))
