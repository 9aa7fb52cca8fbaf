"""Boxes and extents to the last decimal, though PostGIS's operators compare boxes in single precision: 7.6e-6 degrees at 114."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from tests.places import point
from tests.served import Served

EAST, NORTH = 113.8100050, 22.7300010
PLACE = """
INSERT INTO reg.building (id, recorded_by, grid_id, subdistrict_id, house_code, name, address, entrance, source_x, source_y, floors_above,
                          nature, rental)
  SELECT gen_random_uuid(), recorded_by, grid_id, subdistrict_id, '4403997' || lpad(%(number)s::text, 12, '0'), 'placed', address,
         ST_Point(%(lon)s, %(lat)s, 4490), source_x, source_y, floors_above, nature, rental
    FROM reg.building WHERE name = 'tower'
"""


@contextmanager
def placed(served: Served, places: Sequence[tuple[float, float]]) -> Generator[None]:
    """Buildings with nothing but an entrance, until the block ends."""
    with served.superuser() as superuser:
        try:
            for number, (lon, lat) in enumerate(places):
                superuser.execute(PLACE.encode(), {"number": number, "lon": lon, "lat": lat})
            yield
        finally:
            superuser.execute("DELETE FROM reg.building WHERE name = 'placed'")


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
