"""Clients who hang up leave nothing behind in PostgreSQL."""

import socket
import time

import httpx2
import psycopg
import pytest

from tests.gis.conftest import Served

ADDRESSES = (
    "items?limit=10000",
    "items?limit=10&count=exact",
    "items?sortby=name",
    "items?bbox=114,22,115,23",
    "items/{id}",
)


def active(served: Served) -> int:
    """Queries of clients that PostgreSQL works on, or that wait for a lock."""
    with psycopg.connect(served.drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        row = superuser.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND usename LIKE 'api%'"
        ).fetchone()
    return 0 if row is None else row[0]


def becomes(served: Served, number: int, seconds: float) -> bool:
    """Whether so many queries are active before the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if active(served) == number:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_query_is_left_a_second_after_its_client_has_gone(served: Served, address: str) -> None:
    """A lock that nobody gives up keeps the query from ending by itself; it would wait for it for two seconds."""
    path = f"/ogc/collections/buildings/{address}".replace("{id}", str(served.drawn.places.buildings["tower"]))
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token('district')}\r\n\r\n"
    with served.superuser() as holder, holder.transaction():
        holder.execute("LOCK TABLE reg.building IN ACCESS EXCLUSIVE MODE")
        with socket.create_connection((served.host, served.port)) as client:
            client.sendall(head.encode())
            assert becomes(served, 1, seconds=1.5)
        gone = time.monotonic()
        assert becomes(served, 0, seconds=1)
        assert time.monotonic() - gone < 1
    known = {"Authorization": f"Bearer {served.token('district')}"}
    assert httpx2.get(f"http://{served.host}:{served.port}{path}", headers=known, timeout=20).status_code == 200  # by the same pool
