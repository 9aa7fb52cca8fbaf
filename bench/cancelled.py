"""A client who hangs up while PostgreSQL works for it: how long its query lives on."""

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg

from bench.requests import WORKERS, served
from bench.stage import Figure, Stage
from gridmgmt.operations import cluster
from gridmgmt.security.tokens import Tokens

ASKED: Final = ("items?limit=10000", "items?bbox=114,22,115,23", "items?f=csv", "items?f=gpkg", "tiles/WebMercatorQuad/18/113000/214000")
ROUNDS: Final = 4
LIMIT: Final = 1_000
"""Milliseconds."""
PATIENCE: Final = 60.0
ACTIVE: Final = b"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename = 'api_district'"


def measure(stage: Stage) -> Iterator[Figure]:
    """Milliseconds at the worst and at the median. A lock on the table keeps each query from ending by itself."""
    token = Tokens(stage.register.keys.token, stage.settings.access.token_lifetime).issue(stage.actor("district"))
    taken: list[float] = []
    with stage.superuser() as superuser, stage.superuser() as watcher:
        for name in ("lock_timeout", "statement_timeout"):
            superuser.execute(f"ALTER ROLE api_district IN DATABASE {cluster.DATABASE} SET {name} = '60s'".encode())
        with served(stage, workers=WORKERS) as (port, _):
            for path in ASKED * ROUNDS:
                head = f"GET /ogc/collections/buildings/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
                with superuser.transaction():
                    superuser.execute("LOCK TABLE reg.building IN ACCESS EXCLUSIVE MODE")
                    with socket.create_connection(("127.0.0.1", port)) as client:
                        client.sendall(head.encode())
                        _wait(lambda: _active(watcher) == 1)
                    taken.append(_wait(lambda: _active(watcher) == 0))
        superuser.execute(f"ALTER ROLE api_district IN DATABASE {cluster.DATABASE} RESET ALL".encode())
    yield Figure("cancelled.worst", max(taken), LIMIT, "ms", "limit", ("<=", 1.0))
    yield Figure("cancelled.median", statistics.median(taken), LIMIT, "ms", "limit")


def _active(watcher: psycopg.Connection[Any]) -> int:
    [(count,)] = watcher.execute(ACTIVE).fetchall()
    return count


def _wait(condition: Callable[[], bool]) -> float:
    """Milliseconds until something is so."""
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() > began + PATIENCE:
            raise TimeoutError("nothing happened for a minute")
        time.sleep(0.001)
    return (time.perf_counter() - began) * 1000
