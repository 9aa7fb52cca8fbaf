"""A small world: three handhelds of two workers, an office, a writer who takes long, a server that dies, and a bad network.

What happens in it is said by the model (tests/sync/model.py); after each step it looks at what must hold at every moment.
"""

import base64
import datetime as dt
import json
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from clients.handheld import outbox, rows
from clients.handheld.store import Store
from clients.handheld.sync import Handheld, Meeting
from clients.handheld.transport import RefusedError, Transport, UnreachableError
from gridmgmt.database import Actor
from gridmgmt.security.tokens import Tokens
from tests import horizon
from tests.drawn import Drawn
from tests.handhelds import Device, enrolled
from tests.places import KEYS, point
from tests.sync.clocks import WanderingClock
from tests.sync.ground import Ground
from tests.sync.proxy import Exchange, Fault

CANARY = "canary-in-a-grid-of-nobody"
HOLDINGS = (
    # worker, grid, held at the beginning
    ("worker", "south-west", True),
    ("worker", "south-east", False),
    ("worker-east", "east-inner", True),
    ("worker-east", "south-west", True),
)
LIFTED = frozenset({"op", "kind", "id", "version", "reason"})
"""All that may be told of a row that is not, or no more, in a grid."""


@dataclass
class Gadget:
    """A handheld, and what was seen of it so far."""

    username: str
    device: Device
    handheld: Handheld
    clock: WanderingClock
    versions: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict[tuple[str, str], tuple[int, int]])
    acked: tuple[int, int] = (0, 0)
    """Era, and the acknowledgement in it."""
    horizons: dict[tuple[int, str], int] = field(default_factory=dict[tuple[int, str], int])

    @property
    def store(self) -> Store:
        return self.handheld.store

    def turn(self, days: int) -> None:
        """Turn the wall clock."""
        self.clock.ahead = dt.timedelta(days=days)


