"""Buildings written by GIS clients: by the verbs of /v1, as features, refused by the member that is to blame."""

import json
import math
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from geo.crs import METRIC, STORAGE, transformer
from geo.datum import Datum, from_cgcs2000
from tests.api.conftest import LogIn
from tests.api.editing import ANY, BUILDINGS, GEOJSON, PATCH, feature, spot, square, tag, told
from tests.api.trail import trail
from tests.drawn import Drawn
from tests.ground import ORIGIN
from tests.places import point

EPSG = "http://www.opengis.net/def/crs/EPSG/0"


def at(drawn: Drawn, name: str) -> str:
    return f"{BUILDINGS}/{drawn.places.buildings[name]}"


def create(client: TestClient, body: Any, **headers: str) -> Any:
    return client.post(BUILDINGS, content=json.dumps(body), headers=GEOJSON | headers)


def update(client: TestClient, address: str, patch: Any, **headers: str) -> Any:
    return client.patch(address, content=json.dumps(patch), headers=PATCH | ANY | headers)


def replace(client: TestClient, address: str, body: Any, **headers: str) -> Any:
    return client.put(address, content=json.dumps(body), headers=GEOJSON | ANY | headers)


def ring(vertices: int) -> dict[str, Any]:
    turns = [2 * math.pi * number / (vertices - 1) for number in range(vertices - 1)]
    around = [list(point(300 + 20 * math.cos(turn), 300 + 20 * math.sin(turn))) for turn in turns]
    return {"type": "Polygon", "coordinates": [[*around, around[0]]]}


def test_change_without_the_tag_that_was_read_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), at(drawn, "tower")
    patched = worker.patch(tower, content=b'{"properties":{"name":"x"}}', headers=PATCH)
    for answer in (patched, worker.put(tower, json=feature(), headers=GEOJSON), worker.delete(tower)):
        assert told(answer) == (428, "precondition-required", "If-Match")
    stale = {"If-Match": '"v7.0"'}
    for answer in (update(worker, tower, {}, **stale), replace(worker, tower, feature(), **stale), worker.delete(tower, headers=stale)):
        assert told(answer) == (412, "stale-version", None)


def test_building_of_another_grid_is_answered_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    for address in (at(drawn, "mill"), f"{BUILDINGS}/{uuid.uuid4()}", f"{BUILDINGS}/1"):
        for answer in (update(worker, address, {}), replace(worker, address, feature()), worker.delete(address, headers=ANY)):
            assert told(answer) == (404, "not-found", None), address


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "type"), ({"type": "FeatureCollection", "features": []}, "type"), ([], "body"), ("x", "body"),
        ({"type": "Feature", "properties": {}}, "geometry"), (feature() | {"geometry": None}, "geometry"),
        (feature() | {"properties": None}, "properties"), (feature() | {"crs": {"type": "name"}}, "crs"),
        (feature(secret=1), "properties.secret"), (feature(grid_id=1), "properties.grid_id"), (feature(version=9), "properties.version"),
        (feature(floors_above=0), "properties.floors_above"), (feature(floors_above="6"), "properties.floors_above"),
        (feature(nature="palace"), "properties.nature"), (feature(built_year=1700), "properties.built_year"),
        (feature(house_code="12"), "properties.house_code"), (feature(rental=1), "properties.rental"),
        (feature(name="a\x00b"), "properties.name"), (feature(name=None), "properties.name"), (feature(name=[]), "properties.name"),
        (feature() | {"id": 7}, "id"), (feature() | {"id": "x"}, "id"),
    ],
)  # fmt: skip
def test_feature_that_cannot_be_is_400_and_names_the_member(log_in: LogIn, body: Any, field: str) -> None:
    status, _, blamed = told(create(log_in("worker"), body))
    assert (status, blamed) == (400, field)


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        (ring(2_001), "too-many-vertices"),
        ({"type": "Polygon", "coordinates": [square(300, 300, 10)["coordinates"][0][:-1]]}, "unclosed-ring"),
        ({"type": "Polygon", "coordinates": [[point(*at) for at in ((300, 300), (310, 310), (310, 300), (300, 310), (300, 300))]]},
         "self-intersection"),
        ({"type": "LineString", "coordinates": [point(1, 1), point(2, 2)]}, "type"), ({"type": "Polygon"}, "type"),
        ({"type": None}, "type"),
        ({"type": "Point", "coordinates": [*point(300, 300), 5]}, "three-dimensional"), ({"type": "Point", "coordinates": []}, "type"),
        ({"type": "Point", "coordinates": list(reversed(point(300, 300)))}, "swapped"),
        ({"type": "Point", "coordinates": ["1", "2"]}, "number"), ({"type": "Point", "coordinates": [1e300, 1e300]}, "range"),
    ],
)  # fmt: skip
def test_geometry_that_cannot_be_is_refused_with_its_reason(log_in: LogIn, drawn: Drawn, geometry: Any, reason: str) -> None:
    worker = log_in("worker")
    for answer in (
        create(worker, feature(geometry)),
        update(worker, at(drawn, "tower"), {"geometry": geometry}),
        replace(worker, at(drawn, "tower"), feature(geometry)),
    ):
        assert (answer.status_code, answer.json()["reason"], answer.json()["errors"][0]["field"]) == (400, reason, "geometry"), answer.text


