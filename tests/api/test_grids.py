"""Grids over HTTP: drawing, overlaps, redraws."""

import datetime as dt
from typing import Any

from shapely import Polygon
from shapely.geometry import mapping

from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import NORTH, SOUTH, point, rectangle

SOUTH_WEST, SOUTH_EAST = "440399001001001", "440399001001002"
A, B, C, D = point(0, 0), point(500, 0), point(500, 400), point(0, 400)
"""Corners of south-west, counter-clockwise from the south-west."""


def between(one: tuple[float, float], other: tuple[float, float], part: float) -> tuple[float, float]:
    """A place on the straight line in degrees, where an edge runs in the database."""
    return one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part


def slice_of(start: float, end: float) -> dict[str, Any]:
    """South-west between two parts of its width, 500 m: 0.4 is 200 m from the west."""
    low, high = (between(A, B, part) for part in (start, end)), (between(D, C, part) for part in (end, start))
    return dict(mapping(Polygon([*low, *high])))


def drawn_as(code: str, start: float, end: float) -> dict[str, Any]:
    return {"code": code, "name": code[-3:], "community": SOUTH, "geometry": slice_of(start, end)}


def split(*grids: dict[str, Any], on: str = "2024-01-01", kind: str = "split") -> dict[str, Any]:
    return {"kind": kind, "retire": [SOUTH_WEST], "create": list(grids), "on": on}


WEST_PART, EAST_PART = drawn_as("440399001001011", 0, 0.4), drawn_as("440399001001012", 0.4, 1)


def test_only_the_district_draws_grids(log_in: LogIn, drawn: Drawn) -> None:
    for username in ("worker", "community", "subdistrict"):
        client = log_in(username)
        assert client.post("/v1/grids/redraw", json=split(WEST_PART, EAST_PART)).status_code == 403
        assert client.patch(f"/v1/grids/{drawn.places.grids['south-west']}", json={"name": "x"}).status_code == 403
        assert client.get(f"/v1/grids/{drawn.places.grids['south-west']}/lineage").status_code == 403


def test_code_must_be_the_communitys_and_a_base_number(log_in: LogIn) -> None:
    district = log_in("district")
    for code, scheme in ((f"{NORTH}001", "base"), (f"{SOUTH}901", "base"), (f"{SOUTH}001", "dedicated"), ("12", "base")):
        answer = district.post("/v1/grids", json=drawn_as(code, 0, 1) | {"scheme": scheme, "valid_from": "2024-01-01"})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "code")


def test_grid_that_crosses_itself_is_refused_with_the_place(log_in: LogIn) -> None:
    bow = {"type": "Polygon", "coordinates": [[A, C, B, D, A]]}
    answer = log_in("district").post("/v1/grids", json=drawn_as(f"{SOUTH}003", 0, 1) | {"geometry": bow, "valid_from": "2024-01-01"})
    assert (answer.status_code, answer.json()["reason"]) == (422, "self-intersection")
    # The diagonals meet in the middle of the grid.
    assert abs(answer.json()["lon"] - between(A, C, 0.5)[0]) < 1e-6


def test_overlap_names_both_grids_and_the_square_metres(log_in: LogIn, drawn: Drawn) -> None:
    moved = dict(mapping(rectangle(10, 0, 510, 400)))
    grid = f"/v1/grids/{drawn.places.grids['south-west']}"
    answer = log_in("district").patch(grid, json={"geometry": moved}, headers={"If-Match": '"v1"'})
    told = answer.json()
    assert (answer.status_code, told["type"], told["grid"], told["other"]) == (409, "/problems/grid-overlap", SOUTH_WEST, SOUTH_EAST)
    # Ten metres of 400 m height reach into the neighbour.
    assert abs(told["area_m2"] - 4_000) < 1
    assert f"grid {SOUTH_WEST} overlaps grid {SOUTH_EAST} by 4" in told["detail"]


