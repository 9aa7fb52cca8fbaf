"""Faults among polygons that should tile an area: invalid shapes, overlaps, parts outside, gaps.

Polygons come as a dict from code to geometry in degrees (EPSG:4490). What is cut is cut in degrees, as the database does it, where
an edge is straight for both neighbours; only the pieces are measured in metres (EPSG:4547). Cutting in metres would bend long
edges and find slivers at every T-junction. Pieces up to the tolerance are rounding, not faults.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.crs import area_m2
from geo.geometry import find_fault

Polygons = Mapping[str, BaseGeometry]

TOLERANCE_M2: Final = 0.01
MOST_FAULTS: Final = 1_000
"""A file drawn twice over itself has millions of overlaps; nobody reads more than these."""
BLOCK: Final = 256
MOST_PAIRS: Final = 4_096
AREA_TYPES: Final = (3, 6)
"""GEOS numbers of Polygon and MultiPolygon."""


@dataclass(frozen=True)
class Invalid:
    """A polygon that crosses itself or is otherwise no area; `reason` is a slug of GeometryError, the place is where it happens."""

    code: str
    reason: str
    message: str
    lon: float | None
    lat: float | None


@dataclass(frozen=True)
class Overlap:
    """Two polygons that share ground; the place lies inside the largest shared piece."""

    codes: tuple[str, str]
    lon: float
    lat: float
    area_m2: float


@dataclass(frozen=True)
class Outside:
    """A polygon that leaves its container; the place lies inside the largest piece outside."""

    code: str
    container: str
    lon: float
    lat: float
    area_m2: float


@dataclass(frozen=True)
class Gap:
    """Ground of a container that no polygon covers; one gap for each connected piece, the place inside it."""

    container: str
    lon: float
    lat: float
    area_m2: float


Fault = Invalid | Overlap | Outside | Gap


def find_faults(
    polygons: Polygons, containers: Polygons, container_of: Callable[[str], str], *, tolerance_m2: float = TOLERANCE_M2
) -> list[Fault]:
    """Every fault of polygons that should tile their containers: the invalid, then overlaps, then parts outside, then gaps.

    `container_of` names the container of a polygon's code. An invalid polygon is reported as such only: it takes no part in
    overlaps, and gaps are looked for outside its convex hull, so that what it was meant to cover is not called a gap as well.
    The containers are valid areas. Raises KeyError when a named container is missing: refuse such polygons first.
    """
    invalid = find_invalid(polygons)
    broken = {fault.code for fault in invalid}
    valid = {code: polygon for code, polygon in polygons.items() if code not in broken}
    members: dict[str, dict[str, BaseGeometry]] = {code: {} for code in containers}
    for code, polygon in polygons.items():
        members[container_of(code)][code] = _hull(polygon) if code in broken else polygon
    outside = [
        fault
        for container, inside in members.items()
        for fault in find_outside(
            {code: polygon for code, polygon in inside.items() if code not in broken}, containers[container], container, tolerance_m2
        )
    ]
    gaps = [fault for container, inside in members.items() for fault in find_gaps(inside, containers[container], container, tolerance_m2)]
    return [*invalid, *find_overlaps(valid, tolerance_m2), *outside, *gaps]


def find_invalid(polygons: Polygons) -> list[Invalid]:
    """The polygons that are empty, no areas, or not valid in the sense of OGC Simple Features, with the place of the crossing."""
    shapes = _array(polygons)
    codes = list(polygons)
    suspect = ~shapely.is_valid(shapes) | shapely.is_empty(shapes) | ~np.isin(shapely.get_type_id(shapes), AREA_TYPES)
    return [_why_invalid(codes[i], shapes[i]) for i in np.flatnonzero(suspect)]


def find_overlaps(polygons: Polygons, tolerance_m2: float = TOLERANCE_M2) -> list[Overlap]:
    """Pairs of valid polygons that share more than `tolerance_m2`, by code; after 1,000 pairs the search ends."""
    codes, shapes = list(polygons), _array(polygons)
    found: list[Overlap] = []
    for first, second in _neighbours(shapes):
        shared = shapely.intersection(shapes[first], shapes[second])
        for i, (lon, lat, area) in _pieces(shared, tolerance_m2):
            one, other = codes[int(first[i])], codes[int(second[i])]
            found.append(Overlap((min(one, other), max(one, other)), lon, lat, area))
        if len(found) >= MOST_FAULTS:
            break
    return sorted(found[:MOST_FAULTS], key=lambda overlap: overlap.codes)


def find_outside(polygons: Polygons, container: BaseGeometry, container_code: str, tolerance_m2: float = TOLERANCE_M2) -> list[Outside]:
    """Valid polygons of which more than `tolerance_m2` lies outside the container, in their own order."""
    codes, shapes = list(polygons), _array(polygons)
    shapely.prepare(container)
    leaving = np.flatnonzero(~shapely.covers(container, shapes))
    beyond = shapely.difference(shapes[leaving], container)
    return [Outside(codes[int(leaving[i])], container_code, *place) for i, place in _pieces(beyond, tolerance_m2)]


def find_gaps(polygons: Polygons, container: BaseGeometry, container_code: str, tolerance_m2: float = TOLERANCE_M2) -> list[Gap]:
    """Connected pieces of the container, larger than `tolerance_m2`, that no valid polygon covers, the largest first."""
    bare = shapely.get_parts(shapely.difference(container, shapely.union_all(_array(polygons))))
    gaps = [Gap(container_code, *place) for _, place in _pieces(bare, tolerance_m2)]
    return sorted(gaps, key=lambda gap: -gap.area_m2)[:MOST_FAULTS]


def _array(polygons: Polygons) -> NDArray[Any]:
    # np.array would try to open a geometry as a sequence; filling an object array does not.
    shapes = np.empty(len(polygons), dtype=object)
    shapes[:] = list(polygons.values())
    return shapes


def _neighbours(shapes: NDArray[Any]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Indexes of pairs whose boxes meet, each pair once, in blocks so that memory stays small when everything meets everything."""
    tree = shapely.STRtree(shapes)
    for start in range(0, len(shapes), BLOCK):
        first, second = tree.query(shapes[start : start + BLOCK])
        first += start
        once = first < second
        first, second = first[once], second[once]
        for begin in range(0, len(first), MOST_PAIRS):
            yield first[begin : begin + MOST_PAIRS], second[begin : begin + MOST_PAIRS]


def _pieces(shapes: NDArray[Any], tolerance_m2: float) -> Iterator[tuple[int, tuple[float, float, float]]]:
    """Index, and longitude, latitude and m², of each shape with an area above the tolerance."""
    if not len(shapes):
        return
    areas = area_m2(shapes)
    for i in np.flatnonzero(areas > tolerance_m2):
        parts = shapely.get_parts(shapes[i])
        place = shapely.point_on_surface(parts[np.argmax(shapely.area(parts))])
        yield int(i), (float(place.x), float(place.y), float(areas[i]))


def _hull(shape: BaseGeometry) -> BaseGeometry:
    points = shapely.get_coordinates(shape)
    return shapely.MultiPoint(points[np.isfinite(points).all(axis=1)].tolist()).convex_hull


def _why_invalid(code: str, shape: BaseGeometry) -> Invalid:
    fault = find_fault(shape)
    if fault is not None:
        return Invalid(code, fault.reason, str(fault), fault.lon, fault.lat)
    if shape.is_empty:
        return Invalid(code, "empty", "the geometry is empty", None, None)
    place = shape.representative_point()
    return Invalid(code, "type", f"a {shape.geom_type} is no area", place.x, place.y)
