"""One meeting with the server: send what was recorded, take what changed, leave what was lost.

The order matters. What the worker recorded goes first, whatever else is wrong; nothing of it is ever dropped by what comes back.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clients.handheld import history, identity, outbox, photos, snapshot
from clients.handheld.clock import Clock, SystemClock
from clients.handheld.outbox import Letter, SequenceLostError
from clients.handheld.rows import Json, apply_item, checksum, forget_scope
from clients.handheld.store import Store
from clients.handheld.transport import RefusedError, Transport, UnreachableError

PAGE: Final = 500
TOGETHER: Final = 50
"""Grids that the server looks at in one request."""
ROUNDS: Final = 200
"""Pulls of one meeting at most: a device that comes back after weeks takes more, and takes them at the next meeting."""


@dataclass
class Meeting:
    """What came of it."""

    sent: int = 0
    received: int = 0
    snapshots: list[int] = field(default_factory=list[int])
    left: list[int] = field(default_factory=list[int])
    letters: list[Letter] = field(default_factory=list[Letter])
    mismatches: list[int] = field(default_factory=list[int])
    lost: str | None = None
    """What the server wants and this device does not keep any more; nothing can be sent until the administration has looked at it."""


@dataclass
class Handheld:
    """A device: its file, its way to the server, its clock."""

    store: Store
    transport: Transport
    clock: Clock = field(default_factory=SystemClock)

    def sync(self, *, wait_s: int = 0) -> Meeting:
        """Meet the server once. Raises UnreachableError, RefusedError and WipedError; what was done until then stays done."""
        meeting = Meeting()
        if self.store.get("state") == "wiping":
            identity.finish_wipe(self.store, self.transport)
            raise identity.WipedError("the server ordered this device wiped")
        self.bootstrap()
        self._push_or_tell(meeting)
        trouble = self._send_photos()
        if self.store.get("state") == "draining":
            self._end(meeting)
            return meeting
        try:
            self.pull(meeting, wait_s=wait_s)
        except RefusedError as refusal:
            if refusal.slug != "device-draining":
                raise
            self._end(meeting)
            return meeting
        self._leave(meeting)
        with self.store.transaction():
            outbox.prune(self.store, now=float(self.store.get("server_time") or 0))
        if trouble is not None:
            raise trouble
        return meeting

    def bootstrap(self) -> None:
        """Learn the limits and the grids. A grid that is new here waits for its snapshot; one that is not told any more is left."""
        told = self._call("GET", "/v1/sync/bootstrap").json()
        with self.store.transaction():
            self._hear(told)
            history.recognise(self.store, told["epoch"])
            limits = told["limits"]
            self.store.put(
                max_mutations=limits["push"]["max_mutations"],
                max_bytes=limits["push"]["max_inflated"],
                max_item_bytes=limits["push"]["max_item_bytes"],
                page=limits["pull"]["limit"],
                offline_days=limits["offline_days"],
                assignment_version=told["assignment_version"],
            )
            self.store.put(state=told["device"]["status"])
            for scope in told["scopes"]:
                self.store.run(
                    "INSERT INTO scope (scope_id, code, name) VALUES (?, ?, ?) ON CONFLICT (scope_id) DO UPDATE"
                    " SET code = excluded.code, name = excluded.name, state = CASE state WHEN 'leaving' THEN 'new' ELSE state END",
                    *(scope["scope_id"], scope["code"], scope["name"]),
                )
            held = {scope["scope_id"] for scope in told["scopes"]}
            self._lose(scope_id for (scope_id,) in self.store.all("SELECT scope_id FROM scope") if scope_id not in held)

    def _hear(self, answer: Mapping[str, Any]) -> None:
        """The server was reached just now: the lease begins again, and its time is known."""
        identity.in_touch(self.store, self.clock)
        self.store.put(server_time=outbox.moment(answer["server_time"]))

    def push(self, meeting: Meeting | None = None) -> None:
        """Send everything that waits, in order, batch by batch. Every answered item is off the queue for good, whatever its status.

        Raises SequenceLostError when the server wants what is not kept any more.
        """
        meeting = meeting or Meeting()
        if self.store.get("compare") is not None:
            self._compare_numbers()
        most, most_bytes = self.store.number("max_mutations") or 200, self.store.number("max_bytes") or 1 << 20
        while (batch := outbox.batch(self.store, most=most, most_bytes=most_bytes)) is not None:
            try:
                answer = self._call("POST", "/v1/sync/push", body=batch.text(self.store.get("device_id") or "", self.clock)).json()
            except RefusedError as refusal:
                if refusal.slug == "sequence-gap":
                    outbox.resend_from(self.store, int(refusal.problem["expected_seq"]))
                elif refusal.status == 413 and len(batch.bodies) > 1:
                    most = len(batch.bodies) // 2
                else:
                    raise
                continue
            meeting.letters += outbox.settle(self.store, answer)
            meeting.sent += len(answer["results"])

    def _push_or_tell(self, meeting: Meeting) -> None:
        """Push. When the server wants what is not kept any more the rest of the meeting goes on: what comes and what goes does not depend
        on it.
        """
        try:
            self.push(meeting)
        except SequenceLostError as error:
            meeting.lost = str(error)

    def _send_photos(self) -> RefusedError | UnreachableError | None:
        """Send photos. What keeps them here, unless it is about the device, is told at the end of the meeting: a store of files that is
        down is no reason to keep the rows of a grid that was lost.
        """
        try:
            photos.send(self.store, self.transport)
        except UnreachableError as trouble:
            return trouble
        except RefusedError as refusal:
            if refusal.status in {401, 403}:
                raise
            return refusal
        return None

    def _compare_numbers(self) -> None:
        """In another history of the server: ask how far it knows this device; what it does not know is sent by the new rules."""
        empty = outbox.Batch(0, 0, [])
        told = self._call("POST", "/v1/sync/push", body=empty.text(self.store.get("device_id") or "", self.clock)).json()
        try:
            outbox.resend_from(self.store, told["last_seq"] + 1)
        finally:
            with self.store.transaction():
                self.store.put(compare=None)

    def pull(self, meeting: Meeting | None = None, *, wait_s: int = 0) -> None:
        """Take what changed until the server has no more, and show it together. Grids without a cursor get their snapshot first."""
        meeting = meeting or Meeting()
        for _ in range(ROUNDS):
            self._fetch(meeting)
            asked = [
                {"scope_id": scope_id, "cursor": cursor}
                for scope_id, cursor in self.store.all(
                    "SELECT scope_id, coalesce(ahead, cursor) FROM scope WHERE state = 'live' ORDER BY 1"
                )
            ]
            try:
                answer = self._ask(asked, wait_s)
            except RefusedError as refusal:
                if refusal.slug != "cursor-expired":
                    raise
                for scope in asked:
                    snapshot.begin_again(self.store, scope["scope_id"])
                continue
            wait_s = 0
            if self._take(answer, meeting) and self._agrees(answer, meeting):
                return

    def _ask(self, asked: Sequence[Mapping[str, Any]], wait_s: int) -> Json:
        """One round: what the server tells of all these grids, asked for in parts, as one answer. It acknowledges what each part does."""
        parts = _parts(asked) or [[]]
        wait_s = wait_s if len(parts) == 1 else 0  # news of one part must not wait for another's
        limit = self.store.number("page") or PAGE
        told: list[Json] = [
            self._call("POST", "/v1/sync/pull", body=json.dumps({"scopes": part, "limit": limit, "wait_s": wait_s})).json()
            for part in parts
        ]
        return told[-1] | {
            "scopes": [scope for answer in told for scope in answer["scopes"]],
            "removed_scopes": [scope_id for answer in told for scope_id in answer.get("removed_scopes", [])],
            "acked_seq": min(answer["acked_seq"] for answer in told),
        }

    def _take(self, answer: Mapping[str, Any], meeting: Meeting) -> bool:
        """Apply one answer, or stage it while more is to come; whether everything is here."""
        more = any(scope.get("has_more") for scope in answer["scopes"])
        with self.store.transaction():
            self._hear(answer)
            for scope in answer["scopes"]:
                if "snapshot" in scope:
                    snapshot.begin_again(self.store, scope["scope_id"], address=scope["snapshot"])
                    continue
                meeting.received += len(scope["items"])
                items = [(scope["scope_id"], json.dumps(item, ensure_ascii=False)) for item in scope["items"]]
                self.store.many("INSERT INTO staged (scope_id, item) VALUES (?, ?)", items)
                self.store.run("UPDATE scope SET ahead = ? WHERE scope_id = ?", scope["cursor"], scope["scope_id"])
            self._lose(answer.get("removed_scopes", []))
            if not more:
                self._show()
                if self._all_live():
                    self.store.put(acked_seq=max(answer["acked_seq"], self.store.number("acked_seq")))
        if str(answer["assignment_version"]) != self.store.get("assignment_version"):
            self.bootstrap()
        return not more and self._all_live()

    def _show(self) -> None:
        """What was staged is shown together."""
        era = self.store.number("era")
        for scope_id, item in self.store.all("SELECT scope_id, item FROM staged ORDER BY place"):
            apply_item(self.store, scope_id, json.loads(item), era=era)
        self.store.run("DELETE FROM staged")
        self.store.run("UPDATE scope SET cursor = ahead, ahead = NULL WHERE ahead IS NOT NULL")

    def _fetch(self, meeting: Meeting) -> None:
        """The snapshots that are wanted; then, of a server that came back from a backup, what it does not know any more."""
        for (scope_id,) in self.store.all("SELECT scope_id FROM scope WHERE state = 'new' ORDER BY scope_id"):
            try:
                snapshot.fetch(self.store, self.transport, scope_id)
            except RefusedError as refusal:
                if refusal.status != 404:
                    raise
                with self.store.transaction():
                    self._lose([scope_id])  # between the word and the deed
            else:
                meeting.snapshots.append(scope_id)
        if self.store.get("compare") is not None:
            self._push_or_tell(meeting)

    def _agrees(self, answer: Mapping[str, Any], meeting: Meeting) -> bool:
        """Whether checksums agree, those told and those of grids just fetched. Where not, a grid is fetched anew, once a meeting."""
        told = {scope["scope_id"]: scope["checksum"] for scope in answer["scopes"] if scope.get("checksum") is not None}
        unlike = {scope_id for scope_id, theirs in told.items() if checksum(self.store, scope_id)[1] != theirs}
        wrong = self.verify(sorted(unlike | (set(meeting.snapshots) - told.keys())))
        fresh = [scope_id for scope_id in wrong if scope_id not in meeting.mismatches]
        for scope_id in fresh:
            snapshot.begin_again(self.store, scope_id)
        meeting.mismatches += fresh
        return not fresh

    def verify(self, scopes: list[int]) -> list[int]:
        """Ask the server about grids; those that do not agree, of which it keeps an incident."""
        cursors = dict(self.store.all("SELECT scope_id, cursor FROM scope WHERE state = 'live'"))
        asked: list[dict[str, Any]] = []
        for scope_id in cursors.keys() & set(scopes):
            count, ours = checksum(self.store, scope_id)
            asked.append({"scope_id": scope_id, "cursor": cursors[scope_id], "count": count, "checksum": ours})
        wrong: list[int] = []
        for part in _parts(asked):
            told = self._call("POST", "/v1/sync/verify", body=json.dumps({"scopes": part})).json()
            wrong += [scope["scope_id"] for scope in told["scopes"] if scope["result"] == "mismatch"]
        return wrong

    def _lose(self, gone: Iterable[int]) -> None:
        """Hide grids that are not this worker's any more. They are deleted when what was recorded in them is sent."""
        for scope_id in gone:
            self.store.run("UPDATE scope SET state = 'leaving' WHERE scope_id = ?", scope_id)
            self.store.run("DELETE FROM staged WHERE scope_id = ?", scope_id)

    def _leave(self, meeting: Meeting) -> None:
        leaving = [scope_id for (scope_id,) in self.store.all("SELECT scope_id FROM scope WHERE state = 'leaving'")]
        if leaving:
            self._push_or_tell(meeting)
        for scope_id in leaving:
            forget_scope(self.store, scope_id)
            meeting.left.append(scope_id)

    def _all_live(self) -> bool:
        return self.store.one("SELECT 1 FROM scope WHERE state = 'new'") is None

    def _end(self, meeting: Meeting) -> None:
        """Of a device that is to be emptied: everything is sent, then it goes. While photos have to wait it stays for another meeting."""
        while True:
            self.push(meeting)
            photos.send(self.store, self.transport)
            if identity.wipe(self.store, self.transport, drained=True):
                raise identity.WipedError("the server drained this device")
            if not outbox.waiting(self.store):
                return

    def _call(self, method: str, path: str, *, body: str | None = None) -> Any:
        return identity.call(self.store, self.transport, method, path, body=body)


def _parts(asked: Sequence[Mapping[str, Any]]) -> list[Sequence[Mapping[str, Any]]]:
    """As many grids at once as the server looks at."""
    return [asked[start : start + TOGETHER] for start in range(0, len(asked), TOGETHER)]
