"""Grids drawn by GIS clients: by the district office only, held together by the register's own rules."""

import json
from typing import Any

from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.editing import ANY, GEOJSON, GRIDS, PATCH, tag, told
from tests.api.trail import trail
from tests.drawn import Drawn
from tests.places import EAST_ONE, NORTH, point, rectangle

READERS = ("worker", "community", "subdistrict", "admin")


def at(drawn: Drawn, name: str) -> str:
    return f"{GRIDS}/{drawn.places.grids[name]}"


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """A rectangle in metres, with the corners of the grids on its sides."""
    return json.loads(json.dumps(rectangle(west, south, east, north).__geo_interface__))


def grid(geometry: Any, code: str = f"{EAST_ONE}003", **properties: Any) -> dict[str, Any]:
    told = {"code": code, "name": "新网格", "community": code[:12], "valid_from": "2020-01-01", **properties}
    return {"type": "Feature", "geometry": geometry, "properties": told}


def create(client: TestClient, body: Any) -> Any:
    return client.post(GRIDS, content=json.dumps(body), headers=GEOJSON)


def update(client: TestClient, address: str, patch: Any) -> Any:
    return client.patch(address, content=json.dumps(patch), headers=PATCH | ANY)


def test_who_only_looks_at_grids_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    for name in READERS:
        asking, address = log_in(name), at(drawn, "south-west")
        for answer in (create(asking, {}), update(asking, address, {}), asking.put(address, json={}), asking.delete(address, headers=ANY)):
            assert told(answer) == (403, "forbidden", None), name


def test_grid_that_overlaps_its_neighbour_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    assert told(create(district, grid(box(1400, 0, 1500, 800)))) == (409, "grid-overlap", "geometry")
    wider = update(district, at(drawn, "east-outer"), {"geometry": box(1400, 0, 2000, 800)})
    assert told(wider) == (409, "grid-overlap", "geometry")


def test_grid_that_leaves_its_community_or_its_buildings_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    assert told(create(district, grid(box(2000, 0, 2100, 800)))) == (400, "invalid-parameter", "geometry")
    assert told(update(district, at(drawn, "east-inner"), {"geometry": box(1300, 0, 1500, 800)})) == (409, "grid-has-buildings", "geometry")
    assert told(district.delete(at(drawn, "east-inner"), headers=ANY))[:2] == (409, "grid-has-buildings")


def test_code_and_community_stay_and_the_id_is_not_chosen(log_in: LogIn, drawn: Drawn) -> None:
    district, address = log_in("district"), at(drawn, "east-outer")
    for name, value in (("code", f"{EAST_ONE}009"), ("community", NORTH)):
        assert told(update(district, address, {"properties": {name: value}})) == (400, "invalid-parameter", f"properties.{name}")
    assert told(create(district, grid(box(1500, 0, 2000, 800)) | {"id": 99})) == (400, "invalid-parameter", "id")
    assert told(create(district, grid({"type": "Point", "coordinates": point(1, 1)})))[2] == "geometry"
    assert told(create(district, grid(box(1500, 0, 2000, 800), code=f"{EAST_ONE}903")))[2] == "properties.code"
    assert told(create(district, grid(box(1500, 0, 2000, 800), valid_from="today")))[2] == "properties.valid_from"


def test_office_draws_a_grid_anew(log_in: LogIn, drawn: Drawn) -> None:
    district, address = log_in("district"), at(drawn, "east-outer")
    then = district.get(f"/v1/grids/{drawn.places.grids['east-outer']}").json()["recorded_from"]
    narrow = update(district, address, {"geometry": box(1600, 0, 2000, 800), "properties": {"name": "narrow"}})
    assert (narrow.status_code, narrow.json()["properties"]["name"]) == (200, "narrow"), narrow.text
    made = create(district, grid(box(1500, 0, 1600, 800)))
    assert made.status_code == 201, made.text
    assert district.get(made.headers["Location"]).json() == made.json()
    assert made.json()["properties"]["code"] == f"{EAST_ONE}003"
    assert [row[:2] for row in trail(drawn.address, "create", "correct")] == [("correct", "grid"), ("create", "grid")]
    assert district.get(address, params={"as_of": then}).json()["properties"]["name"] == "east-outer"


def test_grid_put_back_as_it_was_read_changes_nothing_and_can_be_struck_out(log_in: LogIn, drawn: Drawn) -> None:
    district, address = log_in("district"), at(drawn, "east-outer")
    read = district.get(address)
    kept = district.put(address, content=read.content, headers=GEOJSON | {"If-Match": read.headers["etag"]})
    assert (kept.status_code, kept.json()) == (200, read.json())
    assert district.delete(address, headers=tag(district, address)).status_code == 204
    assert district.get(address).status_code == 404
