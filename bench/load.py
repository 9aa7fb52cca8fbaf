"""A client that asks a server as fast as it answers, and what a request costs the processes that answer it.

Bare sockets in one thread: it needs less than a tenth of what any of the servers does, and it asks all of them alike.
"""

import os
import selectors
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CLIENTS: Final = 8
SECONDS: Final = 2.0
WARM: Final = 0.5
"""Seconds that are not counted."""
TICK: Final = 1000 / os.sysconf("SC_CLK_TCK")
"""Milliseconds in which the kernel counts."""
PIECE: Final = 1 << 20


@dataclass(frozen=True)
class Load:
    """What came of the counted seconds."""

    rate: float
    """Answers a second."""
    server: float
    """Milliseconds of CPU an answer, of all processes of the server."""
    backends: float
    """The same of PostgreSQL."""
    size: float
    """Kilobytes an answer."""

    @property
    def cpu(self) -> float:
        """Milliseconds of CPU an answer in all."""
        return self.server + self.backends


def run(port: int, paths: Sequence[str], *, headers: str = "", server: int, postmaster: int, status: int = 200) -> Load:
    """Ask for the paths in turn over kept connections, each of which asks again as soon as it is answered.

    `server` and `postmaster` are process ids; what they started counts with them. Raises AssertionError for an answer of another status.
    """
    asked = [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n".encode() for path in paths]
    sizes: list[int] = []
    sockets = [_connected(port) for _ in range(CLIENTS)]
    with selectors.DefaultSelector() as selector:
        for turn, one in enumerate(sockets):
            one.sendall(asked[turn % len(asked)])
            selector.register(one, selectors.EVENT_READ, one)
        turn, began, before = CLIENTS, time.perf_counter() + WARM, None
        while (now := time.perf_counter()) < began + SECONDS:
            if before is None and now >= began:
                before, began = (spent(server), spent(postmaster)), now
                sizes.clear()
            for key, _ in selector.select(timeout=1.0):
                sizes.append(_answer(key.data, status))
                key.data.sendall(asked[turn % len(asked)])
                turn += 1
        taken = time.perf_counter() - began
        after = spent(server), spent(postmaster)
    for one in sockets:
        one.close()
    assert before is not None
    many = len(sizes)
    return Load(many / taken, (after[0] - before[0]) / many, (after[1] - before[1]) / many, sum(sizes) / many / 1000)


def fetch(port: int, path: str, headers: str = "") -> bytes:
    """Head and body of one answer."""
    with _connected(port) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n".encode())
        return b"".join(iter(lambda: one.recv(PIECE), b""))


def descendants(root: int) -> list[int]:
    """A process and all that it started."""
    children: dict[int, list[int]] = {}
    for pid, fields in _processes():
        children.setdefault(int(fields[1]), []).append(pid)
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _connected(port: int) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port))
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def _answer(one: socket.socket, status: int) -> int:
    """Read one whole answer; bytes of its body."""
    got = one.recv(PIECE)
    while (cut := got.find(b"\r\n\r\n")) < 0:
        more = one.recv(PIECE)
        assert more, "the server hung up"
        got += more
    head = got[:cut].lower()
    assert head.startswith(b"http/1.1 %d" % status), got[:1000]
    length = head.partition(b"content-length:")[2]
    if length:
        size, rest = int(length.split(b"\r\n")[0]), int(length.split(b"\r\n")[0]) + cut + 4 - len(got)
        while rest > 0:
            rest -= len(one.recv(PIECE))
        return size
    if b"transfer-encoding: chunked" not in head:
        return 0
    size, end = len(got) - cut - 4, got[-5:]
    while not end.endswith(b"0\r\n\r\n"):
        piece = one.recv(PIECE)
        size, end = size + len(piece), (end + piece)[-5:]
    return size


def spent(root: int) -> float:
    """Milliseconds of CPU so far, of a process and all that it started, those that ended too."""
    wanted = set(descendants(root))
    return sum(sum(map(int, fields[11:15])) for pid, fields in _processes() if pid in wanted) * TICK


def _processes() -> Iterable[tuple[int, list[str]]]:
    """Process ids with what /proc/*/stat says after the name."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                said = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # it ended meanwhile
            yield int(folder.name), said.rpartition(")")[2].split()
