"""GeoJSON in, a valid geometry out, or GeometryError saying what is wrong and where.

Coordinates are degrees, longitude first (EPSG:4490; a client's CRS84 agrees within a metre). Everything that can be refused by
counting is refused before anything is computed, so a hostile body costs no more than its parsing.
"""

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final, TypeGuard

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geo.bbox import Box

DEPTHS: Final = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
"""How many lists stand around a position, by the kinds of GeoJSON that are read; collections of mixed kinds are not."""

AREAS: Final = frozenset({"Polygon", "MultiPolygon"})
MAX_VERTICES: Final = 2_000
MAX_AREA_VERTICES: Final = 10_000
"""For the areas of a register, whose boundaries follow rivers and roads."""

FAULTS: Final = {
    "Self-intersection": ("self-intersection", "the boundary crosses or touches itself"),
    "Ring Self-intersection": ("self-intersection", "a ring of the boundary touches itself"),
    "Hole lies outside shell": ("hole-outside", "a hole lies outside its polygon"),
    "Holes are nested": ("nested", "a hole lies within another hole"),
    "Interior is disconnected": ("disconnected", "holes cut the polygon in two"),
    "Nested shells": ("nested", "a polygon lies within another"),
    "Duplicate Rings": ("nested", "a ring is given twice"),
    "Invalid Coordinate": ("not-finite", "a coordinate is not a finite number"),
    "Too few points in geometry component": ("too-few-points", "too few different points"),
}


class GeometryError(ValueError):
    """A geometry that is refused. `reason` is a stable slug; `lon`, `lat` say where in degrees, when a place is to blame.

    Reasons: syntax, type, crs, empty, number, not-finite, range, swapped, outside, three-dimensional, unclosed-ring, too-few-points,
    too-many-vertices, self-intersection, hole-outside, nested, disconnected, invalid.
    """

    def __init__(self, reason: str, message: str, lon: float | None = None, lat: float | None = None) -> None:
        super().__init__(message if lon is None else f"{message} at {lon:.7g}, {lat:.7g}")
        self.reason = reason
        self.message = message
        self.lon = lon
        self.lat = lat


def parse_geojson(
    document: str | bytes | Mapping[str, Any],
    *,
    kinds: Collection[str] = AREAS,
    max_vertices: int = MAX_VERTICES,
    within: Box | None = None,
) -> BaseGeometry:
    """The geometry of a GeoJSON geometry object: two-dimensional, valid, one of `kinds`, rings wound as RFC 7946 wants.

    `within` is a box that must hold it wholly. Raises GeometryError; a third dimension is refused, because dropping heights in
    silence would lose what the sender measured.
    """
    geometry = build(_decode(document), kinds=kinds, max_vertices=max_vertices)
    return check(geometry, kinds=kinds, max_vertices=max_vertices, within=within)


def build(document: Any, *, kinds: Collection[str] = frozenset(DEPTHS), max_vertices: int, drop_z: bool = False) -> BaseGeometry:
    """The geometry of a parsed GeoJSON object, well-formed but perhaps crossing itself or far away. Raises GeometryError."""
    if not is_object(document):
        raise GeometryError("type", "a geometry is a GeoJSON object with type and coordinates")
    kind = document.get("type")
    if not isinstance(kind, str) or kind not in DEPTHS or kind not in kinds:
        expected = ", ".join(sorted(kinds))
        raise GeometryError("type", f"a geometry of type {_shown(kind)} is not taken here; send one of {expected}")
    if "crs" in document:  # GeoJSON of 2008: passed over, coordinates would be taken for what they are not
        raise GeometryError("crs", "a geometry names no reference system; leave crs out")
    parts = _flatten(document.get("coordinates"), DEPTHS[kind], max_vertices)
    lines = [_line(line, drop_z=drop_z) for line in parts[-1]]
    if kind in AREAS:
        for ring in lines:
            _require_ring(ring)
    elif kind in {"LineString", "MultiLineString"}:
        for line in lines:
            if len(line) < 2:
                raise GeometryError("too-few-points", "a line has at least two points")
    return _assemble(kind, lines, parts)


