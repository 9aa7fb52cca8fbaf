"""Requests and answers over a bad network: gzip, time-outs, and repetition with full jitter.

Everything that this client sends may be sent again: a push is numbered, an enrolment has its key, the rest changes nothing.
"""

import gzip
import http.client
import json
import random
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import NoneType
from typing import Any, Final
from urllib.parse import urlsplit

AGAIN: Final = frozenset({408, 429, 502, 503, 504})
"""Answers of somebody who is busy: later."""
CUT: Final = (OSError, http.client.HTTPException, zlib.error, EOFError)
"""What a broken connection looks like, from refused to cut in the middle of a word."""
PIECE: Final = 65_536
SMALL: Final = 512
"""Bytes below which compressing costs more than it saves."""
BLOCK: Final = 16_384
"""Bytes of a body that are sent at once. The time-out is for each of them: over a slow line a body takes minutes, and nobody is silent."""
AHEAD: Final = 65_536
"""Bytes that the system holds of what was sent, so that the last of them leave within a time-out too."""


class UnreachableError(Exception):
    """No answer after all attempts."""


class ForeignError(Exception):
    """An answer that is not of the server's making: of a network that wants somebody to log in first, say."""


@dataclass
class RefusedError(Exception):
    """An answer that is a problem (RFC 9457)."""

    status: int
    problem: dict[str, Any]

    @property
    def slug(self) -> str:
        """Last word of the problem's type."""
        return str(self.problem.get("type", "")).rsplit("/", 1)[-1]

    def __str__(self) -> str:
        """Status, slug and detail in one line."""
        return f"{self.status} {self.slug}: {self.problem.get('detail', '')}"


@dataclass(frozen=True)
class Answer:
    """What came back, unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; nothing for an empty one."""
        return self._parsed

    @cached_property
    def _parsed(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Transport:
    """Speaks to one server. `attempts` in all, with pauses drawn from [0, `pause` · 2^n], at most `longest` seconds."""

    site: str
    timeout: float = 30.0
    attempts: int = 6
    pause: float = 0.5
    longest: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = field(default=random.SystemRandom().random)
    _kept: http.client.HTTPConnection | None = None

    def send(
        self,
        method: str,
        path: str,
        *,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        number: str | None = None,
    ) -> Answer:
        """The answer, after as many attempts as are worth it: a JSON object or nothing, or where `number` is given, a header of that name.

        Raises RefusedError for a problem, UnreachableError for silence and for answers of somebody else.
        """
        failure: object = "never tried"
        for attempt in range(self.attempts):
            try:
                response = self._ask(method, path, body, headers or {})
                answer = Answer(response.status, _lower(response), _unpacked(response.read(), response.getheader("Content-Encoding")))
                problem = _problem(answer)
                if problem is None:
                    _require_ours(answer, number)
            except (*CUT, ForeignError, json.JSONDecodeError, UnicodeDecodeError) as error:
                self.close()
                failure, least = error, 0.0
            else:
                if problem is None:
                    return answer
                if answer.status not in AGAIN and problem.slug != "push-in-progress":
                    raise problem
                failure, least = problem, _seconds(answer.headers.get("retry-after"))
            if attempt + 1 < self.attempts:
                self.sleep(least + self.draw() * min(self.longest, self.pause * 2**attempt))
        if isinstance(failure, RefusedError):
            raise failure
        raise UnreachableError(f"{method} {path}: {failure!r}")

    @contextmanager
    def lines(self, path: str, headers: Mapping[str, str]) -> Generator[Iterator[bytes]]:
        """The lines of a stream as they come, once: who reads it knows where to go on. A cut raises UnreachableError at the next line."""
        try:
            response = self._ask("GET", path, None, headers)
            if response.status != 200:
                raw = response.read()
                problem = _problem(Answer(response.status, _lower(response), _unpacked(raw, response.getheader("Content-Encoding"))))
                raise problem or UnreachableError(f"GET {path}: {response.status}")
            yield _lines(response)
        except (*CUT, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UnreachableError(f"GET {path}: {error!r}") from error
        finally:
            self.close()

    def wait(self, attempt: int, least: float = 0.0) -> None:
        """The pause before another attempt."""
        self.sleep(least + self.draw() * min(self.longest, self.pause * 2**attempt))

    def close(self) -> None:
        """Hang up."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _ask(self, method: str, path: str, body: str | bytes | None, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        sent = {"Accept-Encoding": "gzip", "Accept": "*/*"} | dict(headers)
        raw = body.encode() if isinstance(body, str) else body
        if isinstance(body, str):
            sent.setdefault("Content-Type", "application/json")
            if raw is not None and len(raw) > SMALL:
                raw, sent["Content-Encoding"] = gzip.compress(raw, 6), "gzip"
        blocks = None if raw is None else [raw[at : at + BLOCK] for at in range(0, len(raw), BLOCK)]
        if raw is not None:
            sent["Content-Length"] = str(len(raw))
        if self._kept is None:
            self._kept = self._line()
        if self._kept.sock is None:
            _open(self._kept)
        with suppress(BrokenPipeError):  # refused before all of it was sent: the answer is there
            self._kept.request(method, path, body=blocks, headers=sent)
        return self._kept.getresponse()

    def _line(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.site)
        assert parts.hostname is not None
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=self.timeout, context=ssl.create_default_context())
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=self.timeout)


def _open(line: http.client.HTTPConnection) -> None:
    line.connect()
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AHEAD)


def _lower(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _unpacked(raw: bytes, encoding: str | None) -> bytes:
    return gzip.decompress(raw) if encoding == "gzip" else raw


def _problem(answer: Answer) -> RefusedError | None:
    """The problem of an answer that is one. An error without a problem comes from a proxy on the way, and is told as such."""
    if answer.status < 400:
        return None
    told = (answer.json() or {}) if answer.headers.get("content-type", "").startswith("application/problem+json") else {}
    return RefusedError(answer.status, told)


def _require_ours(answer: Answer, number: str | None) -> None:
    ours = isinstance(answer.json(), dict | NoneType) if number is None else answer.headers.get(number, "").isdecimal()
    if not ours or answer.status >= 300:
        raise ForeignError(f"{answer.status}, and not what the server answers")


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdecimal() else 0.0


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=31) if response.getheader("Content-Encoding") == "gzip" else None
    rest = b""
    while piece := response.read1(PIECE):
        rest += piece if unpack is None else unpack.decompress(piece)
        *whole, rest = rest.split(b"\n")
        yield from whole
    if unpack is not None and not unpack.eof:
        raise EOFError("the stream was cut")