def test_fault_of_a_geometry_has_its_place_in_degrees_whatever_it_was_sent_in(log_in: LogIn) -> None:
    (x, y), half = ORIGIN, 10.0
    corners = [
        [y + 300, x + 300],
        [y + 300 + half, x + 300 + half],
        [y + 300 + half, x + 300],
        [y + 300, x + 300 + half],
        [y + 300, x + 300],
    ]
    for ring_, place in ((corners, point(305, 305)), (corners[:-1], point(310, 300))):
        answer = create(log_in("worker"), feature({"type": "Polygon", "coordinates": [ring_]}), **{"Content-Crs": f"<{EPSG}/4547>"})
        assert answer.status_code == 400
        assert (answer.json()["lon"], answer.json()["lat"]) == pytest.approx(place, abs=1e-7)


def test_number_that_is_none_is_refused_where_it_stands(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    drawing = square(300, 300, 10)
    drawing["coordinates"][0][2][1] = math.nan
    before = drawing["coordinates"][0][1]
    many = ring(2_001)
    for geometry, place in ((drawing, before), (many, many["coordinates"][0][2_000])):
        for answer in (create(worker, feature(geometry)), update(worker, at(drawn, "tower"), {"geometry": geometry})):
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "geometry"), answer.text
            assert [answer.json()["lon"], answer.json()["lat"]] == pytest.approx(place)
    for body, field in (
        ({"properties": {"floors_above": math.nan}}, "properties.floors_above"), ({"bbox": [1, math.inf]}, "bbox.1"), (math.nan, "body"),
        ({"geometry": spot(300, 300) | {"bbox": [math.nan]}}, "geometry.bbox.0"),
    ):  # fmt: skip
        answer = update(worker, at(drawn, "tower"), body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
        assert "is no number" in answer.json()["detail"]


def test_what_is_no_json_or_no_geojson_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    nan = json.dumps(feature()).replace("6", "NaN")
    for body in (b"", b"{", nan.encode(), b'{"type":"Feature","type":"Feature"}', b"[" * 40 + b"]" * 40, b"\xff"):
        status, slug, blamed = told(worker.post(BUILDINGS, content=body, headers=GEOJSON))
        assert (status, blamed) == (400, "body"), slug
    assert worker.post(BUILDINGS, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    wrong = worker.patch(at(drawn, "tower"), content=b"{}", headers=ANY | GEOJSON)
    assert (wrong.status_code, wrong.headers["accept-patch"]) == (415, "application/merge-patch+json")
    assert create(worker, feature(name="x" * 1_100_000)).status_code == 413
    assert told(create(worker, feature(), **{"Content-Crs": "EPSG:4490"})) == (400, "invalid-parameter", "Content-Crs")
    assert told(worker.post(f"{BUILDINGS}?crs=x", json=feature())) == (400, "invalid-parameter", "crs")


def test_building_outside_the_writers_grids_is_refused(log_in: LogIn) -> None:
    worker = log_in("worker")
    assert told(create(worker, feature(spot(2500, 300)))) == (400, "invalid-parameter", "geometry")
    assert told(create(worker, feature(spot(700, 300))))[0] == 400
    assert told(create(worker, feature(house_code="4403990020010000005"))) == (409, "code-taken", "properties.house_code")


def test_outline_far_from_the_entrance_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    answer = update(log_in("district"), at(drawn, "village"), {"geometry": square(900, 300, 10)})
    assert told(answer) == (400, "invalid-parameter", "geometry")
    # 800 m to the centre, less the half side of 10 m.
    assert "790 m from the entrance" in answer.json()["detail"]


def test_building_with_units_stays(log_in: LogIn, drawn: Drawn) -> None:
    assert told(log_in("worker").delete(at(drawn, "tower"), headers=ANY))[:2] == (409, "building-has-units")


def test_property_that_every_building_has_is_not_taken_away(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), at(drawn, "tower")
    for patch in ({"properties": {"name": None}}, {"properties": None}, {"geometry": None}, {"id": str(uuid.uuid4())}, {"type": "Point"}):
        assert update(worker, tower, patch).status_code == 400, patch
    without = feature()
    del without["properties"]["nature"]
    assert told(replace(worker, tower, without))[2] == "properties.nature"
    assert worker.get(tower).json()["properties"]["name"] == "tower"


def test_created_building_is_seen_at_the_next_request(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    before = worker.get(BUILDINGS)
    made = create(worker, feature(built_year=None))
    assert (made.status_code, made.headers["content-type"]) == (201, "application/geo+json")
    address = made.headers["Location"]
    shown = worker.get(address)
    assert (shown.json(), shown.headers["etag"]) == (made.json(), made.headers["etag"])
    assert shown.json()["geometry"] == {"type": "Point", "coordinates": pytest.approx(list(point(300, 300)), abs=1e-7)}
    after = worker.get(BUILDINGS, headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, len(after.json()["features"])) == (200, len(before.json()["features"]) + 1)
    assert [row[:2] for row in trail(drawn.address, "create")] == [("create", "building")]


def test_outline_without_an_entrance_has_it_within(log_in: LogIn) -> None:
    worker = log_in("worker")
    made = create(worker, feature(square(300, 300, 10))).json()
    assert made["geometry"]["type"] == "MultiPolygon"
    door = worker.get(f"/v1/buildings/{made['id']}").json()["entrance"]
    west, east = point(290, 290)[0], point(310, 310)[0]
    assert west < door["lon"] < east


def test_same_creation_twice_makes_one_building(log_in: LogIn) -> None:
    worker, body = log_in("worker"), feature(square(300, 300, 10)) | {"id": str(uuid.uuid4())}
    first, second = create(worker, body), create(worker, body)
    assert [first.status_code, second.status_code] == [201, 200]
    assert first.json() == second.json()
    assert told(create(worker, body | {"geometry": spot(310, 300)})) == (409, "id-taken", "id")


@pytest.mark.parametrize("code", [4490, 4326, 4547, 3857])
def test_coordinates_are_taken_in_the_order_of_their_authority(log_in: LogIn, code: int) -> None:
    x, y = transformer(STORAGE, METRIC if code == 4547 else 3857).transform(*point(300, 300)) if code in {4547, 3857} else point(300, 300)
    geometry = {"type": "Point", "coordinates": [x, y] if code == 3857 else [y, x]}
    made = create(log_in("worker"), feature(geometry), **{"Content-Crs": f"<{EPSG}/{code}>"})
    assert made.json()["geometry"]["coordinates"] == pytest.approx(list(point(300, 300)), abs=2e-7), made.text


@pytest.mark.parametrize("crs", ["OGC/1.3/CRS84", "EPSG/0/4490", "EPSG/0/4547", "EPSG/0/3857"])
def test_feature_put_back_as_it_was_read_changes_nothing(log_in: LogIn, drawn: Drawn, crs: str) -> None:
    worker, uri = log_in("worker"), f"http://www.opengis.net/def/crs/{crs}"
    for name in ("tower", "village"):
        address = at(drawn, name)
        read = worker.get(address, params={"crs": uri})
        answer = replace(worker, address, read.json(), **{"Content-Crs": f"<{uri}>", "If-Match": read.headers["etag"]})
        assert answer.status_code == 200, answer.text
        assert answer.headers["etag"] == worker.get(address).headers["etag"]
        assert worker.get(f"/v1/buildings/{drawn.places.buildings[name]}").json()["version"] == 1
    assert trail(drawn.address, "correct") == []


def test_tag_of_an_answer_is_taken_for_the_next_change(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), at(drawn, "tower")
    first = update(worker, tower, {"properties": {"name": "one"}}, **tag(worker, tower))
    second = update(worker, tower, {"properties": {"name": "two"}}, **{"If-Match": first.headers["etag"]})
    late = update(worker, tower, {"properties": {"name": "three"}}, **{"If-Match": first.headers["etag"]})
    assert [first.status_code, second.status_code, late.status_code] == [200, 200, 412]
    assert late.json()["version"] == 3
    assert worker.get(tower).headers["etag"] == second.headers["etag"]


def test_patch_changes_what_it_names_and_null_takes_away(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), at(drawn, "tower")
    before = worker.get(tower).json()
    answer = update(worker, tower, {"properties": {"built_year": None, "floors_above": 31, "no-such": None}})
    assert answer.json() == before | {"properties": before["properties"] | {"built_year": None, "floors_above": 31}}
    assert trail(drawn.address, "correct")[0][:2] == ("correct", "building")


def test_put_takes_away_what_it_does_not_name(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), at(drawn, "tower")
    body = worker.get(tower).json()
    del body["properties"]["built_year"]
    assert replace(worker, tower, body).json()["properties"]["built_year"] is None
    # What is not shown here stays as it is.
    assert worker.get(f"/v1/buildings/{drawn.places.buildings['tower']}").json()["footprint"] is not None


def test_outline_is_drawn_where_it_was_sent_though_the_entrance_came_shifted(log_in: LogIn) -> None:
    worker = log_in("worker")
    lon, lat = (float(value) for value in from_cgcs2000(*point(300, 300), Datum.GCJ02))
    body = {"house_code": "4403990010010000099", "name": "b", "address": "a", "floors_above": 2, "nature": "other", "rental": False}
    made = worker.post("/v1/buildings", json=body | {"entrance": {"lon": lon, "lat": lat, "datum": "GCJ-02"}}).json()
    answer = update(worker, f"{BUILDINGS}/{made['id']}", {"geometry": square(300, 300, 10)})
    assert answer.json()["geometry"]["coordinates"][0][0][0] == pytest.approx(list(point(290, 290)), abs=1e-7)
    assert worker.get(f"/v1/buildings/{made['id']}").json()["source"] == made["source"]


def test_building_moved_out_of_sight_is_accepted_and_gone(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), at(drawn, "tower")
    answer = update(worker, tower, {"geometry": spot(1250, 400)})
    assert (answer.status_code, answer.json(), "etag" in answer.headers) == (202, {"result": "accepted"}, False)
    assert (worker.get(tower).status_code, log_in("worker-east").get(tower).status_code) == (404, 200)


def test_struck_out_building_is_gone_and_its_past_is_not(log_in: LogIn) -> None:
    worker = log_in("worker")
    address = create(worker, feature()).headers["Location"]
    then = worker.get(f"/v1/buildings/{address.rpartition('/')[2]}").json()["recorded_from"]
    assert update(worker, address, {"properties": {"name": "later"}}).status_code == 200
    assert worker.get(address, params={"as_of": then}).json()["properties"]["name"] == "新楼"
    gone = worker.delete(address, headers=tag(worker, address))
    assert (gone.status_code, gone.content) == (204, b"")
    assert (worker.get(address).status_code, worker.delete(address, headers=ANY).status_code) == (404, 404)


def test_of_two_writers_one_is_told_that_the_other_was_first(log_in: LogIn, drawn: Drawn) -> None:
    worker, district, tower = log_in("worker"), log_in("district"), at(drawn, "tower")
    read = tag(worker, tower)

    def add_floors(client: TestClient) -> Any:
        return update(client, tower, {"properties": {"floors_above": 33}}, **read)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(add_floors, (worker, district)))
    assert sorted(answer.status_code for answer in answers) == [200, 412]


def test_allow_names_what_the_caller_may_do(log_in: LogIn, drawn: Drawn) -> None:
    reading, grid = "GET, HEAD, OPTIONS", f"/ogc/collections/grids/items/{drawn.places.grids['south-west']}"
    for name, making, changing in (("district", ", POST", ", PUT, PATCH, DELETE"), ("worker", "", ""), ("admin", "", "")):
        asking = log_in(name)
        assert asking.options("/ogc/collections/grids/items").headers["allow"] == reading + making
        assert asking.options(grid).headers["allow"] == reading + changing
    worker = log_in("worker")
    told = worker.options(at(drawn, "tower"))
    assert (told.headers["allow"], told.headers["accept-patch"]) == (reading + ", PUT, PATCH, DELETE", "application/merge-patch+json")
    assert worker.options(f"{BUILDINGS}/unknown_id").headers["allow"] == reading + ", PUT, PATCH, DELETE"
    assert worker.post("/ogc/collections/communities/items", json={}).headers["allow"] == reading


def test_patch_of_a_geometry_is_merged_into_the_one_that_is_there(log_in: LogIn, drawn: Drawn) -> None:
    worker, village = log_in("worker"), at(drawn, "village")
    moved = update(worker, village, {"geometry": {"coordinates": list(point(120, 310))}})
    assert moved.status_code == 200, moved.text
    assert moved.json()["geometry"] == {"type": "Point", "coordinates": pytest.approx(list(point(120, 310)), abs=1e-7)}
    for patch in ({}, {"type": "Point"}):
        same = update(worker, village, {"geometry": patch}, **{"Content-Crs": f"<{EPSG}/4547>"})
        assert (same.status_code, same.headers["etag"]) == (200, moved.headers["etag"]), same.text
    taken = update(worker, village, {"geometry": {"coordinates": None}})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (400, "geometry")
    assert told(update(worker, at(drawn, "mill"), {"geometry": {}})) == (404, "not-found", None)
