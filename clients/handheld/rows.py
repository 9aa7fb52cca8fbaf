"""Rows of the register on the device: how news of them is applied, what is shown, and the checksum that both sides compare.

Two rules make any order of the news right. A row takes what is newer than what it has. And it is told apart from the grids in which
it lies: leaving one grid takes it away only when it lies in no other that the device holds.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clients.handheld.store import Store

Json = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """A row as the worker sees it: the server's, and over it what this device recorded and has not got back yet."""

    kind: str
    id: str
    version: int
    """Of the server's row that was seen; 0 where only this device knows it."""
    data: Json
    era: int
    """In which the server's row was seen."""
    pending: bool
    """Whether something of it is on its way."""


def apply_item(store: Store, scope_id: int, item: Mapping[str, Any], *, era: int, whole: bool = False) -> None:
    """One item of a pull, or one row of a snapshot (`whole`). Twice, late, or in another order, the result is the same.

    A snapshot replaces an equal version too: it may tell more of it than this device could read when it got it.
    """
    kind, identity, this = item["kind"], item["id"], (era, item["version"])
    removed = item.get("op") == "remove"
    _belong(store, kind, identity, scope_id, this, held=not removed)
    known = store.one("SELECT era, version, data IS NULL, deleted FROM entity WHERE kind = ? AND id = ?", kind, identity)
    newest, gone, deleted = ((-1, -1), False, False) if known is None else ((known[0], known[1]), *known[2:])
    if removed and item["reason"] == "deleted":
        if this >= newest:
            _keep(store, kind, identity, this, None, deleted=True)
    elif not removed and (this > newest or (this == newest and not deleted and (gone or whole))):
        # gone: a row that left one grid and comes by another with the very version that it left with
        _keep(store, kind, identity, this, json.dumps(item["data"], ensure_ascii=False), deleted=False)
    if not whole:  # after a snapshot all are dropped at once
        drop_strays(store, kind, identity)


def drop_strays(store: Store, kind: str | None = None, identity: str | None = None) -> None:
    """Forget what lies in no grid of the device any more, one row or all that do: the row, and what answers told of it."""
    one, which = ("", ()) if kind is None else (" AND kind = ? AND id = ?", (kind, identity))
    store.run(f"UPDATE entity SET data = NULL WHERE data IS NOT NULL{one} AND {_ORPHAN.format('entity')}", *which)
    for table in ("inbox", "mutation"):
        store.run(
            f"UPDATE {table} SET result = json_remove(result, '$.current') WHERE json_type(result, '$.current') IS NOT NULL{one}"
            f" AND {_ORPHAN.format(table)}",
            *which,
        )


def replace_scope(store: Store, scope_id: int, *, era: int, kinds: Sequence[str] | None) -> None:
    """Let a complete snapshot be what the grid holds. What it does not name is not there any more."""
    for kind, identity, version, data in store.all("SELECT kind, id, version, data FROM arriving WHERE scope_id = ?", scope_id):
        row = {"op": "upsert", "kind": kind, "id": identity, "version": version, "data": json.loads(data)}
        apply_item(store, scope_id, row, era=era, whole=True)
    unnamed = "NOT EXISTS (SELECT 1 FROM arriving a WHERE a.scope_id = member.scope_id AND a.kind = member.kind AND a.id = member.id)"
    among = json.dumps(kinds) if kinds is not None else None
    store.run(
        f"DELETE FROM member WHERE scope_id = ? AND (? IS NULL OR kind IN (SELECT value FROM json_each(?))) AND {unnamed}",
        *(scope_id, among, among),
    )
    store.run("DELETE FROM arriving WHERE scope_id = ?", scope_id)
    drop_strays(store)


def forget_scope(store: Store, scope_id: int) -> None:
    """Delete a lost grid with every row that lies in no other, and what answers told of such rows."""
    with store.transaction():
        for table in ("member", "arriving", "staged", "scope"):
            store.run(f"DELETE FROM {table} WHERE scope_id = ?", scope_id)
        drop_strays(store)
        store.run(f"DELETE FROM entity WHERE {_ORPHAN.format('entity')}")
    store.shrink()


