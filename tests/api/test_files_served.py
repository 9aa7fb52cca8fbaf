"""Uploads over a real network: a line that is cut in the middle of a piece, two senders at once, and pieces that take nobody's turn."""

import dataclasses
import hashlib
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from starlette.requests import Request
from starlette.types import Message

from api.app import create_app
from api.limits import Limits
from api.problems import RequestError
from api.tus import receive
from tests.api.conftest import GENEROUS
from tests.api.uploads import TUS, objects, photo, settings_of
from tests.drawn import Drawn
from tests.places import KEYS
from tests.served import Served, becomes, serving

PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}


@contextmanager
def served(drawn: Drawn, home: Path, limits: Limits) -> Generator[Served]:
    app = create_app(settings_of(home), KEYS, drawn.database, limits=limits)
    with serving(app, database=drawn.database) as (host, port):
        yield Served(host, port, app, drawn)


@pytest.fixture
def server(drawn: Drawn, tmp_path: Path) -> Iterator[Served]:
    with served(drawn, tmp_path, GENEROUS) as one:
        yield one


@pytest.fixture
def maker(server: Served) -> Iterator[httpx2.Client]:
    with client_of(server) as one:
        yield one


def client_of(server: Served) -> httpx2.Client:
    return httpx2.Client(base_url=server.site, headers={"Authorization": f"Bearer {server.token('worker')}"}, timeout=20)


def begin(client: httpx2.Client, length: int) -> str:
    return client.post("/v1/files", headers=TUS | {"Upload-Length": str(length)}).headers["Location"]


def offset(client: httpx2.Client, place: str) -> int:
    return int(client.head(place, headers=TUS).headers["Upload-Offset"])


@contextmanager
def sending(server: Served, place: str, at: int, length: int, data: bytes, **more: str) -> Generator[socket.socket]:
    """A line on which a piece of `length` bytes was announced and only `data` sent, once the server waits for it."""
    headers = PIECE | more | {"Host": "x", "Authorization": f"Bearer {server.token('worker')}", "Expect": "100-continue"}
    headers |= {"Upload-Offset": str(at), "Content-Length": str(length)}
    head = f"PATCH {place} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    with socket.create_connection((server.host, server.port)) as line:
        line.sendall(head.encode())
        if data:
            assert line.recv(64).startswith(b"HTTP/1.1 100")
            line.sendall(data)
            time.sleep(0.2)  # what arrives together with the end of a line is lost with it
        yield line


def test_upload_goes_on_where_the_line_was_cut(server: Served, maker: httpx2.Client, tmp_path: Path) -> None:
    data = photo(2_500)
    place = begin(maker, 2_500)
    with sending(server, place, 0, 1_000, data[:700]):
        pass
    assert becomes(lambda: offset(maker, place) == 700, seconds=5)
    with sending(server, place, 700, 1_000, data[700:760]):  # less than a piece: nothing is kept
        pass
    with sending(server, place, 700, 1_000, data[700:1_600], **{"Upload-Checksum": "sha256 AAAA"}):  # all or nothing
        pass
    for at in (700, 1_700):
        answer = maker.patch(place, content=data[at : at + 1_000], headers=PIECE | {"Upload-Offset": str(at)})
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(min(at + 1_000, 2_500)))
    assert hashlib.sha256(maker.get(place).content).digest() == hashlib.sha256(data).digest()
    assert [path.read_bytes() for path in objects(tmp_path)] == [data]


def test_of_two_senders_at_once_one_goes_on(server: Served, maker: httpx2.Client) -> None:
    data, told = photo(1_800), list[int]()
    place = begin(maker, 1_800)
    with sending(server, place, 0, 900, data[:899]) as slow:  # the handheld lost this line and does not know that we hold it
        fast = maker.patch(place, content=data[:900], headers=PIECE | {"Upload-Offset": "0"})
        assert fast.status_code == 204
        slow.sendall(data[899:900])
        assert slow.recv(64).startswith(b"HTTP/1.1 409")

    def finish() -> None:
        with client_of(server) as other:
            told.append(other.patch(place, content=data[900:], headers=PIECE | {"Upload-Offset": "900"}).status_code)

    senders = [threading.Thread(target=finish) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert told.count(204) == 1
    assert set(told) <= {204, 409, 503}  # who waits for the others longer than a busy machine lets one wait is told to come back
    assert maker.get(place).content == data


def test_body_that_is_too_large_is_refused_before_it_is_sent(server: Served, maker: httpx2.Client) -> None:
    place = begin(maker, 9_000)
    for announced in (1_001, 6_000_000, 10**11):
        with sending(server, place, 0, announced, b"") as line:
            assert line.recv(64).startswith(b"HTTP/1.1 413")
    assert offset(maker, place) == 0


def test_slow_senders_take_turns_of_their_own(drawn: Drawn, tmp_path: Path) -> None:
    limits = dataclasses.replace(GENEROUS, at_once=2, pieces_at_once=1, queue=0)
    with served(drawn, tmp_path, limits) as server, client_of(server) as maker:
        place, other = begin(maker, 500), begin(maker, 500)
        with sending(server, place, 0, 500, photo(500)[:10]) as slow:
            asked = PIECE | {"Upload-Offset": "0"}
            assert maker.patch(other, content=photo(500), headers=asked).status_code == 503
            assert offset(maker, place) == 0
            slow.sendall(photo(500)[10:])
            assert slow.recv(64).startswith(b"HTTP/1.1 204")
        assert becomes(lambda: maker.patch(other, content=photo(500), headers=asked).status_code == 204, seconds=5)


def test_sender_who_says_nothing_more_is_taken_for_gone() -> None:
    said: list[Message] = [{"type": "http.request", "body": b"abc", "more_body": True}]

    async def listening() -> Message:
        if not said:
            await anyio.sleep_forever()
        return said.pop()

    async def wait() -> tuple[bytes, Exception | None]:
        request = Request({"type": "http", "method": "PATCH", "headers": [], "state": {}}, listening)
        return await receive(request, 100, patience=0.05)

    data, cut = anyio.run(wait)
    assert (data, isinstance(cut, RequestError) and cut.slug) == (b"abc", "too-slow")
