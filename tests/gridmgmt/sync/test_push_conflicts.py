"""What becomes of a push when the office wrote in between."""

import datetime as dt
import json
import uuid
from typing import Any

import psycopg

from geo.datum import Datum, from_cgcs2000
from gridmgmt.registers import residences, units
from tests.drawn import Drawn
from tests.places import NUMBERS, SEALER, SPARE_NUMBER, point
from tests.pushing import Pusher, rows

NOW = dt.datetime.now(dt.UTC)


def office(drawn: Drawn, noun: Any, name: str, **changes: Any) -> None:
    """The office corrects a row, whatever its version."""
    identifier = getattr(drawn.places, noun.__name__.rsplit(".", maxsplit=1)[-1])[name]
    actor = drawn.places.accounts["district"]
    with drawn.database.transaction(actor) as session:
        noun.correct(session, actor, identifier, changes, versions=None)


def strike(drawn: Drawn, noun: Any, name: str) -> None:
    identifier = getattr(drawn.places, noun.__name__.rsplit(".", maxsplit=1)[-1])[name]
    actor = drawn.places.accounts["district"]
    with drawn.database.transaction(actor) as session:
        noun.delete(session, actor, identifier, versions=None)


def test_changes_of_different_fields_are_merged(drawn: Drawn, hand: Pusher) -> None:
    office(drawn, units, "tower-102", use="office")
    (result,) = hand.results(hand.update("unit", drawn.places.units["tower-102"], 1, room="x"))
    assert (result["status"], result["version"], result["merged"]) == ("merged", 3, ["use"])
    assert rows(drawn, "SELECT room, use FROM reg.unit WHERE id = %s", drawn.places.units["tower-102"]) == [("x", "office")]


def test_same_value_from_both_is_no_conflict(drawn: Drawn, hand: Pusher) -> None:
    office(drawn, units, "tower-102", use="office")
    (result,) = hand.results(hand.update("unit", drawn.places.units["tower-102"], 1, use="office"))
    assert (result["status"], result["version"]) == ("noop", 2)


def test_field_for_somebody_to_decide_keeps_both_values_and_takes_the_others(drawn: Drawn, hand: Pusher) -> None:
    office(drawn, units, "tower-102", use="office")
    home = drawn.places.units["tower-102"]
    (result,) = hand.results(hand.update("unit", home, 1, use="shop", room="x"))
    assert (result["status"], result["version"], result["fields"]) == ("conflict", 3, ["use"])
    assert (result["current"]["use"], result["current"]["room"], result["current"]["conflict_open"]) == ("office", "x", True)
    told = rows(drawn, "SELECT id::text, code, fields, base, theirs, yours, state FROM sync.conflict")
    assert told == [(result["conflict_id"], "field-conflict", ["use"], {"use": "residential"}, {"use": "office"}, {"use": "shop"}, "open")]


def test_policies_decide_at_once(drawn: Drawn, hand: Pusher) -> None:
    home, person = drawn.places.units["tower-102"], drawn.places.people["li"]
    office(drawn, units, "tower-102", max_occupants=6)
    with drawn.database.transaction(drawn.places.accounts["district"]) as session:
        session.connection().exec_driver_sql("UPDATE reg.person SET registration = 'separated', phone_mask = '1' WHERE id = %s", (person,))
    results = hand.results(
        hand.update("unit", home, 1, max_occupants=3),
        hand.update("unit", home, 1, max_occupants=5),
        hand.update("resident", person, 1, registration="registered", phone="13912345678"),
    )
    assert [(r["status"], r["version"], r.get("kept")) for r in results] == [
        ("merged", 3, None),
        ("merged", 3, ["max_occupants"]),
        ("merged", 3, ["registration"]),
    ]
    assert rows(drawn, "SELECT phone_mask, registration FROM reg.person WHERE id = %s", person) == [("139****5678", "separated")]
    settled = rows(drawn, "SELECT theirs, yours, state FROM sync.conflict WHERE kind = 'resident'")
    assert settled == [({"registration": "separated"}, {"registration": "registered"}, "settled")]
    ((sealed,),) = rows(drawn, "SELECT phone_enc FROM reg.person_secret WHERE person_id = %s", person)
    assert SEALER.open("person_secret|phone_enc", person, sealed) == "13912345678"


