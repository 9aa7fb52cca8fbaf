"""What one client may ask of the service: sizes, rates, and how many requests are served at once.

Rates are counted in this process's memory. A request too many is refused before anything is parsed or a connection taken.
"""

import math
import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

import anyio
from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import RequestError, answer_to, is_ogc
from gridmgmt.errors import BusyError, DistrictError, UnauthenticatedError

OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Answered even when everything else waits."""
UPLOADS: Final = "/v1/files/"
LOG_INS: Final = frozenset({"/v1/auth/token", "/v1/devices/enrol", "/v1/sync/wipe-ack"})
"""Whoever asks here is nobody yet, whatever header stands beside it."""
REFRESHES: Final = "/v1/devices/token"
"""Thousands of handhelds come from the few addresses of a mobile network each quarter of an hour: their route counts refusals alone."""
MOST_BUCKETS: Final = 50_000
"""Keys that are remembered before those are forgotten who could ask as if they never had."""
PATIENCE: Final = 10.0
"""Seconds that a request waits in the queue."""

_BAD_PATH = re.compile(rb"%(?:2f|5c|0[0-9a-f]|1[0-9a-f]|7f)", re.IGNORECASE)
_BAD_QUERY = re.compile(rb"%(?:0[0-8bce-f]|1[0-9a-f]|7f)", re.IGNORECASE)
_BAD_ESCAPE = re.compile(rb"%(?![0-9a-fA-F]{2})")


@dataclass(frozen=True)
class Limits:
    """How much is let through. Rates are for one address of the network."""

    body: int = 1_048_576
    """Bytes of a body."""
    piece: int = 5_242_880
    """Bytes of a piece of an uploaded file."""
    silence: float = 30.0
    """Seconds without a byte of a body, after which its sender is taken for gone: it holds the turn of others."""
    target: int = 8_000
    """Bytes of a path with its query."""
    ogc_target: int = 65_000
    """The same below /ogc, where a filter may hold a polygon of 2,000 vertices. The server's parser reads 65,535 and takes no more."""
    at_once: int = 64
    queue: int = 128
    pieces_at_once: int = 32
    """Pieces of uploaded files, which come slowly over a handheld's network: they have turns of their own, and take none from others."""
    anonymous_second: int = 20
    anonymous_minute: int = 600
    ogc_second: int = 100
    """Of anonymous GIS clients, whose pages come fast one after the other. Their tiles are not counted: a map asks for dozens at once."""
    ogc_minute: int = 3_000
    log_ins_minute: int = 10
    """Refused log-ins of one user name from one address."""


