"""The main queries use their indexes under row-level security: the very statements that the registers send, explained as the actor.

Ten subdistricts, 400 grids in a square of 20 by 20 hundredths of a degree, 50 buildings in each; one unit, person, residence and lease in
every building and more in some. No query may read rows by the table, nor throw away thousands that it read by an index.
"""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.orm import Session

from geo.bbox import Box
from geo.features import Look
from geo.predicates import intersects_box
from gridmgmt.database import Actor, Database
from gridmgmt.layers.selection import Selection, rows_of
from gridmgmt.models import Building
from gridmgmt.operations.cluster import Cluster
from gridmgmt.registers import buildings, grids, leases, managers, people, residences, units
from gridmgmt.security.context import signer
from tests.conftest import clone
from tests.protection.seed import KEY, KID

PERSONAL = frozenset({"building", "unit", "person", "residence", "lease", "manager", "discrepancy"})

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
INSERT INTO reg.account (username, display_name, role)
  VALUES ('worker', 'W', 'worker'), ('community', 'C', 'community'), ('subdistrict', 'S', 'subdistrict'), ('district', 'D', 'district');
INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, valid_from, recorded_by)
  SELECT a.id, g, 1, '2020-01-01', 0 FROM reg.account a, generate_series(41, 42) g WHERE username = 'worker';
INSERT INTO reg.area_grant (account_id, area_id, level, valid_from, recorded_by)
  SELECT id, 16, 'community', '2020-01-01'::date, 0 FROM reg.account WHERE username = 'community'
  UNION ALL SELECT id, 3, 'subdistrict', '2020-01-01', 0 FROM reg.account WHERE username = 'subdistrict';
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


@pytest.fixture(scope="session")
def busy(cluster: Cluster, template: str, worker: str) -> Iterator[Busy]:
    address = clone(cluster, template, f"busy_{worker}")
    with psycopg.connect(address.conninfo("postgres"), autocommit=True) as root:
        root.execute("SELECT sec.key_put(%s, %s, 'infinity')", [KID, KEY])
        root.execute(ROWS.encode())
        accounts = dict(root.execute("SELECT username, id FROM reg.account").fetchall())
        row = root.execute(
            "SELECT b.id, b.house_code, u.id, u.code, p.id, p.name, l.id, l.number, r.id"
            " FROM reg.building b JOIN reg.unit u ON u.building_id = b.id"
            " JOIN reg.lease l ON l.unit_id = u.id JOIN reg.residence r ON r.unit_id = u.id JOIN reg.person p ON p.id = r.person_id"
            " WHERE b.grid_id = 41 LIMIT 1"
        ).fetchone()
        middle = {
            noun: root.execute(f"SELECT id FROM reg.{noun} ORDER BY id OFFSET 10000 LIMIT 1".encode()).fetchall()[0][0]
            for noun in PERSONAL - {"discrepancy"}
        }
    names = ("building", "house_code", "unit", "unit_code", "person", "name", "lease", "number", "residence")
    database = Database(address, signer(KID, KEY), pool_size=2)
    yield Busy(database, accounts, dict(zip(names, row or (), strict=True)), middle)
    database.close()


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


def in_box(session: Session, _: Actor) -> object:
    meets = intersects_box(Building.__table__.c.geom, BOX)
    return session.execute(select(Building.id).where(meets, Building.deleted_at.is_(None)).limit(1000)).all()


@pytest.mark.parametrize("who", EVERYBODY)
def test_map_box_goes_by_the_spatial_index(busy: Busy, who: str) -> None:
    check(busy.plans(who, in_box), 100, "ix_building_geom")


def test_map_box_of_the_district_needs_the_leakproof_mark(busy: Busy) -> None:
    """Without the mark the same query reads the table: the test above has something to see."""
    box = "public.geometry_overlaps(public.geometry, public.geometry)"
    with psycopg.connect(busy.database.address.conninfo("postgres"), autocommit=True) as root:
        root.execute(f"ALTER FUNCTION {box} NOT LEAKPROOF".encode())
        try:
            with pytest.raises(AssertionError):
                check(busy.plans("district", in_box), 100, "ix_building_geom")
        finally:
            root.execute(f"ALTER FUNCTION {box} LEAKPROOF".encode())


READS: dict[str, Any] = {"building": buildings, "unit": units, "person": people, "residence": residences, "lease": leases}


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("noun", sorted(READS))
def test_one_row_is_read_by_its_id(busy: Busy, who: str, noun: str) -> None:
    check(busy.plans(who, lambda session, actor: READS[noun].read(session, actor, busy.spot[noun])), 10)


PAGES: dict[str, Any] = READS | {"manager": managers}
SCOPE_ROWS = {"worker": 100, "community": 500, "subdistrict": 300, "district": 100}
"""Rows of one noun that a page of a hundred may look at: all of a worker's or a community's (they are sorted), a tenth of the
subdistrict's, or the page itself."""
JOINS = 5


