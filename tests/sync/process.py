"""A server in a process of its own, which tests may kill: `python -m tests.sync.process PORT FOLDER`.

The process that is started holds the socket and begets the one that serves; when that one is killed, another is there within
milliseconds. It serves whichever database it was told last (`PUT /-/database`), so that every case has one of its own. `FOLDER/pid` is
whom to kill. `FOLDER/kill` names the moment at which the process kills itself: `answer` (everything is committed, no byte of the answer has
left) or `piece` (in the middle of a stream), and the path.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import make_url
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app
from api.joining import JoiningProtocol
from api.limits import Limits
from gridmgmt import settings
from gridmgmt.database import Database
from gridmgmt.security.context import signer
from gridmgmt.settings import Address, Settings
from tests.places import KEYS

GENEROUS = Limits(body=2**20, anonymous_second=10_000, anonymous_minute=100_000)
TOLD = "/-/database"


@dataclass
class Switch:
    """The application over the database of the moment."""

    folder: Path
    app: ASGIApp | None = None
    _living: AbstractAsyncContextManager[Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or change the database, or die."""
        if scope["type"] != "http":
            await _live(receive, send)
        elif scope["path"] == TOLD:
            url = (await receive())["body"].decode()
            (self.folder / "database").write_text(url, encoding="utf-8")
            await self._open(url)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            if self.app is None:
                await self._open((self.folder / "database").read_text(encoding="utf-8"))
            assert self.app is not None
            await self.app(scope, receive, self._mortal(scope["path"], send))

    def _mortal(self, path: str, send: Send) -> Send:
        order = self.folder / "kill"
        moment, _, wanted = order.read_text(encoding="utf-8").partition(" ") if order.exists() else ("", "", "")
        if not wanted or not path.startswith(wanted):
            return send
        pieces = 0

        async def sending(message: Message) -> None:
            nonlocal pieces
            pieces += message["type"] == "http.response.body"
            if moment == "answer" or pieces > 1:
                order.unlink()  # the next one should live
                os.kill(os.getpid(), signal.SIGKILL)
            await send(message)

        return sending

    async def _open(self, url: str) -> None:
        if self._living is not None:
            await self._living.__aexit__(None, None, None)
        made = Settings(
            places=settings.Places(home=self.folder),
            database=settings.Database(pool_size=4),
            server=settings.Server(),
            access=settings.Access(demo_mode=True),
            sync=settings.Sync(push_burst=1_000_000),
        )
        database = Database(Address(make_url(url)), signer(KEYS.context_kid, KEYS.context), pool_size=4)
        app = create_app(made, KEYS, database, limits=GENEROUS)
        self._living = app.router.lifespan_context(app)
        await self._living.__aenter__()
        self.app = app


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def serve(listening: socket.socket, folder: Path) -> None:
    """Serve until killed."""
    (folder / "pid.new").write_text(str(os.getpid()), encoding="utf-8")
    (folder / "pid.new").rename(folder / "pid")  # whole, or not at all
    spoken = uvicorn.Config(Switch(folder), http=JoiningProtocol, access_log=False, log_level="warning", server_header=False)
    asyncio.run(uvicorn.Server(spoken).serve(sockets=[listening]))


def main(words: list[str]) -> None:
    """Beget a server whenever there is none, until killed; the last one goes along."""
    port, folder = int(words[0]), Path(words[1])
    with socket.create_server(("127.0.0.1", port), backlog=128) as listening:
        while True:
            child = os.fork()
            if child == 0:
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
                serve(listening, folder)
                os._exit(0)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
