"""A worker of more grids than one request may name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clients.handheld.clock import SystemClock
from clients.handheld.store import Store
from clients.handheld.sync import Handheld
from clients.handheld.transport import Answer, Transport
from tests.sync.world import World

GRIDS = 51
MORE = """
WITH made AS (
  INSERT INTO reg.grid ({into})
  SELECT {values} FROM reg.grid g, generate_series(1, %s) n WHERE g.id = %s RETURNING id
)
INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, valid_from, recorded_by)
SELECT %s, made.id, (SELECT min(id) FROM reg.post), '2020-01-01', 0 FROM made
"""
COLUMNS = """
SELECT column_name FROM information_schema.columns
 WHERE table_schema = 'reg' AND table_name = 'grid' AND is_generated = 'NEVER' AND column_name <> 'id' ORDER BY ordinal_position
"""


def test_more_grids_than_a_request_may_name_are_all_fetched_and_pulled(world: World) -> None:
    mine = world.gadgets[0]
    columns = [name for (name,) in world.superuser.execute(COLUMNS)]
    code = "overlay(g.code placing lpad((500 + n)::text, 3, '0') from length(g.code) - 2)"
    values = ", ".join(code if name == "code" else f"g.{name}" for name in columns)
    with world.superuser.transaction():
        world.superuser.execute("SET LOCAL session_replication_role = replica")  # the same ground 50 times, which no rule allows
        query = MORE.format(into=", ".join(columns), values=values)
        grids = [GRIDS - 1, world.drawn.places.grids["south-west"], world.actor("worker").account_id]
        world.superuser.execute(query.encode(), grids)
    assert len(mine.handheld.sync().snapshots) == GRIDS
    assert mine.handheld.sync().mismatches == []
    assert mine.store.all("SELECT count(*) FROM scope WHERE state = 'live'") == [(GRIDS,)]


class Parts(Transport):
    """A server that has more news of the own changes at each request."""

    def __init__(self) -> None:
        super().__init__("http://nowhere", attempts=1)
        self.asked: list[int] = []

    def send(
        self,
        method: str,
        path: str,
        *,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        number: str | None = None,
    ) -> Answer:
        scopes = json.loads(body or "")["scopes"]
        self.asked.append(len(scopes))
        told: dict[str, Any] = {"server_time": "2026-11-23T01:00:00Z", "acked_seq": 6 + len(self.asked), "assignment_version": 1}
        told["scopes"] = [{"scope_id": one["scope_id"], "items": [], "cursor": "d", "has_more": False, "checksum": None} for one in scopes]
        return Answer(200, {}, json.dumps(told).encode())


def test_a_round_acknowledges_what_every_part_of_it_does() -> None:
    store, network = Store(Path(":memory:")), Parts()
    store.many("INSERT INTO scope (scope_id, state, cursor) VALUES (?, 'live', 'c')", [(n,) for n in range(GRIDS)])
    store.put(assignment_version=1)
    Handheld(store, network, SystemClock()).pull()
    assert network.asked == [50, 1]
    assert store.number("acked_seq") == 7
    assert store.all("SELECT DISTINCT cursor FROM scope") == [("d",)]
    store.close()
