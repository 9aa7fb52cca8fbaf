"""A database with rows enough for plans to matter, and the plans that the very statements of the registers and layers have in it.

Ten subdistricts, 400 grids in a square of 20 by 20 hundredths of a degree, 50 buildings in each; one unit, person, residence and lease in
every building and more in some.
"""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session

from geo.bbox import Box
from gridmgmt.database import Actor, Database
from gridmgmt.reads import Query

PERSONAL = frozenset({"building", "unit", "person", "residence", "lease", "manager", "discrepancy", "inspection", "duty_report"})

ROWS = """
SET session_replication_role = replica;
SET search_path = pg_catalog, public, reg, pg_temp;
INSERT INTO reg.area (id, recorded_by, code, name, level, parent_id, valid_from, geom) OVERRIDING SYSTEM VALUE
  SELECT 1, 0, '440306', 'District', 'district', NULL::int, '2000-01-01'::date, ST_Multi(ST_MakeEnvelope(113.8, 22.6, 114, 22.8, 4490))
  UNION ALL SELECT 1 + s, 0, '440306' || lpad(s::text, 3, '0'), 'S' || s, 'subdistrict', 1, '2000-01-01',
    ST_Multi(ST_MakeEnvelope(113.8, 22.6, 114, 22.8, 4490))
    FROM generate_series(1, 10) s
  UNION ALL SELECT 11 + c, 0, '440306' || lpad(((c - 1) / 4 + 1)::text, 3, '0') || lpad(c::text, 3, '0'), 'C' || c, 'community', (c
    - 1) / 4 + 2, '2000-01-01',
    ST_Multi(ST_MakeEnvelope(113.8, 22.6, 114, 22.8, 4490)) FROM generate_series(1, 40) c;
INSERT INTO reg.grid (id, recorded_by, code, kind, name, community_id, subdistrict_id, valid_from, geom) OVERRIDING SYSTEM VALUE
  SELECT n, 0, a.code || lpad(n::text, 3, '0'), 'base', 'G' || n, a.id, a.parent_id, '2000-01-01',
         ST_Multi(ST_MakeEnvelope(113.8 + (n - 1) / 20 * 0.01, 22.6 + (n - 1) % 20 * 0.01, 113.81 + (n - 1) / 20 * 0.01, 22.61 + (n
           - 1) % 20 * 0.01, 4490))
    FROM generate_series(1, 400) n JOIN reg.area a ON a.id = 12 + (n - 1) / 10;
CREATE TEMP TABLE spot AS SELECT n, g.id AS grid_id, g.subdistrict_id, reg.uuid7() AS building, reg.uuid7() AS unit, reg.uuid7() AS person,
       ST_SetSRID(ST_MakePoint(ST_XMin(g.geom) + 0.0001 + 0.0098 * random(), ST_YMin(g.geom) + 0.0001 + 0.0098 * random()), 4490) AS point
    FROM generate_series(0, 19999) n JOIN reg.grid g ON g.id = n % 400 + 1;
INSERT INTO reg.building (id, recorded_by, grid_id, subdistrict_id, house_code, name, address, entrance, source_x, source_y,
  floors_above, nature, rental)
  SELECT building, 0, grid_id, subdistrict_id, '440306' || lpad(n::text, 13, '0'), 'B' || n, 'Lane', point, 0, 0, 6, 'self_built',
    true FROM spot;
INSERT INTO reg.unit (id, recorded_by, building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use)
  SELECT unit, 0, building, grid_id, subdistrict_id, '440306' || lpad(n::text, 13, '0') || '000101', 1, '101', 30, 'residential' FROM spot;
INSERT INTO reg.person (id, recorded_by, grid_id, subdistrict_id, name, registration)
  SELECT person, 0, grid_id, subdistrict_id, chr(19968 + n % 500) || chr(20000 + n), 'floating' FROM spot;
INSERT INTO reg.residence (recorded_by, person_id, unit_id, grid_id, subdistrict_id, valid_from)
  SELECT 0, person, unit, grid_id, subdistrict_id, '2020-01-01' FROM spot;
INSERT INTO reg.lease (recorded_by, number, unit_id, grid_id, subdistrict_id, lessee_id, rent_fen, rent_given, rent_unit,
  area_basis_m2, valid_from, valid_to, state, new_let)
  SELECT 0, 'L' || lpad(n::text, 6, '0'), unit, grid_id, subdistrict_id, person, 1, 1, 'month', 1, '2020-01-01', '2030-01-01',
    'signed', true FROM spot;
INSERT INTO reg.manager (recorded_by, person_id, building_id, grid_id, subdistrict_id, kind, valid_from)
  SELECT 0, person, building, grid_id, subdistrict_id, 'owner', '2020-01-01' FROM spot;
INSERT INTO reg.inspection (recorded_by, building_id, unit_id, grid_id, subdistrict_id, kind, outcome, visited_at)
  SELECT 0, building, unit, grid_id, subdistrict_id, 'patrol', 'ok', timestamptz '2020-01-01' + n * interval '1 hour' FROM spot;
INSERT INTO reg.duty_report (recorded_by, manager_id, unit_id, grid_id, subdistrict_id, kind, happened_on)
  SELECT 0, m.id, s.unit, s.grid_id, s.subdistrict_id, 'notice', date '2020-01-01' + s.n / 24
    FROM spot s JOIN reg.manager m ON m.building_id = s.building;
INSERT INTO reg.account (username, display_name, role)
  VALUES ('worker', 'W', 'worker'), ('community', 'C', 'community'), ('subdistrict', 'S', 'subdistrict'), ('district', 'D', 'district');
INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, valid_from, recorded_by)
  SELECT a.id, g, 1, '2020-01-01', 0 FROM reg.account a, generate_series(41, 42) g WHERE username = 'worker';
INSERT INTO reg.area_grant (account_id, area_id, level, valid_from, recorded_by)
  SELECT id, 16, 'community', '2020-01-01'::date, 0 FROM reg.account WHERE username = 'community'
  UNION ALL SELECT id, 3, 'subdistrict', '2020-01-01', 0 FROM reg.account WHERE username = 'subdistrict';
INSERT INTO reg.building_cell (x, y, grid_id, subdistrict_id, buildings, rental)
  SELECT floor((ST_X(point) + 180) / 360 * 131072)::int, floor((1 - asinh(tan(radians(ST_Y(point)))) / pi()) / 2 * 131072)::int,
    grid_id, subdistrict_id, count(*), count(*) FROM spot GROUP BY 1, 2, 3, 4;
DROP TABLE spot;
SET session_replication_role = origin;
ANALYZE;
"""

