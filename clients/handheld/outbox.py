"""What the worker recorded, on its way to the server: recorded with a number that never changes, sent in order, answered one by one.

Nothing leaves the outbox but by an answer about this very number. No answer keeps it there, whatever it says: what could not be
taken is kept by the server with the reason, and shown in the inbox.
"""

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from clients.handheld.clock import Clock, new_id
from clients.handheld.rows import Json, canonical, shown
from clients.handheld.store import Store

Op = Literal["create", "update", "delete"]
KEPT: Final = 7 * 86_400
"""Seconds by the server's clock for which answered mutations are kept: a server that was restored from a backup asks for them again."""
DEEPEST: Final = 24
"""Objects and lists in one another: the server reads no body of more than 32 levels, and would refuse the whole batch for ever."""
FIRST: Final = 1
"""Version of a row's first form, the only one that is the same in every history of the server."""
LARGEST: Final = 65_536
"""Bytes of one mutation, unless the server's limits say another number."""


class RecordError(Exception):
    """What was to be recorded cannot be: the row is not there, or it is too large."""


class SequenceLostError(Exception):
    """The server wants numbers that this device does not keep any more; somebody has to look at it."""


@dataclass(frozen=True)
class Letter:
    """A conflict or a refusal that the worker should look at."""

    seq: int
    kind: str
    id: str
    result: Json


@dataclass(frozen=True)
class Batch:
    """Consecutive mutations as they are sent."""

    first: int
    last: int
    bodies: Sequence[str]

    def text(self, device_id: str, clock: Clock) -> str:
        """The body of the push. The mutations in it are the very texts that were recorded: their hash tells a repetition from another."""
        head = {
            "device_id": device_id,
            "batch_id": str(uuid.uuid4()),
            "sent_at_device": clock.now().isoformat(),
            "boot_id": clock.boot_id,
            "mono_ms": clock.mono_ms(),
        }
        return json.dumps(head)[:-1] + ', "mutations": [' + ", ".join(self.bodies) + "]}"


def record(
    store: Store,
    clock: Clock,
    op: Op,
    kind: str,
    identity: str | None = None,
    *,
    scope_id: int | None = None,
    values: Mapping[str, Any] | None = None,
    files: Sequence[str] = (),
    resolves: str | None = None,
) -> tuple[str, int]:
    """Write down what the worker did; id and number of it. A create chooses an id unless given.

    An update or deletion names the version of the row that the worker was looking at; where only this device knows the row yet, the
    number of the mutation that made it. Raises RecordError.
    """
    with store.transaction():
        if store.ended:
            raise RecordError("this device was emptied: nothing that is recorded on it would be sent")
        seq = store.number("last_seq") + 1
        identity = identity or new_id(clock.now())
        mutation: Json = {"seq": seq, "mutation_id": new_id(clock.now()), "op": op, "kind": kind, "id": identity}
        if op == "create":
            mutation["scope_id"] = scope_id
        else:
            seen = shown(store, kind, identity)
            if seen is None:
                raise RecordError(f"there is no such {kind} on this device")
            # a row of another history: its number may be another form now, which nobody here has read
            version = seen.version if seen.era == store.number("era") else FIRST
            mutation["base"] = {"version": version} if seen.version else {"seq": _maker(store, kind, identity)}
            if op == "update":
                mutation["was"] = {name: seen.data.get(name) for name in values or {}}
        mutation |= {"captured_at": clock.now().isoformat(), "boot_id": clock.boot_id, "mono_ms": clock.mono_ms()}
        if values is not None:
            mutation["set"] = dict(values)
        if files:
            mutation["files"] = list(files)
        if resolves is not None:
            mutation["resolves"] = resolves
        body = _as_text(mutation, store.number("max_item_bytes") or LARGEST)
        store.run("INSERT INTO mutation (seq, kind, id, body) VALUES (?, ?, ?, ?)", seq, kind, canonical(store, identity), body)
        store.put(last_seq=seq)
        return identity, seq


def waiting(store: Store) -> int:
    """How many mutations have no answer yet."""
    found = store.one("SELECT count(*) FROM mutation WHERE state = 'queued'")
    assert found is not None
    return found[0]


def batch(store: Store, *, most: int, most_bytes: int) -> Batch | None:
    """The next mutations, at most so many and at most so many bytes, but one at least; None when nothing waits."""
    chosen: list[tuple[int, str]] = []
    size = 0
    for seq, body in store.all("SELECT seq, body FROM mutation WHERE state = 'queued' ORDER BY seq LIMIT ?", most):
        size += len(body.encode()) + 2
        if chosen and (size > most_bytes or seq != chosen[-1][0] + 1):
            break
        chosen.append((seq, body))
    return Batch(chosen[0][0], chosen[-1][0], [body for _, body in chosen]) if chosen else None


def settle(store: Store, answer: Mapping[str, Any]) -> list[Letter]:
    """Take every answered mutation off the queue, whatever its status; what the worker should look at."""
    told: list[Letter] = []
    now = moment(answer["server_time"])
    with store.transaction():
        for result in answer["results"]:
            row = store.one("SELECT kind, id FROM mutation WHERE seq = ? AND state = 'queued'", result["seq"])
            if row is None:
                continue  # answered before: this answer was overtaken
            _lead(store, result)
            text = json.dumps(result, ensure_ascii=False)
            store.run(
                "UPDATE mutation SET state = 'done', status = ?, result = ?, done_at = ? WHERE seq = ?",
                *(result["status"], text, now, result["seq"]),
            )
            if result["status"] in {"conflict", "rejected"}:
                store.run("INSERT OR REPLACE INTO inbox (seq, kind, id, result) VALUES (?, ?, ?, ?)", result["seq"], *row, text)
                told.append(Letter(result["seq"], row[0], row[1], result))
    return told


