"""What handhelds push: refusals first, then each status."""

import uuid
from typing import Any

import pytest
from sqlalchemy import event

from gridmgmt.errors import ConflictError, ForbiddenError
from gridmgmt.settings import Uploads
from gridmgmt.sync import files
from tests.drawn import Drawn
from tests.places import NUMBERS, SPARE_NUMBER, point
from tests.pushing import Pusher, forms, rows, word


def unit(hand: Pusher, number: int = 901, **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "floor": 9,
        "room": str(number),
        "area_m2": 20.5,
        "use": "residential",
        "code": f"4403990010010000001000{number}",
    }
    values["building_id"] = hand.drawn.places.buildings["tower"]
    values.update(more)
    return hand.create("unit", **values)


def test_another_device_is_refused(drawn: Drawn, hand: Pusher) -> None:
    other = Pusher.of(drawn)
    with pytest.raises(ForbiddenError):
        Pusher(drawn, hand.device.__class__(other.device.id, other.device.key, hand.device.actor, "", "")).push()


def test_gap_takes_nothing_and_says_what_is_expected(drawn: Drawn, hand: Pusher) -> None:
    one, two, three = unit(hand, 901), unit(hand, 902), unit(hand, 903)
    with pytest.raises(ConflictError) as refused:
        hand.push(two)
    assert (refused.value.slug, refused.value.facts["expected_seq"]) == ("sequence-gap", 1)
    with pytest.raises(ConflictError) as refused:
        hand.push(one, three)
    assert (refused.value.slug, refused.value.facts["expected_seq"]) == ("sequence-gap", 1)
    assert rows(drawn, "SELECT last_seq FROM sync.device WHERE id = %s", hand.device.id) == [(0,)]
    assert rows(drawn, "SELECT count(*) FROM sync.mutation") == [(0,)]


def test_sign_of_life_is_noted(drawn: Drawn, hand: Pusher) -> None:
    assert hand.push().results == []
    assert rows(drawn, "SELECT last_seq, last_push_at IS NOT NULL FROM sync.device WHERE id = %s", hand.device.id) == [(0, True)]


def test_creation_and_two_changes_in_one_batch_are_three_versions(drawn: Drawn, hand: Pusher) -> None:
    made = unit(hand)
    results = hand.results(made, hand.update("unit", made["id"], after=1, room="a"), hand.update("unit", made["id"], after=2, room="b"))
    assert [(r["status"], r["version"]) for r in results] == [("applied", 1), ("applied", 2), ("applied", 3)]
    assert forms(drawn, "unit", made["id"], "room") == [(1, "901"), (2, "a"), (3, "b")]
    assert rows(drawn, "SELECT client_seq, version, status FROM sync.mutation ORDER BY 1") == [
        (1, 1, "applied"),
        (2, 2, "applied"),
        (3, 3, "applied"),
    ]


def test_family_moves_in_with_one_push(drawn: Drawn, hand: Pusher) -> None:
    home = unit(hand)
    person = hand.create(
        "resident", scope=drawn.places.grids["south-west"], name="孙悟空", registration="floating", identity_number=SPARE_NUMBER
    )
    living = hand.create("residence", resident_id=person["id"], unit_id=home["id"], valid_from="2026-11-01", basis="lease")
    let = hand.create(
        "lease", unit_id=home["id"], lessee_id=person["id"], lessor_name="陈房东", rent={"amount": 1800}, valid_from="2026-11-01",
        valid_to="2027-11-01", signed_on="2026-10-30",
    )  # fmt: skip
    gone = hand.delete("residence", living["id"])
    gone["base"] = {"seq": 3}
    assert hand.statuses(home, person, living, let, gone) == ["applied"] * 5
    assert rows(drawn, "SELECT rent_fen, state, lessee_id FROM reg.lease WHERE id = %s", let["id"]) == [
        (180_000, "signed", uuid.UUID(person["id"]))
    ]
    assert rows(drawn, "SELECT deleted_at IS NOT NULL FROM reg.residence WHERE id = %s", living["id"]) == [(True,)]