def test_grid_may_not_leave_its_community(log_in: LogIn) -> None:
    outside = {"geometry": dict(mapping(rectangle(-10, 0, 0, 400))), "valid_from": "2024-01-01"}
    answer = log_in("district").post("/v1/grids", json=drawn_as(f"{SOUTH}003", 0, 1) | outside)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/grid-outside-community")
    assert abs(answer.json()["area_m2"] - 4_000) < 1


def test_grid_may_not_leave_a_building_behind(log_in: LogIn, drawn: Drawn) -> None:
    grid = f"/v1/grids/{drawn.places.grids['south-west']}"
    answer = log_in("district").patch(grid, json={"geometry": slice_of(0, 0.4)}, headers={"If-Match": '"v1"'})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/grid-has-buildings")
    # The tower stands 250 m from the west, the grid would end at 200 m.
    assert answer.json()["house_code"] == "4403990010010000001"


def test_redraw_that_leaves_ground_bare_is_refused_with_the_size(log_in: LogIn) -> None:
    answer = log_in("district").post("/v1/grids/redraw", json=split(WEST_PART, drawn_as("440399001001012", 0.4, 0.8)))
    told = answer.json()
    assert (answer.status_code, told["type"]) == (422, "/problems/grid-gap")
    # The last fifth: 100 m by 400 m.
    assert abs(told["area_m2"] - 40_000) < 10


def test_redraw_of_what_is_not_there_or_of_tomorrow_is_refused(log_in: LogIn) -> None:
    district = log_in("district")
    unknown = split(WEST_PART, EAST_PART) | {"retire": ["440399001001777"]}
    assert district.post("/v1/grids/redraw", json=unknown).json()["errors"][0]["field"] == "retire"
    for hostile in ("\x00", "440399001001００１", "x" * 15):
        assert district.post("/v1/grids/redraw", json=unknown | {"retire": [hostile]}).status_code == 422
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).date().isoformat()
    assert district.post("/v1/grids/redraw", json=split(WEST_PART, EAST_PART, on=tomorrow)).json()["errors"][0]["field"] == "on"
    assert district.post("/v1/grids/redraw", json=split(drawn_as("440399001001011", 0, 1))).json()["errors"][0]["field"] == "kind"


def test_split_takes_buildings_units_and_residents_along(log_in: LogIn, drawn: Drawn) -> None:
    district, places = log_in("district"), drawn.places
    answer = district.post("/v1/grids/redraw", json=split(WEST_PART, EAST_PART))
    assert answer.status_code == 201, answer.text
    west, east = answer.json()["ids"]
    # The village stands at 100 m, the tower at 250 m; Li lives in the one, Zhang in the other.
    grid_of = {
        "village": district.get(f"/v1/buildings/{places.buildings['village']}").json()["grid_id"],
        "village-201": district.get(f"/v1/units/{places.units['village-201']}").json()["grid_id"],
        "village-let": district.get(f"/v1/leases/{places.leases['village-let']}").json()["grid_id"],
        "li": district.get(f"/v1/persons/{places.people['li']}").json()["grid_id"],
        "tower": district.get(f"/v1/buildings/{places.buildings['tower']}").json()["grid_id"],
        "zhang-at-tower": district.get(f"/v1/residences/{places.residences['zhang-at-tower']}").json()["grid_id"],
        "zhang": district.get(f"/v1/persons/{places.people['zhang']}").json()["grid_id"],
    }
    assert grid_of == {
        "village": west, "village-201": west, "village-let": west, "li": west, "tower": east, "zhang-at-tower": east, "zhang": east,
    }  # fmt: skip
    old = places.grids["south-west"]
    assert district.get(f"/v1/grids/{old}").json()["valid_to"] == "2024-01-01"
    link = {"predecessor_id": old, "kind": "split", "happened_on": "2024-01-01"}
    assert district.get(f"/v1/grids/{old}/lineage").json() == [link | {"successor_id": west}, link | {"successor_id": east}]
    # The worker's assignment is for the grid that ended: nobody new is entered there, where only that worker would look.
    worker = log_in("worker")
    assert worker.get("/v1/buildings").json()["items"] == []
    late = worker.post("/v1/persons", json={"name": "孙小圣", "registration": "floating", "grid": SOUTH_WEST})
    assert late.json()["errors"][0]["field"] == "grid"
    reused = district.post("/v1/grids", json=drawn_as(SOUTH_WEST, 0, 1) | {"valid_from": "2026-01-01"})
    assert reused.json()["type"] == "/problems/code-taken"