@pytest.mark.parametrize("noun", sorted(PAGES))
@pytest.mark.parametrize("who", EVERYBODY)
def test_first_and_later_pages_go_by_grid_subdistrict_or_key(busy: Busy, who: str, noun: str) -> None:
    middle = busy.middle[noun]
    pages = PAGES[noun]
    by_grid = (f"ix_{noun}_grid_id_id", f"ix_{noun}_grid_id_name", f"ix_{noun}_counted")
    by_key = (f"pk_{noun}", f"uq_{noun}_id_grid_id_subdistrict_id", f"uq_{noun}_id_unit_id")
    # a subdistrict has a tenth of all rows: walking them in the order of the key is as good
    index = {"subdistrict": (f"ix_{noun}_subdistrict_id_id", *by_key), "district": by_key}.get(who, by_grid)
    check(busy.plans(who, lambda session, actor: pages.browse(session, actor, limit=100)), SCOPE_ROWS[who] * JOINS, *index)
    check(busy.plans(who, lambda session, actor: pages.browse(session, actor, limit=100, after=(middle,))), SCOPE_ROWS[who] * JOINS, *index)


@pytest.mark.parametrize("noun", sorted(PAGES))
@pytest.mark.parametrize("area", ["440306002005", "440306002"])
def test_district_narrows_a_page_to_an_area(busy: Busy, noun: str, area: str) -> None:
    check(busy.plans("district", lambda session, actor: PAGES[noun].browse(session, actor, limit=100, area=area)), 5_000)


@pytest.mark.parametrize("who", EVERYBODY)
def test_page_is_narrowed_to_a_grid(busy: Busy, who: str) -> None:
    index = ("ix_person_grid_id_id", "ix_person_grid_id_name")
    check(busy.plans(who, lambda session, actor: people.browse(session, actor, limit=100, grid="440306002005041")), 1_000, *index)


@pytest.mark.parametrize("who", EVERYBODY)
def test_name_is_searched_by_its_beginning(busy: Busy, who: str) -> None:
    plans = busy.plans(who, lambda session, actor: people.browse(session, actor, limit=100, name=busy.spot["name"][0]))
    check(plans, 1_200, *(["ix_person_name"] if who == "district" else []))


CODES: dict[str, tuple[Any, dict[str, str]]] = {
    "building by house code": (buildings, {"house_code": "house_code"}),
    "unit by code": (units, {"code": "unit_code"}),
    "units of a building": (units, {"code": "house_code"}),
    "residences in a unit": (residences, {"unit": "unit_code"}),
    "people in a unit": (people, {"unit": "unit_code"}),
    "leases of a unit": (leases, {"unit": "unit_code"}),
    "lease by number": (leases, {"number": "number"}),
    "managers of a building": (managers, {"house_code": "house_code"}),
}


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("name", sorted(CODES))
def test_codes_are_looked_up_by_an_index(busy: Busy, who: str, name: str) -> None:
    module, filters = CODES[name]
    given = {key: busy.spot[value] for key, value in filters.items()}
    check(busy.plans(who, lambda session, actor: module.browse(session, actor, limit=100, **given)), 1_200)


@pytest.mark.parametrize("who", EVERYBODY)
def test_residences_of_a_person_go_by_the_person(busy: Busy, who: str) -> None:
    plans = busy.plans(who, lambda session, actor: residences.browse(session, actor, limit=100, person_id=busy.spot["person"]))
    check(plans, 1_200, "ix_residence_person_id")


@pytest.mark.parametrize("who", EVERYBODY)
def test_occupants_and_leases_of_a_unit_go_by_the_unit(busy: Busy, who: str) -> None:
    for table in ("residence", "lease"):
        ask = text(f"SELECT id FROM reg.{table} WHERE unit_id = :unit")
        plans = busy.plans(who, lambda session, _, ask=ask: session.execute(ask, {"unit": busy.spot["unit"]}).all())
        check(plans, 10, f"ix_{table}_unit_id_grid_id_subdistrict_id")


def test_scope_of_an_account_is_read_by_index(busy: Busy) -> None:
    with psycopg.connect(busy.database.address.conninfo("postgres")) as root:
        root.execute("SET enable_seqscan = off")
        plan = root.execute(
            "EXPLAIN (FORMAT JSON) SELECT g.id FROM reg.area_grant r JOIN reg.grid g ON g.community_id = r.area_id WHERE r.account_id = 1"
        ).fetchone()
    assert plan is not None
    used = {node.get("Index Name") for node in nodes(plan[0][0]["Plan"])}
    assert {"ix_area_grant_account_id", "ix_grid_community_id_subdistrict_id"} <= used


@pytest.mark.parametrize("who", EVERYBODY)
def test_grids_are_listed_by_code(busy: Busy, who: str) -> None:
    assert busy.plans(who, lambda session, actor: grids.browse(session, actor, limit=100))


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize(
    ("layer", "index"),
    [("lease-density", "ix_lease_counted"), ("lease-density", "ix_unit_counted"), ("managers-coverage", "ix_manager_grid_id_id")],
)
def test_layer_that_counts_by_grid_counts_the_grids_of_the_page(busy: Busy, who: str, layer: str, index: str) -> None:
    """Fifty of each noun lie in a grid."""
    rows = rows_of(Selection(layer, Look(())))
    page = select(*rows.c).order_by(rows.c.id).limit(4)
    check(busy.plans(who, lambda session, _: session.execute(page).all()), 600, index)