def test_own_earlier_changes_are_no_ones_elses(drawn: Drawn, hand: Pusher) -> None:
    home = drawn.places.units["tower-102"]
    assert hand.statuses(hand.update("unit", home, 1, use="shop")) == ["applied"]
    assert hand.statuses(hand.update("unit", home, 1, use="office"), hand.update("unit", home, 2, use="plant")) == ["applied", "applied"]
    other = Pusher.of(drawn)
    assert other.statuses(other.update("unit", home, 1, use="shop")) == ["conflict"]


def test_what_is_built_on_a_conflict_has_not_read_more_than_it(drawn: Drawn, hand: Pusher) -> None:
    home = drawn.places.units["tower-102"]
    office(drawn, units, "tower-102", use="office")
    first = hand.update("unit", home, 1, use="shop", room="x")
    again, beside = hand.update("unit", home, after=1, use="plant"), hand.update("unit", home, after=1, room="y")
    assert hand.statuses(first, again, beside) == ["conflict", "conflict", "merged"]
    assert hand.statuses(hand.update("unit", home, after=1, use="plant")) == ["conflict"]
    assert rows(drawn, "SELECT use, room FROM reg.unit WHERE id = %s", home) == [("office", "y")]


def test_what_is_built_on_an_answer_that_is_kept_no_more_may_collide_with_everything(drawn: Drawn, hand: Pusher) -> None:
    home, other = drawn.places.units["tower-102"], drawn.places.units["tower-101"]
    office(drawn, units, "tower-102", use="office")
    office(drawn, units, "tower-101", use="office")
    sent = [hand.update("unit", home, 1, room="x"), hand.update("unit", other, 1, use="shop", room="x")]
    assert hand.statuses(*sent) == ["merged", "conflict"]
    assert hand.statuses(hand.update("unit", home, 3, floor=3)) == ["applied"]
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute("UPDATE sync.mutation SET result = NULL")
    late = [(home, 1, "shop"), (other, 2, "plant"), (home, 3, "shop")]
    assert hand.statuses(*(hand.update("unit", one, after=seq, use=use) for one, seq, use in late)) == ["conflict", "conflict", "applied"]


def test_what_is_built_on_a_word_about_a_struck_out_row_has_not_read_more_than_it(drawn: Drawn, hand: Pusher) -> None:
    lived, other = drawn.places.residences["li-before"], Pusher.of(drawn)
    office(drawn, residences, "li-before", basis="dormitory")
    strike(drawn, residences, "li-before")
    (told,) = hand.results(hand.update("residence", lived, 1, declared_by="landlord"))
    restored = {**other.update("residence", lived, 3, declared_by="landlord"), "resolves": told["conflict_id"]}
    assert other.statuses(restored) == ["applied"]
    assert hand.statuses(hand.update("residence", lived, after=1, basis="own")) == ["conflict"]
    assert rows(drawn, "SELECT basis FROM reg.residence WHERE id = %s", lived) == [("dormitory",)]


def test_change_without_base_may_collide_with_everything(drawn: Drawn, hand: Pusher) -> None:
    home = drawn.places.units["tower-102"]
    assert hand.statuses(hand.update("unit", home, use="shop"), hand.update("unit", home, use="residential")) == ["conflict", "noop"]


def test_base_that_the_server_never_made_may_collide_with_everything(drawn: Drawn, hand: Pusher) -> None:
    assert hand.statuses(hand.update("unit", drawn.places.units["tower-102"], 99, use="shop")) == ["conflict"]


def test_change_of_what_was_struck_out_waits(drawn: Drawn, hand: Pusher) -> None:
    strike(drawn, residences, "li-before")
    lived = drawn.places.residences["li-before"]
    (result,) = hand.results(hand.update("residence", lived, 1, basis="own"))
    assert (result["status"], result["problem"]["code"], result["version"]) == ("conflict", "target-deleted", 2)
    (resolved,) = hand.results({**hand.update("residence", lived, 2, basis="own"), "resolves": result["conflict_id"]})
    assert (resolved["status"], resolved["version"]) == ("applied", 3)
    assert rows(drawn, "SELECT deleted_at, basis FROM reg.residence WHERE id = %s", lived) == [(None, "own")]
    assert rows(drawn, "SELECT state FROM sync.conflict") == [("resolved",)]


def test_deletion_never_wins_over_a_change(drawn: Drawn, hand: Pusher) -> None:
    lived = drawn.places.residences["li-before"]
    office(drawn, residences, "li-before", basis="own")
    (result,) = hand.results(hand.delete("residence", lived, 1))
    assert (result["status"], result["problem"]["code"], result["current"]["conflict_open"]) == ("conflict", "delete-changed", True)
    gone, again = hand.results(
        {**hand.delete("residence", lived, 3), "resolves": result["conflict_id"]}, hand.delete("residence", lived, 3)
    )
    assert (gone["status"], again["status"]) == ("applied", "noop")


