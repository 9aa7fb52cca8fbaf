"""Answers whose head and body leave in one write, over real sockets."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from api.joining import MOST_HELD, JoiningProtocol

LARGE = b"x" * 3_000_000
gone: list[str] = []
"""Paths whose clients hung up."""
sent: list[int] = []
"""Pieces of the endless stream that were sent."""
ready = threading.Event()
"""The last piece waits for it."""


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    path: str = scope["path"]

    async def answer(body: bytes, *, status: int = 200) -> None:
        length = [(b"content-length", b"%d" % len(body))] if status == 200 else []
        await send({"type": "http.response.start", "status": status, "headers": length})
        await send({"type": "http.response.body", "body": body})

    match path:
        case "/known":
            await answer(b"", status=304)
        case "/large":
            await answer(LARGE)
        case "/pieces":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for number in range(3):
                await send({"type": "http.response.body", "body": b"piece %d;" % number, "more_body": True})
            await asyncio.to_thread(ready.wait, 20)
            await send({"type": "http.response.body", "body": b"last"})
        case "/endless":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while not sent or sent[-1] < 4_000:
                sent.append(len(sent))
                await send({"type": "http.response.body", "body": b"y" * 10_000, "more_body": True})
        case "/waits":
            message: Message = await receive()
            while message["type"] != "http.disconnect":
                message = await receive()
            gone.append(path)
        case _:
            await answer(path.encode())


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Where a server speaks that protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        spoken = uvicorn.Config(_application, http=JoiningProtocol, lifespan="off", access_log=False, log_level="critical")
        server = uvicorn.Server(spoken)
        running = threading.Thread(target=server.run, args=([listening],))
        running.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()
        server.should_exit = True
        running.join(20)


@pytest.fixture
def client(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=10) as connected:
        yield connected


def ask(client: socket.socket, *paths: str, method: str = "GET", more: str = "") -> None:
    client.sendall("".join(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n" for path in paths).encode())


def read_to(client: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        piece = client.recv(1 << 20)
        assert piece, got[-100:]
        got += piece
    return got


def test_head_and_body_come_as_one(client: socket.socket) -> None:
    for number in range(20):
        ask(client, f"/{number}")
        assert client.recv(100_000).endswith(f"\r\n\r\n/{number}".encode())


def test_requests_that_come_at_once_are_answered_in_their_order(client: socket.socket) -> None:
    ready.set()
    ask(client, "/first", "/pieces", "/third")
    got = read_to(client, b"/third")
    assert got.index(b"/first") < got.index(b"piece 2;") < got.index(b"last") < got.index(b"/third")


def test_answers_without_a_body_end_where_they_should(client: socket.socket) -> None:
    ask(client, "/head", method="HEAD")
    assert b"content-length: 5" in read_to(client, b"\r\n\r\n")
    ask(client, "/known", "/next")
    got = read_to(client, b"/next")
    assert got.startswith(b"HTTP/1.1 304 ")
    assert got.count(b"HTTP/1.1 ") == 2


def test_pieces_are_not_held_until_the_last_one(client: socket.socket) -> None:
    ready.clear()
    ask(client, "/pieces")
    assert b"last" not in read_to(client, b"piece 2;\r\n")
    ready.set()
    read_to(client, b"last\r\n0\r\n\r\n")


def test_large_body_comes_whole_to_a_slow_client(client: socket.socket) -> None:
    ask(client, "/large", more="Connection: close\r\n")
    time.sleep(0.2)
    got = b"".join(iter(lambda: client.recv(1 << 20), b""))
    assert got.endswith(b"\r\n\r\n" + LARGE)


def test_stream_waits_for_a_client_who_does_not_read(client: socket.socket) -> None:
    ask(client, "/endless")
    time.sleep(0.3)
    held = len(sent)
    assert MOST_HELD < held * 10_000 < 30_000_000  # what the kernel took and a little more, not all forty megabytes
    time.sleep(0.1)
    assert len(sent) == held


def test_client_who_hangs_up_is_noticed(address: tuple[str, int], client: socket.socket) -> None:
    ask(client, "/waits")
    with socket.create_connection(address) as hasty:
        ask(hasty, "/large")  # and is gone before any of it came
    client.close()
    end = time.monotonic() + 5
    while not gone and time.monotonic() < end:
        time.sleep(0.01)
    assert gone == ["/waits"]


def test_what_is_no_http_is_refused_and_hung_up_on(client: socket.socket) -> None:
    client.sendall(b"nonsense\r\n\r\n")
    assert b"".join(iter(lambda: client.recv(1000), b"")).startswith(b"HTTP/1.1 400 ")
