"""What only a real server shows: bodies that come in pieces, clients who hang up, more requests than are served at once."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import httpx2
import psycopg
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, Request

from api.app import create_app
from api.dependencies import DatabaseDep
from api.disconnection import unless_gone
from api.limits import Limits
from api.routing import DistrictRoute
from gridmgmt.database import PUBLIC, Database
from gridmgmt.reads import Query
from gridmgmt.settings import Settings
from tests.drawn import Drawn
from tests.places import KEYS

SLOW = Query(b"SELECT count(*) FROM generate_series(1, 300000000) AS long_walk")
LIMITS = Limits(body=100_000, anonymous_second=10_000, anonymous_minute=10_000, at_once=2, queue=3, silence=1)


@pytest.fixture
def rested() -> threading.Event:
    """Whoever sleeps does so until this is set."""
    return threading.Event()


@pytest.fixture
def slow_app(configured: Settings, drawn: Drawn, rested: threading.Event) -> FastAPI:
    """An application with little patience and two routes that take long."""
    app = create_app(configured, KEYS, drawn.database, limits=LIMITS)
    router = APIRouter(route_class=DistrictRoute)

    async def walk(database: Database) -> int:
        [[(counted,)]] = await database.read(PUBLIC, SLOW)
        assert counted is not None
        return int(counted)

    @router.get("/walk")
    async def long_walk(request: Request, database: DatabaseDep) -> int:  # pyright: ignore[reportUnusedFunction]
        return await unless_gone(request, walk(database))

    @router.get("/sleep")
    async def sleep() -> str:  # pyright: ignore[reportUnusedFunction]
        await asyncio.to_thread(rested.wait, 20)
        return "rested"

    app.include_router(router)
    return app


@pytest.fixture
def address(slow_app: FastAPI) -> Iterator[tuple[str, int]]:
    """Where a server of its own serves it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        server = uvicorn.Server(uvicorn.Config(slow_app, access_log=False, server_header=False, log_level="warning"))
        running = threading.Thread(target=server.run, args=([listening],))
        running.start()
        while not server.started:
            time.sleep(0.01)
        yield host, port
        server.should_exit = True
        running.join(20)


def walking(drawn: Drawn) -> int:
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        row = superuser.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%long_walk' AND pid <> pg_backend_pid()"
        )
        return (row.fetchone() or (0,))[0]


def until(condition: bool, *, drawn: Drawn, seconds: float) -> bool:
    """Whether somebody walks (or nobody does) before the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if bool(walking(drawn)) is condition:
            return True
        time.sleep(0.05)
    return False


def test_query_of_a_client_who_hangs_up_is_cancelled_in_postgresql(address: tuple[str, int], drawn: Drawn) -> None:
    with socket.create_connection(address) as client:
        client.sendall(b"GET /walk HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until(True, drawn=drawn, seconds=10)
    assert until(False, drawn=drawn, seconds=2)  # by itself it would walk until the statement timeout of five seconds
    assert httpx2.get(f"http://{address[0]}:{address[1]}/ogc/collections").status_code == 200  # by the same pool


def test_query_that_takes_too_long_is_told_as_busy(address: tuple[str, int]) -> None:
    answer = httpx2.get(f"http://{address[0]}:{address[1]}/walk", timeout=20)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")
    assert 3 <= int(answer.headers["retry-after"]) <= 7


def test_body_without_a_length_is_counted_while_it_comes_in(address: tuple[str, int]) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"username": "'
        for _ in range(50):
            yield b"x" * 10_000

    url = f"http://{address[0]}:{address[1]}/v1/auth/token"
    answer = httpx2.post(url, content=pieces(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
    small = httpx2.post(url, content=iter([b"{", b"}"]), headers={"Content-Type": "application/json"})
    assert small.status_code == 422


def test_announced_length_is_refused_before_the_body_is_sent(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(b"POST /v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_sender_who_falls_silent_gives_its_place_up(address: tuple[str, int]) -> None:
    head = b"POST /v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n"
    silent = [socket.create_connection(address, timeout=20) for _ in range(LIMITS.at_once)]
    for one in silent:
        one.sendall(head + b'{"username": ')
    assert httpx2.get(f"http://{address[0]}:{address[1]}/ogc/collections", timeout=20).status_code == 200  # in their places
    for one in silent:
        assert one.recv(1000).startswith(b"HTTP/1.1 408 ")
        one.close()


def test_request_beyond_the_queue_is_refused_at_once_and_the_others_are_served(address: tuple[str, int], rested: threading.Event) -> None:
    served = LIMITS.at_once + LIMITS.queue
    with httpx2.Client(base_url=f"http://{address[0]}:{address[1]}", timeout=20) as client, ThreadPoolExecutor(13) as crowd:
        asked = [crowd.submit(lambda: client.get("/sleep").status_code) for _ in range(12)]
        answers = (one.result() for one in as_completed(asked))
        assert list(islice(answers, 12 - served)) == [503] * (12 - served)  # sooner than anybody is served
        assert client.get("/healthz").status_code == 200  # answered while the others wait
        rested.set()
        assert list(answers) == [200] * served


def test_server_says_nothing_of_itself(address: tuple[str, int]) -> None:
    headers = httpx2.get(f"http://{address[0]}:{address[1]}/healthz").headers
    assert "server" not in headers
    assert headers["x-content-type-options"] == "nosniff"
