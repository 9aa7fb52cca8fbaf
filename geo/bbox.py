"""Boxes of longitude and latitude: read from a `bbox` parameter, handed to SQL."""

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func

from geo.crs import STORAGE

NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
LONGEST: Final = 400


class BBoxError(ValueError):
    """A `bbox` that is not one. `reason` is a stable slug: count, number, finite, range or order."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Box:
    """A box in degrees (EPSG:4490 or CRS84). West greater than east means that it crosses the 180th meridian."""

    west: float
    south: float
    east: float
    north: float

    def halves(self) -> tuple["Box", ...]:
        """This box, or the two on either side of the 180th meridian when it crosses."""
        if self.west <= self.east:
            return (self,)
        return Box(self.west, self.south, 180.0, self.north), Box(-180.0, self.south, self.east, self.north)

    def covers(self, west: float, south: float, east: float, north: float) -> bool:
        """Whether the bounds lie within this box, its edge included."""
        return any(half.west <= west and east <= half.east and half.south <= south and north <= half.north for half in self.halves())


def parse_bbox(text: str) -> Box:
    """The box of OGC API - Features, 7.15.3: `minx,miny,maxx,maxy` or `minx,miny,minz,maxx,maxy,maxz`, in degrees, heights ignored.

    Raises BBoxError for anything else: a wrong count, a blank or a word, a number too large, outside ±180 and ±90, south above north.
    """
    parts = [part.strip() for part in text.split(",")] if len(text) <= LONGEST else []
    if len(parts) not in (4, 6):
        raise BBoxError("count", "bbox takes 4 numbers (west, south, east, north), or 6 with heights")
    numbers = [_number(part) for part in parts]
    if len(numbers) == 6 and numbers[2] > numbers[5]:
        raise BBoxError("order", f"bbox: the lower height {parts[2]} lies above the upper {parts[5]}")
    west, south, east, north = (numbers[i] for i in ((0, 1, 2, 3) if len(numbers) == 4 else (0, 1, 3, 4)))
    if abs(west) > 180 or abs(east) > 180:
        raise BBoxError("range", "bbox: longitudes lie between -180 and 180 degrees")
    if abs(south) > 90 or abs(north) > 90:
        raise BBoxError("range", "bbox: latitudes lie between -90 and 90 degrees; longitude comes first")
    if south > north:
        raise BBoxError("order", f"bbox: south {south:g} lies above north {north:g}")
    return Box(west, south, east, north)


def envelope(box: Box) -> ColumnElement[object]:
    """The box as a geometry in EPSG:4490, for SQL, its corners bound. Raises ValueError for one that crosses: take its halves first."""
    if box.west > box.east:
        raise ValueError("a box across the 180th meridian is two envelopes")
    if box.west == box.east or box.south == box.north:
        # ST_MakeEnvelope would make an invalid polygon, which meets nothing.
        corners = func.ST_Point(box.west, box.south, STORAGE), func.ST_Point(box.east, box.north, STORAGE)
        return func.ST_Envelope(func.ST_MakeLine(*corners))
    return func.ST_MakeEnvelope(box.west, box.south, box.east, box.north, STORAGE)


def _number(part: str) -> float:
    if not NUMBER.fullmatch(part):
        raise BBoxError("number", f"bbox: {part[:40]!r} is not a number")
    number = float(part)
    if abs(number) == float("inf"):
        raise BBoxError("finite", f"bbox: {part[:40]} is too large")
    return number
