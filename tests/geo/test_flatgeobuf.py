"""FlatGeobuf with an index of our own making, read by GDAL: every feature, and by boxes those that lie in them."""

import json
import math
import random
from pathlib import Path

import pyogrio
import pytest
import shapely
from pyogrio import raw
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from geo.flatgeobuf import bounds
from geo.tables import Table
from geo.writing import TableError, write_table

HOLED = [[(0, 0), (4, 0), (4, 3), (0, 3), (0, 0)], [(1, 1), (2, 1), (2, 2), (1, 2), (1, 1)]]


def write(path: Path, shapes: list[BaseGeometry | None]) -> int:
    table = Table("things", "fgb", (("n", "integer"), ("name", "string")), "any", "EPSG:4490", CRS(4490).to_json_dict())
    rows = ([number, f"名{number}", None if shape is None else shapely.to_wkb(shape, hex=True)] for number, shape in enumerate(shapes))
    return write_table(path, table, (json.dumps(row).encode() for row in rows))


def scattered(count: int) -> list[BaseGeometry]:
    drawn = random.Random(count)
    shapes: list[BaseGeometry] = []
    for _ in range(count):
        x, y = 113.8 + drawn.random() / 4, 22.5 + drawn.random() / 4
        part, far = shapely.box(x, y, x + 0.002, y + 0.001), shapely.box(x + 0.01, y, x + 0.011, y + 0.002)
        shapes.append(
            drawn.choice([shapely.Point(x, y), part, shapely.MultiPolygon([part, far]), shapely.LineString([(x, y), (x + 0.01, y)])])
        )
    return shapes


@pytest.mark.parametrize(
    ("wkt", "box"),
    [
        ("POINT (3 4)", (3, 4, 3, 4)), ("MULTIPOINT (3 4, 1 9)", (1, 4, 3, 9)), ("LINESTRING (3 4, 1 9)", (1, 4, 3, 9)),
        ("MULTILINESTRING ((3 4, 1 9), (5 5, 6 6))", (1, 4, 6, 9)),
        ("GEOMETRYCOLLECTION (POINT (7 8), LINESTRING (3 4, 1 9))", (1, 4, 7, 9)),
        ("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))", (0, 0, 6, 6)), ("MULTIPOLYGON EMPTY", ()),
    ],
)  # fmt: skip
def test_box_of_each_kind_of_geometry(wkt: str, box: tuple[float, ...]) -> None:
    assert bounds(shapely.to_wkb(shapely.from_wkt(wkt))) == box


def test_holes_are_stepped_over() -> None:
    polygon = shapely.Polygon(HOLED[0], HOLED[1:])
    assert bounds(shapely.to_wkb(shapely.MultiPolygon([polygon, shapely.box(9, 9, 10, 10)]))) == (0, 0, 10, 10)


@pytest.mark.parametrize("shape", [None, shapely.Polygon()])
def test_row_without_a_place_is_refused(tmp_path: Path, shape: BaseGeometry | None) -> None:
    for shapes in ([shape], [shapely.Point(1, 2), shape]):
        with pytest.raises(TableError):
            write(tmp_path / "x.fgb", shapes)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 257, 2_100])
def test_gdal_finds_every_feature_and_those_of_each_box(tmp_path: Path, count: int) -> None:
    path, shapes = tmp_path / "things.fgb", scattered(count)
    assert write(path, list(shapes)) == count
    assert [file.name for file in tmp_path.iterdir()] == ["things.fgb"]
    info = pyogrio.read_info(path)
    assert (info["features"], info["capabilities"]["fast_spatial_filter"], info["crs"]) == (count, True, "EPSG:4490")
    assert all(map(math.isclose, info["total_bounds"], shapely.total_bounds(shapes).tolist()))
    _, _, found, (numbers, names) = raw.read(path)
    assert sorted(numbers) == list(range(count))
    assert all(name == f"名{number}" for number, name in zip(numbers, names, strict=True))
    assert all(shapely.from_wkb(one).equals(shapes[number]) for number, one in zip(numbers, found, strict=True))
    for west, south in ((113.7, 22.4), (113.85, 22.55), (113.9, 22.7), (114.2, 22.9)):
        box = (west, south, west + 0.05, south + 0.04)
        inside = [number for number, shape in enumerate(shapes) if shape.intersects(shapely.box(*box))]
        assert sorted(raw.read(path, bbox=box)[3][0]) == inside
