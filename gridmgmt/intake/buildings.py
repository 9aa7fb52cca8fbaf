"""Buildings of a file: the datum undone, the place looked up among the base grids in force, the rest as it was said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.datum import Datum, to_cgcs2000
from geo.geometry import AREAS, GeometryError, as_multipolygon, check
from gridmgmt.intake import checks
from gridmgmt.intake.columns import Column
from gridmgmt.intake.loading import Load, Rows
from gridmgmt.intake.reading import Shape
from gridmgmt.intake.refusals import FileRefusedError
from gridmgmt.registers.terms import NATURES

STAGED: Final = (
    "line",
    "house_code",
    "name",
    "address",
    "datum",
    "source_x",
    "source_y",
    "lon",
    "lat",
    "footprint",
    "floors",
    "floors_below",
)
STAGED_TOO: Final = ("built_year", "nature", "rental")

STAGE: Final = """
CREATE TEMP TABLE staged (line int, house_code text, name text, address text, datum text, source_x double precision,
  source_y double precision, lon double precision, lat double precision, footprint bytea, floors int, floors_below int, built_year int,
  nature text, rental boolean) ON COMMIT DROP"""

DISTRICT: Final = """
CREATE TEMP TABLE ground ON COMMIT DROP AS
SELECT geom FROM reg.area
 WHERE level = 'district' AND deleted_at IS NULL AND valid_from <= reg.today() AND (valid_to IS NULL OR valid_to > reg.today())"""

# A swapped pair keeps its shift, so the hint allows for the kilometre of the largest.
OUTSIDE: Final = """
DELETE FROM pg_temp.staged s
 WHERE NOT EXISTS (SELECT FROM pg_temp.ground d WHERE ST_Covers(d.geom, ST_SetSRID(ST_MakePoint(s.lon, s.lat), 4490)))
RETURNING s.line, 'longitude', CASE
  WHEN EXISTS (SELECT FROM pg_temp.ground d WHERE ST_Expand(d.geom, 0.02) && ST_SetSRID(ST_MakePoint(s.source_y, s.source_x), 4490))
  THEN 'longitude and latitude are swapped' ELSE 'the place lies outside the district' END"""

PLACED: Final = """
CREATE TEMP TABLE placed ON COMMIT DROP AS
SELECT s.*, ST_SetSRID(ST_MakePoint(s.lon, s.lat), 4490) AS entrance, g.grid_id, b.id AS known, b.deleted_at IS NOT NULL AS struck
  FROM pg_temp.staged s
  CROSS JOIN LATERAL sec.grid_at(ST_SetSRID(ST_MakePoint(s.lon, s.lat), 4490)) g
  LEFT JOIN reg.building b ON b.house_code = s.house_code"""

NOWHERE: Final = "DELETE FROM pg_temp.placed WHERE grid_id IS NULL RETURNING line, 'longitude', 'the place lies in no base grid in force'"
STRUCK: Final = """
DELETE FROM pg_temp.placed WHERE struck RETURNING line, 'house_code', 'house code belonged to a building that was struck off'"""

# An empty cell says nothing: what is known stays.
UNCHANGED: Final = """
DELETE FROM pg_temp.placed p USING reg.building b
 WHERE b.id = p.known
   AND (b.name, b.address, b.datum, b.source_x, b.source_y, b.floors_above, b.nature, b.rental)
     = (coalesce(p.name, b.name), coalesce(p.address, b.address), p.datum, p.source_x, p.source_y, p.floors, p.nature, p.rental)
   AND b.floors_below = coalesce(p.floors_below, b.floors_below)
   AND b.built_year IS NOT DISTINCT FROM coalesce(p.built_year, b.built_year)
   AND (p.footprint IS NULL OR p.footprint = ST_AsBinary(b.footprint))"""

CORRECT: Final = """
UPDATE reg.building b SET name = coalesce(p.name, b.name), address = coalesce(p.address, b.address), entrance = p.entrance,
    datum = p.datum, source_x = p.source_x, source_y = p.source_y, floors_above = p.floors,
    floors_below = coalesce(p.floors_below, b.floors_below), built_year = coalesce(p.built_year, b.built_year), nature = p.nature,
    rental = p.rental,
    footprint = CASE WHEN p.footprint IS NOT NULL THEN ST_GeomFromWKB(p.footprint, 4490)
      WHEN (b.datum, b.source_x, b.source_y) = (p.datum, p.source_x, p.source_y) THEN b.footprint END
  FROM pg_temp.placed p WHERE b.id = p.known"""

CREATE: Final = """
INSERT INTO reg.building (recorded_by, house_code, name, address, entrance, footprint, datum, source_x, source_y, floors_above,
    floors_below, built_year, nature, rental)
