"""First and last statement of a push: what is known of the numbers that a device sends, and what is written down of them."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy.exc import DBAPIError

from gridmgmt.errors import ConflictError
from gridmgmt.security.sealing import Sealer
from gridmgmt.sync.items import Batch, Item, canonical
from gridmgmt.sync.lines import Line
from gridmgmt.sync.results import Outcome

OPEN: Final = (
    "SELECT last_seq, stored, taken, bases, aliases, merged, grids, lost FROM sec.push_open(%(device)s::uuid,"
    " %(ids)b::uuid[], %(seqs)b::bigint[], %(bases)b::bigint[], %(refs)b::uuid[])"
)
CLOSE: Final = (
    "SELECT sec.push_close(%(device)s::uuid, %(seq)b::bigint[], %(mutation)b::uuid[], %(hash)b::bytea[], %(kind)b::text[],"
    " %(entity)b::uuid[], %(version)b::int[], %(status)b::text[], %(result)b::text[], %(captured)b::timestamptz[],"
    " %(corrected)b::timestamptz[], %(letters)b::bytea[], %(kv)s::smallint, %(beside)s::jsonb, %(skew)s::bigint, %(app)s::text,"
    " %(schema)s::int)"
)
GAVE_UP_WAITING: Final = frozenset({"55P03", "57014"})


@dataclass(frozen=True)
class Opened:
    """What the server knows before it takes anything."""

    last_seq: int
    stored: Mapping[int, Mapping[str, Any]]
    """By number: `hash` (hex), `status`, `version`, `result`."""
    taken: frozenset[uuid.UUID]
    """Mutation ids that stand under another number, or another device's."""
    bases: Mapping[int, Mapping[str, Any]]
    """By number of a mutation that others are based on: `status`, `id`, `version`."""
    aliases: Mapping[uuid.UUID, uuid.UUID]
    merged: frozenset[uuid.UUID]
    """Those of them that led to a record of its own until it was made one with another."""
    grids: frozenset[int]
    """Those that the worker has now."""
    subdistricts: Mapping[int, int]
    """Of these grids and of those lost of late."""
    lost: Mapping[int, dt.datetime]
    """Those lost within the last three days, and when."""


def open_push(line: Line, batch: Batch, items: Sequence[Item]) -> Opened:
    """Wait for this device's turn and look; constraints are checked at once from here on.

    Raises ConflictError `push-in-progress` when another push of it does not end.
    """
    refs = {value for item in items for value in (item.id, *item.values.values()) if isinstance(value, uuid.UUID)}
    values = {
        "device": batch.device,
        "ids": [item.mutation_id for item in items],
        "seqs": [item.seq for item in items],
        "bases": [item.base_seq for item in items if item.base_seq is not None],
        "refs": list(refs),
    }
    try:
        ((last_seq, stored, taken, bases, aliases, merged, grids, lost),) = line.rows(OPEN, values)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in GAVE_UP_WAITING:
            raise ConflictError("another push of this device is not done yet: try again", slug="push-in-progress", retry_after=2) from error
        raise
    return Opened(
        last_seq,
        {int(seq): one for seq, one in stored.items()},
        frozenset(taken),
        {int(seq): one for seq, one in bases.items()},
        {uuid.UUID(alias): uuid.UUID(canonical) for alias, canonical in aliases.items()},
        frozenset(merged),
        frozenset(map(int, grids.keys() - lost.keys())),
        {int(grid): subdistrict for grid, subdistrict in grids.items()},
        {int(grid): dt.datetime.fromisoformat(moment) for grid, moment in lost.items()},
    )


def close_push(line: Line, batch: Batch, sealer: Sealer, outcomes: Sequence[Outcome], reused: Sequence[Outcome]) -> None:
    """Write down what became of the mutations; `reused` are items under numbers that stood for something else before."""
    skew = round(batch.sending.skew.total_seconds() * 1000)
    told = [outcome.told() for outcome in outcomes]
    letters = [outcome for outcome in (*outcomes, *reused) if outcome.status == "rejected"]
    line.run(
        CLOSE,
        {
            "device": batch.device,
            "seq": [outcome.item.seq for outcome in outcomes],
            "mutation": [outcome.item.mutation_id for outcome in outcomes],
            "hash": [outcome.item.req_hash for outcome in outcomes],
            "kind": [outcome.item.kind for outcome in outcomes],
            "entity": [outcome.entity_id for outcome in outcomes],
            "version": [outcome.version if outcome.writes else None for outcome in outcomes],
            "status": [outcome.status for outcome in outcomes],
            "result": [written(one) for one in told],
            "captured": [outcome.item.capture.at for outcome in outcomes],
            "corrected": [outcome.item.recorded.at for outcome in outcomes],
            "letters": [_sealed(sealer, outcome.item) for outcome in letters],
            "kv": sealer.version,
            "beside": _beside(outcomes, reused, letters),
            "skew": max(-(2**53), min(2**53, skew)),
            "app": batch.app_version,
            "schema": batch.schema_version,
        },
    )


def written(value: Any) -> str:
    """JSON for PostgreSQL. Decimals have two digits and stay exact."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError


def _sealed(sealer: Sealer, item: Item) -> bytes:
    return sealer.seal("dead_letter|body_enc", item.mutation_id, canonical(item.body).decode())


def _beside(outcomes: Sequence[Outcome], reused: Sequence[Outcome], letters: Sequence[Outcome]) -> str | None:
    clashes = [clash for outcome in outcomes for clash in outcome.clashes]
    aliases = [outcome for outcome in outcomes if outcome.canonical is not None]
    resolved = [outcome for outcome in outcomes if outcome.resolved is not None]
    incidents = [outcome for outcome in (*outcomes, *reused) if outcome.incident is not None]
    if not (clashes or aliases or resolved or incidents or letters):
        return None
    return written(
        {
            "conflicts": [
                {
                    name: getattr(clash, name)
                    for name in ("id", "code", "kind", "entity_id", "grid_id", "seq", "fields", "base", "theirs", "yours", "state")
                }
                for clash in clashes
            ],
            "aliases": [{"alias": outcome.item.id, "canonical": outcome.canonical} for outcome in aliases],
            "resolved": [{"id": outcome.resolved, "resolution": {"by": "device", "seq": outcome.item.seq}} for outcome in resolved],
            "incidents": [
                {"code": outcome.incident, "detail": {"seq": outcome.item.seq, "letter": outcome.item.mutation_id}} for outcome in incidents
            ],
            "letters": [
                {
                    "seq": outcome.item.seq,
                    "mutation_id": outcome.item.mutation_id,
                    "kind": outcome.item.kind,
                    "entity_id": outcome.entity_id,
                    "grid_id": outcome.grid_id,
                    "problem": outcome.problem,
                }
                for outcome in letters
            ],
        }
    )
