"""What a push must not do to rows of others: lead them astray, stay behind when they leave, or make those wait who add to them."""

import datetime as dt
import uuid
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from gridmgmt.models import Conflict, FileLink
from gridmgmt.registers import residences, units
from tests.drawn import Drawn
from tests.gridmgmt.sync.test_push_conflicts import lose, office
from tests.places import SPARE_NUMBER
from tests.pushing import Pusher, rows


def resident(hand: Pusher, identifier: object = None) -> dict[str, Any]:
    home = hand.drawn.places.grids["south-west"]
    return hand.create("resident", identifier, scope=home, name="新人", registration="floating", identity_number=SPARE_NUMBER)


@pytest.mark.parametrize("whose", ["resident", "building", "unit", "struck out"])
def test_id_of_a_row_that_is_there_never_becomes_an_alias(drawn: Drawn, hand: Pusher, whose: str) -> None:
    theirs = {
        "resident": drawn.places.people["east"],
        "building": drawn.places.buildings["mill"],
        "unit": drawn.places.units["mill-301"],
        "struck out": drawn.places.leases["mill-let"],
    }[whose]
    if whose == "struck out":
        rows(drawn, "UPDATE reg.lease SET deleted_at = now() WHERE id = %s RETURNING 1", theirs)
    assert hand.statuses(resident(hand), resident(hand, theirs)) == ["applied", "id-taken"]
    assert hand.statuses(resident(hand, theirs)) == ["id-taken"]
    assert rows(drawn, "SELECT count(*) FROM sync.id_alias") == [(0,)]


def test_id_that_the_same_push_gives_to_another_row_never_becomes_an_alias(drawn: Drawn, hand: Pusher) -> None:
    home: dict[str, Any] = {
        "building_id": drawn.places.buildings["tower"], "code": "4403990010010000001000901", "floor": 9, "room": "901", "area_m2": 20.5,
        "use": "residential",
    }  # fmt: skip
    made = hand.create("unit", **home)
    assert hand.statuses(made, resident(hand), resident(hand, made["id"])) == ["applied", "applied", "id-taken"]
    double = resident(hand)
    home |= {"code": "4403990010010000001000902", "room": "902"}
    later = hand.create("unit", double["id"], **home)
    assert hand.statuses(double, later) == ["duplicate_of", "id-taken"]


def test_alias_of_somebody_out_of_sight_is_not_given_to_anybody_else(drawn: Drawn, hand: Pusher) -> None:
    first, double = resident(hand), resident(hand)
    assert hand.statuses(first, double) == ["applied", "duplicate_of"]
    rows(drawn, "UPDATE reg.person SET grid_id = %s WHERE id = %s RETURNING 1", drawn.places.grids["south-east"], first["id"])
    again = hand.create("resident", double["id"], scope=drawn.places.grids["south-west"], name="x", registration="floating")
    assert hand.statuses(again) == ["id-taken"]
    assert rows(drawn, "SELECT count(*) FROM reg.person WHERE id = %s", double["id"]) == [(0,)]


def test_database_takes_no_alias_that_is_the_id_of_a_living_row(drawn: Drawn) -> None:
    taken = "INSERT INTO sync.id_alias (alias, canonical, kind) VALUES (%s, %s, 'resident') RETURNING 1"
    with pytest.raises(psycopg.errors.UniqueViolation):
        rows(drawn, taken, drawn.places.units["mill-301"], drawn.places.people["li"])
    assert rows(drawn, taken, uuid.uuid4(), drawn.places.people["li"]) == [(1,)]


def test_conflict_and_photo_go_with_the_row_into_another_grid(drawn: Drawn, hand: Pusher) -> None:
    home, places = drawn.places.units["tower-102"], drawn.places
    office(drawn, units, "tower-102", use="office")
    (told,) = hand.results({**hand.update("unit", home, 1, use="shop"), "files": [str(uuid.uuid4())]})
    assert told["status"] == "conflict"
    entrance = "(SELECT entrance FROM reg.building WHERE id = %s)"
    move = f"UPDATE reg.building SET entrance = {entrance} WHERE id = %s RETURNING 1"
    rows(drawn, move, places.buildings["mill"], places.buildings["tower"])
    seen: dict[str, tuple[int, int]] = {}
    for name in ("worker", "worker-east", "subdistrict", "subdistrict-east", "district"):
        with drawn.database.transaction(places.accounts[name]) as session:
            conflicts = session.scalars(select(Conflict.id).where(Conflict.entity_id == home)).all()
            links = session.scalars(select(FileLink.file_id).where(FileLink.entity_id == home)).all()
            seen[name] = len(conflicts), len(links)
    here, gone = (1, 1), (0, 0)
    assert seen == {"worker": gone, "worker-east": here, "subdistrict": gone, "subdistrict-east": here, "district": here}