POISON: list[dict[str, Any]] = [
    {"kind": "dragon"},
    {"kind": "manager", "op": "update", "set": {"state": "active"}},
    {"mutation_id": "x"},
    {"mutation_id": None},
    {"id": "x"},
    {"op": "upsert"},
    {"set": None},
    {"set": {"floor": "one"}},
    {"set": {"floor": 1, "colour": "red"}},
    {"set": {"\u0000": 1}},
    {"colour": "red"},
    {"set": {"room": "\ud800"}},
    {"was": {"room": "\u0000"}, "op": "update", "set": {"room": "x"}},
    {"set": {"room": "x" * 70_000}},
    {"op": "update", "base": {"seq": 99}, "set": {"room": "x"}},
    {"op": "update", "base": {"version": 1, "seq": 1}, "set": {"room": "x"}},
    {"op": "update", "set": {"code": "4403990010010000001000902"}},
    {"op": "update", "id": str(uuid.uuid4()), "set": {"room": "x"}},
    {"op": "delete", "set": {"room": "x"}},
    {"captured_at": "yesterday"},
    {"base": {"version": 10**20}},
    {"scope_id": 10**12},
    {"was": {"room": 10**30}, "op": "update", "id": "01900002-0000-7000-8000-000000000002", "set": {"room": "x"}},
    {"was": {"room": -(10**30)}, "op": "update", "id": "01900002-0000-7000-8000-000000000002", "set": {"room": "x"}},
]


@pytest.mark.parametrize("poison", POISON, ids=range(len(POISON)))
def test_bad_mutation_is_put_aside_and_stops_no_other(drawn: Drawn, hand: Pusher, poison: dict[str, Any]) -> None:
    before, bad, after = unit(hand, 901), unit(hand, 902), unit(hand, 903)
    bad = {**bad, **poison}
    results = hand.results(before, bad, after)
    assert [result["status"] for result in results] == ["applied", "rejected", "applied"]
    assert results[1]["problem"]["detail"]
    assert rows(drawn, "SELECT client_seq FROM sync.dead_letter") == [(2,)]
    assert [word(result) for result in hand.results(before, bad, after)] == [word(result) for result in results]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"code": "4403990010010000001000101"}, "code-taken"),
        ({"building_id": uuid.uuid4()}, "unknown-reference"),
        ({"code": "4403990010010000002000909"}, "invalid-value"),
        ({"floor": 0}, "invalid-value"),
    ],
)
def test_what_the_database_refuses_is_put_aside_and_the_others_stand(drawn: Drawn, hand: Pusher, values: dict[str, Any], code: str) -> None:
    batch = [unit(hand, 901), unit(hand, 902, **values), unit(hand, 903)]
    batch += [hand.update("unit", batch[1]["id"], after=2, room="x"), hand.update("unit", batch[2]["id"], after=3, room="y")]
    assert hand.statuses(*batch) == ["applied", code, "applied", "dependency-rejected", "applied"]
    assert rows(drawn, "SELECT client_seq FROM sync.dead_letter ORDER BY 1") == [(2,), (4,)]
    assert forms(drawn, "unit", batch[2]["id"], "room") == [(1, "903"), (2, "y")]


def test_repetition_is_answered_from_the_record_and_writes_nothing(drawn: Drawn, hand: Pusher) -> None:
    made = unit(hand)
    batch = [made, hand.update("unit", made["id"], after=1, room="a"), hand.delete("unit", uuid.uuid4())]
    first = hand.results(*batch)
    state = "SELECT client_seq, mutation_id, req_hash, result, received_at FROM sync.mutation ORDER BY 1"
    before = rows(drawn, state), rows(drawn, "SELECT count(*) FROM sync.change_log"), forms(drawn, "unit", made["id"], "room")
    for part in (batch, batch[:1], batch[2:], batch[1:]):
        told = hand.results(*part)
        assert told == [{**result, "replayed": True} for result in first if result["seq"] in {body["seq"] for body in part}]
    assert before == (rows(drawn, state), rows(drawn, "SELECT count(*) FROM sync.change_log"), forms(drawn, "unit", made["id"], "room"))
    assert rows(drawn, "SELECT count(*) FROM sync.dead_letter") == [(1,)]


def test_repetition_with_something_new_behind_takes_the_new(hand: Pusher) -> None:
    made = unit(hand)
    hand.push(made)
    results = hand.results(made, hand.update("unit", made["id"], after=1, room="a"))
    assert [result.get("replayed") for result in results] == [True, None]
    assert [result["version"] for result in results] == [1, 2]


