"""Files by a real server: clients who hang up in the middle, and answers that fail in it."""

import socket
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import psycopg
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from api.app import create_app
from api.ogc.chunks import ChunkResponse
from api.turns import Turns
from gridmgmt.errors import BusyError
from gridmgmt.settings import Settings
from tests.api.conftest import GENEROUS
from tests.drawn import Drawn
from tests.places import KEYS
from tests.served import becomes, serving

READS = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%portions%' AND pid <> pg_backend_pid()"


async def half(_: object) -> ChunkResponse:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b"half an answer"
        raise ArithmeticError

    return ChunkResponse(chunks(), headers={}, media_type="text/plain")


@pytest.fixture
def served_app(configured: Settings, drawn: Drawn) -> FastAPI:
    app = create_app(configured, KEYS, drawn.database, limits=GENEROUS)
    app.router.routes.append(Route("/half", half))
    return app


@pytest.fixture
def address(served_app: FastAPI) -> Iterator[tuple[str, int]]:
    with serving(served_app, log_level="critical") as listening:
        yield listening


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """The folder of temporary files, empty."""
    before, folder = tempfile.tempdir, tmp_path / "temporary"
    folder.mkdir()
    tempfile.tempdir = str(folder)
    yield folder
    tempfile.tempdir = before


def free(turns: Turns, number: int) -> bool:
    """Whether so many turns are there to be taken."""
    try:
        with ExitStack() as taken:
            for _ in range(number):
                taken.enter_context(turns.taken())
    except BusyError:
        return False
    return True


def test_answer_that_fails_in_the_middle_does_not_look_whole(address: tuple[str, int]) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(f"http://{address[0]}:{address[1]}/half")


@pytest.mark.parametrize("form", ["csv", "geojsonseq", "gpkg", "fgb", "parquet"])
def test_client_who_hangs_up_leaves_no_query_no_file_and_no_turn(
    address: tuple[str, int], served_app: FastAPI, drawn: Drawn, temporary: Path, form: str
) -> None:
    token = served_app.state.parts.tokens.issue(drawn.places.accounts["district"])
    with psycopg.connect(drawn.address.conninfo("postgres")) as locking, psycopg.connect(drawn.address.conninfo("postgres")) as looking:
        looking.autocommit = True

        def reading() -> bool:
            [found] = looking.execute(READS).fetchall()
            return bool(found[0])

        locking.execute("LOCK TABLE reg.building IN ACCESS EXCLUSIVE MODE")  # the reader waits for it for two seconds
        with socket.create_connection(address) as client:
            path = f"/ogc/collections/buildings/items?f={form}&limit=10"  # so few are not counted first
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            assert becomes(reading, 2)
        assert becomes(lambda: not reading(), 1)
        assert becomes(lambda: list(temporary.iterdir()) == [], 1)
    parts = served_app.state.parts
    assert becomes(lambda: free(parts.files, 2) and free(parts.streams, 4), 2)
    answer = httpx2.get(f"http://{address[0]}:{address[1]}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 200
