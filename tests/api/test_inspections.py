"""Inspections of buildings over HTTP."""

import datetime as dt
import uuid
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from geo.datum import Datum, from_cgcs2000
from gridmgmt.registers.inspections import distance_from
from tests.api.conftest import LogIn
from tests.api.trail import statements
from tests.drawn import Drawn
from tests.places import point


def new(drawn: Drawn, building: str = "tower", **changes: Any) -> dict[str, Any]:
    visit = {"kind": "patrol", "outcome": "ok", "visited_at": "2024-04-01T09:00:00+08:00"}
    return {"building_id": str(drawn.places.buildings[building]), **visit, **changes}


def own(drawn: Drawn, name: str = "patrol-of-village") -> str:
    return f"/v1/inspections/{drawn.places.inspections[name]}"


def test_stranger_and_those_who_see_no_rows_are_refused(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    for asking, status in ((client, 401), (log_in("admin"), 403), (log_in("auditor"), 403)):
        answers = [asking.get("/v1/inspections"), asking.post("/v1/inspections", json=new(drawn)), asking.get(own(drawn))]
        answers.append(asking.delete(own(drawn), headers={"If-Match": "*"}))
        assert {answer.status_code for answer in answers} == {status}


def test_visit_in_another_grid_is_answered_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    told = [worker.get(path).json() for path in (own(drawn, "patrol-of-mill"), f"/v1/inspections/{uuid.uuid4()}")]
    assert [(one["status"], one["detail"]) for one in told] == [(404, "there is no such inspection, or none that you may see")] * 2
    assert log_in("subdistrict").delete(own(drawn, "patrol-of-mill"), headers={"If-Match": "*"}).status_code == 404


def test_building_out_of_sight_is_refused_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    answers = [worker.post("/v1/inspections", json=body) for body in (new(drawn, "mill"), new(drawn) | {"building_id": str(uuid.uuid4())})]
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-reference")
        assert answer.json()["errors"][0]["field"] == "building_id"


def test_unit_out_of_sight_and_unit_of_another_building_are_refused_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker, units = log_in("worker"), drawn.places.units
    for unit in (units["mill-301"], units["village-201"], uuid.uuid4()):
        answer = worker.post("/v1/inspections", json=new(drawn, unit_id=str(unit))).json()
        assert (answer["type"], answer["errors"][0]["field"]) == ("/problems/unknown-reference", "unit_id")


def test_visit_takes_no_version_but_the_one_that_was_read(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    assert district.delete(own(drawn)).status_code == 428
    stale = district.delete(own(drawn), headers={"If-Match": '"v2"'})
    assert (stale.status_code, stale.json()["version"]) == (412, 1)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("visited_at", {"visited_at": "2999-01-01T00:00:00Z"}),
        ("visited_at", {"visited_at": "2024-04-01T09:00:00"}),
        ("kind", {"kind": "raid"}),
        ("outcome", {"outcome": "fine"}),
        ("findings.0", {"findings": ["Rats, mice"]}),
        ("findings", {"findings": ["rats"] * 21}),
        ("place.lat", {"place": {"lon": 114.04}}),
        ("place.lon", {"place": {"lon": 0, "lat": 0}}),
        ("place.datum", {"place": {"lon": 114.04, "lat": 22.65, "datum": "WGS-84"}}),
        ("note", {"note": "x" * 2001}),
        ("distance_m", {"distance_m": 0}),
    ],
)
def test_what_cannot_be_is_refused_by_name(log_in: LogIn, drawn: Drawn, field: str, changes: dict[str, Any]) -> None:
    answer = log_in("worker").post("/v1/inspections", json=new(drawn, **changes))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_nobody_corrects_a_visit_and_who_entered_it_does_not_strike_it_out(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    assert worker.patch(own(drawn), json={"outcome": "ok"}, headers={"If-Match": "*"}).status_code == 405
    assert worker.delete(own(drawn), headers={"If-Match": "*"}).status_code == 403
    assert log_in("subdistrict").delete(own(drawn), headers={"If-Match": '"v1"'}).status_code == 204
    assert worker.get(own(drawn)).status_code == 404


def test_visit_to_a_unit_tells_where_what_and_how_far_from_the_door(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    # The entrance of the tower lies 250 m east and 200 m north; the visitor stands 30 m east and 40 m north of it, in GCJ-02.
    lon, lat = (float(degrees) for degrees in from_cgcs2000(*point(280, 240), Datum.GCJ02))
    body = new(
        drawn,
        unit_id=str(drawn.places.units["tower-101"]),
        outcome="hazard",
        findings=["blocked_exit"],
        note="楼道堆物",
        place={"lon": lon, "lat": lat, "datum": "GCJ-02"},
    )
    made = worker.post("/v1/inspections", json=body)
    visit = made.json()
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/inspections/{visit['id']}")
    assert visit == worker.get(made.headers["Location"]).json()
    assert visit | {"id": "", "recorded_from": ""} == {
        "id": "", "version": 1, "recorded_from": "", "grid_id": drawn.places.grids["south-west"],
        "subdistrict_id": drawn.places.areas["440399001"], "building_id": body["building_id"], "house_code": "4403990010010000001",
        "unit_id": body["unit_id"], "unit": "4403990010010000001000101", "kind": "patrol", "outcome": "hazard",
        "visited_at": "2024-04-01T01:00:00Z", "findings": ["blocked_exit"], "note": "楼道堆物", "lon": lon, "lat": lat, "datum": "GCJ-02",
        "distance_m": 50.0, "warnings": [],
    }  # fmt: skip


def test_patrol_from_afar_is_a_warning(log_in: LogIn, drawn: Drawn) -> None:
    lon, lat = point(250, 251)
    told = [
        log_in("worker").post("/v1/inspections", json=new(drawn, kind=kind, place={"lon": lon, "lat": lat})).json()
        for kind in ("patrol", "safety")
    ]
    assert [(one["distance_m"], one["warnings"]) for one in told] == [(51.0, ["far-from-entrance"]), (51.0, [])]


def test_distances_of_many_places_each_in_its_datum() -> None:
    doors = np.array([point(0, 0), point(100, 0), point(0, 100), point(0, 0)])
    stood = [point(3, 4), from_cgcs2000(*point(100, 12), Datum.GCJ02), from_cgcs2000(*point(5, 100), Datum.BD09), (np.nan, np.nan)]
    lon, lat = np.array(stood, dtype=float).T
    found = distance_from(lon, lat, ["CGCS2000", "GCJ-02", "BD-09", "CGCS2000"], doors[:, 0], doors[:, 1])
    assert np.array_equal(found, [5.0, 12.0, 5.0, np.nan], equal_nan=True)


def test_same_visit_twice_makes_one_also_after_the_building_moved(log_in: LogIn, drawn: Drawn) -> None:
    worker, (lon, lat) = log_in("worker"), point(250, 220)
    body = new(drawn, id=str(uuid.uuid4()), place={"lon": lon, "lat": lat})
    assert worker.post("/v1/inspections", json=body).status_code == 201
    moved = {"entrance": {"lon": lon, "lat": lat}}
    tower = f"/v1/buildings/{drawn.places.buildings['tower']}"
    assert worker.patch(tower, json=moved, headers={"If-Match": "*"}).status_code == 200
    again = worker.post("/v1/inspections", json=body)
    assert (again.status_code, again.json()["distance_m"]) == (200, 20.0)
    assert worker.post("/v1/inspections", json=body | {"outcome": "hazard"}).json()["type"] == "/problems/id-taken"


def test_visits_are_found_by_building_kind_outcome_and_day_of_the_district(log_in: LogIn, drawn: Drawn) -> None:
    district, names = log_in("district"), {str(value): name for name, value in drawn.places.inspections.items()}

    def found(**params: str) -> list[str]:
        return [names[one["id"]] for one in district.get("/v1/inspections", params=params).json()["items"]]

    assert found(house_code="4403990010010000002") == ["patrol-of-village", "complaint-at-village"]
    assert found(building_id=str(drawn.places.buildings["mill"])) == ["patrol-of-mill"]
    assert found(kind="patrol", area="440399001") == ["patrol-of-village"]
    assert found(grid="440399002001001") == ["patrol-of-mill"]
    assert found(outcome="hazard") == ["complaint-at-village"]
    assert found(**{"from": "2024-03-05", "to": "2024-03-05"}) == ["patrol-of-village", "complaint-at-village"]
    assert found(to="2024-03-04") == []
    assert found(**{"from": "2024-03-06"}) == ["patrol-of-mill"]
    with statements(drawn.database, "district") as sent:
        assert len(found()) == 3
    # The signed context and the page.
    assert len(sent) == 2


def test_pages_together_are_the_whole_list(log_in: LogIn) -> None:
    district = log_in("district")
    whole = district.get("/v1/inspections").json()["items"]
    seen, page = [], district.get("/v1/inspections?limit=1").json()
    while page["next"] is not None:
        seen += page["items"]
        page = district.get(f"/v1/inspections?limit=1&cursor={page['next']}").json()
    assert seen + page["items"] == whole


def test_entering_and_striking_out_leave_their_trace(log_in: LogIn, drawn: Drawn) -> None:
    made = log_in("worker").post("/v1/inspections", json=new(drawn)).headers["Location"]
    assert log_in("district").delete(made, headers={"If-Match": "*"}).status_code == 204
    rows = log_in("auditor").get("/v1/audit", params={"object_type": "inspection"}).json()["items"]
    assert [(row["action"], row["object_id"]) for row in rows] == [(action, made.rsplit("/", 1)[1]) for action in ("delete", "create")]
    assert {dt.datetime.fromisoformat(row["at"]).tzinfo for row in rows} == {dt.UTC}