def test_merge_gives_everybody_of_the_old_grids_to_the_new_one(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    whole = {"code": f"{SOUTH}020", "name": "whole", "community": SOUTH, "geometry": dict(mapping(rectangle(0, 0, 1000, 400)))}
    body = {"kind": "merge", "retire": [SOUTH_WEST, SOUTH_EAST], "create": [whole], "on": "2024-01-01"}
    (merged,) = district.post("/v1/grids/redraw", json=body).json()["ids"]
    # Wang lives nowhere that is known: written in south-east, and not lost with it.
    assert district.get(f"/v1/persons/{drawn.places.people['wang']}").json()["grid_id"] == merged
    assert {one["grid_id"] for one in district.get("/v1/buildings", params={"grid": f"{SOUTH}020"}).json()["items"]} == {merged}


def test_grid_as_it_was_believed_before_a_redraw_can_be_read(log_in: LogIn, drawn: Drawn) -> None:
    district, grid = log_in("district"), f"/v1/grids/{drawn.places.grids['south-west']}"
    before = district.get(grid).json()
    assert district.post("/v1/grids/redraw", json=split(WEST_PART, EAST_PART)).status_code == 201
    assert district.get(grid, params={"as_of": before["recorded_from"]}).json() == before
    now = district.get("/v1/grids", params={"area": SOUTH, "valid_on": "2024-01-01"}).json()["items"]
    assert [one["code"] for one in now] == [SOUTH_EAST, "440399001001011", "440399001001012"]
    then = district.get("/v1/grids", params={"area": SOUTH, "valid_on": "2024-01-01", "as_of": before["recorded_from"]}).json()["items"]
    assert [one["code"] for one in then] == [SOUTH_WEST, SOUTH_EAST]


def test_grid_of_a_line_department_may_lie_over_base_grids(log_in: LogIn) -> None:
    city = {"code": "CG-0042", "scheme": "city_management", "valid_from": "2024-01-01"}
    answer = log_in("district").post("/v1/grids", json=drawn_as(f"{SOUTH}003", 0, 1) | city)
    assert (answer.status_code, answer.json()["kind"]) == (201, "line_department")


def test_base_grid_neither_begins_nor_ends_after_today(log_in: LogIn, drawn: Drawn) -> None:
    district, later = log_in("district"), (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).date().isoformat()
    begun = district.post("/v1/grids", json=drawn_as(f"{SOUTH}003", 0, 1) | {"valid_from": later})
    ended = district.post(f"/v1/grids/{drawn.places.grids['south-west']}/end", json={"on": later}, headers={"If-Match": '"v1"'})
    for answer in (begun, ended):
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-value")
        assert "today or before" in answer.json()["detail"]


def test_grid_that_ends_hands_its_buildings_to_whoever_covers_them_or_stays(log_in: LogIn, drawn: Drawn) -> None:
    grid = f"/v1/grids/{drawn.places.grids['south-west']}"
    answer = log_in("district").post(f"{grid}/end", json={"on": "2024-01-01", "reason": "merged elsewhere"}, headers={"If-Match": '"v1"'})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/grid-has-buildings")
    empty = f"/v1/grids/{drawn.places.grids['east-outer']}"
    answer = log_in("district").post(f"{empty}/end", json={"on": "2024-01-01"}, headers={"If-Match": '"v1"'})
    assert (answer.status_code, answer.json()["valid_to"]) == (200, "2024-01-01")
