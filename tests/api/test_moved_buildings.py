"""A building whose entrance a handheld or a decision corrects: its outline falls with the old entrance, unless somebody drew it since."""

import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.bodies import square
from tests.api.conftest import LogIn
from tests.api.deciding import decide
from tests.drawn import Drawn
from tests.places import point
from tests.pushing import Pusher

MINE, OTHERS = square(241, 200), square(242, 200)
"""Outlines that a worker and the office drew."""


@pytest.fixture
def tower(drawn: Drawn) -> uuid.UUID:
    return drawn.places.buildings["tower"]


def at(x: float, y: float = 201) -> dict[str, Any]:
    lon, lat = point(x, y)
    return {"lon": lon, "lat": lat, "datum": "CGCS2000"}


def correct(office: TestClient, tower: uuid.UUID, **changes: Any) -> None:
    assert office.patch(f"/v1/buildings/{tower}", json=changes, headers={"If-Match": "*"}).status_code == 200


def begins(outline: dict[str, Any] | None) -> tuple[float, float] | None:
    """The first corner of an outline, to a tenth of a metre; None for none."""
    if outline is None:
        return None
    first = outline["coordinates"][0][0]
    lon, lat = first[0] if outline["type"] == "MultiPolygon" else first
    return round(lon, 6), round(lat, 6)


def present(office: TestClient, tower: uuid.UUID) -> dict[str, Any]:
    told = office.get(f"/v1/buildings/{tower}").json()
    return {"entrance": round(told["entrance"]["lon"], 6), "footprint": begins(told["footprint"]), "version": told["version"]}


def seen(x: float, outline: dict[str, Any] | None, version: int) -> dict[str, Any]:
    return {"entrance": round(at(x)["lon"], 6), "footprint": begins(outline), "version": version}


def test_new_entrance_takes_the_outline_along_that_nobody_named(hand: Pusher, office: TestClient, tower: uuid.UUID) -> None:
    assert hand.statuses(hand.update("building", tower, 1, entrance=at(251))) == ["applied"]
    assert present(office, tower) == seen(251, None, 2)


def test_outline_that_is_sent_as_it_is_stays(hand: Pusher, office: TestClient, tower: uuid.UUID) -> None:
    correct(office, tower, footprint=MINE)
    (told,) = hand.results(hand.update("building", tower, 2, entrance=at(251), footprint=MINE))
    assert told["status"] == "applied"
    assert present(office, tower) == seen(251, MINE, 3)


def test_two_outlines_wait_for_somebody_beside_the_new_entrance(hand: Pusher, office: TestClient, tower: uuid.UUID) -> None:
    correct(office, tower, footprint=OTHERS)
    (told,) = hand.results(hand.update("building", tower, 1, entrance=at(251), footprint=MINE))
    assert (told["status"], told["fields"], begins(told["current"]["footprint"])) == ("conflict", ["footprint"], begins(OTHERS))
    assert present(office, tower) == seen(251, OTHERS, 3)
    assert decide(office, told["conflict_id"], take="yours").status_code == 200
    assert present(office, tower) == seen(251, MINE, 4)


def test_outline_that_others_drew_since_falls_with_no_entrance(hand: Pusher, office: TestClient, tower: uuid.UUID) -> None:
    correct(office, tower, footprint=OTHERS)
    (told,) = hand.results(hand.update("building", tower, 1, entrance=at(251)))
    assert (told["status"], told["fields"]) == ("conflict", ["footprint"])
    assert present(office, tower) == seen(251, OTHERS, 3)
    conflict = office.get(f"/v1/sync/conflicts/{told['conflict_id']}").json()
    assert (begins(conflict["theirs"]["footprint"]), conflict["yours"]) == (begins(OTHERS), {"footprint": None})
    assert decide(office, told["conflict_id"], take="yours").status_code == 200
    assert present(office, tower) == seen(251, None, 4)


def test_policy_of_the_outline_holds_for_one_that_would_fall(hand: Pusher, office: TestClient, tower: uuid.UUID) -> None:
    assert office.post("/v1/sync/policies", json={"kind": "building", "field": "footprint", "policy": "server_wins"}).status_code == 201
    correct(office, tower, footprint=OTHERS)
    (told,) = hand.results(hand.update("building", tower, 1, entrance=at(251)))
    assert (told["status"], told["kept"]) == ("merged", ["footprint"])
    assert present(office, tower) == seen(251, OTHERS, 3)


@pytest.mark.parametrize("who", ["district", "worker"])
def test_decision_writes_entrance_and_outline(hand: Pusher, office: TestClient, log_in: LogIn, tower: uuid.UUID, who: str) -> None:
    correct(office, tower, entrance=at(252), footprint=OTHERS)
    (told,) = hand.results(hand.update("building", tower, 1, entrance=at(251), footprint=MINE))
    assert (told["status"], told["fields"]) == ("conflict", ["entrance", "footprint"])
    version = present(office, tower)["version"]
    assert decide(log_in(who), told["conflict_id"], take="yours").json()["version"] == version + 1
    assert present(office, tower) == seen(251, MINE, version + 1)


def test_decision_about_the_entrance_alone_leaves_the_outline(hand: Pusher, office: TestClient, tower: uuid.UUID) -> None:
    correct(office, tower, entrance=at(252), footprint=OTHERS)
    (told,) = hand.results(hand.update("building", tower, 1, entrance=at(251)))
    assert (told["status"], told["fields"]) == ("conflict", ["entrance"])
    version = present(office, tower)["version"]
    assert decide(office, told["conflict_id"], take="yours").status_code == 200
    assert present(office, tower) == seen(251, OTHERS, version + 1)


def test_building_goes_out_of_sight_with_its_outline(drawn: Drawn, hand: Pusher, office: TestClient, log_in: LogIn) -> None:
    village, tower = drawn.places.buildings["village"], drawn.places.buildings["tower"]
    away = square(1245, 400)
    (told,) = hand.results(hand.update("building", village, 1, entrance=at(1250, 400), footprint=away, name="gone"))
    assert told["status"] == "applied"
    assert begins(office.get(f"/v1/buildings/{village}").json()["footprint"]) == begins(away)
    sent = {"entrance": at(1250, 410), "footprint": square(1245, 410)}
    assert log_in("worker").patch(f"/v1/buildings/{tower}", json=sent, headers={"If-Match": '"v1"'}).status_code == 202
    assert begins(office.get(f"/v1/buildings/{tower}").json()["footprint"]) == begins(sent["footprint"])


def test_decision_takes_no_building_out_of_the_sight_of_who_decides(
    hand: Pusher, office: TestClient, log_in: LogIn, tower: uuid.UUID
) -> None:
    correct(office, tower, entrance=at(252), footprint=OTHERS)
    (told,) = hand.results(hand.update("building", tower, 1, entrance=at(251), footprint=MINE))
    before, away = present(office, tower), {"entrance": at(1250, 400), "footprint": square(1245, 400)}
    refused = decide(log_in("worker"), told["conflict_id"], take="set", set=away)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/outside-scope")
    assert present(office, tower) == before
    assert decide(office, told["conflict_id"], take="set", set=away).status_code == 200
    assert begins(office.get(f"/v1/buildings/{tower}").json()["footprint"]) == begins(away["footprint"])