def check(
    geometry: BaseGeometry, *, kinds: Collection[str] = AREAS, max_vertices: int = MAX_VERTICES, within: Box | None = None
) -> BaseGeometry:
    """The same geometry with its rings wound as RFC 7946 wants, once it is known to be acceptable. Raises GeometryError otherwise."""
    if geometry.geom_type not in kinds:
        raise GeometryError("type", f"a geometry of type {geometry.geom_type} is not taken here; send one of {', '.join(sorted(kinds))}")
    if int(shapely.get_num_coordinates(geometry)) > max_vertices:
        raise _too_many(max_vertices, shapely.get_coordinates(geometry)[max_vertices].tolist())
    if geometry.is_empty or any(part.is_empty for part in shapely.get_parts(geometry)):
        raise GeometryError("empty", "the geometry is empty")
    if geometry.has_z:
        raise _three_dimensional()
    _require_degrees(shapely.get_coordinates(geometry))
    if within is not None:
        _require_within(geometry, within)
    fault = find_fault(geometry)
    if fault is not None:
        raise fault
    return shapely.orient_polygons(geometry)


def find_fault(geometry: BaseGeometry) -> GeometryError | None:
    """What makes the geometry invalid in the sense of OGC Simple Features (a crossing, a hole outside), or None when nothing does."""
    said = shapely.is_valid_reason(geometry)
    if said == "Valid Geometry":
        return None
    told, _, place = said.partition("[")
    reason, message = FAULTS.get(told, ("invalid", told.lower()))
    numbers = re.fullmatch(r"(\S+) (\S+)\]", place)
    if numbers is None or reason == "not-finite":
        return GeometryError(reason, message)
    return GeometryError(reason, message, float(numbers[1]), float(numbers[2]))


def as_multipolygon(geometry: BaseGeometry) -> shapely.MultiPolygon:
    """A polygon as the multipolygon of its own; a multipolygon as it is. Raises GeometryError for other kinds."""
    if isinstance(geometry, shapely.MultiPolygon):
        return geometry
    if isinstance(geometry, shapely.Polygon):
        return shapely.MultiPolygon([geometry])
    raise GeometryError("type", f"a {geometry.geom_type} is no area")


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a parsed JSON value is an object; said once, so that the type checker knows what lies inside: anything."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a parsed JSON value is an array."""
    return isinstance(value, (list, tuple))


def _decode(document: str | bytes | Mapping[str, Any]) -> Any:
    if not isinstance(document, (str, bytes)):
        return document
    try:
        return json.loads(document)
    except RecursionError:
        raise GeometryError("syntax", "the lists of the geometry are nested too deeply") from None
    except ValueError as error:
        raise GeometryError("syntax", f"the geometry is not JSON: {error}") from None


def _flatten(coordinates: Any, depth: int, max_vertices: int) -> list[list[list[Any]]]:
    """Open `depth` lists level by level. Each entry is the members of one level's lists; the last holds the positions by line.

    Counts lists as it goes, so that a million empty rings cost no more than a million points: a refusal after counting.
    """
    levels: list[list[list[Any]]] = []
    lists: list[Any] = [coordinates] if depth else [[coordinates]]
    for _ in range(max(depth, 1)):
        total = 0
        for members in lists:
            if not is_list(members):
                raise GeometryError("type", "the coordinates are not nested as the type of the geometry asks")
            if not members:
                raise GeometryError("empty", "the geometry has an empty part")
            total += len(members)
        if total > max_vertices:
            raise _too_many(max_vertices, _beginning(next(islice(chain.from_iterable(lists), max_vertices, None))))
        levels.append(lists)
        lists = [member for members in lists for member in members]
    return levels


def _beginning(part: Any) -> tuple[float, float] | None:
    """The first position of a part of coordinates, None where that is none."""
    while is_list(part) and part and is_list(part[0]):
        part = part[0]
    try:
        return _position(part, drop_z=True)
    except GeometryError:
        return None