def test_conflict_that_is_resolved_clears_the_flag_when_it_is_the_last(drawn: Drawn, hand: Pusher) -> None:
    home = drawn.places.units["tower-102"]
    office(drawn, units, "tower-102", use="office", room="o")
    one, two = hand.results(hand.update("unit", home, 1, use="shop"), hand.update("unit", home, 1, room="r"))
    flag = "SELECT conflict_open FROM reg.unit WHERE id = %s"
    assert hand.statuses({**hand.update("unit", home, 3, use="shop"), "resolves": one["conflict_id"]}) == ["applied"]
    assert rows(drawn, flag, home) == [(True,)]
    assert hand.statuses({**hand.update("unit", home, 4, room="r"), "resolves": two["conflict_id"]}) == ["applied"]
    assert rows(drawn, flag, home) == [(False,)]
    assert hand.statuses({**hand.update("unit", home, 5, room="q"), "resolves": str(uuid.uuid4())}) == ["unknown-reference"]


def test_person_whom_the_worker_has_already_is_one(drawn: Drawn, hand: Pusher) -> None:
    grid, zhang = drawn.places.grids["south-west"], drawn.places.people["zhang"]
    twin = hand.create(
        "resident", scope=grid, name="张小山", registration="floating", identity_number=NUMBERS["zhang"], phone="13912345678"
    )
    lived = hand.create("residence", resident_id=twin["id"], unit_id=drawn.places.units["tower-102"], main=False, valid_from="2026-01-01")
    later = hand.update("resident", twin["id"], after=1, phone="13912345670")
    made, living, changed = hand.results(twin, lived, later)
    assert (made["status"], made["canonical_id"], made["id"], made["fields"]) == ("duplicate_of", str(zhang), twin["id"], ["name"])
    assert (living["status"], changed["status"], changed["id"]) == ("applied", "merged", str(zhang))
    assert rows(drawn, "SELECT person_id FROM reg.residence WHERE id = %s", lived["id"]) == [(zhang,)]
    assert rows(drawn, "SELECT count(*) FROM reg.person WHERE id = %s", twin["id"]) == [(0,)]
    assert rows(drawn, "SELECT alias::text, canonical FROM sync.id_alias") == [(twin["id"], zhang)]
    assert hand.statuses(hand.update("resident", twin["id"], after=3, phone=None)) == ["merged"]
    assert rows(drawn, "SELECT phone_mask FROM reg.person WHERE id = %s", zhang) == [(None,)]


def test_person_whom_only_others_have_is_entered_as_any_other(drawn: Drawn, hand: Pusher) -> None:
    grid = drawn.places.grids["south-west"]
    known, new = hand.results(
        hand.create("resident", scope=grid, name="欧阳东", registration="floating", identity_number=NUMBERS["east"]),
        hand.create("resident", scope=grid, name="新人", registration="floating", identity_number=SPARE_NUMBER),
    )
    assert (
        {k: v for k, v in known.items() if k not in {"id", "seq"}}
        == {k: v for k, v in new.items() if k not in {"id", "seq"}}
        == {"status": "applied", "version": 1}
    )
    assert rows(drawn, "SELECT is_first FROM reg.person_secret WHERE person_id = %s", known["id"]) == [(False,)]


def test_one_number_twice_in_a_batch_is_one_person(drawn: Drawn, hand: Pusher) -> None:
    said = {"name": "新人", "registration": "floating", "identity_number": SPARE_NUMBER}
    grid = drawn.places.grids["south-west"]
    first, second = hand.results(hand.create("resident", scope=grid, **said), hand.create("resident", scope=grid, **said))
    assert (first["status"], second["status"], second["canonical_id"]) == ("applied", "duplicate_of", first["id"])


def test_namesake_without_number_is_a_hint(drawn: Drawn, hand: Pusher) -> None:
    said = {"name": "张大山", "registration": "floating", "birth_year": 1985}
    (result,) = hand.results(hand.create("resident", scope=drawn.places.grids["south-west"], **said))
    assert (result["status"], result["fields"]) == ("applied", ["name", "birth_year"])
    assert rows(drawn, "SELECT code, state, theirs FROM sync.conflict") == [
        ("same-person", "open", {"resident_id": str(drawn.places.people["zhang"])})
    ]


