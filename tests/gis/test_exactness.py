"""Where boxes, shapes and extents end, to the last decimal.

PostGIS's operators compare boxes in single precision, 7.6e-6 degrees at 114, and what is straight in metres is bent in degrees.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from pyproj import Transformer

from tests.places import point
from tests.served import Served

METRES = "http://www.opengis.net/def/crs/EPSG/0/4547"
EAST, NORTH = 113.8100050, 22.7300010
PLACE = """
INSERT INTO reg.building (id, recorded_by, grid_id, subdistrict_id, house_code, name, address, entrance, source_x, source_y, floors_above,
                          nature, rental)
  SELECT gen_random_uuid(), recorded_by, grid_id, subdistrict_id, '4403997' || lpad(%(number)s::text, 12, '0'), 'placed', address,
         ST_Point(%(lon)s, %(lat)s, 4490), source_x, source_y, floors_above, nature, rental
    FROM reg.building WHERE name = 'tower'
"""
NOTED = b"INSERT INTO reg.layer_change (noun) VALUES ('building')"
"""What a trigger notes, none of which fires here, so that nobody goes on by what is kept."""


@contextmanager
def placed(served: Served, places: Sequence[tuple[float, float]]) -> Generator[None]:
    """Buildings with nothing but an entrance, until the block ends."""
    with served.superuser() as superuser:
        try:
            for number, (lon, lat) in enumerate(places):
                superuser.execute(PLACE.encode(), {"number": number, "lon": lon, "lat": lat})
            superuser.execute(NOTED)
            yield
        finally:
            superuser.execute("DELETE FROM reg.building WHERE name = 'placed'")
            superuser.execute(NOTED)


def number_of(client: httpx2.Client, **parameters: Any) -> int:
    answer = client.get("/collections/buildings/items", params={"name": "placed", "count": "exact", **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()["numberMatched"]


@pytest.mark.parametrize("west_of_it", [1e-7, 1e-6, 4e-6])
def test_box_that_ends_just_short_of_a_building_does_not_find_it(served: Served, west_of_it: float) -> None:
    east = f"{EAST - west_of_it:.7f}"
    ring = f"113.8 22.72,{east} 22.72,{east} 22.74,113.8 22.74,113.8 22.72"
    with served.client("district") as client, placed(served, [(EAST, NORTH)]):
        assert number_of(client, bbox=f"113.8,22.72,{east},22.74") == 0
        assert number_of(client, filter=f"S_INTERSECTS(geometry, BBOX(113.8, 22.72, {east}, 22.74))") == 0
        assert number_of(client, filter=f"S_INTERSECTS(geometry, POLYGON(({ring})))") == 0
        assert number_of(client, filter=f"S_DISJOINT(geometry, BBOX(113.8, 22.72, {east}, 22.74))") == 1


@pytest.mark.parametrize("half", [0, 1e-7, 1e-5, 2e-5, 2.1e-5, 1e-3])
def test_box_around_a_building_finds_it_however_small_it_is(served: Served, half: float) -> None:
    box = f"{EAST - half:.7f},{NORTH - half:.7f},{EAST + half:.7f},{NORTH + half:.7f}"
    beside = f"{EAST + 1e-7:.7f},{NORTH - half:.7f},{EAST + 1e-7 + half:.7f},{NORTH + half:.7f}"
    with served.client("district") as client, placed(served, [(EAST, NORTH)]):
        assert number_of(client, bbox=box) == 1
        assert number_of(client, filter=f"S_INTERSECTS(geometry, BBOX({box}))") == 1
        assert number_of(client, bbox=beside) == 0


def test_extent_ends_with_the_outermost_building_however_near_the_others_lie(served: Served) -> None:
    """Eleven buildings in a row of a millionth of a degree beyond each side of the district, the outermost in the middle of the row."""
    (west, south), (east, north) = point(-50, -50), point(2050, 850)
    middle_x, middle_y = point(1000, 400)
    steps = [number * 1e-7 for number in (*range(0, 10, 2), 10, *range(9, 0, -2))]
    rows = [(west - step, middle_y) for step in steps] + [(east + step, middle_y) for step in steps]
    rows += [(middle_x, south - step) for step in steps] + [(middle_x, north + step) for step in steps]
    with served.client("district") as client, placed(served, rows):
        told = client.get("/collections/buildings").json()["extent"]["spatial"]["bbox"][0]
    assert told == pytest.approx([west - 1e-6, south - 1e-6, east + 1e-6, north + 1e-6], abs=1e-12)


def square(side: float, positions: int) -> str:
    """Northing first: the district lies just below the northern side, which is straight; the southern side has all other positions."""
    west, east, south, north = 505_000 - side * 0.45, 505_000 + side * 0.55, 2_507_000 - side, 2_507_000
    below = [(south, west + side * step / (positions - 4)) for step in range(positions - 3)]
    ring = [*below, (north, east), (north, west), below[0]]
    return f"POLYGON(({','.join(f'{y} {x}' for y, x in ring)}))"


@pytest.mark.parametrize("side", [600_000, 2_000_000])
@pytest.mark.parametrize("positions", [5, 134, 1_500])
def test_long_sides_of_metres_lose_no_feature(served: Served, side: float, positions: int) -> None:
    condition = f"(geometry, {square(side, positions)})"
    with served.client("district") as client:
        told = client.get("/collections/buildings/items", params={"count": "exact", "limit": 1})
        for relation in ("S_WITHIN", "S_INTERSECTS"):
            asked = {"filter": relation + condition, "filter-crs": METRES, "count": "exact", "limit": 1}
            answer = client.get("/collections/buildings/items", params=asked)
            assert answer.status_code == 200, answer.text
            assert answer.json()["numberMatched"] == told.json()["numberMatched"]


@pytest.mark.parametrize("half", [100, 300_000, 2_000_000])
def test_side_of_metres_cuts_where_it_is_straight_in_metres(served: Served, half: float) -> None:
    """Buildings 10 cm and 20 m on either side of the northern edge of a box, far from its corners."""
    metres = Transformer.from_crs(4547, 4490, always_xy=True)
    places = [metres.transform(505_000, 2_506_000 + beyond) for beyond in (-20, -0.1, 0.1, 20)]
    box = f"{2_506_000 - half},{505_000 - half * 0.9},2506000,{505_000 + half * 1.1}"
    with served.client("district") as client, placed(served, places):
        assert number_of(client, **{"bbox": box, "bbox-crs": METRES}) == 2
        assert number_of(client, **{"filter": f"S_INTERSECTS(geometry, BBOX({box}))", "filter-crs": METRES}) == 2


def test_outline_that_is_too_long_to_be_followed_is_refused(served: Served) -> None:
    ends = [f"{2_000_000 + number} {-2_000_000 if number % 2 else 3_000_000}" for number in range(60)]
    asked = {"filter": f"S_INTERSECTS(geometry, LINESTRING({','.join(ends)}))", "filter-crs": METRES}
    with served.client("district") as client:
        answer = client.get("/collections/buildings/items", params=asked)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "filter")
    assert "250,000 km" in answer.text