def checksum(store: Store, scope_id: int) -> tuple[int, str]:
    """How many rows lie in a grid, and the exclusive or of the first eight bytes of sha256(kind id version), as 16 hex digits."""
    count, total = 0, 0
    rows = store.all(
        "SELECT e.kind, e.id, e.version FROM member m JOIN entity e USING (kind, id)"
        " WHERE m.scope_id = ? AND m.held AND e.data IS NOT NULL",
        scope_id,
    )
    for kind, identity, version in rows:
        total ^= int.from_bytes(hashlib.sha256(f"{kind}{identity}{version}".encode()).digest()[:8])
        count += 1
    return count, f"{total:016x}"


def shown(store: Store, kind: str, identity: str) -> Shown | None:
    """One row, or None where there is none to be seen."""
    identity = canonical(store, identity)
    row = store.one(f"SELECT e.version, e.era, e.data FROM entity e WHERE e.kind = ? AND e.id = ? AND {_VISIBLE}", kind, identity)
    version, era, data = (0, 0, None) if row is None else (*row[:2], json.loads(row[2]))
    over = store.all(f"SELECT body, state, status, result FROM mutation WHERE kind = ? AND id = ? AND {_OVER} ORDER BY seq", kind, identity)
    for body, state, status, result in over:
        mutation = json.loads(body)
        if state == "done" and status == "conflict":
            kept = set(json.loads(result).get("fields") or mutation.get("set", {}))
            if data is not None:
                data |= {name: value for name, value in mutation.get("set", {}).items() if name not in kept}
        elif mutation["op"] == "delete":
            data = None
        elif mutation["op"] == "create":
            if status == "duplicate_of" and data is not None:
                continue  # who was in the register already is here; until then the worker sees what was written down
            data = dict(mutation["set"])
        elif data is not None:
            data |= mutation["set"]
    return None if data is None else Shown(kind, identity, version, data, era, pending=bool(over))


def listed(store: Store, kind: str) -> Iterator[Shown]:
    """Every row of a kind that is to be seen, the server's first."""
    held = store.all(f"SELECT e.id FROM entity e WHERE e.kind = ? AND {_VISIBLE} ORDER BY e.id", kind)
    made = store.all(f"SELECT DISTINCT id FROM mutation WHERE kind = ? AND {_OVER} ORDER BY id", kind)
    for identity in dict.fromkeys(identity for (identity,) in held + made):
        row = shown(store, kind, identity)
        if row is not None and row.id == identity:
            yield row


def canonical(store: Store, identity: str) -> str:
    """The id of the row that an id stands for."""
    found = store.one("SELECT canonical FROM alias WHERE alias = ?", identity)
    return identity if found is None else found[0]


_ORPHAN: Final = "NOT EXISTS (SELECT 1 FROM member m WHERE m.kind = {0}.kind AND m.id = {0}.id AND m.held)"
_VISIBLE: Final = (
    "e.data IS NOT NULL AND EXISTS (SELECT 1 FROM member m JOIN scope s USING (scope_id)"
    " WHERE m.kind = e.kind AND m.id = e.id AND m.held AND s.state <> 'leaving')"
)
_OVER: Final = (
    "seq > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'acked_seq'), 0)"
    " AND (state = 'queued' OR status IN ('applied', 'merged', 'noop', 'duplicate_of', 'conflict'))"
)


def _belong(store: Store, kind: str, identity: str, scope_id: int, this: tuple[int, int], *, held: bool) -> None:
    """The newest word on whether the row lies in the grid; of two about one version, that it does not."""
    store.run(
        "INSERT INTO member VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id, scope_id) DO UPDATE"
        " SET era = excluded.era, version = excluded.version, held = excluded.held"
        " WHERE (excluded.era, excluded.version) > (era, version)"
        " OR ((excluded.era, excluded.version) = (era, version) AND NOT excluded.held)",
        *(kind, identity, scope_id, *this, held),
    )


def _keep(store: Store, kind: str, identity: str, this: tuple[int, int], data: str | None, *, deleted: bool) -> None:
    store.run(
        "INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE"
        " SET era = excluded.era, version = excluded.version, data = excluded.data, deleted = excluded.deleted",
        *(kind, identity, *this, data, deleted),
    )
