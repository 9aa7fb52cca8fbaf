"""Building managers over HTTP."""

import uuid
from typing import Any

from tests.api.conftest import LogIn
from tests.api.trail import statements
from tests.drawn import Drawn
from tests.places import point


def new(drawn: Drawn, person: str = "zhang", building: str = "tower", **changes: Any) -> dict[str, Any]:
    ids = {"person_id": str(drawn.places.people[person]), "building_id": str(drawn.places.buildings[building])}
    return {**ids, "kind": "hired", "valid_from": "2024-01-01", **changes}


def test_person_or_building_out_of_sight_is_refused_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    for field, body in {"person_id": new(drawn, "east"), "building_id": new(drawn, building="mill")}.items():
        answer = worker.post("/v1/managers", json=body).json()
        assert (answer["type"], answer["errors"][0]["field"]) == ("/problems/unknown-reference", field)


def test_second_appointment_in_a_period_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    answer = log_in("worker").post("/v1/managers", json=new(drawn, building="village"))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/already-appointed")


def test_manager_becomes_active_step_by_step_and_with_both_contacts(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    made = worker.post("/v1/managers", json=new(drawn))
    path = made.headers["Location"]
    assert (made.status_code, made.json()["state"], made.json()["person_name"]) == (201, "candidate", "张**")
    skipped = worker.patch(path, json={"state": "active"}, headers={"If-Match": "*"})
    assert (skipped.status_code, skipped.json()["type"]) == (409, "/problems/state-step")
    for state in ("checked", "appointed", "trained"):
        assert worker.patch(path, json={"state": state}, headers={"If-Match": "*"}).json()["state"] == state
    alone = worker.patch(path, json={"state": "active", "police_contact": "周警官"}, headers={"If-Match": "*"})
    assert (alone.status_code, alone.json()["type"]) == (422, "/problems/contacts-missing")
    both = {"state": "active", "police_contact": "周警官", "office_contact": "吴主任"}
    assert worker.patch(path, json=both, headers={"If-Match": "*"}).json()["version"] == 5


def test_manager_who_resigned_manages_no_more(log_in: LogIn, drawn: Drawn) -> None:
    worker, own = log_in("worker"), f"/v1/managers/{drawn.places.managers['zhang-for-village']}"
    ended = worker.post(f"{own}/end", json={"on": "2025-03-01", "state": "resigned", "reason": "moved away"}, headers={"If-Match": '"v1"'})
    assert (ended.json()["state"], ended.json()["valid_to"], ended.json()["buildings"]) == ("resigned", "2025-03-01", 0)
    assert worker.post(f"{own}/end", json={"on": "2025-03-02", "state": "dismissed"}, headers={"If-Match": "*"}).status_code == 409
    found = [len(worker.get("/v1/managers", params={"valid_on": day}).json()["items"]) for day in ("2025-02-28", "2025-03-01")]
    assert found == [1, 0]
    assert worker.post("/v1/managers", json=new(drawn, building="village", valid_from="2025-03-01")).status_code == 201


def test_sixth_building_of_a_manager_is_a_warning(log_in: LogIn, drawn: Drawn) -> None:
    worker, told = log_in("worker"), []
    for number in range(5):
        lon, lat = point(50 + 20 * number, 50)
        body = {"house_code": f"44039900100100001{number:02}", "name": "b", "address": "a", "entrance": {"lon": lon, "lat": lat}}
        building = worker.post("/v1/buildings", json=body | {"floors_above": 2, "nature": "other", "rental": True}).json()["id"]
        made = worker.post("/v1/managers", json=new(drawn) | {"building_id": building}).json()
        told.append((made["buildings"], made["warnings"]))
    # Zhang manages the village already.
    assert told == [(2, []), (3, []), (4, []), (5, []), (6, ["too-many-buildings"])]


def test_same_creation_twice_makes_one_appointment(log_in: LogIn, drawn: Drawn) -> None:
    worker, body = log_in("worker"), new(drawn, id=str(uuid.uuid4()))
    assert [worker.post("/v1/managers", json=body).status_code for _ in range(2)] == [201, 200]
    assert worker.post("/v1/managers", json=body | {"kind": "owner"}).status_code == 409


def test_managers_are_found_by_building_person_and_state(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")

    def codes(**params: str) -> list[str]:
        return [one["house_code"][-1] for one in district.get("/v1/managers", params=params).json()["items"]]

    assert codes(state="active") == ["2"]
    assert codes(house_code="440399002") == ["5"]
    assert codes(person_id=str(drawn.places.people["zhang"])) == ["2"]
    assert codes(kind="owner", area="440399002") == ["5"]
    with statements(drawn.database, "district") as sent:
        assert codes() == ["2", "5"]
    # The signed context, the page, the row of the trail.
    assert len(sent) == 3
