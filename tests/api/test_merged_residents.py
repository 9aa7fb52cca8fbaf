"""Two records of one human being are made one: what was said of either afterwards, and what hung on the one that is gone."""

import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.deciding import decide
from tests.api.syncing import as_superuser
from tests.drawn import Drawn
from tests.places import SPARE_NUMBER
from tests.pushing import Pusher, rows

FIRST, SECOND, THIRD = (uuid.UUID(f"{digit}0000000-0000-7000-8000-000000000001") for digit in "123")


def monkey(hand: Pusher, identifier: uuid.UUID, **more: Any) -> dict[str, Any]:
    """A resident whom all others of this name are like."""
    said = {"name": "孙悟空", "birth_year": 1990, "registration": "floating"} | more
    return hand.create("resident", identifier, scope=hand.drawn.places.grids["south-west"], **said)


def namesakes(hand: Pusher) -> str:
    """The first and the second record, and the hint that they may be one human being."""
    _, second = hand.results(monkey(hand, FIRST), monkey(hand, SECOND, registration="registered"))
    return str(second["conflict_id"])


def present(drawn: Drawn) -> list[tuple[Any, ...]]:
    return rows(drawn, "SELECT name, registration, deleted_at IS NULL FROM reg.person WHERE id = %s", FIRST)


def test_deletion_of_a_double_strikes_nobody_else_out(drawn: Drawn, hand: Pusher, office: TestClient) -> None:
    assert decide(office, namesakes(hand), take="merge").status_code == 200
    other = Pusher.of(drawn)
    for pusher in (hand, other):
        (told,) = pusher.results(pusher.delete("resident", SECOND, 1))
        assert (told["status"], told["problem"]["code"]) == ("conflict", "delete-changed")
    assert present(drawn) == [("孙悟空", "floating", True)]


def test_version_of_a_double_is_no_version_of_who_is_left(drawn: Drawn, hand: Pusher, office: TestClient) -> None:
    hint = namesakes(hand)
    assert office.patch(f"/v1/persons/{FIRST}", json={"name": "孙行者"}, headers={"If-Match": "*"}).status_code == 200
    assert decide(office, hint, take="merge").status_code == 200
    other = Pusher.of(drawn)
    (told,) = other.results(other.update("resident", SECOND, 2, name="孙大圣"))
    assert (told["status"], told["fields"], told["current"]["name"]) == ("conflict", ["name"], "孙行者")
    kept = rows(drawn, "SELECT entity_id, base, theirs, yours FROM sync.conflict WHERE code = 'field-conflict'")
    assert kept == [(FIRST, {"name": None}, {"name": "孙行者"}, {"name": "孙大圣"})]
    # what builds on it has not read more
    assert other.statuses(other.update("resident", SECOND, after=1, name="孙")) == ["conflict"]
    assert present(drawn) == [("孙行者", "floating", True)]


def test_mutation_of_a_double_is_no_base_for_who_is_left(drawn: Drawn, hand: Pusher, office: TestClient) -> None:
    assert decide(office, namesakes(hand), take="merge").status_code == 200
    assert hand.statuses(hand.update("resident", SECOND, after=2, name="孙大圣")) == ["conflict"]
    assert present(drawn) == [("孙悟空", "floating", True)]


def test_who_built_on_a_double_by_another_id_is_heard_too(drawn: Drawn, hand: Pusher, office: TestClient) -> None:
    hint = namesakes(hand)
    alias = uuid.UUID("90000000-0000-7000-8000-000000000001")
    with_number = {"identity_number": SPARE_NUMBER, "name": "孙悟空", "registration": "floating"}
    known = hand.create("resident", THIRD, scope=drawn.places.grids["south-west"], **with_number)
    again = hand.create("resident", alias, scope=drawn.places.grids["south-west"], **with_number)
    assert hand.statuses(known, again) == ["applied", "duplicate_of"]
    as_superuser(drawn, f"UPDATE sync.conflict SET theirs = jsonb_build_object('resident_id', '{FIRST}'), entity_id = '{THIRD}'")
    assert decide(office, hint, take="merge").status_code == 200
    late = [hand.update("resident", alias, after=again["seq"], name="孙大圣"), hand.update("resident", alias, 1, name="孙大圣")]
    assert hand.statuses(*late) == ["conflict", "conflict"]
    assert present(drawn) == [("孙悟空", "floating", True)]


