"""Buildings over HTTP: where they stand decides whose they are."""

import math
import uuid
from typing import Any

from geo.datum import Datum, from_cgcs2000
from tests.api.conftest import LogIn
from tests.api.trail import as_superuser, statements, trail
from tests.drawn import Drawn
from tests.places import DISTRICT, EAST, NORTH, SOUTH, WEST, point

HOME = point(300, 300)
"""In south-west."""


def at(x: float, y: float, **more: Any) -> dict[str, Any]:
    lon, lat = point(x, y)
    return {"lon": lon, "lat": lat, **more}


def new(**changes: Any) -> dict[str, Any]:
    rest = {"name": "新楼", "address": "测试路9号", "entrance": at(300, 300), "floors_above": 6, "nature": "self_built", "rental": True}
    return {"house_code": "4403990010010000099", **rest, **changes}


def square(x: float, y: float, half: float) -> dict[str, Any]:
    corners = ((-half, -half), (half, -half), (half, half), (-half, half), (-half, -half))
    return {"type": "Polygon", "coordinates": [[point(x + dx, y + dy) for dx, dy in corners]]}


def test_building_outside_the_writers_grids_is_refused(log_in: LogIn) -> None:
    worker = log_in("worker")
    slugs = [worker.post("/v1/buildings", json=new(entrance=at(x, 300))).json()["type"] for x in (700, 2500)]
    # In the neighbour's grid, and in no grid at all.
    assert slugs == ["/problems/outside-scope", "/problems/outside-grids"]


def test_swapped_coordinates_are_refused_with_a_hint(log_in: LogIn) -> None:
    answer = log_in("worker").post("/v1/buildings", json=new(entrance={"lon": HOME[1], "lat": HOME[0]}))
    assert (answer.status_code, answer.json()["reason"], answer.json()["errors"][0]["field"]) == (422, "swapped", "entrance")


def test_values_that_cannot_be_are_refused_by_name(log_in: LogIn) -> None:
    worker = log_in("worker")
    wrong: dict[str, Any] = {
        "floors_above": 0,
        "nature": "palace",
        "built_year": 1700,
        "house_code": "12",
        "rental": "yes",
        "name": "a\x00b",
    }
    for field, value in wrong.items():
        answer = worker.post("/v1/buildings", json=new(**{field: value}))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_footprint_is_refused_with_too_many_vertices_or_far_from_the_entrance(log_in: LogIn) -> None:
    worker = log_in("worker")
    circle = [point(300 + 20 * math.cos(i * math.pi / 1250), 300 + 20 * math.sin(i * math.pi / 1250)) for i in range(2500)]
    many = {"type": "Polygon", "coordinates": [[*circle, circle[0]]]}
    assert worker.post("/v1/buildings", json=new(footprint=many)).json()["reason"] == "too-many-vertices"
    far = worker.post("/v1/buildings", json=new(footprint=square(300, 1000, 10)))
    # 700 m to the centre, less the half side of 10 m.
    assert "690 m from the entrance" in far.json()["detail"]


def test_house_code_belongs_to_one_building_in_the_whole_district(log_in: LogIn) -> None:
    answer = log_in("worker").post("/v1/buildings", json=new(house_code="4403990020010000005"))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/code-taken")