def lose(drawn: Drawn, ago: dt.timedelta) -> None:
    """The worker lost south-west so long ago."""
    moment = NOW - ago
    with drawn.database.transaction(drawn.places.accounts["admin"]) as session:
        session.connection().exec_driver_sql("UPDATE reg.grid_assignment SET valid_to = %s", ((moment + dt.timedelta(hours=8)).date(),))
    rows_set = "UPDATE reg.grid_assignment SET ended_at = %s RETURNING id"
    with psycopg.connect(drawn.address.conninfo("postgres")) as superuser:
        superuser.execute("ALTER TABLE reg.grid_assignment DISABLE TRIGGER USER")
        superuser.execute(rows_set, [moment])
        superuser.execute("ALTER TABLE reg.grid_assignment ENABLE TRIGGER USER")


def test_what_was_recorded_before_the_grid_was_lost_is_taken_for_three_days(drawn: Drawn, hand: Pusher) -> None:
    lose(drawn, dt.timedelta(hours=2))
    home = drawn.places.units["tower-102"]
    with drawn.database.transaction(drawn.places.accounts["district"]) as session:
        session.connection().exec_driver_sql("UPDATE reg.unit SET room = 'now' WHERE id = %s", (home,))
    before, after = (NOW - dt.timedelta(hours=hours) for hours in (3, 1))
    early = {**hand.update("unit", home, 2, use="shop"), "captured_at": before.isoformat()}
    late = {**hand.update("unit", home, 2, use="office"), "captured_at": after.isoformat()}
    made = {
        **hand.create(
            "unit", building_id=drawn.places.buildings["tower"], code="4403990010010000001000903", floor=1, room="x", area_m2=1, use="shop"
        ),
        "captured_at": after.isoformat(),
    }
    assert hand.statuses(early, late, made) == ["applied", "out-of-scope", "out-of-scope"]
    assert rows(drawn, "SELECT client_seq, grid_id FROM sync.dead_letter ORDER BY 1") == [
        (2, drawn.places.grids["south-west"]),
        (3, drawn.places.grids["south-west"]),
    ]


def test_after_three_days_it_is_put_aside(drawn: Drawn, hand: Pusher) -> None:
    lose(drawn, dt.timedelta(hours=73))
    item = {
        **hand.update("unit", drawn.places.units["tower-102"], 1, use="shop"),
        "captured_at": (NOW - dt.timedelta(hours=80)).isoformat(),
    }
    assert hand.statuses(item) == ["not-found-or-out-of-scope"]
    assert rows(drawn, "SELECT grid_id FROM sync.dead_letter") == [(None,)]


def test_footprint_alone_is_in_the_datum_in_which_it_was_pulled(drawn: Drawn, hand: Pusher) -> None:
    """The building was entered in GCJ-02, some 600 m from where it is in CGCS2000; what is pulled is in CGCS2000."""
    tower = drawn.places.buildings["tower"]
    shape, lon, lat = rows(
        drawn,
        "SELECT public.ST_AsGeoJSON(footprint, 9, 0), public.ST_X(entrance), public.ST_Y(entrance) FROM reg.building WHERE id = %s",
        tower,
    )[0]
    x, y = (float(one) for one in from_cgcs2000(lon, lat, Datum.GCJ02))
    placed = hand.update("building", tower, 1, entrance={"lon": x, "lat": y, "datum": "GCJ-02"})
    assert hand.statuses(placed, hand.update("building", tower, after=1, footprint=json.loads(shape))) == ["applied", "applied"]
    kept = "SELECT datum, public.ST_AsGeoJSON(footprint, 9, 0) FROM reg.building WHERE id = %s"
    assert rows(drawn, kept, tower) == [("GCJ-02", shape)]


def test_building_is_moved_out_of_sight_and_the_batch_goes_on(drawn: Drawn, hand: Pusher) -> None:
    lon, lat = point(1250, 400)
    tower = drawn.places.buildings["village"]
    moved = hand.update("building", tower, 1, entrance={"lon": lon, "lat": lat}, name="gone")
    made, result = hand.results(hand.update("unit", drawn.places.units["tower-102"], 1, room="x") | {"seq": 1}, moved | {"seq": 2})
    assert (made["status"], result["status"]) == ("applied", "applied")
    assert rows(drawn, "SELECT name, grid_id FROM reg.building WHERE id = %s", tower) == [("gone", drawn.places.grids["east-inner"])]
