"""Units over HTTP."""

import uuid
from typing import Any

from tests.api.conftest import LogIn
from tests.api.trail import statements
from tests.drawn import Drawn


def new(drawn: Drawn, building: str = "tower", **changes: Any) -> dict[str, Any]:
    rest = {"floor": 3, "room": "301", "area_m2": 45.5, "use": "residential", "max_occupants": 1}
    return {"building_id": str(drawn.places.buildings[building]), "code": "4403990010010000001000301", **rest, **changes}


def test_unit_of_a_building_elsewhere_or_nowhere_is_refused_alike(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    bodies = [new(drawn, "mill", code="4403990020010000005000302"), new(drawn) | {"building_id": str(uuid.uuid4())}]
    answers = [worker.post("/v1/units", json=body).json() for body in bodies]
    assert [answer["type"] for answer in answers] == ["/problems/unknown-reference"] * 2
    assert answers[0]["errors"] == answers[1]["errors"]


def test_values_that_cannot_be_are_refused_by_name(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    wrong: dict[str, Any] = {"floor": 0, "area_m2": 0, "use": "castle", "code": "4403990010010000002000301", "max_occupants": -1}
    for field, value in wrong.items():
        answer = worker.post("/v1/units", json=new(drawn, **{field: value}))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert worker.post("/v1/units", json=new(drawn, area_m2=45.505)).status_code == 422


def test_occupied_unit_is_neither_retired_nor_struck_out(log_in: LogIn, drawn: Drawn) -> None:
    worker, unit = log_in("worker"), f"/v1/units/{drawn.places.units['tower-101']}"
    refused = [
        worker.post(f"{unit}/end", json={"on": "2026-01-01"}, headers={"If-Match": "*"}),
        worker.delete(unit, headers={"If-Match": "*"}),
    ]
    assert [(answer.status_code, answer.json()["type"]) for answer in refused] == [(409, "/problems/unit-occupied")] * 2
    # Li moved out of tower-102 on 1 September 2023: from that day it may go, not a day before.
    left = f"/v1/units/{drawn.places.units['tower-102']}"
    ends = [worker.post(f"{left}/end", json={"on": day}, headers={"If-Match": "*"}) for day in ("2023-08-31", "2023-09-01")]
    assert [answer.status_code for answer in ends] == [409, 200]


def test_worker_enters_a_unit_once(log_in: LogIn, drawn: Drawn) -> None:
    worker, body = log_in("worker"), new(drawn, id=str(uuid.uuid4()))
    made = worker.post("/v1/units", json=body)
    unit = made.json()
    assert made.status_code == 201
    assert (unit["area_m2"], unit["occupants"], unit["warnings"], unit["grid_id"]) == (45.5, 0, [], drawn.places.grids["south-west"])
    assert worker.post("/v1/units", json=body).status_code == 200
    assert worker.post("/v1/units", json=body | {"id": None}).json()["type"] == "/problems/code-taken"


def test_more_people_than_fit_are_a_warning_not_a_refusal(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    made = worker.post("/v1/units", json=new(drawn))
    tag = made.headers["ETag"]
    for person, main in (("zhang", False), ("li", False)):
        body = {"person_id": str(drawn.places.people[person]), "unit_id": made.json()["id"], "valid_from": "2024-01-01", "main": main}
        assert worker.post("/v1/residences", json=body).status_code == 201
    read = worker.get(made.headers["Location"], headers={"If-None-Match": tag})
    # Nothing of the unit changed, but what is told beside it did: no 304.
    assert (read.status_code, read.json()["version"], read.json()["occupants"], read.json()["warnings"]) == (
        200,
        1,
        2,
        ["too-many-occupants"],
    )
    assert worker.patch(made.headers["Location"], json={"max_occupants": 2}, headers={"If-Match": tag}).json()["warnings"] == []


def test_units_are_found_by_building_code_and_use(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")

    def rooms(**params: str) -> list[str]:
        return [one["room"] for one in district.get("/v1/units", params=params).json()["items"]]

    assert rooms(code="4403990010010000001") == ["101", "102"]
    assert rooms(building_id=str(drawn.places.buildings["mill"])) == ["301"]
    assert rooms(use="shop") == ["1"]
    assert rooms(area="440399002") == ["301"]


def test_list_takes_one_statement_however_long(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    assert worker.get("/v1/units").status_code == 200
    with statements(drawn.database, "field") as sent:
        assert len(worker.get("/v1/units").json()["items"]) == 3
    assert len(sent) == 2
