"""Pull: what changed in a worker's grids since each one's cursor, without a gap.

Read below the horizon only: the oldest transaction that was still open when the snapshot was taken. Whatever lies below it is finished and
visible, or will never be; nothing can appear there later. Horizon, pointers, rows and the device's own acknowledgement come from one
snapshot. A pointer says that something happened, never what: the row is sent as it is now, so pointers may be dropped and come in any
order, and a device applies what has a higher version than its own.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from anyio.to_thread import run_sync
from sqlalchemy import text

from gridmgmt.database import Actor, Database
from gridmgmt.reads import Query, Record
from gridmgmt.sync.checksums import total
from gridmgmt.sync.cursors import END, Cursor, FeedCursors, Shown, refused
from gridmgmt.sync.kinds import KINDS, OLDEST_SCHEMA, SCHEMA, Kind

MOST_TOGETHER: Final = 8_000
"""Pointers of all scopes that are read for one answer: about as many rows as one holds."""
STATE: Final = Query(
    b"SELECT horizon::text, epoch, pruned_below::text, array_to_string(grids, ','), acked, sec.assignment_version() FROM sec.feed_state()",
    name=b"sync state",
)

PLANNED_ONCE: Final = Query(b"SET plan_cache_mode = force_generic_plan")
"""Planning the pages takes longer than reading them, and the plan is the same for all: by primary keys."""
AS_USUAL: Final = Query(b"RESET plan_cache_mode")


@dataclass(frozen=True)
class State:
    """Where the feed stands, for one device."""

    horizon: int
    epoch: str
    pruned_below: int
    grids: frozenset[int]
    acked: int
    assignment_version: int

    @classmethod
    def of(cls, rows: Sequence[Record]) -> "State":
        """From the answer to `STATE`."""
        [(horizon, epoch, pruned_below, grids, acked, version)] = rows
        scopes = frozenset(map(int, filter(None, (grids or b"").split(b","))))
        return cls(int(horizon or 0), (epoch or b"").decode(), int(pruned_below or 0), scopes, int(acked or 0), int(version or 0))

    def head(self, scope: int, schema: int) -> Cursor:
        """The cursor behind everything that is below the horizon."""
        return Cursor(self.epoch, scope, self.horizon - 1, END, schema)

    def objection(self, shown: Shown) -> str | None:
        """Why a device must begin the scope anew instead of going on from this cursor, None when it may go on.

        Raises InvalidError for one of this epoch that was not made here.
        """
        cursor = shown.cursor
        if cursor.epoch != self.epoch:
            return "epoch"
        if not shown.proven:
            raise refused(cursor.scope)
        if cursor.xid >= self.horizon:
            return "epoch"  # of a future that was lost
        if (cursor.xid, cursor.seq) < (self.pruned_below - 1, END):
            return "cursor-expired"
        return None if OLDEST_SCHEMA <= cursor.schema <= SCHEMA else "schema"


@dataclass(frozen=True)
class Asked:
    """A scope that a device holds, or wants to, and the cursor that it has."""

    scope: int
    cursor: str | None


@dataclass(frozen=True)
class Resync:
    """A scope that must be read anew, from this address on; a scope that was never read has no reason."""

    scope: int
    snapshot: str
    reason: str | None = None

    @property
    def json(self) -> bytes:
        """As it is answered."""
        told: dict[str, object] = {"scope_id": self.scope}
        if self.reason is not None:
            told |= {"resync": True, "reason": self.reason}
        return orjson.dumps(told | {"snapshot": self.snapshot})


@dataclass
class Page:
    """What a scope had to tell. Items are JSON as PostgreSQL wrote it."""

    scope: int
    cursor: Cursor
    """Where the next page begins: behind everything, unless there is more."""
    reached: Cursor
    """Where the device stands with the items that are here."""
    items: list[bytes] = field(default_factory=list[bytes])
    has_more: bool = False
    checksum: str | None = None

    def json(self, cursors: FeedCursors) -> bytes:
        """As it is answered."""
        rest = {"cursor": cursors.seal(self.cursor), "has_more": self.has_more, "checksum": self.checksum}
        return b'{"scope_id":%d,"items":[%b],%b' % (self.scope, b",".join(self.items), orjson.dumps(rest)[1:])


@dataclass(frozen=True)
class Pulled:
    """The answer to a pull."""

    state: State
    parts: Sequence[Page | Resync]
    removed: Sequence[int]

    @property
    def is_silent(self) -> bool:
        """Whether nothing happened that the device does not know."""
        return not self.removed and all(isinstance(part, Page) and not part.items for part in self.parts)

    def json(self, cursors: FeedCursors, *, now: dt.datetime, device_status: str) -> bytes:
        """The body of the answer."""
        head = {"server_time": now, "acked_seq": self.state.acked, "assignment_version": self.state.assignment_version}
        tail = {"removed_scopes": self.removed, "device_status": device_status}
        parts = b",".join(part.json if isinstance(part, Resync) else part.json(cursors) for part in self.parts)
        return b'%b,"scopes":[%b],%b' % (orjson.dumps(head)[:-1], parts, orjson.dumps(tail)[1:])


async def open_reading(database: Database, actor: Actor, action: str, scopes: Iterable[int]) -> None:
    """Write, and commit, that the device comes to read: `pull` or `snapshot`. Nothing is read unless this was written."""

    def write() -> None:
        with database.transaction(actor) as session:
            session.execute(text("SELECT sec.pull_open(:action, :scopes)"), {"action": action, "scopes": sorted(scopes)})

    await run_sync(write)


async def pull(
    database: Database,
    actor: Actor,
    cursors: FeedCursors,
    asked: Sequence[Asked],
    *,
    limit: int,
    size: int,
    schema: int,
    changed: Sequence[str] = (),
) -> Pulled:
    """What happened in the scopes asked for: at most `limit` items of each, and about `size` bytes of all.

    `changed` are the kinds that a device of a newer schema wants to read anew. Raises InvalidError (malformed-request) naming the scope
    for a cursor that was not made here for it.
    """
    shown = {one.scope: None if one.cursor is None else cursors.read(one.scope, one.cursor) for one in asked}
    places = [one.cursor for one in shown.values() if one is not None and one.proven and not changed]
    each = max(1, min(limit, MOST_TOGETHER // max(1, len(places))))
    _, told, rows, _ = await database.read(actor, PLANNED_ONCE, STATE, _pages(places, each), AS_USUAL)
    state = State.of(told)
    parts: list[Page | Resync] = []
    pages: dict[int, Page] = {}
    for scope, one in shown.items():
        if scope not in state.grids:
            continue
        if one is None:
            parts.append(Resync(scope, f"/v1/sync/snapshot/{scope}"))
        elif reason := state.objection(one):
            parts.append(Resync(scope, f"/v1/sync/snapshot/{scope}", reason))
        elif changed:
            # from where the device stands: the other kinds go on from there
            start = cursors.seal(Cursor(state.epoch, scope, one.cursor.xid, one.cursor.seq, schema))
            parts.append(Resync(scope, f"/v1/sync/snapshot/{scope}?kinds={','.join(changed)}&start={start}", "schema"))
        else:
            pages[scope] = Page(scope, state.head(scope, schema), one.cursor)
            parts.append(pages[scope])
    _fill(pages, rows, size)
    return Pulled(state, parts, sorted(scope for scope in shown if scope not in state.grids))


def _fill(pages: Mapping[int, Page], rows: Sequence[Record], size: int) -> None:
    """Put the rows of `_pages` into the pages, until the answer is as large as it may be. One item always goes in."""
    room = size
    for scope, xid, seq, item, more, checksum in rows:
        page = pages.get(int(scope or 0))
        if page is None or page.has_more:
            continue
        place = page.cursor.after(int(xid or 0), int(seq or 0))
        if item is None:  # the last row of a scope says where its pointers end
            if more == b"t":
                page.has_more, page.cursor = True, place
            else:
                page.checksum = None if checksum is None else checksum.decode()
        elif len(item) <= room or room == size:
            page.items.append(item)
            page.reached = place
            room -= len(item)
        else:
            page.has_more, page.cursor, room = True, page.reached, 0


def places_of(cursors: Sequence[Cursor]) -> tuple[bytes, bytes, bytes]:
    """Scopes, transactions and numbers of cursors, as arrays that PostgreSQL reads."""
    columns = ([one.scope for one in cursors], [one.xid for one in cursors], [one.seq for one in cursors])
    scopes, xids, seqs = (b"{" + ",".join(map(str, column)).encode() + b"}" for column in columns)
    return scopes, xids, seqs


def _pages(cursors: Sequence[Cursor], limit: int) -> Query:
    return Query(PAGES, (*places_of(cursors), b"%d" % limit), b"sync pages")


def _items(kind: Kind) -> str:
    """Every pointer of the kind with what it leads to. The rows are looked up one by one by their keys: OFFSET 0 keeps it so."""
    remove = f"""'{{"op":"remove","kind":"{kind.name}","id":"' || n.entity_id || '","version":'"""
    upsert = f"""'{{"op":"upsert","kind":"{kind.name}","id":"' || e.id || '","version":'"""
    return f"""
      SELECT n.scope_id, n.xid, n.seq, CASE
          WHEN e.id IS NULL OR e.grid_id <> n.scope_id THEN {remove} || n.version || ',"reason":"moved"}}'
          WHEN e.deleted_at IS NOT NULL THEN {remove} || e.version || ',"reason":"deleted"}}'
          ELSE {upsert} || e.version || ',"data":' || {kind.json}::text || '}}' END AS item, NULL::boolean AS more, NULL AS checksum
        FROM newest n LEFT JOIN LATERAL (SELECT * FROM {kind.table.fullname} e WHERE e.id = n.entity_id OFFSET 0) e ON true
       WHERE n.kind = '{kind.name}'"""  # noqa: S608 -- names from a fixed table


PAGES: Final = f"""
  WITH asked AS MATERIALIZED (
    SELECT c.scope_id, c.xid::xid8 AS xid, c.seq, pg_snapshot_xmin(pg_current_snapshot()) AS horizon
      FROM unnest($1::int[], $2::text[], $3::bigint[]) AS c(scope_id, xid, seq)
  ), pointers AS MATERIALIZED (
    SELECT a.scope_id, l.xid, l.seq, l.kind, l.entity_id, l.version
      FROM asked a CROSS JOIN LATERAL (
        SELECT g.xid, g.seq, g.kind, g.entity_id, g.version FROM sync.change_log g
         WHERE g.scope_id = a.scope_id AND (g.xid, g.seq) > (a.xid, a.seq) AND g.xid < a.horizon
         ORDER BY g.scope_id, g.xid, g.seq LIMIT $4::int) l
  ), newest AS MATERIALIZED (
    SELECT DISTINCT ON (p.scope_id, p.kind, p.entity_id) p.scope_id, p.xid, p.seq, p.kind, p.entity_id,
           max(p.version) OVER (PARTITION BY p.scope_id, p.kind, p.entity_id) AS version
      FROM pointers p ORDER BY p.scope_id, p.kind, p.entity_id, p.xid DESC, p.seq DESC
  ), last AS MATERIALIZED (
    SELECT DISTINCT ON (p.scope_id) p.scope_id, p.xid, p.seq, count(*) OVER (PARTITION BY p.scope_id) = $4::int AS is_full
      FROM pointers p ORDER BY p.scope_id, p.xid DESC, p.seq DESC
  ), ends AS MATERIALIZED (
    SELECT z.scope_id, z.xid, z.seq, z.is_full AND EXISTS (SELECT FROM sync.change_log g
             WHERE g.scope_id = z.scope_id AND (g.xid, g.seq) > (z.xid, z.seq) AND g.xid < a.horizon) AS more,
           EXISTS (SELECT FROM sync.change_log g WHERE g.scope_id = z.scope_id AND g.xid >= a.horizon) AS waits
      FROM last z JOIN asked a ON a.scope_id = z.scope_id
  ), told AS (
    {" UNION ALL ".join(map(_items, KINDS.values()))}
    UNION ALL
      SELECT z.scope_id, z.xid, z.seq, NULL, z.more,
             CASE WHEN NOT z.more AND NOT z.waits THEN (SELECT t.checksum FROM ({total("z.scope_id")}) t) END
        FROM ends z
  )
  SELECT t.scope_id, t.xid::text AS x, t.seq, t.item, t.more, t.checksum FROM told t
   ORDER BY t.scope_id, t.xid, t.seq, t.item IS NULL
""".encode()  # noqa: S608 -- as above
"""A page for each scope: its items in the order of the feed, then one row without an item, which says where the page ends. Note the name
of the column `x`: ordered by a column that is called like the transaction, the text would be what is sorted."""
