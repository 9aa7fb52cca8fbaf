"""Where the hand-drawn districts lie, in metres, and the ids of what is drawn there."""

import uuid
from typing import Final

import shapely
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from geo.crs import to_degrees
from gridmgmt.models.base import Base

ORIGIN: Final = (504_000.0, 2_506_000.0)
"""Easting and northing (EPSG:4547) of the south-west corner: 114.04° E, 22.65° N."""


def point(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a place in metres from the origin."""
    lon, lat = to_degrees(ORIGIN[0] + x, ORIGIN[1] + y)
    return float(lon), float(lat)


def rectangle(west: float, south: float, east: float, north: float) -> shapely.MultiPolygon:
    """A rectangle in metres, as a multipolygon in degrees.

    A line that is straight in metres is not quite straight in degrees: every corner of a grid on its edge is a vertex of it too.
    """
    xs = [west, *(x for x in (500, 1000, 1500) if west < x < east), east]
    ys = [south, *(y for y in (400,) if south < y < north), north]
    ring = [(x, south) for x in xs] + [(east, y) for y in ys[1:]] + [(x, north) for x in xs[-2::-1]] + [(west, y) for y in ys[-2::-1]]
    return shapely.MultiPolygon([shapely.Polygon([point(x, y) for x, y in ring])])


def identifier(kind: int, number: int) -> uuid.UUID:
    """An id that stays the same from run to run, of version 7."""
    return uuid.UUID(f"0190000{kind:x}-0000-7000-8000-{number:012x}")


def scope(session: Session, parent: type[Base], parent_id: uuid.UUID) -> dict[str, int]:
    """The grid and subdistrict of the row that another one takes them from."""
    table: Table = parent.__table__  # pyright: ignore[reportAssignmentType]
    row = session.execute(select(table.c.grid_id, table.c.subdistrict_id).where(table.c.id == parent_id)).one()
    return {"grid_id": row[0], "subdistrict_id": row[1]}
