"""Maps on pages of other sites: whether their browsers let them read what lies below /ogc."""

from collections.abc import Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

ASKED: Final = ("Authorization", "If-None-Match", "X-Request-Id")
"""Headers that such a page may send. The token is its own: no key that the browser remembers for us goes along."""
TOLD: Final = ("Content-Crs", "ETag", "Retry-After", "X-Demo-Data", "X-Request-Id")
"""Headers of an answer that it may read besides the usual ones."""


class Origins:
    """ASGI middleware that lets pages of some origins read below /ogc. Nothing else is opened to them, and nobody writes by it."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        """`origins` such as `https://maps.example`, or `*` for any."""
        self._app = app
        self._opened = CORSMiddleware(
            app, allow_origins=origins, allow_methods=("GET", "HEAD"), allow_headers=ASKED, expose_headers=TOLD, max_age=600
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        opened = scope["type"] == "http" and (scope["path"] == "/ogc" or scope["path"].startswith("/ogc/"))
        await (self._opened if opened else self._app)(scope, receive, send)