SELECT (SELECT sec.actor()), house_code, coalesce(name, ''), coalesce(address, ''), entrance, ST_GeomFromWKB(footprint, 4490), datum,
    source_x, source_y, floors, coalesce(floors_below, 0), built_year, nature, rental
  FROM pg_temp.placed WHERE known IS NULL AND line > :after AND line <= :upto ORDER BY line"""


def columns(*, shapes: bool) -> tuple[Column, ...]:
    """The columns of a file of buildings; coordinates may be missing where features have shapes."""
    return (
        Column("house_code", ("房屋编码", "楼栋编码", "house code", "building code"), checks.code("house code", 19)),
        Column("name", ("楼栋名称", "房屋名称", "name", "building name"), checks.words("name", 200), blank=True),
        Column("address", ("地址", "房屋地址", "address"), checks.words("address", 500), required=False, blank=True),
        Column("longitude", ("经度", "longitude", "lon", "lng", "x"), checks.degrees("longitude"), required=not shapes),
        Column("latitude", ("纬度", "latitude", "lat", "y"), checks.degrees("latitude"), required=not shapes),
        Column("datum", ("坐标系", "坐标系统", "datum"), checks.datum, required=False, blank=True),
        Column("floors", ("层数", "地上层数", "楼层数", "floors", "floors above"), checks.whole("floors", 1, 200)),
        Column("floors_below", ("地下层数", "floors below"), checks.whole("floors below", 0, 20), required=False, blank=True),
        Column("year", ("建成年份", "建成年代", "year", "built year"), checks.whole("year", 1800, 2100), required=False, blank=True),
        Column("nature", ("房屋性质", "nature"), checks.term("nature", NATURES)),
        Column("rental", ("是否出租", "rental"), checks.yes_or_no("rental")),
    )


def load_buildings(load: Load) -> None:
    """Write the buildings. Raises FileRefusedError when no district is known yet."""
    load.run(DISTRICT)
    if not load.fetch("SELECT 1 FROM pg_temp.ground LIMIT 1"):
        raise FileRefusedError("no district is known yet: import the areas and grids first")
    load.run(STAGE)
    for rows in load.read():
        load.copy("staged", (*STAGED, *STAGED_TOO), list(_staged(load, rows)))
    load.progress("check", 0, load.rows)
    load.drop(OUTSIDE)
    load.run(PLACED)
    load.drop(NOWHERE)
    load.drop_repeats("placed", "house_code", "house_code", "the house code")
    load.drop(STRUCK)
    load.unchanged = load.run(UNCHANGED)
    corrected = load.run(CORRECT)
    created = load.write(CREATE)
    load.accepted = created + corrected
    load.counts |= {"created": created, "corrected": corrected}


@dataclass(frozen=True)
class _Places:
    """Coordinates of the chunk as delivered and undone; footprints where features have areas. None where a row was refused."""

    datums: Sequence[Datum | None]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    footprints: Sequence[bytes | None]


def _staged(load: Load, rows: Rows) -> Iterator[tuple[Any, ...]]:
    places = _places(load, rows)
    values = rows.values
    for i, line in enumerate(rows.lines):
        datum = places.datums[i]
        if datum is not None:
            place = (float(places.x[i]), float(places.y[i]), float(places.lon[i]), float(places.lat[i]), places.footprints[i])
            head = (line, values["house_code"][i], values["name"][i], values["address"][i], datum.value)
            yield (*head, *place, *(values[name][i] for name in ("floors", "floors_below", "year", "nature", "rental")))


def _places(load: Load, rows: Rows) -> _Places:
    """Where the rows say they are. Coordinates in cells win over shapes; rows without a place or a datum are refused here."""
    in_cells = load.has("longitude") and load.has("latitude")
    shapes = _acceptable(load, rows) if load.table.has_shapes else [None] * len(rows.lines)
    datums: list[Datum | None] = []
    for i, line in enumerate(rows.lines):
        assumed = load.datum or (None if in_cells else Datum.CGCS2000)
        datum = rows.values["datum"][i] or assumed
        if in_cells or shapes[i] is not None:
            if datum is None:
                load.refuse(line, "datum", f"datum is missing: expected one of {', '.join(Datum)}")
            datums.append(datum)
        else:
            datums.append(None)
    if in_cells:
        x, y = np.array(rows.values["longitude"], dtype=float), np.array(rows.values["latitude"], dtype=float)
    else:
        points = shapely.point_on_surface(np.array(shapes, dtype=object))
        x, y = shapely.get_x(points), shapely.get_y(points)
    lon, lat = x.copy(), y.copy()
    footprints: list[bytes | None] = [None] * len(rows.lines)
    for datum in Datum:
        here = np.array([one is datum for one in datums], dtype=bool)
        lon[here], lat[here] = to_cgcs2000(x[here], y[here], datum)
        for i in np.flatnonzero(here):
            shape = shapes[i]
            if shape is not None and shape.geom_type in AREAS:
                footprints[i] = shapely.to_wkb(as_multipolygon(_undone(shape, datum)))
    return _Places(datums, x, y, lon, lat, footprints)


def _acceptable(load: Load, rows: Rows) -> list[BaseGeometry | None]:
    """The shapes that may be a building's; a row whose shape may not be is refused, and so is one without any place."""
    in_cells = load.has("longitude") and load.has("latitude")
    return [_acceptable_one(load, line, shape, in_cells=in_cells) for line, shape in zip(rows.lines, rows.shapes, strict=True)]


def _acceptable_one(load: Load, line: int, shape: Shape, *, in_cells: bool) -> BaseGeometry | None:
    try:
        if isinstance(shape, GeometryError):
            raise shape
        if shape is not None:
            return check(shape, kinds=AREAS | {"Point"})
    except GeometryError as fault:
        if not in_cells:
            load.refuse(line, "geometry", str(fault))
        return None
    if not in_cells:
        load.refuse(line, "geometry", "the geometry is missing")
    return None


def _undone(shape: BaseGeometry, datum: Datum) -> BaseGeometry:
    return shapely.transform(shape, lambda points: np.column_stack(to_cgcs2000(points[:, 0], points[:, 1], datum)))