def test_number_used_twice_is_an_incident(drawn: Drawn, hand: Pusher) -> None:
    made = unit(hand)
    hand.push(made)
    for room in ("z", "z", "y"):  # a repetition is no other one
        assert hand.statuses({**made, "set": {**made["set"], "room": room}}) == ["seq-reused"]
    incidents = rows(drawn, "SELECT code, detail->>'letter' FROM sync.incident ORDER BY at")
    assert incidents == rows(drawn, "SELECT 'seq-reused', mutation_id::text FROM sync.dead_letter ORDER BY created_at")
    assert len(incidents) == 2
    assert rows(drawn, "SELECT room FROM reg.unit WHERE id = %s", made["id"]) == [("901",)]


def test_mutation_id_used_twice_is_an_incident(drawn: Drawn, hand: Pusher) -> None:
    made = unit(hand)
    again = {**unit(hand, 902), "mutation_id": made["mutation_id"]}
    other = Pusher.of(drawn)
    assert hand.statuses(made, again) == ["applied", "mutation-id-reused"]
    assert other.statuses({**unit(other, 903), "mutation_id": made["mutation_id"]}) == ["mutation-id-reused"]
    assert rows(drawn, "SELECT code FROM sync.incident") == [("mutation-id-reused",)] * 2


def test_hidden_row_and_unknown_row_are_told_alike(drawn: Drawn, hand: Pusher) -> None:
    hidden, unknown = hand.results(
        hand.update("unit", drawn.places.units["mill-301"], 1, room="x"), hand.update("unit", uuid.uuid4(), 1, room="x")
    )
    assert hidden["problem"] == unknown["problem"]
    assert hidden["problem"]["code"] == "not-found-or-out-of-scope"


def test_hidden_id_and_hidden_parent_are_refused(drawn: Drawn, hand: Pusher) -> None:
    taken = unit(hand, 901) | {"id": str(drawn.places.units["mill-301"])}
    parent = unit(hand, 902, building_id=drawn.places.buildings["mill"])
    lived = hand.create(
        "residence", resident_id=drawn.places.people["east"], unit_id=drawn.places.units["tower-101"], valid_from="2026-01-01"
    )
    assert hand.statuses(taken, parent, lived) == ["id-taken", "unknown-reference", "unknown-reference"]


def test_same_creation_that_left_something_to_the_register_writes_nothing(drawn: Drawn, hand: Pusher) -> None:
    home = drawn.places.units["tower-102"]
    said: dict[str, Any] = {"unit_id": home, "rent": {"amount": 10}, "valid_from": "2026-01-01", "valid_to": "2026-02-01"}
    made = hand.create("lease", **said, number=None, area_basis_m2=None)
    again = hand.create("lease", made["id"], **said, number=None, area_basis_m2=None)
    assert hand.statuses(made, again, hand.create("lease", made["id"], **said, number="N1")) == ["applied", "noop", "id-taken"]
    assert hand.statuses(hand.create("lease", made["id"], **said, number=None, area_basis_m2=None)) == ["noop"]


def test_same_creation_under_another_number_writes_nothing(drawn: Drawn, hand: Pusher) -> None:
    made = unit(hand)
    again = unit(hand) | {"id": made["id"]}
    other = unit(hand, room="other") | {"id": made["id"]}
    assert hand.statuses(made) == ["applied"]
    assert hand.statuses(again, other) == ["noop", "id-taken"]


def test_change_to_what_is_there_writes_nothing(drawn: Drawn, hand: Pusher) -> None:
    (result,) = hand.results(hand.update("unit", drawn.places.units["tower-101"], 1, room="101", area_m2=89.5))
    assert (result["status"], result["version"]) == ("noop", 1)
    assert forms(drawn, "unit", drawn.places.units["tower-101"], "room") == [(1, "101")]


def test_numbers_of_residents_stand_nowhere_in_the_clear(drawn: Drawn, hand: Pusher) -> None:
    grid = drawn.places.grids["south-west"]
    known = {"name": "张大山", "registration": "floating", "identity_number": NUMBERS["zhang"], "phone": "13912345678"}
    hand.push(
        hand.create("resident", scope=grid, **known),
        hand.create("resident", scope=grid, name="x", registration="nonsense", identity_number=NUMBERS["li"], phone="13912345678"),
        hand.create("resident", scope=grid, name="新人", registration="floating", identity_number=SPARE_NUMBER, phone="13912345678"),
        {**hand.update("resident", drawn.places.people["li"], name="李小明", phone="13912345678"), "was": {"phone": "13800000002"}},
        hand.delete("resident", drawn.places.people["wang"]),
    )
    for table in ("mutation", "conflict", "dead_letter", "incident", "change_log", "id_alias"):
        for (text,) in rows(drawn, f"SELECT t::text FROM sync.{table} t"):
            for secret in (*NUMBERS.values(), SPARE_NUMBER, "13912345678", "13800000002"):
                assert secret not in text, table


