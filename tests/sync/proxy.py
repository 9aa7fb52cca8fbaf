"""A bad network between a device and the server: a TCP proxy that knows where a request ends, and does to it what it was told to.

Each exchange takes the next fault of the plan, or none. What went through whole is recorded as it was on the wire.
"""

import asyncio
import enum
import threading
import zlib
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PIECE = 65_536


class Fault(enum.Enum):
    """What may happen to one exchange."""

    NONE = "none"
    DROP_REQUEST = "the request never arrives"
    DROP_ANSWER = "the request is carried out, and its answer never arrives"
    CUT_ANSWER = "the answer is cut in the middle"
    DUPLICATE = "the request arrives twice, one after the other"
    TWICE_AT_ONCE = "the request arrives twice at the same time"
    LATE = "the client gives up; the request arrives after the next one"
    CORRUPT_REQUEST = "a bit of the packed request is flipped"
    CORRUPT_ANSWER = "a bit of the packed answer is flipped"


@dataclass(frozen=True)
class Exchange:
    """One request and what was answered, before any fault touched it."""

    device: str
    method: str
    path: str
    status: int
    body: bytes
    """Unpacked."""
    sent: bytes
    """The request's body, unpacked."""


@dataclass
class Proxy:
    """`plan` is eaten from its left; `met` counts the faults that happened, by name."""

    upstream: tuple[str, int]
    address: tuple[str, int] = ("127.0.0.1", 0)
    plan: deque[Fault] = field(default_factory=deque[Fault])
    met: dict[str, int] = field(default_factory=dict[str, int])
    recorded: list[Exchange] = field(default_factory=list[Exchange])
    _late: list[bytes] = field(default_factory=list[bytes])

    @property
    def site(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client: as many exchanges as it likes, until one goes wrong."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):  # the last: the end of the proxy
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _request(reader)
        if request is None:
            return False
        fault = self.plan.popleft() if self.plan else Fault.NONE
        if fault is Fault.CORRUPT_REQUEST and (broken := _flipped(request)) is not None:
            request = broken
        elif fault is Fault.CORRUPT_REQUEST:
            fault = Fault.DROP_REQUEST
        if fault is not Fault.NONE:
            self.met[fault.name] = self.met.get(fault.name, 0) + 1
        if fault is Fault.DROP_REQUEST:
            return False
        if fault is Fault.LATE:
            self._late.append(request)
            return False
        if fault is Fault.TWICE_AT_ONCE:
            answer, _ = await asyncio.gather(self._ask(request), self._ask(request))
        else:
            answer = await self._ask(request)
        if fault is Fault.DUPLICATE:
            await self._ask(request)
        while self._late:
            await self._ask(self._late.pop())
        if not answer or fault is Fault.DROP_ANSWER:
            return False
        if fault is Fault.CUT_ANSWER:
            writer.write(answer[: max(1, len(answer) * 2 // 3)])
            await writer.drain()
            return False
        if fault is Fault.CORRUPT_ANSWER:
            answer = _flipped(answer) or answer[:-1]
        writer.write(answer)
        await writer.drain()
        return False  # the server closed its side: answers end where their connection does

    async def _ask(self, request: bytes) -> bytes:
        """The whole answer, or what came of it until the server died."""
        try:
            reader, writer = await asyncio.open_connection(*self.upstream)
        except OSError:
            return b""
        answer = bytearray()
        try:
            writer.write(request)
            await writer.drain()
            while piece := await reader.read(PIECE):
                answer += piece
        except OSError:
            pass
        finally:
            writer.close()
        if answer:
            self._record(request, bytes(answer))
        return bytes(answer)

    def _record(self, request: bytes, answer: bytes) -> None:
        head, _, sent = request.partition(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n")[0].decode("latin-1").split(" ", 2)
        status, headers, body = parsed(answer)
        if headers.get("content-encoding") == "gzip":
            body = zlib.decompressobj(wbits=31).decompress(body)  # as far as it came
        with suppress(zlib.error):  # one that was damaged on the way
            sent = zlib.decompress(sent, wbits=31) if _header(head, b"content-encoding") == "gzip" else sent
        self.recorded.append(Exchange(_header(head, b"x-device-id"), method, path, status, body, sent))


@contextmanager
def proxied(upstream: tuple[str, int]) -> Generator[Proxy]:
    """A proxy in a thread of its own, until the block ends."""
    proxy = Proxy(upstream)
    ready = threading.Event()
    ends: list[Callable[[], object]] = []

    async def run() -> None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.address = server.sockets[0].getsockname()[:2]
        end, loop = asyncio.Event(), asyncio.get_running_loop()
        ends.append(lambda: loop.call_soon_threadsafe(end.set))
        ready.set()
        await end.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        ends[0]()
        thread.join(10)


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in small letters, and the body without its chunks."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        whole, rest = b"", body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size or b"0", 16)
            whole, rest = whole + rest[:length], rest[length + 2 :]
            if length == 0:
                break
        body = whole
    return int(first.split(" ")[1]), headers, body


async def _request(reader: asyncio.StreamReader) -> bytes | None:
    """One whole request, which asks the server to close behind its answer. None when the client has hung up."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    length = int(_header(head, b"content-length") or 0)
    body = await reader.readexactly(length) if length else b""
    return head[:-2] + b"Connection: close\r\n\r\n" + body


def _header(head: bytes, name: bytes) -> str:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().decode("latin-1")
    return ""


def _flipped(message: bytes) -> bytes | None:
    """The message with a bit of its packed body flipped; None when the body is not packed."""
    head, _, body = message.partition(b"\r\n\r\n")
    if b"gzip" not in _header(head, b"content-encoding").encode() or len(body) < 40:
        return None
    at = len(head) + 4 + len(body) // 2
    return message[:at] + bytes([message[at] ^ 0x10]) + message[at + 1 :]
