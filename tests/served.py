"""An application behind a port of its own, as clients meet it: over the network."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import psycopg
import uvicorn
from fastapi import FastAPI

from api.joining import JoiningProtocol
from gridmgmt.database import Database
from gridmgmt.security import accounts
from tests.drawn import Drawn


@dataclass(frozen=True)
class Served:
    """A server that listens over the drawn district, a token and a key for each of its accounts."""

    host: str
    port: int
    app: FastAPI
    drawn: Drawn

    @property
    def site(self) -> str:
        """Address of the server, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def root(self) -> str:
        """Address of the landing page of /ogc, without a slash at its end."""
        return f"{self.site}/ogc"

    def token(self, username: str) -> str:
        """A token of the account of that name."""
        return self.app.state.parts.tokens.issue(self.drawn.places.accounts[username])

    def key(self, username: str) -> str:
        """A new personal access key, which reads."""
        with self.drawn.database.transaction(self.drawn.places.accounts["admin"]) as session:
            return accounts.issue_key(session, username, label="GIS")[1]

    def client(self, username: str | None = None) -> httpx2.Client:
        """A client of that account, or of nobody in particular."""
        headers = {} if username is None else {"Authorization": f"Bearer {self.token(username)}"}
        return httpx2.Client(base_url=self.root, headers=headers, timeout=20)

    def superuser(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection that commits each statement and fires no triggers."""
        connection = psycopg.connect(self.drawn.address.conninfo("postgres"), autocommit=True)
        connection.execute("SET session_replication_role = replica")
        return connection


@contextmanager
def serving(app: FastAPI, *, database: Database | None = None, log_level: str = "warning") -> Generator[tuple[str, int]]:
    """Host and port where the application is served until the block ends. `database` is closed in the server's own event loop."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        spoken = uvicorn.Config(app, http=JoiningProtocol, access_log=False, server_header=False, log_level=log_level)
        server = uvicorn.Server(spoken)

        async def run() -> None:
            await server.serve(sockets=[listening])
            if database is not None:
                await database.aclose()

        running = threading.Thread(target=asyncio.run, args=(run(),))
        running.start()
        try:
            assert becomes(lambda: server.started, seconds=20)
            host, port = listening.getsockname()
            yield host, port
        finally:
            server.should_exit = True
            running.join(20)


def becomes(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether something is so before the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False
