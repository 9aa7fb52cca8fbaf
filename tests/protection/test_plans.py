"""The main queries use their indexes under row-level security: the very statements that the registers send, explained as the actor.

No query may read rows by the table, nor throw away thousands that it read by an index.
"""

import datetime as dt
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo.features import Look
from geo.predicates import intersects_box
from gridmgmt.database import Actor
from gridmgmt.layers.selection import Selection, rows_of
from gridmgmt.models import Building
from gridmgmt.registers import buildings, duty_reports, grids, inspections, leases, managers, people, residences, units
from tests.protection.busy import BOX, EVERYBODY, Busy, check, nodes


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


PAGES: dict[str, Any] = READS | {"manager": managers, "inspection": inspections, "duty_report": duty_reports}
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
    "inspections of a building": (inspections, {"house_code": "house_code"}),
    "reports on a building": (duty_reports, {"building_id": "building"}),
}


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("name", sorted(CODES))
def test_codes_are_looked_up_by_an_index(busy: Busy, who: str, name: str) -> None:
    module, filters = CODES[name]
    given = {key: busy.spot[value] for key, value in filters.items()}
    check(busy.plans(who, lambda session, actor: module.browse(session, actor, limit=100, **given)), 1_200)


@pytest.mark.parametrize("who", EVERYBODY)
def test_visits_and_reports_of_a_day_go_by_the_day_or_the_grid(busy: Busy, who: str) -> None:
    day = dt.date(2021, 3, 1)  # 24 of each noun in the district
    for module in (inspections, duty_reports):
        check(busy.plans(who, lambda session, actor, module=module: module.browse(session, actor, limit=100, first=day, last=day)), 600)


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
