"""A device without HTTP: it pulls until there is no more and keeps what it got, by the rules of a handheld."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg

from gridmgmt.database import Actor, Database
from gridmgmt.security.context import signer
from gridmgmt.settings import Address
from gridmgmt.sync import feed, snapshot
from gridmgmt.sync.cursors import FeedCursors
from gridmgmt.sync.feed import Asked, Page, Pulled, Resync
from gridmgmt.sync.kinds import ORDER, SCHEMA
from tests.places import KEYS

CURSORS = FeedCursors(KEYS.context)

Key = tuple[str, str]


@dataclass
class Held:
    """What a device holds: versions by kind and id, the scopes that each belongs to, and a cursor for each scope."""

    rows: dict[Key, int] = field(default_factory=dict[Key, int])
    data: dict[Key, Any] = field(default_factory=dict[Key, Any])
    gone: dict[Key, int] = field(default_factory=dict[Key, int])
    members: dict[Key, set[int]] = field(default_factory=dict[Key, set[int]])
    cursors: dict[int, str | None] = field(default_factory=dict[int, str | None])

    def take(self, scope: int, item: dict[str, Any]) -> None:
        """Apply one item."""
        key: Key = (item["kind"], item["id"])
        version, held, gone = item["version"], self.rows.get(key, 0), self.gone.get(key, 0)
        if item["op"] == "upsert":
            if version > gone and version >= held:
                self.rows[key], self.data[key] = version, item["data"]
                self.members.setdefault(key, set()).add(scope)
        elif item["reason"] == "moved" and version >= held:
            # the same version may be in another scope of ours, told before or after this
            self.members.get(key, set()).discard(scope)
            if not self.members.get(key):
                self._drop(key, version - 1)
        elif item["reason"] == "deleted" and version > held:
            self._drop(key, version)

    def _drop(self, key: Key, version: int) -> None:
        for kept in (self.rows, self.data, self.members):
            kept.pop(key, None)
        self.gone[key] = max(version, self.gone.get(key, 0))

    def of(self, scope: int) -> dict[Key, int]:
        """Versions of what it holds in one scope."""
        return {key: version for key, version in self.rows.items() if scope in self.members[key]}


@dataclass
class Hand:
    """A device of an account, with a database of its own pools: use it inside one `run`."""

    database: Database
    actor: Actor
    held: Held = field(default_factory=Held)
    limit: int = 500
    size: int = 4_194_304

    async def ask(self, *scopes: int, changed: Sequence[str] = ()) -> Pulled:
        """One pull, as it was answered."""
        asked = [Asked(scope, self.held.cursors.get(scope)) for scope in scopes]
        return await feed.pull(self.database, self.actor, CURSORS, asked, limit=self.limit, size=self.size, schema=SCHEMA, changed=changed)

    async def pull(self, *scopes: int) -> list[dict[str, Any]]:
        """Pull until there is no more; every item that came, in order."""
        came: list[dict[str, Any]] = []
        while True:
            pulled = await self.ask(*scopes)
            for part in pulled.parts:
                assert isinstance(part, Page), part
                for item in map(orjson.loads, part.items):
                    self.held.take(part.scope, item)
                    came.append(item)
                self.held.cursors[part.scope] = CURSORS.seal(part.cursor)
            if not any(isinstance(part, Page) and part.has_more for part in pulled.parts):
                return came

    async def read(self, scope: int) -> list[dict[str, Any]]:
        """A snapshot of the scope, taken in; every line of it."""
        wanted = await snapshot.begin(self.database, self.actor, CURSORS, scope, kinds=ORDER, after=None, start=None, schema=SCHEMA)
        lines = [
            orjson.loads(line) async for piece in snapshot.lines(self.database, self.actor, CURSORS, wanted) for line in piece.splitlines()
        ]
        for line in lines:
            if line["type"] == "row":
                self.held.take(scope, {"op": "upsert", **line})
        self.held.cursors[scope] = lines[-1]["cursor"]
        return lines


def resyncs(pulled: Pulled) -> dict[int, str | None]:
    """Reasons of the scopes that are to be read anew."""
    return {part.scope: part.reason for part in pulled.parts if isinstance(part, Resync)}


def live(address: Address, scope: int) -> dict[Key, int]:
    """Versions of everything that lives in a scope, as the superuser sees it."""
    with psycopg.connect(address.conninfo("postgres")) as superuser:
        found: dict[Key, int] = {}
        for kind, table in KINDS_TABLES:
            rows = superuser.execute(f"SELECT id::text, version FROM {table} WHERE grid_id = {scope} AND deleted_at IS NULL".encode())
            found |= {(kind, number): version for number, version in rows}
        return found


KINDS_TABLES = (
    ("building", "reg.building"), ("unit", "reg.unit"), ("resident", "reg.person"), ("residence", "reg.residence"), ("lease", "reg.lease"),
    ("manager", "reg.manager"), ("inspection", "reg.inspection"), ("duty_report", "reg.duty_report"),
)  # fmt: skip


def run(address: Address, work: Callable[[Database], Awaitable[Any]]) -> Any:
    """The result of `work(database)`, a coroutine function, in a loop and with pools of its own."""

    async def within() -> Any:
        database = Database(address, signer(KEYS.context_kid, KEYS.context), pool_size=4)
        try:
            return await work(database)
        finally:
            await database.aclose()

    return asyncio.run(within())