def test_phone_that_was_said_of_a_double_is_opened_for_who_is_left(drawn: Drawn, hand: Pusher, office: TestClient) -> None:
    hint = namesakes(hand)
    assert office.delete(f"/v1/persons/{SECOND}", headers={"If-Match": "*"}).status_code == 204
    late = [hand.update("resident", SECOND, 1, phone="13912345678"), hand.update("resident", SECOND, 1, registration="separated")]
    phone, restoring = (told["conflict_id"] for told in hand.results(*late))
    for key, conflict, take in (("a", restoring, "yours"), ("b", hint, "merge"), ("c", phone, "yours")):
        assert decide(office, conflict, key, take=take).status_code == 200
    reveal = {"purpose": "correction", "reason": "asked at the counter", "fields": ["phone"]}
    assert office.post(f"/v1/persons/{FIRST}/reveal", json=reveal).json()["phone"] == "13912345678"
    assert rows(drawn, "SELECT conflict_open FROM reg.person WHERE id = %s", FIRST) == [(False,)]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("order", [(FIRST, SECOND, THIRD), (THIRD, SECOND, FIRST), (SECOND, FIRST, THIRD)])
def test_three_records_of_one_human_being_become_one(
    drawn: Drawn, hand: Pusher, office: TestClient, order: tuple[uuid.UUID, ...], backwards: bool
) -> None:
    hints = [told["conflict_id"] for one in order for told in hand.results(monkey(hand, one)) if "conflict_id" in told]
    for number, hint in enumerate(hints[::-1] if backwards else hints):
        assert decide(office, hint, f"k{number}", take="merge").status_code == 200
    left = rows(drawn, "SELECT id, conflict_open FROM reg.person WHERE name = '孙悟空' AND deleted_at IS NULL")
    assert left == [(order[0], False)]
    assert rows(drawn, "SELECT DISTINCT canonical FROM sync.id_alias") == [(order[0],)]


def test_hint_whose_two_sides_became_one_is_decided(drawn: Drawn, hand: Pusher, office: TestClient) -> None:
    hints = [told["conflict_id"] for one in (FIRST, SECOND, THIRD) for told in hand.results(monkey(hand, one)) if "conflict_id" in told]
    third = as_superuser(
        drawn,
        "INSERT INTO sync.conflict (code, kind, entity_id, grid_id, subdistrict_id, device_id, client_seq, fields, theirs, yours)"
        f" SELECT code, kind, '{FIRST}', grid_id, subdistrict_id, device_id, 1, fields, jsonb_build_object('resident_id', '{THIRD}'),"
        f" jsonb_build_object('resident_id', '{FIRST}') FROM sync.conflict WHERE id = '{hints[0]}' RETURNING id",
    )
    as_superuser(drawn, f"UPDATE reg.person SET conflict_open = true WHERE id = '{FIRST}'")
    assert decide(office, hints[1], "a", take="merge").status_code == 200
    shown = office.get(f"/v1/sync/conflicts/{third[0][0]}").json()
    assert (shown["state"], shown["resolved_by"]) == ("resolved", drawn.places.accounts["district"].account_id)
    assert decide(office, third[0][0], "b", take="merge").json()["type"] == "/problems/already-resolved"
    assert rows(drawn, "SELECT conflict_open FROM reg.person WHERE id = %s", FIRST) == [(False,)]


def test_what_hung_on_a_double_lies_where_the_record_lies_that_is_left(
    drawn: Drawn, hand: Pusher, office: TestClient, log_in: LogIn
) -> None:
    lived: dict[str, Any] = {"resident_id": FIRST, "unit_id": drawn.places.units["tower-102"], "main": False, "valid_from": "2026-01-01"}
    with_photo = [monkey(hand, FIRST), monkey(hand, SECOND) | {"files": [str(uuid.uuid4())]}]
    _, second, _ = hand.results(*with_photo, hand.create("residence", **lived))
    office.patch(f"/v1/persons/{SECOND}", json={"name": "孙悟"}, headers={"If-Match": "*"})
    (waiting,) = hand.results(hand.update("resident", SECOND, 1, name="孙大圣"))
    moved = {"unit": "4403990010010000003000001", "on": "2026-06-01"}
    assert office.post(f"/v1/persons/{FIRST}/move", json=moved, headers={"If-Match": "*"}).status_code < 300
    ((home,),) = rows(drawn, "SELECT grid_id FROM reg.person WHERE id = %s", FIRST)
    assert home == drawn.places.grids["south-east"]
    assert decide(office, second["conflict_id"], take="merge").status_code == 200
    assert rows(drawn, "SELECT entity_id, grid_id FROM sync.file_link") == [(FIRST, home)]
    assert rows(drawn, "SELECT entity_id, grid_id FROM sync.conflict WHERE state = 'open'") == [(FIRST, home)]
    assert log_in("worker").get(f"/v1/sync/conflicts/{waiting['conflict_id']}").status_code == 404
