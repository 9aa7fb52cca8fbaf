"""The server's own protocol, but head and body of an answer leave in one write: each write is a call to the kernel.

uvicorn writes them one after the other, and the loop hands each to the kernel at once. Held until the loop's next turn, most answers
are one call and one packet. And addresses that uvicorn's parser cannot read are cut, so that they are refused as other long ones are.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HELD: Final = 65_536
"""Bytes; with more nobody waits for the loop, so that a stream is slowed down by its client as ever."""

MOST_READ: Final = 65_535
"""Bytes of an address that the parser reads: more than is served anywhere (api/limits.py)."""


class JoiningProtocol(HttpToolsProtocol):
    """What `uvicorn --http api.joining:JoiningProtocol` speaks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write through a `JoiningTransport`."""
        super().connection_made(JoiningTransport(cast("asyncio.Transport", transport), self.loop))

    def on_url(self, url: bytes) -> None:
        """Keep what can be read. Of an address with a host before its path the rest might be short enough: it stays, to be refused."""
        super().on_url(url)
        if self.url.startswith(b"/"):
            self.url = self.url[:MOST_READ]


class JoiningTransport(asyncio.Transport):
    """Another transport, whose writes of one turn of the loop are joined."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes | bytearray | memoryview] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold it for the rest of this turn."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST_HELD:
            self._flush()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Hold them all."""
        for data in list_of_data:
            self.write(data)

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():  # nobody is there any more
            self._transport.writelines(held)

    def close(self) -> None:
        """Send what is held, then hang up."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        self._held = []
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it hangs up."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the other tells of itself."""
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Speak to another protocol from now on."""
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Whom it speaks to."""
        return self._transport.get_protocol()

    def pause_reading(self) -> None:
        """Hear nothing for a while."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Hear again."""
        self._transport.resume_reading()

    def is_reading(self) -> bool:
        """Whether it hears."""
        return self._transport.is_reading()
