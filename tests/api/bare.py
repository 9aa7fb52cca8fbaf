"""Requests without a client: thousands of them, straight into the application, in the event loop in which it runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

import anyio
from fastapi import FastAPI
from starlette.types import Message, Scope

from tests.drawn import Drawn
from tests.handhelds import Device

KEPT: Final = "/?&=%,+:;@'()*!"
"""What a client leaves as it is in an address."""


@dataclass(frozen=True)
class Answer:
    """Status, media type and body."""

    status: int
    media_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """Asks as the account of that name, or as a handheld."""

    def __init__(self, app: FastAPI, drawn: Drawn, asking: str | Device) -> None:
        self._app = app
        if isinstance(asking, Device):
            own = asking.headers
        else:
            own = {"Authorization": f"Bearer {app.state.parts.tokens.issue(drawn.places.accounts[asking])}"}
        always = {"Host": "testserver", "If-Match": "*", "Idempotency-Key": "one"}
        self._known = [(name.lower().encode(), value.encode()) for name, value in (always | own).items()]

    async def ask(self, method: str, address: str, body: bytes | None = None) -> Answer:
        """The answer to one request; a body is called JSON."""
        raw, _, query = quote(address, safe=KEPT).partition("?")
        told: Mapping[str, str] = {} if body is None else {"content-type": "application/json", "content-length": str(len(body))}
        scope: Scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method, "root_path": "",
            "path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode(), "state": {},
            "headers": [*self._known, *((name.encode(), value.encode()) for name, value in told.items())],
            "client": ("192.0.2.1", 50_000), "server": ("testserver", 80),
        }  # fmt: skip
        said: list[Message] = []
        waiting: list[Message] = [{"type": "http.request", "body": body or b"", "more_body": False}]

        async def receive() -> Message:
            if not waiting:
                await anyio.sleep_forever()  # nobody hangs up
            return waiting.pop()

        async def send(message: Message) -> None:
            said.append(message)

        await self._app(scope, receive, send)
        headers: dict[bytes, bytes] = dict(said[0]["headers"])
        return Answer(said[0]["status"], headers.get(b"content-type", b"").decode(), b"".join(part.get("body", b"") for part in said[1:]))