def test_worker_enters_a_building_in_the_own_grid(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    made = worker.post("/v1/buildings", json=new(footprint=square(300, 300, 10)))
    building = made.json()
    assert (made.status_code, made.headers["Location"], made.headers["ETag"]) == (201, f"/v1/buildings/{building['id']}", '"v1"')
    assert building["grid_id"] == drawn.places.grids["south-west"]
    assert building["entrance"] == {"lon": HOME[0], "lat": HOME[1]}
    assert building["footprint"]["type"] == "MultiPolygon"
    # What PostgreSQL builds for the single read is what Python builds for the others.
    assert worker.get(made.headers["Location"]).json() == building
    listed = worker.get("/v1/buildings", params={"house_code": "4403990010010000099"}).json()["items"]
    assert listed == [{name: value for name, value in building.items() if name != "footprint"}]


def test_shifted_coordinates_are_undone_and_kept_as_delivered(log_in: LogIn) -> None:
    lon, lat = (float(value) for value in from_cgcs2000(*HOME, Datum.GCJ02))
    made = log_in("worker").post("/v1/buildings", json=new(entrance={"lon": lon, "lat": lat, "datum": "GCJ-02"})).json()
    # As they stand, they lie some 600 m off, in another grid.
    assert abs(made["entrance"]["lon"] - HOME[0]) < 1e-9
    assert abs(made["entrance"]["lat"] - HOME[1]) < 1e-9
    assert made["source"] == {"lon": lon, "lat": lat, "datum": "GCJ-02"}


def test_same_creation_twice_makes_one_building(log_in: LogIn, drawn: Drawn) -> None:
    worker, body = log_in("worker"), new(id=str(uuid.uuid4()), footprint=square(300, 300, 10))
    first, second = worker.post("/v1/buildings", json=body), worker.post("/v1/buildings", json=body)
    assert [first.status_code, second.status_code] == [201, 200]
    assert first.json() == second.json()
    # Late, after a correction, it is still the same creation.
    worker.patch(first.headers["Location"], json={"name": "改名"}, headers={"If-Match": '"v1"'})
    third = worker.post("/v1/buildings", json=body)
    assert (third.status_code, third.json()["name"], third.json()["version"]) == (200, "改名", 2)
    other = worker.post("/v1/buildings", json=body | {"floors_above": 7})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/id-taken")
    assert [row[:2] for row in trail(drawn.address, "create")] == [("create", "building")]


def test_id_of_a_building_elsewhere_is_taken_and_says_no_more(log_in: LogIn, drawn: Drawn) -> None:
    hidden = str(drawn.places.buildings["mill"])
    assert log_in("worker").post("/v1/buildings", json=new(id=hidden)).json()["type"] == "/problems/id-taken"


def test_building_that_turns_out_to_stand_elsewhere_goes_there_with_its_people(log_in: LogIn, drawn: Drawn) -> None:
    worker, east, places = log_in("worker"), log_in("worker-east"), drawn.places
    tower = f"/v1/buildings/{places.buildings['tower']}"
    answer = worker.patch(tower, json={"entrance": at(1250, 400)}, headers={"If-Match": '"v1"'})
    assert (answer.status_code, answer.json()) == (202, {"result": "accepted"})
    assert "ETag" not in answer.headers
    gone = [tower, f"/v1/units/{places.units['tower-101']}", f"/v1/residences/{places.residences['zhang-at-tower']}"]
    gone.append(f"/v1/persons/{places.people['zhang']}")
    assert [worker.get(path).status_code for path in gone] == [404, 404, 404, 404]
    assert [east.get(path).status_code for path in gone] == [200, 200, 200, 200]


def test_entrance_corrected_within_the_grid_drops_a_footprint_that_does_not_come_with_it(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), f"/v1/buildings/{drawn.places.buildings['tower']}"
    moved = worker.patch(tower, json={"entrance": at(260, 200), "name": "moved"}, headers={"If-Match": '"v1"'})
    assert (moved.status_code, moved.json()["footprint"], moved.json()["name"]) == (200, None, "moved")
    both = {"entrance": at(250, 200), "footprint": square(250, 200, 15)}
    again = worker.patch(tower, json=both, headers={"If-Match": moved.headers["ETag"]})
    assert again.json()["footprint"]["type"] == "MultiPolygon"


def test_building_is_retired_only_when_its_units_are(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), f"/v1/buildings/{drawn.places.buildings['tower']}"
    refused = [
        worker.post(f"{tower}/end", json={"on": "2026-01-01"}, headers={"If-Match": "*"}),
        worker.delete(tower, headers={"If-Match": "*"}),
    ]
    assert [answer.json()["type"] for answer in refused] == ["/problems/building-has-units"] * 2
    made = worker.post("/v1/buildings", json=new())
    ended = worker.post(f"{made.headers['Location']}/end", json={"on": "2026-01-01", "reason": "demolished"}, headers={"If-Match": '"v1"'})
    assert (ended.status_code, ended.json()["retired_on"]) == (200, "2026-01-01")
    standing = [
        worker.get("/v1/buildings", params={"valid_on": day, "name": "新楼"}).json()["items"] for day in ("2025-12-31", "2026-01-01")
    ]
    assert [len(items) for items in standing] == [1, 0]


def test_building_as_it_was_believed_can_be_read(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), f"/v1/buildings/{drawn.places.buildings['tower']}"
    before = worker.get(tower).json()
    worker.patch(tower, json={"floors_above": 31}, headers={"If-Match": '"v1"'})
    assert worker.get(tower).json()["floors_above"] == 31
    assert worker.get(tower, params={"as_of": before["recorded_from"]}).json() == before
    assert worker.get(tower, params={"as_of": "2001-01-01T00:00:00Z"}).status_code == 404
    assert [form["floors_above"] for form in worker.get(f"{tower}/history").json()] == [31, 30]


def test_filters_find_what_they_say(log_in: LogIn) -> None:
    district = log_in("district")

    def names(**params: str) -> list[str]:
        return [one["name"] for one in district.get("/v1/buildings", params=params).json()["items"]]

    assert names(area=DISTRICT) == ["tower", "village", "shop", "school", "mill"]
    assert names(area=WEST) == ["tower", "village", "shop", "school"]
    assert names(area=SOUTH) == ["tower", "village", "shop"]
    assert names(area=NORTH) == ["school"]
    assert names(area=EAST, rental="true") == ["mill"]
    assert names(area="440399009") == []
    assert names(grid="440399001001002") == ["shop"]
    assert names(name="s") == ["shop", "school"]
    assert names(nature="other", name="sh") == ["shop"]
    assert names(house_code="440399001001") == ["tower", "village", "shop"]
    assert district.get("/v1/buildings?area=4403").status_code == 422


def test_list_takes_one_statement_however_long(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    assert worker.get("/v1/buildings").status_code == 200
    with statements(drawn.database, "field") as sent:
        assert len(worker.get("/v1/buildings?area=440399001").json()["items"]) == 2
    # The signed context, and the page.
    assert len(sent) == 2


def test_disabled_account_is_refused_on_the_hot_path_too(log_in: LogIn, drawn: Drawn) -> None:
    worker, tower = log_in("worker"), f"/v1/buildings/{drawn.places.buildings['tower']}"
    assert worker.get(tower).status_code == 200
    as_superuser(drawn.address, b"UPDATE reg.account SET disabled_at = now() WHERE username = 'worker'")
    assert worker.get(tower).status_code == 401


def test_moment_is_a_time_with_its_zone_and_no_number(log_in: LogIn) -> None:
    worker = log_in("worker")
    for moment in ("-1", "0", "1700000000", "2024-01-01", "2024-01-01T00:00:00", "0001-01-01T00:00:00Z", "now"):
        answer = worker.get("/v1/buildings", params={"as_of": moment})
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, ["as_of"]), moment
    assert worker.get("/v1/buildings", params={"as_of": "2150-01-01T08:00+08:00"}).status_code == 200
