"""First sync of a scope: all its live rows, kind after kind and each by id, in pages that are short reads of their own.

The cursor to go on from is taken before the first page. What was committed before it is in the rows; what came after it comes by pull
too, and a row read here in a newer form is only told twice. So no transaction is held open, and a reader that was cut off goes on behind
its last row with the same cursor.
"""

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import orjson

from gridmgmt.database import Actor, Database
from gridmgmt.errors import ConflictError, InvalidError, NotFoundError
from gridmgmt.reads import Query
from gridmgmt.sync.checksums import total_of
from gridmgmt.sync.cursors import Cursor, FeedCursors
from gridmgmt.sync.feed import STATE, State
from gridmgmt.sync.kinds import KINDS, ORDER

PAGE: Final = 1_000
"""Rows of one kind that are read at once."""
MARKED: Final = 500
"""Rows after which a reader is told how far it has come."""
SMALL: Final = 4_000
"""Rows of a scope up to which the first pages of all its kinds are read at once, in one round trip."""
FIRST: Final = uuid.UUID(int=0)


@dataclass(frozen=True)
class Wanted:
    """A snapshot of a scope, begun or to be gone on with behind the row `after` (kind and id)."""

    scope: int
    kinds: Sequence[str]
    start: Cursor
    after: tuple[str, uuid.UUID] | None
    estimate: int


def read_kinds(text: str | None) -> Sequence[str]:
    """The kinds in a list with commas between, in the order of the snapshot; all without one. Raises InvalidError naming `kinds`."""
    if text is None:
        return ORDER
    named = set(text.split(","))
    if unknown := sorted(named - set(ORDER)):
        raise InvalidError(f"there is no kind {unknown[0][:40]}", field="kinds")
    return tuple(kind for kind in ORDER if kind in named)


def read_after(text: str | None, kinds: Sequence[str]) -> tuple[str, uuid.UUID] | None:
    """The row in a mark, `kind:id`. Raises InvalidError naming `after`."""
    if text is None:
        return None
    kind, _, number = text.partition(":")
    try:
        if kind in kinds:
            return kind, uuid.UUID(number)
    except ValueError:
        pass
    raise InvalidError("not a mark of this snapshot, which are of the form resident:019f…", field="after")


async def begin(
    database: Database,
    actor: Actor,
    cursors: FeedCursors,
    scope: int,
    *,
    kinds: Sequence[str],
    after: tuple[str, uuid.UUID] | None,
    start: str | None,
    schema: int,
) -> Wanted:
    """Take the horizon and look whether the scope may be read.

    Raises NotFoundError for a scope that is not the actor's, InvalidError for a cursor that was not made here, and ConflictError
    (cursor-expired) for one from which nobody can go on any more: begin again without it.
    """
    if after is not None and start is None:
        raise InvalidError("goes with the start_cursor that the snapshot began with", field="start")
    shown = None if start is None else cursors.read(scope, start)
    told, [(count, _)] = await database.read(actor, STATE, total_of(scope, kinds))
    state = State.of(told)
    if scope not in state.grids:
        raise NotFoundError("there is no such scope, or none that you may see")
    if shown is not None and (reason := state.objection(shown)):
        raise ConflictError("nobody can go on from this cursor: begin the snapshot again without it", slug="cursor-expired", reason=reason)
    place = state.head(scope, schema) if shown is None else shown.cursor
    return Wanted(scope, kinds, place, after, int(count or 0))


async def lines(database: Database, actor: Actor, cursors: FeedCursors, wanted: Wanted) -> AsyncGenerator[bytes]:
    """The snapshot as lines of JSON (NDJSON), in pieces of about a page. Without the line `end` it is not whole.

    `mark` and `end` carry a sum (CRC-32) of the rows since the mark before, with their line feeds, and of their own `after` or `cursor`: a
    device keeps what came before the rest of the stream, and with it the sum that gzip has at its end, has come.
    Raises NotFoundError in the middle when the scope is taken from the actor.
    """
    start = cursors.seal(wanted.start)
    history = {"epoch": wanted.start.epoch}  # a device may come to another history of the server by a snapshot, before any pull
    yield _line({"type": "begin", "scope": wanted.scope, "start_cursor": start, **history, "estimate": wanted.estimate})
    count = summed = 0
    async with aclosing(_rows(database, actor, wanted)) as pages:
        async for kind, rows in pages:
            out: list[bytes] = []
            for number, line in rows:
                out.append(line)
                count, summed = count + 1, crc32(line, summed)
                if count % MARKED == 0:
                    after = f"{kind}:{number.decode()}"
                    out.append(_line({"type": "mark", "after": after, "crc32": crc32(after.encode(), summed)}))
                    summed = 0
            yield b"".join(out)
    _, [(total, checksum)] = await database.read(actor, STATE, total_of(wanted.scope, wanted.kinds))
    end: dict[str, object] = {"type": "end", "count": int(total or 0), "checksum": (checksum or b"").decode(), "cursor": start}
    yield _line(end | {"crc32": crc32(start.encode(), summed)})


async def _rows(database: Database, actor: Actor, wanted: Wanted) -> AsyncGenerator[tuple[str, list[tuple[bytes, bytes]]]]:
    """Kind and rows (id and line), a page of a kind at a time."""
    left = list(wanted.kinds)
    after = FIRST
    if wanted.after is not None:
        kind, after = wanted.after
        left = left[left.index(kind) :]
    while left:
        asked = tuple(left if wanted.estimate <= SMALL else left[:1])
        queries = [_page(kind, wanted.scope, after if n == 0 else FIRST) for n, kind in enumerate(asked)]
        told, *pages = await database.read(actor, STATE, *queries)
        if wanted.scope not in State.of(told).grids:
            raise NotFoundError("the scope was taken away meanwhile")
        for kind, page in zip(asked, pages, strict=True):
            rows = [(number, line) for number, line in page if number is not None and line is not None]
            if rows:
                yield kind, rows
            if len(rows) == PAGE:
                after = uuid.UUID(rows[-1][0].decode())
                break
            left.pop(0)
            after = FIRST


def _page(kind: str, scope: int, after: uuid.UUID) -> Query:
    return Query(PAGES[kind], (b"%d" % scope, str(after).encode()), b"sync rows " + kind.encode())


def _line(told: dict[str, object]) -> bytes:
    return orjson.dumps(told) + b"\n"


PAGES: Final = {
    kind.name: f"""
      SELECT e.id, '{{"type":"row","kind":"{kind.name}","id":"' || e.id || '","version":' || e.version
             || ',"data":' || {kind.json}::text || E'}}\\n'
        FROM {kind.table.fullname} e WHERE e.grid_id = $1::int AND e.deleted_at IS NULL AND e.id > $2::uuid ORDER BY e.id LIMIT {PAGE}
    """.encode()  # noqa: S608 -- names from a fixed table
    for kind in KINDS.values()
}