class World:
    """One case: a district of its own, which everybody writes to."""

    def __init__(self, ground: Ground, drawn: Drawn) -> None:
        self.ground = ground
        self.drawn = drawn
        self.superuser = psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True)
        self.held: set[tuple[str, str]] = {(worker, grid) for worker, grid, held in HOLDINGS if held}
        self.long: psycopg.Connection[tuple[Any, ...]] | None = None
        self.copies: list[Gadget] = []
        self.histories = 0
        self._hold()
        self._plant()
        ground.proxy.recorded.clear()
        ground.process.serve(drawn.address)
        self.gadgets = [self._gadget(username) for username in ("worker", "worker-east", "worker")]

    def close(self) -> None:
        self.end_long()
        for gadget in (*self.gadgets, *self.copies):
            gadget.store.close()
            gadget.store.path.unlink()
        self.superuser.close()

    # what people do

    def sync(self, gadget: Gadget, faults: Sequence[Fault] = ()) -> Meeting | None:
        """Meet the server on a network that does these things. None when it did not come to an end, which only faults may cause."""
        self.ground.proxy.plan.clear()
        self.ground.proxy.plan.extend(faults)
        meeting = _met(gadget, faults)
        self.ground.proxy.plan.clear()
        self.look(gadget, complete=meeting is not None)
        return meeting

    def office(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> int:
        """One request of the district's, by a good network; its status."""
        token = Tokens(KEYS.token, 900).issue(self.drawn.places.accounts["district"])
        headers = {"Authorization": f"Bearer {token}", "If-Match": "*", "Idempotency-Key": f"k-{self.number()}"}
        transport = Transport(self.ground.process.site, sleep=_briefly)
        try:
            return transport.send(method, path, body=None if body is None else json.dumps(body), headers=headers).status
        except RefusedError as refusal:
            if refusal.status >= 500 and refusal.status != 503:
                raise
            return refusal.status
        finally:
            transport.close()

    def move_worker(self, worker: str, grid: str) -> None:
        """Give a grid to a worker, or take it away."""
        if (worker, grid) in self.held:
            self.held.remove((worker, grid))
            day = "reg.today()"
        else:
            self.held.add((worker, grid))
            day = "NULL"
        self.superuser.execute(
            f"UPDATE reg.grid_assignment SET valid_to = {day} WHERE account_id = %s AND grid_id = %s",
            [self.actor(worker).account_id, self.drawn.places.grids[grid]],
        )

    def relocate(self, dice: random.Random) -> None:
        """The district finds that a building stands elsewhere; everything in it moves along."""
        chosen = dice.choice([name for name in ("tower", "village", "shop", "school", "mill") if name in self.drawn.places.buildings])
        lon, lat = point(dice.choice((120, 620, 1120)), dice.choice((120, 520)))
        self.office("PATCH", f"/v1/buildings/{self.drawn.places.buildings[chosen]}", {"entrance": {"lon": lon, "lat": lat}})

    def copy(self, gadget: Gadget) -> None:
        """Keep what a device holds at this moment, as another device's that only pulls. A few are enough."""
        if len(self.copies) < 3:
            path = self.ground.folder / f"device-{self.number()}.sqlite"
            shutil.copy(gadget.store.path, path)
            handheld = Handheld(Store(path), gadget.handheld.transport, gadget.clock)
            self.copies.append(Gadget(gadget.username, gadget.device, handheld, gadget.clock))

    def settle(self) -> None:
        """Faults end; within three meetings every queue is empty (I8), and what was written meanwhile has come to everybody."""
        self.end_long()
        for round_ in range(3):
            horizon.settle(self.drawn.address)
            for gadget in self.gadgets:
                meeting = self.sync(gadget)
                assert meeting is not None
                assert not meeting.mismatches, "checksums do not agree"
                assert round_ < 2 or not meeting.sent

    def begin_long(self) -> None:
        """Somebody enters a person and does not commit yet: an old transaction whose change comes late. It locks no row of anybody's."""
        if self.long is None:
            self.long = psycopg.connect(self.drawn.address.conninfo("postgres"))
            self.long.execute(PERSON, [f"晚{self.number()}", self.drawn.places.grids["south-west"]])

    def end_long(self, *, commit: bool = True) -> None:
        """And commits at last, or not."""
        if self.long is not None:
            if commit:
                self.long.commit()
            else:
                self.long.rollback()
            self.long.close()
            self.long = None

    def hang_up(self) -> None:
        """Let PostgreSQL end every session of the server, and wait until they have ended: our own would be lent to whoever is next."""
        ours = "datname = current_database() AND application_name LIKE 'gridmgmt%'"
        self.superuser.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {ours}")

    def another_history(self) -> None:
        """What a restore does to the feed: every cursor is of another time."""
        self.histories += 1
        self.superuser.execute("UPDATE sync.feed_meta SET generation = gen_random_uuid()")

    def again(self, gadget: Gadget, first: int, last: int) -> None:
        """Send answered mutations again, as a device would that has forgotten: the same answers, and nothing happens."""
        found = gadget.store.all("SELECT seq, body, result FROM mutation WHERE state = 'done' AND seq BETWEEN ? AND ?", first, last)
        if not found:
            return
        batch = outbox.Batch(found[0][0], found[-1][0], [body for _, body, _ in found])
        told = self.direct(gadget, batch)
        assert [result["seq"] for result in told["results"]] == [seq for seq, _, _ in found]
        for (_, _, before), result in zip(found, told["results"], strict=True):
            assert result["replayed"] is True
            assert result["status"] == json.loads(before)["status"]

    def direct(self, gadget: Gadget, batch: outbox.Batch) -> Any:
        """A push past the bad network."""
        return self.sending(gadget, batch)()

    def sending(self, gadget: Gadget, batch: outbox.Batch) -> Callable[[], Any]:
        """The same, to be called in any thread."""
        text, headers, site = batch.text(str(gadget.device.id), gadget.clock), self.headers(gadget), self.ground.process.site

        def send() -> Any:
            transport = Transport(site, sleep=_briefly)
            try:
                return transport.send("POST", "/v1/sync/push", body=text, headers=headers).json()
            finally:
                transport.close()

        return send

    # what is known

    def headers(self, gadget: Gadget) -> dict[str, str]:
        return gadget.device.headers

    def actor(self, username: str) -> Actor:
        return self.drawn.places.accounts[username]

    def scopes(self, username: str) -> set[int]:
        """The grids of a worker at this moment."""
        return {self.drawn.places.grids[grid] for worker, grid in self.held if worker == username}

    def number(self) -> int:
        return self.ground.number()

    def shown(self, gadget: Gadget, kind: str) -> list[rows.Shown]:
        return list(rows.listed(gadget.store, kind))

    # what must hold at every moment

    def look(self, gadget: Gadget, *, complete: bool) -> None:
        """Versions, acknowledgements and horizons never fall (I5, I9), nobody is told of what is not theirs (I6)."""
        store = gadget.store
        for kind, identity, *this in store.all("SELECT kind, id, era, version FROM entity"):
            version = (this[0], this[1])
            assert version >= gadget.versions.get((kind, identity), (-1, 0)), "a version fell"
            gadget.versions[kind, identity] = version
        acked = (store.number("era"), store.number("acked_seq"))
        assert acked >= gadget.acked, "the acknowledgement fell"
        gadget.acked = acked
        for scope_id, cursor in store.all("SELECT scope_id, cursor FROM scope WHERE cursor IS NOT NULL"):
            history, horizon = (scope_id, opened(cursor)["e"]), int(opened(cursor)["x"])
            assert horizon >= gadget.horizons.get(history, 0), "a horizon fell"
            gadget.horizons[history] = horizon
        self._look_at_own(store)
        if complete:
            held = {scope_id for (scope_id,) in store.all("SELECT DISTINCT scope_id FROM member WHERE held")}
            assert held <= self.scopes(gadget.username), "a device kept a grid that was lost"
        self._look_at_wire()

    def _look_at_own(self, store: Store) -> None:
        """An own change does not disappear between its answer and its return."""
        newest: dict[tuple[str, str, str], tuple[int, Any]] = {}
        for seq, kind, identity, body, status in store.all("SELECT seq, kind, id, body, status FROM mutation ORDER BY seq"):
            mutation = json.loads(body)
            for name, value in mutation.get("set", {}).items():
                newest[kind, rows.canonical(store, identity), name] = (seq, value if status in {None, "applied"} else None)
            if mutation["op"] == "delete":
                newest = {key: value for key, value in newest.items() if key[:2] != (kind, identity)}
        acked = store.number("acked_seq")
        for (kind, identity, name), (seq, value) in newest.items():
            row = rows.shown(store, kind, identity)
            if seq > acked and value is not None and row is not None:
                assert row.data[name] == value, "an own change disappeared before it came back"
        for kind, identity, version in store.all(
            "SELECT kind, id, json_extract(result, '$.version') FROM mutation WHERE status IN ('applied', 'merged') AND seq <= ?", acked
        ):
            row = rows.shown(store, kind, identity)
            if row is not None and version is not None:
                assert row.version >= version, "the acknowledgement came before the row"

    def _look_at_wire(self) -> None:
        recorded, self.ground.proxy.recorded[:] = list(self.ground.proxy.recorded), []
        owners = {str(gadget.device.id): gadget.username for gadget in self.gadgets}
        for exchange in recorded:
            assert exchange.status < 500 or exchange.status == 503, exchange
            assert CANARY.encode() not in exchange.body
            if exchange.device in owners:
                self._look_at_answer(exchange, self.scopes(owners[exchange.device]))

    def _look_at_answer(self, exchange: Exchange, allowed: set[int]) -> None:
        path, told = exchange.path.partition("?")[0], exchange.body
        if exchange.status != 200:
            return
        if path == "/v1/sync/pull":
            for scope in json.loads(told)["scopes"]:
                assert scope["scope_id"] in allowed, "a pull told of a grid that is not theirs"
                for item in scope.get("items", []):
                    assert item["op"] == "upsert" or item.keys() <= LIFTED
        elif path.startswith("/v1/sync/snapshot/"):
            assert int(path.rpartition("/")[2]) in allowed, "a snapshot of a grid that is not theirs"

    # how it begins

    def _gadget(self, username: str) -> Gadget:
        device = enrolled(self.drawn, username)
        store = Store(self.ground.folder / f"device-{self.number()}.sqlite")
        key = device.key.private_bytes_raw().hex()
        with store.transaction():
            store.put(device_id=device.id, device_key=key, access_token=device.token, refresh_token=device.refresh_token, state="active")
        clock = WanderingClock()
        transport = Transport(self.ground.proxy.site, timeout=20, attempts=4, sleep=_briefly)
        return Gadget(username, device, Handheld(store, transport, clock), clock)

    def _hold(self) -> None:
        for worker, grid, held in HOLDINGS:
            self.superuser.execute(
                "INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, valid_from, valid_to, recorded_by)"
                " SELECT %s, %s, min(id), '2020-01-01', CASE WHEN NOT %s THEN reg.today() END, 0 FROM reg.post ON CONFLICT DO NOTHING",
                [self.actor(worker).account_id, self.drawn.places.grids[grid], held],
            )

    def _plant(self) -> None:
        lon, lat = point(750, 600)
        [[building]] = self.superuser.execute(BUILDING, [CANARY, lon, lat]).fetchall()
        self.superuser.execute(UNIT, ["000001", CANARY, building])


BUILDING = """
INSERT INTO reg.building (house_code, name, address, entrance, source_x, source_y, floors_above, nature, rental, recorded_by)
  VALUES ('4403990010020000099', %s, 'Lane', ST_SetSRID(ST_MakePoint(%s, %s), 4490), 114.0, 22.6, 6, 'other', true, 0) RETURNING id
"""
PERSON = """
INSERT INTO reg.person (grid_id, subdistrict_id, name, registration, recorded_by)
  SELECT id, subdistrict_id, %s, 'floating', 0 FROM reg.grid WHERE id = %s
"""
UNIT = """
INSERT INTO reg.unit (building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use, recorded_by)
  SELECT id, grid_id, subdistrict_id, house_code || %s, 1, %s, 30, 'other', 0 FROM reg.building WHERE id = %s
"""


def _met(gadget: Gadget, faults: Sequence[Fault]) -> Meeting | None:
    """A meeting may fail because the network does, and for nothing else."""
    try:
        return gadget.handheld.sync()
    except UnreachableError:
        if not faults:
            raise
    except RefusedError as refusal:
        if refusal.status != 400 or Fault.CORRUPT_REQUEST not in faults:
            raise
    return None


def opened(cursor: str) -> dict[str, Any]:
    """What a cursor says inside; devices do not look."""
    text = cursor.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _briefly(seconds: float) -> None:
    time.sleep(min(seconds, 0.02))
