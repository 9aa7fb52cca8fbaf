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


@pytest.fixture
def hand(drawn: Drawn) -> Pusher:
    return Pusher.of(drawn)


@pytest.fixture
def office(log_in: LogIn) -> TestClient:
    return log_in("district")


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
