"""Areas over HTTP."""

from typing import Any

from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import DISTRICT, EAST, EAST_ONE, NORTH, SOUTH, WEST, point

SQUARE: dict[str, Any] = {"type": "Polygon", "coordinates": [[point(0, 0), point(10, 0), point(10, 10), point(0, 10), point(0, 0)]]}


def new(**changes: Any) -> dict[str, Any]:
    rest = {"name": "新社区", "level": "community", "parent": WEST, "valid_from": "2021-01-01", "geometry": SQUARE}
    return {"code": "440399001009", **rest, **changes}


def test_stranger_reads_no_area_and_nobody_but_the_district_writes_one(client: TestClient, log_in: LogIn) -> None:
    assert client.get("/v1/areas").status_code == 401
    for username in ("worker", "community", "subdistrict", "admin", "auditor"):
        assert log_in(username).get("/v1/areas").status_code == 200
        assert log_in(username).post("/v1/areas", json=new()).status_code == 403


def test_area_with_a_parent_of_the_wrong_level_or_of_none_is_refused(log_in: LogIn) -> None:
    district = log_in("district")
    for parent in (DISTRICT, "440399009", None):
        answer = district.post("/v1/areas", json=new(parent=parent))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "parent")
    assert district.post("/v1/areas", json=new(code="44039900100")).status_code == 422
    assert district.post("/v1/areas", json=new(valid_to="2020-01-01")).status_code == 422


def test_two_areas_never_have_one_code_at_the_same_time(log_in: LogIn) -> None:
    answer = log_in("district").post("/v1/areas", json=new(code=SOUTH))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/code-taken")


def test_renumbered_area_keeps_its_lineage_and_its_earlier_code(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    old = drawn.places.areas[NORTH]
    ended = district.post(f"/v1/areas/{old}/end", json={"on": "2025-01-01"}, headers={"If-Match": '"v1"'})
    assert (ended.status_code, ended.json()["valid_to"]) == (200, "2025-01-01")
    made = district.post("/v1/areas", json=new(valid_from="2025-01-01", predecessors=[old]))
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/areas/{made.json()['id']}")
    link = {"predecessor_id": old, "successor_id": made.json()["id"], "kind": "renumber", "happened_on": "2025-01-01"}
    assert district.get(f"/v1/areas/{old}/lineage").json() == [link]
    codes = [area["code"] for area in district.get("/v1/areas?level=community&valid_on=2025-01-01").json()["items"]]
    assert codes == [SOUTH, "440399001009", EAST_ONE]
    codes = [area["code"] for area in district.get("/v1/areas?level=community&valid_on=2024-12-31").json()["items"]]
    assert codes == [SOUTH, NORTH, EAST_ONE]


def test_what_was_believed_before_a_correction_can_be_read(log_in: LogIn, drawn: Drawn) -> None:
    district, area = log_in("district"), f"/v1/areas/{drawn.places.areas[EAST]}"
    before = district.get(area).json()
    district.patch(area, json={"name": "东街道办"}, headers={"If-Match": '"v1"'})
    assert district.get(area).json()["name"] == "东街道办"
    assert district.get(area, params={"as_of": before["recorded_from"]}).json() == before
    forms = district.get(f"{area}/history").json()
    assert [(form["version"], form["name"]) for form in forms] == [(2, "东街道办"), (1, "东街道")]
    assert forms[1]["recorded_to"] == forms[0]["recorded_from"]
    assert forms[0]["recorded_to"] is None


def test_areas_are_found_by_parent_and_by_the_beginning_of_their_code_or_name(log_in: LogIn) -> None:
    worker = log_in("worker")
    assert [area["code"] for area in worker.get(f"/v1/areas?code={WEST}").json()["items"]] == [WEST, SOUTH, NORTH]
    assert [area["code"] for area in worker.get(f"/v1/areas?parent={WEST}").json()["items"]] == [SOUTH, NORTH]
    assert [area["code"] for area in worker.get("/v1/areas", params={"name": "东"}).json()["items"]] == [EAST, EAST_ONE]


def test_area_in_which_grids_lie_is_not_struck_out(log_in: LogIn, drawn: Drawn) -> None:
    for code in (SOUTH, WEST):
        answer = log_in("district").delete(f"/v1/areas/{drawn.places.areas[code]}", headers={"If-Match": "*"})
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/area-in-use")


def test_struck_out_area_is_gone_but_its_past_is_kept(log_in: LogIn) -> None:
    district = log_in("district")
    made = district.post("/v1/areas", json=new())
    address = made.headers["Location"]
    assert district.delete(address, headers={"If-Match": made.headers["ETag"]}).status_code == 204
    assert district.get(address).status_code == 404
    assert district.get(address, params={"as_of": made.json()["recorded_from"]}).json()["code"] == "440399001009"
