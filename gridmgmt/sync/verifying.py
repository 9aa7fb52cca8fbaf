"""Whether a device holds what the register holds: compared by count and checksum, when there is nothing that it does not know yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from anyio.to_thread import run_sync
from sqlalchemy import text

from gridmgmt.database import Actor, Database
from gridmgmt.reads import Query
from gridmgmt.sync.checksums import total
from gridmgmt.sync.cursors import Cursor, FeedCursors
from gridmgmt.sync.feed import STATE, State, places_of


@dataclass(frozen=True)
class Claim:
    """What a device says that it holds of a scope, at a cursor."""

    scope: int
    cursor: str
    count: int
    checksum: str


async def verify(database: Database, actor: Actor, cursors: FeedCursors, claims: Sequence[Claim]) -> bytes:
    """JSON: for each scope `match`, `behind` (there are changes after its cursor: pull first) or `mismatch`, and where to begin anew.

    A mismatch is kept as an incident. Raises InvalidError naming the scope for a cursor that was not made here for it.
    """
    shown = {claim.scope: cursors.read(claim.scope, claim.cursor) for claim in claims}
    places = [one.cursor for one in shown.values() if one.proven]
    told, rows = await database.read(actor, STATE, _compared(places))
    state = State.of(told)
    found = {int(scope or 0): (behind == b"t", int(count or 0), (checksum or b"").decode()) for scope, behind, count, checksum in rows}
    answers: list[dict[str, object]] = []
    differing: list[tuple[Claim, int, str]] = []
    for claim in claims:
        if claim.scope not in state.grids:
            continue
        begin = {"resync": True, "snapshot": f"/v1/sync/snapshot/{claim.scope}"}
        if reason := state.objection(shown[claim.scope]):
            answers.append({"scope_id": claim.scope, "result": "resync", "reason": reason, **begin})
            continue
        behind, count, checksum = found[claim.scope]
        if behind:
            answers.append({"scope_id": claim.scope, "result": "behind"})
        elif (count, checksum) == (claim.count, claim.checksum):
            answers.append({"scope_id": claim.scope, "result": "match"})
        else:
            differing.append((claim, count, checksum))
            answers.append({"scope_id": claim.scope, "result": "mismatch", "count": count, "checksum": checksum, **begin})
    if differing:
        await run_sync(_note, database, actor, differing)
    return orjson.dumps({"scopes": answers, "removed_scopes": sorted(scope for scope in shown if scope not in state.grids)})


def _note(database: Database, actor: Actor, differing: Sequence[tuple[Claim, int, str]]) -> None:
    with database.transaction(actor) as session:
        for claim, count, checksum in differing:
            detail = {"device": {"count": claim.count, "checksum": claim.checksum}, "register": {"count": count, "checksum": checksum}}
            session.execute(
                text("SELECT sec.checksum_differs(:scope, cast(:detail AS jsonb))"),
                {"scope": claim.scope, "detail": orjson.dumps(detail).decode()},
            )


def _compared(places: Sequence[Cursor]) -> Query:
    return Query(COMPARED, places_of(places), b"sync verify")


COMPARED: Final = f"""
  WITH asked AS MATERIALIZED (
    SELECT c.scope_id, c.xid::xid8 AS xid, c.seq FROM unnest($1::int[], $2::text[], $3::bigint[]) AS c(scope_id, xid, seq)
  )
  SELECT a.scope_id, EXISTS (SELECT FROM sync.change_log g WHERE g.scope_id = a.scope_id AND (g.xid, g.seq) > (a.xid, a.seq)) AS behind,
         t.count, t.checksum
    FROM asked a CROSS JOIN LATERAL ({total("a.scope_id")}) t
""".encode()  # noqa: S608 -- names from a fixed table
