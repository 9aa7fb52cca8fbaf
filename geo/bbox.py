"""Boxes of longitude and latitude: read from a `bbox` parameter, handed to SQL."""

import re
from dataclasses import dataclass
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

from geo.crs import LONLAT, METRIC, STORAGE, Exchange, in_degrees, reproject

NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
LONGEST: Final = 400
COARSE: Final = 2e-5
"""Degrees: PostGIS's operators compare boxes in single precision, of which a step at 180 degrees is 1.5e-5."""


class BBoxError(ValueError):
    """A `bbox` that is not one. `reason` is a stable slug: count, number, finite, range or order."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Box:
    """A box of longitude and latitude in degrees, or of easting and northing in the unit of its reference system.

    In degrees west greater than east means that it crosses the 180th meridian.
    """

    west: float
    south: float
    east: float
    north: float
    exchange: Exchange = LONLAT

    def halves(self) -> tuple["Box", ...]:
        """This box, or the two on either side of the 180th meridian when it crosses."""
        if self.west <= self.east:
            return (self,)
        return Box(self.west, self.south, 180.0, self.north, self.exchange), Box(-180.0, self.south, self.east, self.north, self.exchange)

    def covers(self, west: float, south: float, east: float, north: float) -> bool:
        """Whether the bounds lie within this box, its edge included."""
        return any(half.west <= west and east <= half.east and half.south <= south and north <= half.north for half in self.halves())

    def literals(self) -> tuple[str, ...]:
        """The box, or its two halves, in degrees (EPSG:4490) as hexadecimal EWKB, which SQL takes for a geometry."""
        return tuple(_literal(half._shape()) for half in self.halves())

    def cores(self) -> tuple[str, ...]:
        """For each of the literals a smaller box: what PostGIS's `@` finds in it lies within the literal, however coarse it compares.

        Nothing lies in that of a box whose sides are bent in degrees, or which is too small to hold one.
        """
        return tuple(_literal(half._core()) for half in self.halves())

    def _core(self) -> BaseGeometry:
        west, south, east, north = self._shape().bounds
        if self.exchange.srid == METRIC or east - west <= 2 * COARSE or north - south <= 2 * COARSE:
            return shapely.Polygon()
        return shapely.box(west + COARSE, south + COARSE, east - COARSE, north - COARSE)

    def _shape(self) -> BaseGeometry:
        corners = (self.west, self.south), (self.east, self.north)
        if self.west == self.east or self.south == self.north:  # a polygon without a surface is invalid and meets nothing
            shape: BaseGeometry = shapely.Point(corners[0]) if corners[0] == corners[1] else shapely.LineString(corners)
        else:
            shape = shapely.box(*corners[0], *corners[1])
        if self.exchange.degrees:
            return shape
        if self.exchange.srid == METRIC:
            return in_degrees(shape, METRIC)
        return reproject([shape], self.exchange.srid, STORAGE)[0]


def _literal(shape: BaseGeometry) -> str:
    return shapely.to_wkb(shapely.set_srid(shape, STORAGE), hex=True, include_srid=True)


def parse_bbox(text: str, exchange: Exchange = LONLAT) -> Box:
    """The box of OGC API - Features, 7.15.3: `minx,miny,maxx,maxy` or `minx,miny,minz,maxx,maxy,maxz`, heights ignored.

    In the unit and the order of axes of `exchange`. Raises BBoxError for anything else: a wrong count, a blank or a word, a number too
    large, what lies outside the reference system's limits, south above north, west beyond east unless in degrees.

    Where latitude comes first, a box written longitude first lies beyond the pole. It is no mistake but an empty place: OGC's own test
    suite writes EPSG:4490 so, and takes an empty answer but no refusal.
    """
    parts = [part.strip() for part in text.split(",")] if len(text) <= LONGEST else []
    if len(parts) not in (4, 6):
        raise BBoxError("count", "bbox takes 4 numbers (west, south, east, north in the order of the axes), or 6 with heights")
    numbers = [_number(part) for part in parts]
    if len(numbers) == 6 and numbers[2] > numbers[5]:
        raise BBoxError("order", f"bbox: the lower height {parts[2]} lies above the upper {parts[5]}")
    west, south, east, north = (numbers[i] for i in ((0, 1, 2, 3) if len(numbers) == 4 else (0, 1, 3, 4)))
    if exchange.swapped:
        west, south, east, north = south, west, north, east
    first, lowest, last, highest = exchange.limits
    if exchange.swapped and exchange.degrees:
        lowest, highest = first, last
    across, along = ("longitudes", "latitudes") if exchange.degrees else ("eastings", "northings")
    if not (first <= west <= last and first <= east <= last):
        raise BBoxError("range", f"bbox: {across} lie between {first:.10g} and {last:.10g}")
    if not (lowest <= south <= highest and lowest <= north <= highest):
        comes = f"; {along if exchange.swapped else across} come first"
        raise BBoxError("range", f"bbox: {along} lie between {lowest:.10g} and {highest:.10g}{comes}")
    if south > north:
        raise BBoxError("order", f"bbox: south {south:g} lies above north {north:g}")
    if west > east and not exchange.degrees:
        raise BBoxError("order", f"bbox: west {west:g} lies beyond east {east:g}")
    return Box(west, south, east, north, exchange)


def _number(part: str) -> float:
    if not NUMBER.fullmatch(part):
        raise BBoxError("number", f"bbox: {part[:40]!r} is not a number")
    number = float(part)
    if abs(number) == float("inf"):
        raise BBoxError("finite", f"bbox: {part[:40]} is too large")
    return number
