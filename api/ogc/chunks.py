"""Answers that are sent piece by piece: what makes the pieces is stopped and closed when the client hangs up or takes none."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.disconnection import unless_gone
from gridmgmt.errors import DistrictError

PATIENCE: Final = 25.0
"""Seconds in which a client must have taken one piece; PostgreSQL waits for 30."""


class CutShortError(Exception):
    """An answer was refused in its middle, when its status had gone out: the connection is cut. `slug` says why."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug


class ChunkResponse(Response):
    """Pieces from a generator. When it fails in the middle, the connection is cut, so that half an answer never looks whole."""

    def __init__(self, chunks: AsyncGenerator[bytes], *, headers: Mapping[str, str], media_type: str) -> None:
        super().__init__(None, headers=headers, media_type=media_type)
        if "content-length" not in headers:
            del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything. Raises ClientDisconnect when the client hangs up, CutShortError for a refusal in the middle."""
        async with aclosing(self._chunks):
            await unless_gone(Request(scope, receive), self._send(send))

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for chunk in self._chunks:
                async with asyncio.timeout(PATIENCE):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except DistrictError as refusal:  # the database went away, or the scope: Starlette would call it an error of ours
            raise CutShortError(refusal.slug) from refusal
        await send({"type": "http.response.body", "body": b"", "more_body": False})
