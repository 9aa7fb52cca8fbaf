"""Who waits for changes is told that there are some, never which: one look a second for all listeners of a process, none without them.

A NOTIFY with every write would take a lock of the whole cluster at each commit, so the horizon is looked at instead.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from typing import Final

from gridmgmt.database import AUTH, Database
from gridmgmt.errors import DistrictError
from gridmgmt.reads import Query

EVERY: Final = 1.0
"""Seconds between two looks."""
HEADS: Final = b"SELECT horizon::text, array_to_string(scopes, ',') FROM sec.feed_heads($1::xid8)"


class Listener:
    """Somebody who waits for changes in some scopes."""

    def __init__(self, scopes: Collection[int]) -> None:
        self.scopes = frozenset(scopes)
        self._changed: set[int] = set()
        self._bell = asyncio.Event()

    def ring(self, scope: int) -> None:
        """Something happened in the scope."""
        self._changed.add(scope)
        self._bell.set()

    async def changes(self, seconds: float) -> frozenset[int]:
        """The scopes in which something happened since the last call; waits for the first, and gives none when the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        self._bell.clear()
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed


class Pokes:
    """The listeners of this process, and the one look for all of them. Belongs to the running loop."""

    def __init__(self, database: Database, *, every: float = EVERY) -> None:
        """`every` is in seconds."""
        self._database = database
        self._every = every
        self._listeners: defaultdict[int, set[Listener]] = defaultdict(set)
        self._count = 0
        self._since = 0
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def listening(self, scopes: Collection[int], since: int) -> Generator[Listener]:
        """Listen for changes at or above the horizon `since`, which may have happened already."""
        listener = Listener(scopes)
        for scope in listener.scopes:
            self._listeners[scope].add(listener)
        self._count += 1
        if self._task is None or self._task.done():
            self._since = since
            self._task = asyncio.get_running_loop().create_task(self._look_out())
        self._since = min(self._since, since)
        try:
            yield listener
        finally:
            self._count -= 1
            for scope in listener.scopes:
                self._listeners[scope].discard(listener)
                if not self._listeners[scope]:
                    del self._listeners[scope]

    async def aclose(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _look_out(self) -> None:
        while self._count:
            since = self._since
            try:
                [[(horizon, scopes)]] = await self._database.read(AUTH, Query(HEADS, (b"%d" % since,), b"sync heads"))
            except DistrictError:
                pass  # the database is away or busy: what happened meanwhile is told by a later look
            else:
                self._told(since, horizon, scopes)
            await asyncio.sleep(self._every)

    def _told(self, since: int, horizon: bytes | None, scopes: bytes | None) -> None:
        if self._since == since:  # else somebody came meanwhile who must be told of earlier changes
            self._since = int(horizon or 0)
        for scope in map(int, filter(None, (scopes or b"").split(b","))):
            for listener in self._listeners.get(scope, ()):
                listener.ring(scope)