def _line(positions: Sequence[Any], *, drop_z: bool) -> list[tuple[float, float]]:
    read: list[tuple[float, float]] = []
    try:
        for position in positions:
            read.append(_position(position, drop_z=drop_z))  # noqa: PERF401 -- what was read before a fault is wanted
    except GeometryError as error:
        if error.reason not in {"not-finite", "number"}:
            raise
        near = read[-1] if read else next(filter(None, map(_beginning, positions)), None)
        if near is None:
            raise
        raise GeometryError(error.reason, f"{error.message}; its neighbour lies", *near) from None
    return read


def _position(position: Any, *, drop_z: bool) -> tuple[float, float]:
    if not is_list(position) or len(position) < 2 or is_list(position[0]):
        raise GeometryError("type", "a position is a list of longitude and latitude")
    if len(position) > 2 and not drop_z:
        raise _three_dimensional()
    if len(position) > 4:
        raise GeometryError("type", "a position has two numbers, or three or four with a height and a measure")
    for number in position:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise GeometryError("number", f"a coordinate is not a number: {_shown(number)}")
        if isinstance(number, float) and not math.isfinite(number):
            raise GeometryError("not-finite", "a coordinate is not a finite number")
        if abs(number) > 1e15:
            raise GeometryError("range", "a coordinate is too large for a place on earth")
    return float(position[0]), float(position[1])


def _require_ring(ring: list[tuple[float, float]]) -> None:
    if ring[0] != ring[-1]:
        raise GeometryError("unclosed-ring", "a ring does not end where it begins", *ring[-1])
    if len(ring) < 4:
        raise GeometryError("too-few-points", "a ring has at least four points, the first given again as the last", *ring[0])


def _assemble(kind: str, lines: list[list[tuple[float, float]]], levels: list[list[list[Any]]]) -> BaseGeometry:
    match kind:
        case "Point":
            return shapely.Point(lines[0][0])
        case "MultiPoint":
            return shapely.MultiPoint(lines[0])
        case "LineString":
            return shapely.LineString(lines[0])
        case "MultiLineString":
            return shapely.MultiLineString(lines)
        case "Polygon":
            return shapely.Polygon(lines[0], lines[1:])
        case _:
            polygons: list[shapely.Polygon] = []
            rest = iter(lines)
            for rings in levels[1]:
                shell, *holes = [next(rest) for _ in rings]
                polygons.append(shapely.Polygon(shell, holes))
            return shapely.MultiPolygon(polygons)


def _require_degrees(points: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    wild = ~np.isfinite(points).all(axis=1)
    if wild.any():
        raise GeometryError("not-finite", "a coordinate is not a finite number")
    lon, lat = points[:, 0], points[:, 1]
    wrong = (np.abs(lon) > 180) | (np.abs(lat) > 90)
    if not wrong.any():
        return
    first = int(np.argmax(wrong))
    x, y = float(lon[first]), float(lat[first])
    if abs(x) <= 90 and abs(y) <= 180:
        raise GeometryError("swapped", "latitude and longitude look swapped; longitude comes first", x, y)
    raise GeometryError("range", "longitudes lie between -180 and 180, latitudes between -90 and 90 degrees; got a point", x, y)


def _require_within(geometry: BaseGeometry, box: Box) -> None:
    west, south, east, north = geometry.bounds
    if box.covers(west, south, east, north):
        return
    points = shapely.get_coordinates(geometry)
    x, y = next((float(x), float(y)) for x, y in points if not box.covers(x, y, x, y))
    if box.covers(south, west, north, east):
        raise GeometryError("swapped", "latitude and longitude look swapped; longitude comes first", x, y)
    raise GeometryError("outside", "the geometry leaves the area in which it must lie", x, y)


def _shown(value: Any) -> str:
    return repr(value[:40]) if isinstance(value, str) else type(value).__name__


def _too_many(max_vertices: int, beyond: Sequence[float] | None) -> GeometryError:
    message = f"the geometry has more than {max_vertices:,} vertices"
    if beyond is None:
        return GeometryError("too-many-vertices", message)
    return GeometryError("too-many-vertices", f"{message}; the first beyond lies", beyond[0], beyond[1])


def _three_dimensional() -> GeometryError:
    return GeometryError("three-dimensional", "positions have two numbers, longitude and latitude; heights are not kept")