Asked = Callable[[Session, Actor], object]


class Busy:
    """A database with rows enough for plans to matter, and one row that the worker sees: grid 41 lies in community 5 of subdistrict 2."""

    def __init__(self, database: Database, accounts: dict[str, int], spot: dict[str, Any], middle: dict[str, uuid.UUID]) -> None:
        self.database = database
        self.accounts = accounts
        self.spot = spot
        self.middle = middle

    def actor(self, name: str) -> Actor:
        scope = {"worker": "field", "community": "field"}.get(name, name)
        return Actor(self.accounts[name], name, name, scope, 0)  # pyright: ignore[reportArgumentType] -- the scope is one of the classes

    def plans(self, name: str, ask: Asked) -> list[dict[str, Any]]:
        """The executed plans of all SELECTs that a verb sends."""
        sent: list[tuple[str, Any]] = []
        found: list[dict[str, Any]] = []

        def keep(*happened: Any) -> None:
            if happened[2].lstrip().upper().startswith(("SELECT", "WITH")):
                sent.append((happened[2], happened[3]))

        with self.database.transaction(self.actor(name)) as session:
            connection: Connection = session.connection()
            event.listen(connection, "before_cursor_execute", keep)
            ask(session, self.actor(name))
            event.remove(connection, "before_cursor_execute", keep)
            for statement, values in sent:
                explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", values)
                found.append(explained.scalar_one()[0]["Plan"])
            session.rollback()
        return found

    def explain(self, name: str, query: Query) -> list[dict[str, Any]]:
        """The executed plan of one of the hot reads."""

        async def read() -> bytes | None:
            explained = Query(b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + query.text, query.values)
            [[(told,)]] = await self.database.read(self.actor(name), explained)
            await self.database.aclose()
            return told

        return [json.loads(asyncio.run(read()) or b"")[0]["Plan"]]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def check(plans: list[dict[str, Any]], most: int, *indexes: str) -> None:
    """No table scan, at most so many rows looked at, and one of the indexes used."""
    assert plans
    used: set[str] = set()
    looked_at = 0
    for node in (node for plan in plans for node in nodes(plan)):
        if "Index Name" in node:
            used.add(node["Index Name"])
        if node.get("Relation Name") in PERSONAL:
            assert node["Node Type"] != "Seq Scan", node
            loops = node["Actual Loops"]
            looked_at += loops * (
                node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            )
    assert looked_at <= most, [node for plan in plans for node in nodes(plan) if node.get("Relation Name") in PERSONAL]
    assert not indexes or used & set(indexes), used


EVERYBODY = ("worker", "community", "subdistrict", "district")
BOX = Box(113.822, 22.602, 113.826, 22.606)
"""A sixth of grid 41."""
