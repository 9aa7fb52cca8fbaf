"""Bodies of requests about places, drawn in the metres of tests/places.py."""

from typing import Any

from shapely import Polygon
from shapely.geometry import mapping

from tests.places import NORTH, point


def square(west: float, south: float) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[point(west + x, south + y) for x, y in ((0, 0), (9, 0), (9, 9), (0, 9), (0, 0))]]}


def building(code: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    lon, lat = point(x, y)
    rest = {"name": "b", "address": "a", "floors_above": 2, "nature": "other", "rental": False}
    return {"house_code": code, "entrance": {"lon": lon, "lat": lat}, **rest, **more}


def feature(house_code: str = "4403990010010000097", **more: Any) -> dict[str, Any]:
    told = building(house_code, 450, 350)
    lon, lat = told.pop("entrance").values()
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": told, **more}


def halves() -> list[dict[str, Any]]:
    """North-east cut in two along the straight line in degrees from the middle of its south to the middle of its north."""
    (a, b), (d, c) = ((point(500, y), point(1000, y)) for y in (400, 800))
    low, high = (tuple((one + other) / 2 for one, other in zip(*ends, strict=True)) for ends in ((a, b), (d, c)))
    shapes = (Polygon([a, low, high, d]), Polygon([low, b, c, high]))
    return [
        {"code": f"{NORTH}0{number}", "name": "half", "community": NORTH, "geometry": dict(mapping(shape))}
        for number, shape in zip((11, 12), shapes, strict=True)
    ]