class Rates:
    """Counts requests by a key."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def take(self, item: RateLimitItem, *key: str) -> None:
        """Count one more. Raises RequestError (429) when it is one too many."""
        if not self._limiter.hit(item, *key):
            raise _too_many(item)

    @contextmanager
    def refusals(self, item: RateLimitItem, *key: str) -> Generator[None]:
        """Counts the block when it raises UnauthenticatedError. Raises RequestError (429) instead of it after one such too many."""
        if not self._limiter.test(item, *key):
            raise _too_many(item)
        try:
            yield
        except UnauthenticatedError:
            self._limiter.hit(item, *key)
            raise


class Buckets:
    """So many at once, and so many a minute in the long run, for each key: a token bucket, counted in this process's memory."""

    def __init__(self, burst: int, minute: int) -> None:
        self._burst = burst
        self._second = minute / 60
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Count one more. Raises RequestError (429), which says after how many seconds there is room, when it is one too many."""
        now = time.monotonic()
        if len(self._left) >= MOST_BUCKETS:
            self._left = {one: kept for one, kept in self._left.items() if self._filled(kept, now) < self._burst}
        left = self._filled(self._left.get(key, (self._burst, now)), now)
        if left < 1:
            seconds = math.ceil((1 - left) / self._second)
            raise RequestError("too-many-requests", "too many of them in a short time", headers={"Retry-After": str(seconds)})
        self._left[key] = left - 1, now

    def _filled(self, kept: tuple[float, float], now: float) -> float:
        return min(self._burst, kept[0] + (now - kept[1]) * self._second)


class Turn:
    """One of the requests that are served at once."""

    def __init__(self, serving: anyio.Semaphore) -> None:
        self._serving: anyio.Semaphore | None = serving

    def give_up(self) -> None:
        """Let another request in, now: this one only waits from here on, or is over."""
        if self._serving is not None:
            self._serving.release()
            self._serving = None


class Gate:
    """ASGI middleware: lets through what is well-formed, small enough, not too often and not too many at once."""

    def __init__(self, app: ASGIApp, limits: Limits, rates: Rates) -> None:
        self._app = app
        self._limits = limits
        self._rates = rates
        self._serving = anyio.Semaphore(limits.at_once, fast_acquire=True)
        self._receiving = anyio.Semaphore(limits.pieces_at_once, fast_acquire=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            self._check(request)
        except DistrictError as error:
            await answer_to(request, error)(scope, receive, send)
            return
        counted = _counted(receive, self._most(scope), None if _is_piece(scope) else self._limits.silence)
        turns = self._receiving if _is_piece(scope) else self._serving
        if scope["path"] in OPEN:
            await self._app(scope, counted, send)
        elif await self._turn(turns):
            turn = scope.setdefault("state", {})["turn"] = Turn(turns)
            try:
                await self._app(scope, counted, send)
            finally:
                turn.give_up()
        else:
            await answer_to(request, BusyError("too many requests at once"))(scope, receive, send)

    def _check(self, request: Request) -> None:
        _check_target(request.scope, self._limits.ogc_target if is_ogc(request.scope["path"]) else self._limits.target)
        length = request.headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise RequestError("malformed-request", "Content-Length is not a number")
        most = self._most(request.scope)
        if len(length) > 12 or int(length) > most:
            raise RequestError("too-large", f"a body has at most {most} bytes", headers={"Connection": "close"})
        path: str = request.scope["path"]
        nobody = "authorization" not in request.headers or path in LOG_INS
        if nobody and path not in OPEN and path != REFRESHES and not path.startswith("/static/"):
            address, limits = address_of(request), self._limits
            if not path.startswith("/ogc/"):
                self._rates.take(RateLimitItemPerSecond(limits.anonymous_second), "anonymous", address)
                self._rates.take(RateLimitItemPerMinute(limits.anonymous_minute), "anonymous", address)
            elif "/tiles/" not in path:
                self._rates.take(RateLimitItemPerSecond(limits.ogc_second), "ogc", address)
                self._rates.take(RateLimitItemPerMinute(limits.ogc_minute), "ogc", address)

    def _most(self, scope: Scope) -> int:
        return self._limits.piece if _is_piece(scope) else self._limits.body

    async def _turn(self, turns: anyio.Semaphore) -> bool:
        try:
            turns.acquire_nowait()
        except anyio.WouldBlock:
            return await self._wait(turns)
        return True

    async def _wait(self, turns: anyio.Semaphore) -> bool:
        if turns.statistics().tasks_waiting >= self._limits.queue:
            return False
        with anyio.move_on_after(PATIENCE) as waiting:
            await turns.acquire()
        return not waiting.cancelled_caught


def address_of(request: Request) -> str:
    """The address that a request came from, as far as rates are concerned."""
    return request.client.host if request.client is not None else "-"


def _is_piece(scope: Scope) -> bool:
    """Whether a piece of an uploaded file comes, which its route reads with a hard stop of its own."""
    return scope["method"] == "PATCH" and scope["path"].startswith(UPLOADS)


def _counted(receive: Receive, most: int, silence: float | None) -> Receive:
    """A body without Content-Length is counted while it comes in, and nobody waits for ever for what does not come."""
    total, whole = 0, False

    async def counted() -> Message:
        nonlocal total, whole
        try:
            with anyio.fail_after(None if whole else silence):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None  # the kind of exception that FastAPI lets through
        if message["type"] == "http.request":
            whole = not message.get("more_body", False)
            total += len(message.get("body", b""))
            if total > most:
                raise HTTPException(413)
        return message

    return counted


def _check_target(scope: Scope, longest: int) -> None:
    """Refuse addresses that two programs on the way could read differently, and text that PostgreSQL cannot hold."""
    path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    query: bytes = scope["query_string"]
    if len(path) + len(query) > longest:
        name = unquote_to_bytes(max(query.split(b"&"), key=len).partition(b"=")[0]).decode("utf-8", "replace")[:100]
        raise RequestError("malformed-request", f"the address is longer than {longest} bytes", field=name or None)
    if (b"%" in path and _BAD_PATH.search(path)) or b"\\" in path or b"//" in path:
        raise RequestError("malformed-request", "the path holds an encoded separator or a control character")
    if b"%" in query and _BAD_QUERY.search(query):
        raise RequestError("malformed-request", "a parameter holds a control character", field=_blamed(query, _BAD_QUERY.search))
    for part in (path, query):
        if b"%" not in part and part.isascii():
            continue
        if _BAD_ESCAPE.search(part):
            raise RequestError("malformed-request", "the address holds a broken percent escape", field=_blamed(query, _BAD_ESCAPE.search))
        if _is_broken(part):
            raise RequestError("malformed-request", "the address is not UTF-8", field=_blamed(query, _is_broken))


def _is_broken(part: bytes) -> bool:
    try:
        unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _blamed(query: bytes, is_bad: Callable[[bytes], object]) -> str | None:
    """The parameter whose value is bad, None when it is none."""
    parts = (part.partition(b"=") for part in query.split(b"&"))
    return next((unquote_to_bytes(name).decode("utf-8", "replace")[:100] for name, _, value in parts if is_bad(value)), None)


def _too_many(item: RateLimitItem) -> RequestError:
    seconds = item.get_expiry()
    return RequestError("too-many-requests", "too many requests from this address", headers={"Retry-After": str(seconds)})