@pytest.mark.parametrize("gone", ["grid", "row"])
def test_repetition_shows_no_row_of_a_grid_that_is_not_the_workers_any_more(drawn: Drawn, hand: Pusher, gone: str) -> None:
    person, home = drawn.places.people["li"], drawn.places.units["tower-102"]
    rows(drawn, "UPDATE reg.person SET name = '李小兰' WHERE id = %s RETURNING 1", person)
    office(drawn, units, "tower-102", use="office")
    batch = [hand.update("resident", person, 1, name="李小花"), hand.update("unit", home, 1, use="shop")]
    before = hand.results(*batch)
    assert [result["current"].get("name") for result in before] == ["李小兰", None]
    if gone == "grid":
        lose(drawn, dt.timedelta(hours=1))
        shown: list[str | None] = [None, None]
    else:
        rows(drawn, "UPDATE reg.person SET grid_id = %s WHERE id = %s RETURNING 1", drawn.places.grids["south-east"], person)
        shown = [None, "office"]
    again = hand.results(*batch)
    assert [result.get("current") and result["current"].get("use") for result in again] == shown
    bare = [{name: value for name, value in result.items() if name != "current"} for result in (*before, *again)]
    assert bare[2:] == [{**result, "replayed": True} for result in bare[:2]]
    assert rows(drawn, "SELECT count(*) FROM sync.mutation WHERE result::text LIKE '%%李小兰%%'") == [(0,)]


def test_letter_about_what_the_worker_does_not_see_lies_in_no_queue_of_his_grids(drawn: Drawn, hand: Pusher) -> None:
    away, east = drawn.places.grids["south-east"], drawn.places.people["east"]
    known, room = drawn.places.people["li"], drawn.places.units["tower-101"]
    named = {**hand.update("resident", east, 1, name="赵敏"), "scope_id": away}
    batch = [
        named,
        hand.update("resident", east, 1, name="赵敏"),
        {**hand.update("resident", east, 1, name="赵敏"), "colour": "red"},
        {**hand.update("resident", known, 1, name="李"), "colour": "red"},
        hand.create("residence", resident_id=east, unit_id=room, valid_from="2026-01-01"),
    ]
    assert {result["status"] for result in hand.results(*batch, {**named, "seq": 6, "mutation_id": str(uuid.uuid4())})} == {"rejected"}
    assert {result["status"] for result in hand.results({**named, "set": {"name": "周"}})} == {"rejected"}
    here = drawn.places.grids["south-west"]
    told = rows(drawn, "SELECT client_seq, grid_id FROM sync.dead_letter ORDER BY client_seq, grid_id")
    assert told == [(1, None), (1, None), (2, None), (3, None), (4, here), (5, here), (6, None)]


def test_repetition_shows_the_row_as_it_is_now(drawn: Drawn, hand: Pusher) -> None:
    office(drawn, units, "tower-102", use="office")
    item = hand.update("unit", drawn.places.units["tower-102"], 1, use="shop")
    assert [result["current"]["use"] for result in hand.results(item)] == ["office"]
    office(drawn, units, "tower-102", use="plant")
    assert [result["current"]["use"] for result in hand.results(item)] == ["plant"]


def test_two_who_were_there_are_no_conflict(drawn: Drawn, hand: Pusher) -> None:
    lived, actor = drawn.places.residences["li-before"], drawn.places.accounts["district"]
    with drawn.database.transaction(actor) as session:
        residences.verify(session, actor, lived, versions=None)
    (told,) = hand.results(hand.update("residence", lived, 1, verified=True))
    assert told["status"] == "merged"
    assert rows(drawn, "SELECT count(*) FROM sync.conflict") == [(0,)]


def test_push_about_a_building_waits_for_nobody_who_adds_a_unit_to_it(drawn: Drawn, hand: Pusher) -> None:
    tower = drawn.places.buildings["tower"]
    with psycopg.connect(drawn.address.conninfo("postgres")) as other:
        other.execute(
            "INSERT INTO reg.unit (building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use, recorded_by)"
            " SELECT id, grid_id, subdistrict_id, '4403990010010000001000901', 9, '901', 20, 'residential', 1"
            " FROM reg.building WHERE id = %s",
            [tower],
        )
        assert hand.statuses(hand.update("building", tower, 1, name="新名")) == ["applied"]
        other.rollback()