def resend_from(store: Store, expected: int) -> None:
    """The server came back in another history, and knows nothing from this number on. Queue again what it was sent of that.

    The versions on which all of that was based, and what still waits, are of a history that the server has lost; the same numbers may
    stand for what nobody here has read. So the first form is named as base. What the server knows stays as it was sent: it keeps a hash
    of it. Raises SequenceLostError when the device does not keep that number any more; what it does keep waits in the queue.
    """
    with store.transaction():
        store.run(
            "UPDATE mutation SET body = json_set(body, '$.base.version', ?) WHERE seq >= ? AND json_extract(body, '$.base.version') > ?",
            *(FIRST, expected, FIRST),
        )
        store.run("UPDATE mutation SET state = 'queued', status = NULL, result = NULL WHERE state = 'done' AND seq >= ?", expected)
        own = "json_extract(body, '$.id')"  # what the server has lost of aliases it may decide otherwise now
        store.run(f"DELETE FROM alias WHERE alias IN (SELECT {own} FROM mutation WHERE seq >= ?)", expected)
        store.run(f"UPDATE mutation SET id = {own} WHERE seq >= ? AND {own} NOT IN (SELECT alias FROM alias)", expected)
        lowest = store.one("SELECT min(seq) FROM mutation WHERE state = 'queued'")
        store.put(acked_seq=min(store.number("acked_seq"), expected - 1))  # what it does not know has not come back from it
    oldest = None if lowest is None else lowest[0]
    if expected <= store.number("last_seq") and (oldest is None or oldest > expected):
        raise SequenceLostError(f"the server wants number {expected}; the oldest one that is kept of what it lacks is {oldest or 'none'}")


def prune(store: Store, *, now: float) -> int:
    """Delete answered mutations of more than a week ago whose effect has come back; how many. `now` is the server's: somebody may turn the
    device's clock, and a server that is restored then would ask in vain.
    """
    return store.run("DELETE FROM mutation WHERE state = 'done' AND done_at < ? AND seq <= ?", now - KEPT, store.number("acked_seq"))


def moment(server_time: str) -> float:
    """The server's time as an answer tells it, in seconds."""
    return dt.datetime.fromisoformat(server_time).timestamp()


def inbox(store: Store) -> list[Letter]:
    """What the worker has not looked at yet, the oldest first."""
    rows = store.all("SELECT seq, kind, id, result FROM inbox WHERE NOT seen ORDER BY seq")
    return [Letter(seq, kind, identity, json.loads(result)) for seq, kind, identity, result in rows]


def looked_at(store: Store, seq: int) -> None:
    """The worker has seen this letter."""
    store.run("UPDATE inbox SET seen = 1 WHERE seq = ?", seq)


def _as_text(mutation: Json, largest: int) -> str:
    """What is sent. It must be JSON that everybody reads: one that nobody can would stand in the way of all that come after."""
    try:
        body = json.dumps(mutation, ensure_ascii=False, allow_nan=False)
        size = len(body.encode())
    except (ValueError, TypeError, RecursionError):
        raise RecordError("this cannot be sent: a number that is none, or half a character") from None
    if _levels(mutation) > DEEPEST:
        raise RecordError("this cannot be sent: it is nested too deep")
    if size > largest:
        raise RecordError("this is too large to be sent")
    return body


def _levels(value: object) -> int:
    """How many objects and lists stand in one another. Of what could be written, so it ends."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    return 0 if inner is None else 1 + max(map(_levels, inner), default=0)


def _maker(store: Store, kind: str, identity: str) -> int:
    """The own mutation that another one of this row builds on: the newest that was taken. While none was, the first: it makes the row, and
    if it is refused all are, but of those between one may be refused and the others not.
    """
    found = store.one(
        "SELECT coalesce(max(seq) FILTER (WHERE state = 'done'), min(seq)) FROM mutation"
        " WHERE kind = ? AND id = ? AND status IS NOT 'rejected'",
        *(kind, canonical(store, identity)),
    )
    assert found is not None
    return found[0]


def _lead(store: Store, result: Mapping[str, Any]) -> None:
    """Let an id that this device chose stand for somebody who was in the register already, or for itself again.

    A server that has forgotten what it answered says the status alone; then the row comes by a pull under the id that it has.
    """
    own = "json_extract(body, '$.id')"
    found = store.one(f"SELECT {own} FROM mutation WHERE seq = ? AND json_extract(body, '$.op') = 'create'", result["seq"])
    if found is None:
        return
    ended = store.run("DELETE FROM alias WHERE alias = ?", found[0])
    leads = result.get("canonical_id") if result["status"] == "duplicate_of" else None
    if leads is not None:
        store.run("INSERT INTO alias VALUES (?, ?)", found[0], leads)
    if ended or leads is not None:
        store.run(f"UPDATE mutation SET id = ? WHERE {own} = ?", leads or found[0], found[0])