def test_visits_and_duty_reports_are_added_and_never_changed(drawn: Drawn, hand: Pusher) -> None:
    lon, lat = point(250, 210)
    visit = hand.create(
        "inspection", building_id=drawn.places.buildings["tower"], unit_id=drawn.places.units["tower-101"], kind="patrol", outcome="hazard",
        visited_at="2026-11-01T08:00:00+08:00", findings=["blocked_exit", "no_lamp"], place={"lon": lon, "lat": lat},
    )  # fmt: skip
    report = hand.create(
        "duty_report", manager_id=drawn.places.managers["zhang-for-village"], kind="notice", happened_on="2026-11-01", persons=2
    )
    elsewhere = hand.create(
        "inspection", building_id=drawn.places.buildings["tower"], unit_id=drawn.places.units["village-201"], kind="patrol", outcome="ok",
        visited_at="2026-11-01T08:00:00+08:00",
    )  # fmt: skip
    hidden = hand.create("duty_report", manager_id=drawn.places.managers["east-for-mill"], kind="notice", happened_on="2026-11-01")
    again = {**visit, "mutation_id": str(uuid.uuid4()), "seq": 5}
    hand.seq = 5
    batch = [
        visit,
        report,
        elsewhere,
        hidden,
        again,
        hand.update("inspection", visit["id"], 1, note="x"),
        hand.delete("duty_report", report["id"], 1),
    ]
    refused = ["unknown-reference", "unknown-reference"]
    assert hand.statuses(*batch) == ["applied", "applied", *refused, "noop", "invalid-value", "invalid-value"]
    found = rows(drawn, "SELECT findings, distance_m, grid_id FROM reg.inspection WHERE id = %s", visit["id"])
    assert found == [(["blocked_exit", "no_lamp"], 10.0, drawn.places.grids["south-west"])]


def test_photos_are_linked_to_what_names_them_and_those_on_their_way_are_told(drawn: Drawn, hand: Pusher) -> None:
    with drawn.database.transaction(hand.device.actor) as session:
        sent = files.begin(session, hand.device.actor, Uploads(), length=900, said={})
    late = uuid.uuid4()
    visit = hand.create(
        "inspection", building_id=drawn.places.buildings["tower"], kind="patrol", outcome="ok", visited_at="2026-11-01T08:00:00+08:00"
    )
    told = hand.results({**visit, "files": [str(sent.id), str(late), "no-id"]}, {**unit(hand, floor="x"), "files": [str(late)]})
    assert [(one["status"], one.get("files_pending")) for one in told] == [
        ("applied", [str(sent.id), str(late), "no-id"]), ("rejected", None),
    ]  # fmt: skip
    linked = rows(drawn, "SELECT file_id, kind, entity_id::text, grid_id FROM sync.file_link ORDER BY file_id = %s", late)
    assert linked == [(file, "inspection", visit["id"], drawn.places.grids["south-west"]) for file in (sent.id, late)]


def test_batch_of_fifty_takes_so_many_statements(drawn: Drawn, hand: Pusher) -> None:
    sent: list[str] = []
    batch: list[dict[str, Any]] = []
    for number in range(900, 910):
        home = unit(hand, number)
        person = hand.create(
            "resident", scope=drawn.places.grids["south-west"], name="孙", registration="floating", birth_year=1990 + number % 10
        )
        lived = hand.create("residence", resident_id=person["id"], unit_id=home["id"], valid_from="2026-01-01")
        batch += [home, person, lived, hand.update("unit", home["id"], after=home["seq"], room="x")]
        batch += [hand.update("residence", lived["id"], after=lived["seq"], basis="own")]
    engine = drawn.database.engine("field")

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    assert set(hand.statuses(*batch)) == {"applied"}
    event.remove(engine, "before_cursor_execute", note)
    # enter, open; hold units, residents, residences; see the building; namesakes; creations, changes; close, audit
    assert len(sent) == 2 + 3 + 1 + 1 + 3 + 2 + 2, "\n".join(statement[:90] for statement in sent)
