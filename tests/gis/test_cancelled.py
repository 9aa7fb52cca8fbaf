"""Clients who hang up leave nothing behind in PostgreSQL, whatever they asked for."""

import socket
from collections.abc import Iterator

import psycopg
import pytest

from geo.tiles import quads
from tests.places import point
from tests.served import Served, becomes

ADDRESSES = (
    "items?limit=10000",
    "items?limit=10&count=exact",
    "items?sortby=name",
    "items?bbox=114,22,115,23",
    "items/{id}",
    "items?filter=floors_above>3",
    "items?f=csv",
    "items?f=geojsonseq",
    "items?f=gpkg",
    "items?f=fgb",
    "items?f=parquet",
    "tiles/WebMercatorQuad/18",
    "tiles/WorldCRS84Quad/18",
    "tiles/WebMercatorQuad/12?as_of=2100-01-01T00:00:00Z",
)
"""Of buildings. The tiles are those over the tower; nobody else asks for them, so they are not kept."""
SET = "DO $$ BEGIN EXECUTE format('ALTER ROLE api_district IN DATABASE %I {}', current_database()); END $$"
END = b"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'api_district'"


def active(served: Served) -> int:
    """Queries of clients that PostgreSQL works on, or that wait for a lock."""
    with psycopg.connect(served.drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        row = superuser.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND usename LIKE 'api%'"
        ).fetchone()
    return 0 if row is None else row[0]


def whole(served: Served, address: str) -> str:
    """The address with the place of the tower."""
    if not address.startswith("tiles/"):
        return address.replace("{id}", str(served.drawn.places.buildings["tower"]))
    path, _, query = address.partition("?")
    _, name, level = path.split("/")
    row, _, column, _ = quads()[name].limits(int(level), (*point(250, 200), *point(250, 200)))
    return f"{path}/{row}/{column}?{query}"


@pytest.fixture(scope="module")
def patient(served: Served) -> Iterator[None]:
    """A district whose queries wait for a lock for a minute, so that none gives up by itself."""
    with psycopg.connect(served.drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        for name in ("lock_timeout", "statement_timeout"):
            superuser.execute(SET.format(f"SET {name} = ''60s''").encode())
        superuser.execute(END)
        yield
        superuser.execute(SET.format("RESET ALL").encode())
        superuser.execute(END)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_query_is_left_of_a_client_who_has_gone(served: Served, address: str) -> None:
    path = f"/ogc/collections/buildings/{whole(served, address)}"
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token('district')}\r\n\r\n"
    with served.superuser() as holder, holder.transaction():
        holder.execute("LOCK TABLE reg.building IN ACCESS EXCLUSIVE MODE")
        with socket.create_connection((served.host, served.port)) as client:
            client.sendall(head.encode())
            assert becomes(lambda: active(served) == 1, seconds=20)
        assert becomes(lambda: active(served) == 0, seconds=20)
    with served.client("district") as client:
        assert client.get(f"{served.site}{path}").status_code == 200  # by the same pool
