"""Duty reports of building managers over HTTP."""

import datetime as dt
import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.drawn import Drawn


def new(drawn: Drawn, manager: str = "zhang-for-village", **changes: Any) -> dict[str, Any]:
    return {"manager_id": str(drawn.places.managers[manager]), "kind": "notice", "happened_on": "2024-04-01", **changes}


def own(drawn: Drawn, name: str = "zhang-moves-in") -> str:
    return f"/v1/duty-reports/{drawn.places.duty_reports[name]}"


def test_stranger_and_those_who_see_no_rows_are_refused(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    for asking, status in ((client, 401), (log_in("admin"), 403), (log_in("auditor"), 403)):
        answers = [asking.get("/v1/duty-reports"), asking.post("/v1/duty-reports", json=new(drawn)), asking.get(own(drawn))]
        answers.append(asking.delete(own(drawn), headers={"If-Match": "*"}))
        assert {answer.status_code for answer in answers} == {status}


def test_report_in_another_grid_is_answered_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    told = [worker.get(path).json() for path in (own(drawn, "east-checks-gate"), f"/v1/duty-reports/{uuid.uuid4()}")]
    assert [(one["status"], one["detail"]) for one in told] == [(404, "there is no such duty report, or none that you may see")] * 2
    assert log_in("subdistrict").delete(own(drawn, "east-checks-gate"), headers={"If-Match": "*"}).status_code == 404


def test_manager_out_of_sight_is_refused_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    for body in (new(drawn, "east-for-mill"), new(drawn) | {"manager_id": str(uuid.uuid4())}):
        answer = worker.post("/v1/duty-reports", json=body)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-reference")
        assert answer.json()["errors"][0]["field"] == "manager_id"


def test_unit_out_of_sight_and_unit_of_another_building_are_refused_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker, units = log_in("worker"), drawn.places.units
    for unit in (units["mill-301"], units["tower-101"], uuid.uuid4()):
        answer = worker.post("/v1/duty-reports", json=new(drawn, unit_id=str(unit))).json()
        assert (answer["type"], answer["errors"][0]["field"]) == ("/problems/unknown-reference", "unit_id")


def test_report_takes_no_version_but_the_one_that_was_read(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    assert district.delete(own(drawn)).status_code == 428
    stale = district.delete(own(drawn), headers={"If-Match": '"v2"'})
    assert (stale.status_code, stale.json()["version"]) == (412, 1)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("happened_on", {"happened_on": "2199-01-01"}),
        ("happened_on", {"happened_on": "1999-12-31"}),
        ("kind", {"kind": "gossip"}),
        ("persons", {"persons": -1}),
        ("persons", {"persons": 1001}),
        ("note", {"note": " "}),
        ("person_id", {"person_id": str(uuid.uuid4())}),
    ],
)
def test_what_cannot_be_is_refused_by_name(log_in: LogIn, drawn: Drawn, field: str, changes: dict[str, Any]) -> None:
    answer = log_in("worker").post("/v1/duty-reports", json=new(drawn, **changes))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_nobody_corrects_a_report_and_who_entered_it_does_not_strike_it_out(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    assert worker.patch(own(drawn), json={"persons": 1}, headers={"If-Match": "*"}).status_code == 405
    assert worker.delete(own(drawn), headers={"If-Match": "*"}).status_code == 403
    assert log_in("district").delete(own(drawn), headers={"If-Match": '"v1"'}).status_code == 204
    assert worker.get(own(drawn)).status_code == 404


def test_report_tells_of_the_building_and_of_nobody_in_it(log_in: LogIn, drawn: Drawn) -> None:
    worker, units = log_in("worker"), drawn.places.units
    body = new(drawn, kind="move_out", unit_id=str(units["village-201"]), persons=3, note="搬走了\n钥匙已收")
    made = worker.post("/v1/duty-reports", json=body)
    report = made.json()
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/duty-reports/{report['id']}")
    assert report == worker.get(made.headers["Location"]).json()
    assert report | {"id": "", "recorded_from": ""} == {
        "id": "", "version": 1, "recorded_from": "", "grid_id": drawn.places.grids["south-west"],
        "subdistrict_id": drawn.places.areas["440399001"], "manager_id": body["manager_id"],
        "building_id": str(drawn.places.buildings["village"]), "house_code": "4403990010010000002", "unit_id": body["unit_id"],
        "unit": "4403990010010000002000201", "kind": "move_out", "happened_on": "2024-04-01", "persons": 3, "note": "搬走了\n钥匙已收",
    }  # fmt: skip


def test_manager_who_resigned_may_still_report_what_happened_before(log_in: LogIn, drawn: Drawn) -> None:
    worker, manager = log_in("worker"), f"/v1/managers/{drawn.places.managers['zhang-for-village']}"
    assert worker.post(f"{manager}/end", json={"on": "2024-05-01", "state": "resigned"}, headers={"If-Match": "*"}).status_code == 200
    assert worker.post("/v1/duty-reports", json=new(drawn)).status_code == 201
    assert worker.delete(manager, headers={"If-Match": "*"}).status_code == 204
    assert worker.post("/v1/duty-reports", json=new(drawn)).json()["type"] == "/problems/unknown-reference"


def test_same_report_twice_makes_one(log_in: LogIn, drawn: Drawn) -> None:
    worker, body = log_in("worker"), new(drawn, id=str(uuid.uuid4()), persons=1)
    assert [worker.post("/v1/duty-reports", json=body).status_code for _ in range(2)] == [201, 200]
    assert worker.post("/v1/duty-reports", json=body | {"persons": None}).json()["type"] == "/problems/id-taken"


def test_reports_are_found_by_manager_building_kind_and_day(log_in: LogIn, drawn: Drawn) -> None:
    district, names = log_in("district"), {str(value): name for name, value in drawn.places.duty_reports.items()}

    def found(**params: str) -> list[str]:
        return [names[one["id"]] for one in district.get("/v1/duty-reports", params=params).json()["items"]]

    assert found(manager_id=str(drawn.places.managers["zhang-for-village"])) == ["zhang-moves-in", "zhang-warns"]
    assert found(building_id=str(drawn.places.buildings["mill"])) == ["east-checks-gate"]
    assert found(kind="hazard") == ["zhang-warns"]
    assert found(area="440399002001") == ["east-checks-gate"]
    assert found(grid="440399001001001", to="2024-03-06") == ["zhang-moves-in"]
    assert found(**{"from": "2024-03-06", "to": "2024-03-07"}) == ["zhang-warns", "east-checks-gate"]
    assert found(**{"from": dt.date(2024, 3, 8).isoformat()}) == []
