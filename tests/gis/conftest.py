"""A server of its own over the drawn district with a crowd of buildings, as GIS clients meet it: over the network."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from gridmgmt.settings import Settings
from tests.api.conftest import GENEROUS, configured
from tests.drawn import Drawn, drawn, drawn_template
from tests.places import KEYS, register

__all__ = ["configured", "drawn", "drawn_template"]

CROWD = 1_200
"""Buildings beside those of the district."""
MORE = """
INSERT INTO reg.building
  (id, recorded_by, grid_id, subdistrict_id, house_code, name, address, entrance, footprint, source_x, source_y, floors_above, nature,
   rental, built_year)
  SELECT gen_random_uuid(), b.recorded_by, b.grid_id, b.subdistrict_id, %(prefix)s || lpad((%(first)s + n)::text, 12, '0'),
         'crowd ' || n %% 7, b.address,
         ST_Translate(b.entrance, dx, dy), ST_Translate(b.footprint, dx, dy), b.source_x, b.source_y, 1 + n %% 5, b.nature,
         b.rental, CASE WHEN n %% 3 > 0 THEN 1970 + n %% 4 END
    FROM reg.building b, generate_series(1, %(count)s) n,
         LATERAL (SELECT (n %% 40 - 20) * 0.00005 AS dx, (n %% 30 - 15) * 0.00005 AS dy) moved
   WHERE b.name = 'tower'
"""
"""Around the tower, with many equal names and storeys and with years that are missing; ids anywhere in their order."""


@dataclass(frozen=True)
class Served:
    """A server that listens, and a token for each account."""

    host: str
    port: int
    app: FastAPI
    drawn: Drawn

    @property
    def root(self) -> str:
        """Address of the landing page, without a slash at its end."""
        return f"http://{self.host}:{self.port}/ogc"

    def token(self, username: str) -> str:
        """A token of the account of that name."""
        return self.app.state.parts.tokens.issue(self.drawn.places.accounts[username])

    def superuser(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection that commits each statement and fires no triggers."""
        connection = psycopg.connect(self.drawn.address.conninfo("postgres"), autocommit=True)
        connection.execute("SET session_replication_role = replica")
        return connection


@pytest.fixture
def served(configured: Settings, drawn: Drawn) -> Iterator[Served]:
    """The application on a port of its own, over a crowd of buildings."""
    database = register(drawn.address)
    app = create_app(configured, KEYS, database, limits=GENEROUS)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        made = Served(host, port, app, drawn)
        with made.superuser() as superuser:
            superuser.execute(MORE.encode(), {"prefix": "4403998", "first": 0, "count": CROWD})
            superuser.execute("ANALYZE reg.building")
        server = uvicorn.Server(uvicorn.Config(app, access_log=False, server_header=False, log_level="warning"))

        async def run() -> None:
            await server.serve(sockets=[listening])
            await database.aclose()

        running = threading.Thread(target=asyncio.run, args=(run(),))
        running.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield made
        finally:
            server.should_exit = True
            running.join(20)
